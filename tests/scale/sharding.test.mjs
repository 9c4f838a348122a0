// Tasks spread by their user, as over several machines: `task` and `todo_idempotency` partitioned by a hash of
// user_id, under the same keys. The API tests pass on it, and the server says of every statement that the
// programs send which partitions it touched: exactly one. The tables are made as env/SCALING.md says.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { apiTests, Cluster, figure, isLong, makeGround, root, runDocumented, startInstance } from './support.mjs';

const partitions = 8;
let ground;
let cluster;
let instance;

before(async () => {
  ground = await makeGround();
  cluster = await Cluster.make(ground, 'cluster', {
    settings: {
      session_preload_libraries: 'auto_explain', 'auto_explain.log_min_duration': 0, 'auto_explain.log_format': 'json', 'auto_explain.log_nested_statements': 'on',
      log_error_verbosity: 'default', log_line_prefix: '%a|', log_timezone: 'UTC',
    },
  });
  const environment = { ...process.env, DATABASE_URL: cluster.url() };
  execFileSync(`${root}/sql/migrate`, { env: environment });
  const whole = shape();
  await runDocumented('partition', environment);
  assert.deepEqual(shape(), whole, 'what holds for the tables holds for the spread ones');
  instance = await startInstance(ground, { DATABASE_URL: cluster.url() });
});
after(() => ground.clear());

// Columns, checks (valid for every row or not), keys and policies, whatever their names.
const shape = () => ['task', 'todo_idempotency'].map((table) => cluster.sql(`
  SELECT column_name, data_type, is_nullable, column_default, is_identity FROM information_schema.columns WHERE table_name = '${table}' ORDER BY 1;
  SELECT contype, replace(pg_get_constraintdef(oid), ' NOT VALID', '') FROM pg_constraint WHERE conrelid = '${table}'::regclass ORDER BY 1, 2;
  SELECT replace(replace(pg_get_indexdef(indexrelid), ' ONLY', ''), relname, '') FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid WHERE indrelid = '${table}'::regclass ORDER BY 1;
  SELECT relrowsecurity FROM pg_class WHERE oid = '${table}'::regclass;
  SELECT policyname, cmd, qual, with_check FROM pg_policies WHERE tablename = '${table}' ORDER BY 1`).split('\n'));

test('the API is the same on spread tables', { timeout: 300000 }, async () => {
  await apiTests(instance, ['tasks-write', 'tasks-list', 'tasks-versions', 'tasks-repeats', 'auth-delete', ...(isLong ? ['isolation', 'tasks-http', 'tasks-paths', 'tasks-bodies'] : [])]);
  execFileSync(`${instance.folder}/bin/maintenance`, { env: { ...process.env, ...instance.settings }, stdio: 'ignore' });
  assert.equal(cluster.sql("SELECT count(DISTINCT tableoid) FROM task"), String(partitions), 'all partitions are in use');
});

const all = (node) => [node, ...(node.Plans ?? []).flatMap(all)];

// Every statement on the two tables with its plan, by who sent it.
function statements() {
  const log = cluster.process.log();
  const found = [];
  for (const [, application, json] of log.matchAll(/^(todo [a-z_]+)\|LOG: {2}duration: [\d.]+ ms {2}plan:\n((?:\t.*\n)+)/gm)) {
    const { 'Query Text': text, Plan: plan } = JSON.parse(json.replace(/^\t/gm, ''));
    const relations = all(plan).filter((node) => /^(task|todo_idempotency)_\d+$/.test(node['Relation Name'] ?? '') || /^(task|todo_idempotency)$/.test(node['Relation Name'] ?? ''));
    if (relations.length > 0 || /\b(?:FROM|INTO|UPDATE) (?:task|todo_idempotency)\b/.test(text)) found.push({ program: application.slice(5), text, relations, plan });
  }
  return found;
}

test('every statement of the programs touches one partition of a table, that of its user', () => {
  const seen = new Map();
  for (const { program, text, relations } of statements()) {
    const touched = new Map();
    for (const node of relations) {
      const [, table, number] = /^(task|todo_idempotency)(?:_(\d+))?$/.exec(node['Relation Name']);
      if (!touched.has(table)) touched.set(table, new Set());
      if (number !== undefined) touched.get(table).add(number);
    }
    const key = `${program}: ${text.replace(/\s+/g, ' ')}`;
    const most = Math.max(0, ...[...touched.values()].map((numbers) => numbers.size));
    seen.set(key, { program, text, most: Math.max(most, seen.get(key)?.most ?? 0), least: Math.min(most, seen.get(key)?.least ?? most) });
  }
  const wide = [...seen.values()].filter(({ most }) => most > 1);
  // Keys of repeated requests expire by their time: the hourly maintenance goes through all of them.
  assert.deepEqual(wide.map(({ program }) => program), ['maintenance']);
  assert.match(wide[0].text, /DELETE FROM todo_idempotency WHERE created_at </);
  // An INSERT's plan names the table itself, whose row goes where the hash says; all else names its partition.
  for (const { program, text, most } of seen.values()) assert.ok(most === 1 || program === 'maintenance' || /^\s*(?:WITH|INSERT)/.test(text), text);
  // Every program that has a right to a table was heard of.
  const programs = cluster.sql("SELECT DISTINCT substr(grantee, 6) FROM information_schema.role_table_grants WHERE table_name IN ('task', 'todo_idempotency') AND grantee LIKE 'todo\\_%' UNION SELECT DISTINCT substr(grantee, 6) FROM information_schema.column_privileges WHERE table_name IN ('task', 'todo_idempotency') AND grantee LIKE 'todo\\_%' ORDER BY 1").split('\n');
  assert.deepEqual([...new Set([...seen.values()].map(({ program }) => program))].filter((program) => programs.includes(program)).sort(), programs.sort());
  assert.ok(seen.size >= 20, `${seen.size} statements`);
  figure('statements on task and todo_idempotency; that touch one partition', `${seen.size}; ${[...seen.values()].filter(({ most }) => most <= 1).length}`);
});

test('the trigger of a deleted user, too', () => {
  const nested = [...cluster.process.log().matchAll(/^todo delete_user\|LOG: {2}duration: [\d.]+ ms {2}plan:\n((?:\t.*\n)+)/gm)]
    .map(([, json]) => JSON.parse(json.replace(/^\t/gm, ''))).filter(({ 'Query Text': text }) => /DELETE FROM (?:task|todo_idempotency) WHERE user_id/.test(text));
  assert.ok(nested.length > 0);
  for (const { 'Query Text': text, Plan: plan } of nested) {
    const touched = new Set(all(plan).map((node) => node['Relation Name']).filter((name) => /_\d+$/.test(name ?? '')));
    assert.equal(touched.size, 1, `${text}: ${[...touched]}`);
  }
});

// Last, as it lets changed programs ask for what ours do not.
test('rights and row-level security are the same on spread tables', { skip: !isLong && 'only in the long form', timeout: 300000 }, () => apiTests(instance, ['roles']));
