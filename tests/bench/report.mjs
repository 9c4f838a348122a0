// What a run of the benchmark found: as text, as Markdown, as a plot. Run as a program, it publishes the
// last result: RESULT.md and result.svg beside this file.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { here, median, results } from './instance.mjs';
import { plot } from './plot.mjs';

// --- What the figures must show ---------------------------------------------------------------------

const least = (of, subject, limits) => ({ name: `ours / ${of}`, subject, limits, holds: (value, limit) => value >= limit, sign: '≥' });
const throughputs = [
  least('FastAPI + asyncpg', 'fastapi', { list: 18, get: 14, create: 6, toggle: 6 }),
  least('Fastify + pg', 'fastify', { list: 4.5, get: 4.5, create: 2.5, toggle: 2.5 }),
  least('pgbench -M prepared', 'pgbench', { list: 0.7, get: 0.6, create: 0.7, toggle: 0.7 }),
];
const slowest = { list: 0.4, get: 0.4, create: 0.5, toggle: 0.5 }; // p99 / p99 of Fastify

// The ratios that the run can tell: {name, operation, value, target, reached}.
function ratiosOf(result) {
  const ratios = [];
  const add = (name, operation, value, sign, limit) => {
    if (!Number.isFinite(value)) return;
    ratios.push({ name, operation, value, target: `${sign} ${limit}`, reached: sign === '≥' ? value >= limit : value <= limit });
  };
  for (const { name, subject, limits, sign } of throughputs) {
    for (const [operation, of] of Object.entries(result.operations)) {
      if (of[subject]) add(name, operation, median(of.ours.rate) / median(of[subject].rate), sign, limits[operation]);
    }
  }
  if (result.signIn) add('ours / raw scrypt', 'sign-in', median(result.signIn.ours.rate) / median(result.signIn.scrypt.rate), '≥', 0.97);
  for (const [operation, { ours, fastify }] of Object.entries(result.operations)) {
    if (fastify) add('p99 / p99 of Fastify', operation, median(ours.p99) / median(fastify.p99), '≤', slowest[operation]);
  }
  for (const [operation, { quiet, storm }] of Object.entries(result.storm ?? {})) {
    add('p99 in a storm of sign-ins / quiet', operation, median(storm.p99) / median(quiet.p99), '≤', 2);
  }
  if (result.rest) {
    const highest = (column) => Math.max(...Object.values(result.rest).map((row) => row[column] ?? 0));
    add('MiB resident, idle, largest program', '', highest('resident'), '≤', 8);
    add('MiB proportional, idle, largest program', '', highest('proportional'), '≤', 3);
    add('ms from exec to first answer', 'get', result.rest.task_get.firstAnswer, '≤', 15);
  }
  if (result.plainCgi) add('plain CGI requests per second and core', 'get', result.plainCgi.task_get.perCore, '≥', 100);
  return ratios;
}

// --- Tables -----------------------------------------------------------------------------------------

const labels = {
  ours: 'ours', 'roles-off': 'ours, DATABASE_ROLES=off', fastapi: 'FastAPI + asyncpg', fastify: 'Fastify + pg', pgbench: 'pgbench -M prepared', constant: 'nginx, constant answer',
  noop: 'nginx, handler that does nothing', library: 'nginx, our health handler', scrypt: 'raw scrypt',
};
const label = (name) => labels[name] ?? name;
export const number = (value) => (value === undefined || value === null || Number.isNaN(value) ? ''
  : value >= 100 ? String(Math.round(value)) : value >= 10 ? value.toFixed(1) : value.toFixed(2));
const ms = (microseconds) => number(microseconds / 1000);
const middle = (values) => (values?.length ? median(values) : undefined);
const spread = (values) => `${number(Math.min(...values))} … ${number(Math.max(...values))}`;

function rowOf(name, { rate, p50, p99, errors, cpu }, ours) {
  const { nginx, program, postgres } = cpu ?? {};
  return [label(name), number(median(rate)), spread(rate), ours ? number(median(ours.rate) / median(rate)) : '',
    p50.length ? ms(median(p50)) : '', p99.length ? ms(median(p99)) : '', ...[nginx, program, postgres].map((each) => number(middle(each))), String(errors)];
}

const seriesHead = ['', 'requests/s', 'least … most', 'ours / it', 'p50, ms', 'p99, ms', 'CPU µs: nginx', 'program', 'PostgreSQL', 'errors'];

function tablesOf(result) {
  const tables = [{
    title: 'Ratios', head: ['', 'operation', 'ratio', 'target', ''],
    rows: ratiosOf(result).map(({ name, operation, value, target, reached }) => [name, operation, number(value), target, reached ? 'reached' : 'not reached']),
  }];
  const series = (title, group) => tables.push({ title, head: seriesHead, rows: Object.entries(group).map(([name, each]) => rowOf(name, each, group.ours)) });
  for (const [name, group] of Object.entries(result.operations)) series(name, group);
  series('Limits', result.limits);
  if (result.signIn) series('sign-in', result.signIn);
  for (const [name, group] of Object.entries(result.curve ?? {})) {
    const counts = Object.keys(Object.values(group)[0]);
    tables.push({
      title: `${name}, by connections: requests/s, p50 / p99 in ms`, head: ['', ...counts, 'errors'],
      rows: Object.entries(group).map(([host, points]) => [label(host),
        ...counts.map((count) => `${number(points[count].rate)}, ${ms(points[count].p50)} / ${ms(points[count].p99)}`),
        String(counts.reduce((sum, count) => sum + points[count].errors, 0))]),
    });
  }
  if (result.storm) {
    tables.push({
      title: 'While 64 clients sign in', head: ['', 'quiet p99, ms', 'storm p99, ms', 'quiet requests/s', 'storm requests/s', 'errors'],
      rows: Object.entries(result.storm).map(([name, { quiet, storm }]) => [name, ms(median(quiet.p99)), ms(median(storm.p99)),
        number(median(quiet.rate)), number(median(storm.rate)), String(quiet.errors + storm.errors)]),
    });
  }
  tables.push({
    title: 'Database connections that are kept after the load', head: ['', 'connections'],
    rows: Object.entries(result.connections).map(([name, count]) => [name, String(count)]),
  });
  if (result.plainCgi) {
    tables.push({
      title: 'Plain CGI through fcgiwrap', head: ['', 'requests/s', 'per core', 'p50, ms', 'p99, ms', 'errors'],
      rows: Object.entries(result.plainCgi).map(([name, each]) => [name, number(each.rate), number(each.perCore), ms(each.p50), ms(each.p99), String(each.errors)]),
    });
  }
  if (result.rest) {
    tables.push({
      title: 'At rest', head: ['', 'size, kB', 'resident, MiB', 'proportional, MiB', 'wake-ups/s', 'exec to first answer, ms'],
      rows: Object.entries(result.rest).map(([name, row]) => [name, ...Object.values(row).map((value) => (value === null ? '' : String(value)))]),
    });
  }
  return tables;
}

function textTable({ title, head, rows }) {
  const widths = head.map((cell, i) => Math.max(...[head, ...rows].map((row) => row[i].length)));
  const line = (row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  ').trimEnd();
  return [title, line(head), ...rows.map(line), ''].join('\n');
}

function markdownTable({ title, head, rows }) {
  const line = (row) => `| ${row.join(' | ')} |`;
  return [`## ${title}`, '', line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line), ''].join('\n');
}

const machineOf = ({ machine: m }) => `${m.cores} cores (${m.processor}), ${m.memory}, ${m.system}, PostgreSQL ${m.postgresql}, nginx ${m.nginx}, Node ${m.node}`;
const settingsOf = ({ settings: s }) => `${s.connections} connections, medians of ${s.rounds} rounds of ${s.seconds} s, ${s.users} users with ${s.tasksPerUser} tasks, `
  + `${s.workers} workers of each program`;

export function printReport(result) {
  console.log(`${machineOf(result)}\n${settingsOf(result)}\n`);
  for (const table of tablesOf(result)) console.log(textTable(table));
}

export function writeFiles(result, folder) {
  fs.mkdirSync(folder, { recursive: true });
  const withRatios = { ...result, ratios: ratiosOf(result) };
  fs.writeFileSync(path.join(folder, 'result.json'), `${JSON.stringify(withRatios, null, 1)}\n`);
  fs.writeFileSync(path.join(folder, 'result.svg'), plot(withRatios, label));
}

// Tables of a run of another kind: printed, and kept for publishing.
export function writeTables(name, tables) {
  fs.mkdirSync(results, { recursive: true });
  fs.writeFileSync(path.join(results, name), `${JSON.stringify({ date: new Date().toISOString(), tables }, null, 1)}\n`);
  for (const table of tables) console.log(textTable(table));
}

// The last run of each kind, as far as there is one.
function publish() {
  const read = (name) => {
    const file = path.join(results, name);
    return fs.existsSync(file) ? JSON.parse(fs.readFileSync(file, 'utf8')) : undefined;
  };
  const result = read('result.json');
  if (!result) throw new Error('build/bench/result.json is not there: run make bench');
  const extra = ['growth.json', 'instructions.json'].map(read).filter(Boolean).flatMap(({ date, tables }) => tables
    .map((table) => ({ ...table, title: `${table.title} (${date.slice(0, 10)})` })));
  fs.writeFileSync(path.join(here, 'result.svg'), plot(result, label));
  fs.writeFileSync(path.join(here, 'RESULT.md'), [
    '# The last published run', '', `${result.date.slice(0, 10)}: ${machineOf(result)}.`, `${settingsOf(result)}.`,
    'Only ratios can be compared from one machine to another. [README.md](README.md) says what was measured and how.', '',
    '![Ratios and latency](result.svg)', '', ...[...tablesOf(result), ...extra].map(markdownTable)].join('\n'));
  console.log('wrote tests/bench/RESULT.md and tests/bench/result.svg');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) publish();
