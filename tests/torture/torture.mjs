// Breaks what can break, one after the other, under a steady stream of requests, and compares what the
// clients were told with the database (make torture; tests/torture/README.md).
//   node tests/torture/torture.mjs [--only NAME,…] [--short] [--build DIR] [--rounds N] [--list]
//   node tests/torture/torture.mjs --publish      writes the last run of each fault to tests/torture/RESULT.md
// Exit status 1 if a promise was broken.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { FAULTS } from './faults.mjs';
import { Stream } from './ledger.mjs';
import { Place, here, root } from './place.mjs';
import { printRows } from './rows.mjs';

// The contract says 503 within 5 s; the rest is a crowd before that, and this machine.
const SLOWEST_SECONDS = 10;
const results = path.join(root, 'build/torture');

// One fault. `broken` lists the promises that were not kept.
export async function suffer(place, fault) {
  const stream = new Stream(place, fault.stream);
  let outcome;
  let error;
  let recovery;
  try {
    await stream.untilRecovered(Date.now());
    outcome = await fault.strike(place, stream) ?? {};
    recovery = await stream.untilRecovered(Date.now());
  } catch (thrown) {
    error = thrown;
    await place.mend();
  }
  await stream.end();
  if (outcome?.skipped) return { fault, skipped: outcome.skipped, broken: [] };
  const streams = [stream, ...(outcome?.more ? [outcome.more] : [])];
  const row = { fault, recovery, note: outcome?.note, requests: 0, failures: 0, slowest: 0, writes: 0, doubtful: 0, lost: 0, twice: 0, torn: 0, failed: new Map(), broken: [] };
  if (error) row.broken.push(error.message);
  else if (recovery === undefined) row.broken.push('the service has not recovered within 40 s');
  for (const each of streams) {
    const verdict = await each.judge();
    row.requests += each.answers.length;
    row.failures += each.failures;
    row.slowest = Math.max(row.slowest, each.slowest / 1000);
    row.writes += verdict.writes;
    row.doubtful += verdict.doubtful;
    for (const [what, times] of each.failed) row.failed.set(what, (row.failed.get(what) ?? 0) + times);
    for (const kind of ['lost', 'twice', 'torn']) {
      row[kind] += verdict[kind].length;
      row.broken.push(...verdict[kind].map((what) => `${kind}: ${what}`));
    }
    row.broken.push(...new Set(each.wrongs));
    if (each.hung > 0) row.broken.push(`${each.hung} requests were never answered`);
  }
  if (fault.none && row.failures > 0) row.broken.push(`${row.failures} requests failed, and none may`);
  if (row.slowest > SLOWEST_SECONDS) row.broken.push(`an answer took ${row.slowest.toFixed(1)} s`);
  row.stoodStill = stream.stoodStill;
  return row;
}

const COLUMNS = [
  ['fault', 20, ({ fault }) => fault.name], ['requests', 8, ({ requests }) => requests],
  ['failed', 7, ({ failures, requests }) => `${(100 * failures / requests).toFixed(failures > 0 ? 2 : 0)}%`],
  ['recovery', 8, ({ recovery }) => (recovery === undefined ? 'never' : `${recovery.toFixed(1)} s`)],
  ['slowest', 7, ({ slowest }) => `${slowest.toFixed(1)} s`], ['writes', 7, ({ writes }) => writes], ['doubtful', 8, ({ doubtful }) => doubtful],
  ['lost', 4, ({ lost }) => lost], ['twice', 5, ({ twice }) => twice], ['torn', 4, ({ torn }) => torn],
];

const seen = (row) => [...row.failed].map(([what, times]) => `${what} × ${times}`).join(', ');
const cells = (row) => (row.skipped ? [row.fault.name] : COLUMNS.map(([, , value]) => String(value(row))));
const line = (values) => values.map((value, i) => (i === 0 ? value.padEnd(COLUMNS[i][1]) : value.padStart(COLUMNS[i][1]))).join('  ');

export function print(row) {
  const tail = row.skipped ? `left out: ${row.skipped}` : [seen(row), row.note].filter(Boolean).join('; ');
  console.log(`${line(cells(row))}  ${tail}`);
  for (const broken of row.broken.slice(0, 10)) console.log(`    BROKEN: ${broken}`);
  if (row.broken.length > 10) console.log(`    and ${row.broken.length - 10} more`);
}

const resultFile = path.join(results, 'result.json');

// The last run of each fault.
function keep(rows) {
  fs.mkdirSync(results, { recursive: true });
  const before = fs.existsSync(resultFile) ? JSON.parse(fs.readFileSync(resultFile, 'utf8')).rows : [];
  const now = rows.map((row) => ({ what: row.fault.what, cells: cells(row), tail: row.skipped ? `left out: ${row.skipped}` : [seen(row), row.note, row.broken.length > 0 && 'BROKEN'].filter(Boolean).join('; ') }));
  const all = FAULTS.map(({ name }) => [...before, ...now].findLast((row) => row.cells[0] === name)).filter(Boolean);
  fs.writeFileSync(resultFile, JSON.stringify({ date: new Date().toISOString().slice(0, 10), cores: os.cpus().length, rows: all }));
}

function publish() {
  const { date, cores, rows } = JSON.parse(fs.readFileSync(resultFile, 'utf8'));
  const table = rows.map(({ what, cells: values, tail }) => `| ${[what, ...values.slice(1), ...Array(COLUMNS.length - values.length).fill(''), tail].join(' | ')} |`);
  fs.writeFileSync(path.join(here, 'RESULT.md'), `# What \`make torture\` printed

${date}, a machine of ${cores} cores with PostgreSQL, nginx, the programs and the clients on it. What the columns mean: [README.md](README.md).

| fault | ${COLUMNS.slice(1).map(([name]) => name).join(' | ')} | what clients saw |
|---|${COLUMNS.slice(1).map(() => '--:').join('|')}|---|
${table.join('\n')}
`);
}

async function main() {
  const { values: options } = parseArgs({ options: { only: { type: 'string' }, short: { type: 'boolean' }, build: { type: 'string' }, rounds: { type: 'string' }, list: { type: 'boolean' }, publish: { type: 'boolean' } } });
  if (options.publish) return publish();
  const wanted = options.only?.split(',');
  const unknown = wanted?.find((name) => !FAULTS.some((fault) => fault.name === name));
  if (unknown) throw new Error(`there is no fault "${unknown}"; --list names them`);
  const faults = FAULTS.filter((fault) => (wanted ? wanted.includes(fault.name) : !options.short || fault.short));
  if (options.list) return faults.forEach(({ name, what }) => console.log(`${name.padEnd(20)} ${what}`));
  const place = await Place.start({ build: options.build ?? process.env.BUILD ?? path.join(root, 'build/release') });
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => place.stop().finally(() => process.exit(130)));
  const rows = [];
  try {
    console.log(`${line(COLUMNS.map(([name]) => name))}  what clients saw`);
    for (let round = 0; round < Number(options.rounds ?? 1); round += 1) {
      for (const fault of faults) {
        let row = await suffer(place, fault);
        // While everything was stopped, time limits ran out that nobody could keep.
        if (row.stoodStill > 1000) row = await suffer(place, fault);
        print(row);
        rows.push(row);
      }
    }
  } finally {
    if (rows.some(({ broken }) => broken.length > 0)) place.keepLogs(results);
    await place.stop();
  }
  const broken = rows.filter((row) => row.broken.length > 0);
  keep(rows);
  console.log(`${rows.filter(({ skipped }) => !skipped).length} faults, ${broken.length} of them broke a promise, ${rows.filter(({ skipped }) => skipped).length} left out`);
  const isComplete = wanted || options.short || printRows();
  process.exitCode = broken.length > 0 || !isComplete ? 1 : 0;
  return undefined;
}

if (process.argv[1] === path.join(here, 'torture.mjs')) await main();
