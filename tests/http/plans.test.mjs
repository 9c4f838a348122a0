// How PostgreSQL carries out the statements of the task programs, on the real schema with 100,000
// tasks: by an index, and reading no more rows than an answer needs. The programs themselves are
// called, by plain CGI, and the server explains in its log what they sent.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import { after, before, test } from 'node:test';
import { someone, sql } from './harness.mjs';

const name = `todo_plans_${crypto.randomBytes(6).toString('hex')}`;
const url = process.env.DATABASE_URL.replace(/\/[^/?]*(\?|$)/, `/${name}$1`);
const [small, big] = [someone('u7'), someone('big')]; // 90 and 10,000 tasks

before(() => {
  sql(`CREATE DATABASE ${name}`);
  execFileSync('sql/migrate', { cwd: process.env.TODO_ROOT, env: { ...process.env, DATABASE_URL: url }, stdio: 'ignore' });
  sql(`
    INSERT INTO task (user_id, title, description, completed, created_at, updated_at)
    SELECT CASE WHEN i <= 90000 THEN 'u' || i % 1000 ELSE 'big' END, 'title ' || i, repeat('x', 100), i % 3 = 0,
           now() - i * interval '1 second', now() - i * interval '1 second'
      FROM generate_series(1, 100000) AS i;
    INSERT INTO todo_idempotency SELECT 'u' || i % 1000, 'key ' || i, sha256(''), i, now() FROM generate_series(1, 100000) AS i;
    VACUUM ANALYZE task, todo_idempotency;
    ALTER DATABASE ${name} SET session_preload_libraries = 'auto_explain';
    ALTER DATABASE ${name} SET auto_explain.log_min_duration = 0;
    ALTER DATABASE ${name} SET auto_explain.log_analyze = on;
    ALTER DATABASE ${name} SET auto_explain.log_format = json;
    ALTER DATABASE ${name} SET auto_explain.log_parameter_max_length = 0;
  `, {}, url);
});
after(() => sql(`DROP DATABASE ${name} WITH (FORCE)`));

const log = `${process.env.TODO_STATE_DIR}/log/postgres.log`;
const all = (node) => [node, ...(node.Plans ?? []).flatMap(all)];

// Sends a request; returns its status and what its statements did with the tables.
function explained(program, user, method, path, { headers = {}, body } = {}) {
  const variables = Object.fromEntries(Object.entries(headers).map(([key, value]) => [`HTTP_${key.toUpperCase().replaceAll('-', '_')}`, value]));
  const begin = fs.statSync(log).size;
  const { stdout } = spawnSync(`${process.env.TODO_BIN}/${program}`, {
    encoding: 'utf8', maxBuffer: 2 ** 28, input: body === undefined ? '' : JSON.stringify(body),
    env: { ...process.env, DATABASE_URL: url, REQUEST_METHOD: method, REQUEST_URI: path, HTTP_AUTHORIZATION: `Bearer ${user.token}`, ...(body === undefined ? {} : { CONTENT_TYPE: 'application/json' }), ...variables },
  });
  const ours = (node) => ['task', 'todo_idempotency'].includes(node['Relation Name']);
  const logged = fs.readFileSync(log).subarray(begin).toString();
  const plans = [...logged.matchAll(/plan:\n(\t\{\n.*?\n\t\})$/gms)].map(([, text]) => all(JSON.parse(text).Plan)).filter((nodes) => nodes.some(ours));
  const scans = plans.flat().filter((node) => ours(node) && node['Node Type'].endsWith('Scan'));
  const rows = (node) => node['Actual Loops'] * (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0));
  const sum = (some) => some.reduce((total, node) => total + rows(node), 0);
  const isCount = (node) => node['Node Type'] === 'Index Only Scan';
  return {
    status: Number(/^Status: (\d+)/m.exec(stdout)?.[1]),
    etag: /^ETag: (.*)\r$/m.exec(stdout)?.[1],
    statements: plans.length,
    types: new Set(scans.map((node) => node['Node Type'])),
    read: sum(scans.filter((node) => !isCount(node))),
    counted: sum(scans.filter(isCount)),
  };
}

function assertPlan(seen, expected, why) {
  for (const type of seen.types) assert.match(type, /^(Index|Index Only|Bitmap Heap) Scan$/, why);
  const { status, read, counted, statements } = seen;
  assert.deepEqual({ status, read, counted, statements }, { counted: 0, statements: 1, ...expected }, why);
}

const newest = (user) => sql("SELECT id FROM task WHERE user_id = :'id' ORDER BY created_at DESC LIMIT 1", { id: user.id }, url);

for (const mode of ['force_custom_plan', 'force_generic_plan']) {
  test(`one task is found by its key and nothing else is read (${mode})`, () => {
    sql(`ALTER DATABASE ${name} SET plan_cache_mode = ${mode}`, {}, url);
    const path = `/api/tasks/${newest(small)}`;
    const first = explained('task_get', small, 'GET', path);
    assertPlan(first, { status: 200, read: 1 });
    assertPlan(explained('task_get', small, 'GET', path, { headers: { 'if-none-match': first.etag } }), { status: 304, read: 1 });
    assertPlan(explained('task_get', small, 'GET', '/api/tasks/999999999'), { status: 404, read: 0 });
    assertPlan(explained('task_get', big, 'GET', path), { status: 404, read: 0 });
  });

  test(`a write finds its row by the key, with and without a condition (${mode})`, () => {
    sql(`ALTER DATABASE ${name} SET plan_cache_mode = ${mode}`, {}, url);
    const path = `/api/tasks/${newest(small)}`;
    const body = { title: 'new' };
    for (const [program, method, target, content, done] of [['task_update', 'PUT', path, body, 200], ['task_complete', 'PATCH', `${path}/complete`, undefined, 200], ['task_delete', 'DELETE', path, undefined, 204]]) {
      const { etag } = explained('task_get', small, 'GET', path);
      // The second statement asks whether the task is there at all.
      assertPlan(explained(program, small, method, target, { body: content, headers: { 'if-match': '"other"' } }), { status: 412, read: 1, counted: 1, statements: 2 }, program);
      assertPlan(explained(program, small, method, target, { body: content, headers: { 'if-match': etag } }), { status: done, read: 1 }, program);
      assertPlan(explained(program, small, method, target.replace(/\d+/, '999999999'), { body: content }), { status: 404, read: 0 }, program);
    }
  });

  test(`a creation reads nothing; with a key, at most that key (${mode})`, () => {
    sql(`ALTER DATABASE ${name} SET plan_cache_mode = ${mode}`, {}, url);
    const user = someone();
    const body = { title: 'new' };
    assertPlan(explained('task_create', user, 'POST', '/api/tasks', { body }), { status: 201, read: 0 });
    for (const read of [0, 1])
      assertPlan(explained('task_create', user, 'POST', '/api/tasks', { body, headers: { 'idempotency-key': 'key' } }), { status: 201, read });
  });

  test(`a list reads the rows that it sends, and a known one is not read (${mode})`, () => {
    sql(`ALTER DATABASE ${name} SET plan_cache_mode = ${mode}`, {}, url);
    for (const user of [small, big]) {
      const total = Number(sql("SELECT count(*) FROM task WHERE user_id = :'id'", { id: user.id }, url));
      const list = explained('task_list', user, 'GET', '/api/tasks');
      assertPlan(list, { status: 200, read: total });
      // Once for the version, and the rows themselves not at all.
      assertPlan(explained('task_list', user, 'GET', '/api/tasks', { headers: { 'if-none-match': list.etag } }), { status: 304, read: total, counted: total });
      const old = `"${'0'.repeat(32)}"`;
      assertPlan(explained('task_list', user, 'GET', '/api/tasks', { headers: { 'if-none-match': old } }), { status: 200, read: 2 * total, counted: total });

      const page = explained('task_list', user, 'GET', '/api/tasks?limit=20');
      assertPlan(page, { status: 200, read: 20, counted: total });
      assertPlan(explained('task_list', user, 'GET', '/api/tasks?limit=20', { headers: { 'if-none-match': page.etag } }), { status: 304, read: 20, counted: total });
      assertPlan(explained('task_list', user, 'GET', '/api/tasks?limit=20', { headers: { 'if-none-match': old } }), { status: 200, read: 40, counted: total });
      assertPlan(explained('task_list', user, 'GET', '/api/tasks?limit=10&page=3'), { status: 200, read: 30, counted: total });
    }
  });

  test(`a filter, a search and another order read the user's own tasks once (${mode})`, () => {
    sql(`ALTER DATABASE ${name} SET plan_cache_mode = ${mode}`, {}, url);
    const total = Number(sql("SELECT count(*) FROM task WHERE user_id = 'u7'", {}, url));
    for (const query of ['status=pending', 'search=title', 'sort=title', 'sort=-title', 'sort=updated', 'sort=updated:asc', 'sort=completed', 'sort=id', 'sort=id:asc', 'order=asc', 'sort=-completed', 'updated_since=2020-01-01T00:00:00Z', 'search=nowhere&limit=5']) {
      const list = explained('task_list', small, 'GET', `/api/tasks?${query}`);
      assertPlan(list, { status: 200, read: total }, query);
      assertPlan(explained('task_list', small, 'GET', `/api/tasks?${query}`, { headers: { 'if-none-match': list.etag } }), { status: 304, read: total }, query);
    }
  });
}

test('a changed row touches no index (HOT)', () => {
  const id = newest(big);
  const changed = sql(`BEGIN;
    UPDATE task SET title = 'new', description = 'new', completed = NOT completed, updated_at = now() WHERE user_id = 'big' AND id = :id;
    SELECT n_tup_upd || ' ' || n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'task';
    ROLLBACK;`, { id }, url);
  assert.equal(changed, '1 1');
});
