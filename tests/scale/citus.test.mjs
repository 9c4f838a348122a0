// Tasks spread by their user over several machines: Citus, with a coordinator and two workers. Debian has no
// package of it; where it is installed beside PostgreSQL this runs, else it is left out. The tables are made as
// env/SCALING.md says.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { apiTests, Cluster, figure, makeGround, postgresBin, runDocumented, startInstance } from './support.mjs';

const isHere = existsSync(`${postgresBin.replace('/lib/', '/share/').replace(/\/bin$/, '')}/extension/citus.control`);
const options = { skip: !isHere && 'Citus is not installed beside PostgreSQL', timeout: 600000 };

// They look for requests that wait in the database, which here wait in a worker.
const unseen = ['flips that meet in the database both count', ...['ROLLBACK', 'COMMIT'].map((end) => `62: while the first is running 409, at once; then what became of it (${end})`)];

let ground;
let coordinator;
let workers;
let instance;

before(async () => {
  if (!isHere) return;
  ground = await makeGround();
  // Citus' nodes trust each other, as in a network of their own.
  const node = (name, settings) => Cluster.make(ground, name, { hba: 'host all all 127.0.0.1/32 trust', settings: { shared_preload_libraries: 'citus', ...settings } });
  workers = [await node('one'), await node('two')];
  for (const worker of workers) worker.sql('CREATE EXTENSION citus');
  coordinator = await node('coordinator', { log_statement: 'all', log_error_verbosity: 'default', log_line_prefix: '%a|' });
  const environment = { ...process.env, DATABASE_URL: coordinator.url(), COORDINATOR: `127.0.0.1:${coordinator.port}`, WORKERS: workers.map(({ port }) => `127.0.0.1:${port}`).join(' ') };
  await runDocumented('citus', environment);
  instance = await startInstance(ground, { DATABASE_URL: coordinator.url(), DATABASE_ROLES: 'off' });
});
after(() => ground?.clear());

test('the API is the same on Citus', options, async () => {
  const passed = await apiTests(instance, ['tasks-write', 'tasks-list', 'tasks-versions', 'tasks-repeats', 'tasks-http', 'tasks-paths', 'tasks-bodies', 'isolation', 'auth-delete'], unseen);
  execFileSync(`${instance.folder}/bin/maintenance`, { env: { ...process.env, ...instance.settings }, stdio: 'ignore' });
  const places = "run_command_on_shards('task', 'SELECT count(*) FROM %s') JOIN citus_shards USING (shardid) WHERE result::bigint > 0";
  assert.equal(coordinator.sql(`SELECT count(DISTINCT nodeport) FROM ${places}`), String(workers.length), 'each worker holds some of them');
  figure('API tests passed on Citus', `${passed}; Citus ${coordinator.sql("SELECT extversion FROM pg_extension WHERE extname = 'citus'")}, PostgreSQL ${coordinator.sql('SHOW server_version')}`);
});

// What the programs sent about the two tables, with the values that came with it.
function statements() {
  const found = new Map();
  for (const [, program, text, values = ''] of coordinator.process.log().matchAll(/^todo ([a-z_]+)\|LOG: {2}execute [^:]+: (.*)(?:\ntodo [a-z_]+\|DETAIL: {2}parameters: (.*))?/gm))
    if (/\b(?:FROM|INTO|UPDATE) (?:task|todo_idempotency)\b/.test(text)) found.set(text, { program, text, values: [...values.matchAll(/\$\d+ = (NULL|'(?:[^']|'')*')/g)].map(([, value]) => value) });
  return [...found.values()];
}

// The numbers of shards that the parts of a plan go to.
const shardsOf = (plan) => [...JSON.stringify(plan).matchAll(/"Task Count":(\d+)/g)].map(([, count]) => Number(count));

test('EXPLAIN: every statement of the programs goes to one shard', options, () => {
  const seen = statements();
  assert.ok(seen.length >= 15, `${seen.length} statements`);
  const wide = [];
  const inParts = [];
  for (const { program, text, values } of seen) {
    const explain = `EXPLAIN (FORMAT JSON) EXECUTE statement${values.length > 0 ? `(${values.join(', ')})` : ''};`;
    const plan = JSON.parse(coordinator.sql(`PREPARE statement AS ${text};\n${explain}`));
    const shards = shardsOf(plan);
    assert.ok(shards.length > 0, `${text}: ${JSON.stringify(plan)}`);
    if (shards.some((count) => count !== 1)) wide.push({ program, text });
    else if (shards.length > 1) inParts.push({ program, text });
  }
  // Keys of repeated requests expire by their time: the hourly maintenance goes through all of them.
  assert.deepEqual(wide.map(({ program }) => program), ['maintenance'], JSON.stringify(wide));
  // What writes to two tables goes to their shards of one user, one part after the other.
  assert.deepEqual(inParts.map(({ text }) => /todo_idempotency/.test(text)), [true], JSON.stringify(inParts));
  figure('statements on Citus; that go to one shard; that do so in parts', `${seen.length}; ${seen.length - wide.length}; ${inParts.length}`);
});
