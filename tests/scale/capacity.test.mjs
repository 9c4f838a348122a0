// What one machine needs for how much: the figures under the plan in env/SCALING.md. Processor time, bytes and
// connections hardly depend on what else this machine does; requests per second would.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { cpuTime, descendants } from '../bench/instance.mjs';
import { figure, isLong, makeGround, psql, startInstance, tokenOf } from './support.mjs';

const run = promisify(execFile);
const skip = !isLong && 'only in the long form';
let ground;
let instance;

const sql = (text) => psql(instance.settings.DATABASE_URL, text);
const pid = (part) => Number(readFileSync(`${instance.folder}/${part}.pid`, 'utf8'));
const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];

before(async () => {
  if (skip) return;
  ground = await makeGround();
  instance = await startInstance(ground);
  // 10^5 tasks of 5,000 users in the order in which they would come: nobody's lie side by side. Titles of 10 to
  // 50 characters, and every second one with a description of 100.
  sql(`INSERT INTO task (user_id, title, description, completed, created_at, updated_at)
    SELECT left(encode(sha256((n % 5000)::text::bytea), 'hex'), 32), repeat('x', 10 + n % 41), CASE WHEN n % 2 = 0 THEN repeat('y', 100) END, n % 3 = 0,
           now() - (100000 - n) * interval '1 minute', now() - (100000 - n) * interval '1 minute' FROM generate_series(1, 100000) AS n`);
  sql(`INSERT INTO "user" (id, name, email, "emailVerified") SELECT left(encode(sha256(n::text::bytea), 'hex'), 32), 'Name of ' || n, 'person' || n || '@example.com', true FROM generate_series(0, 4999) AS n`);
  sql(`INSERT INTO account (id, "accountId", "providerId", "userId", password, "updatedAt") SELECT id, id, 'credential', id, repeat('0', 161), now() FROM "user"`);
  sql(`INSERT INTO session (id, "expiresAt", token, "updatedAt", "ipAddress", "userAgent", "userId") SELECT reverse(id), now() + interval '7 days', id, now(), '203.0.113.7', repeat('a', 110), id FROM "user"`);
  sql(`INSERT INTO todo_idempotency SELECT user_id, left(encode(sha256(id::text::bytea), 'hex'), 36), sha256(id::text::bytea), id, created_at FROM task LIMIT 10000`);
  sql('VACUUM ANALYZE');
});
after(() => ground?.clear());

test('bytes of a row, with its indexes', { skip }, () => {
  const bytes = (table, rows) => Math.round(Number(sql(`SELECT pg_total_relation_size('${table}')`)) / rows);
  const task = bytes('task', 100000);
  assert.ok(task > 100 && task < 2000);
  const user = bytes('"user"', 5000) + bytes('account', 5000);
  figure('bytes in the database: a task; a user with a password; a session; a repeatable creation', `${task}; ${user}; ${bytes('session', 5000)}; ${bytes('todo_idempotency', 10000)}`);
  const index = Math.round(Number(sql("SELECT pg_indexes_size('task')")) / 100000);
  figure('of a task, in indexes', String(index));
});

test('processor time of a request, memory and connections', { skip, timeout: 300000 }, async () => {
  const users = sql('SELECT user_id, min(id) FROM task GROUP BY user_id LIMIT 200').split('\n').map((line) => line.split('|'));
  const tokens = users.map(([id]) => tokenOf(id, instance.secret));
  const operations = {
    get: users.map(([, id], n) => ['GET', `/api/tasks/${id}`, tokens[n]]),
    'list of 20': users.map((_, n) => ['GET', '/api/tasks', tokens[n]]),
    complete: users.map(([, id], n) => ['PATCH', `/api/tasks/${id}/complete`, tokens[n]]),
    create: users.map((_, n) => ['POST', '/api/tasks', tokens[n], '{"title":"a task of some length"}']),
  };
  const programs = { get: 'task_get', 'list of 20': 'task_list', complete: 'task_complete', create: 'task_create' };
  const file = `${ground.folder}/requests.lua`;
  let connections = 0;
  for (const [name, requests] of Object.entries(operations)) {
    await writeFile(file, `local all = {${requests.map((parts) => `{${parts.map((part) => JSON.stringify(part)).join(',')}}`).join(',')}}
local n = 0
request = function()
  n = n % #all + 1
  local r = all[n]
  return wrk.format(r[1], r[2], {Authorization = "Bearer " .. r[3], ["Content-Type"] = r[4] and "application/json" or nil}, r[4])
end\n`);
    const seen = { nginx: [], program: [], postgres: [] };
    for (let round = 0; round < 3; round += 1) {
      const parts = { nginx: pid('nginx'), program: pid(programs[name]), postgres: pid('postgres') };
      const before_ = Object.fromEntries(Object.entries(parts).map(([part, id]) => [part, cpuTime(id)]));
      const { stdout } = await run('wrk', ['-t', '1', '-c', '64', '-d', '4s', '-s', file, `http://127.0.0.1:${instance.port}`]);
      assert.doesNotMatch(stdout, /Non-2xx|Socket errors/, stdout);
      const count = Number(/(\d+) requests in/.exec(stdout)[1]);
      for (const [part, id] of Object.entries(parts)) seen[part].push((cpuTime(id) - before_[part]) / count);
      connections = Math.max(connections, Number(sql(`SELECT count(*) FROM pg_stat_activity WHERE application_name = 'todo ${programs[name]}'`)));
    }
    const [nginx, program, postgres] = Object.values(seen).map(median);
    const total = nginx + program + postgres;
    figure(`µs of processor time, ${name}: nginx + program + PostgreSQL = all; requests per second and core`, `${[nginx, program, postgres, total].map((value) => value.toFixed(0)).join(' + ').replace(/ \+ (\d+)$/, ' = $1')}; ${(1e6 / total).toFixed(0)}`);
  }
  figure('connections of one program (2 processes) to PostgreSQL after 64 clients', String(connections));

  // What a process has for itself, and PostgreSQL's processes for these connections.
  const own = (id) => { try { return [...readFileSync(`/proc/${id}/smaps_rollup`, 'utf8').matchAll(/^Private_\w+: +(\d+)/gm)].reduce((sum, [, kb]) => sum + Number(kb), 0); } catch { return 0; } };
  const memory = (name) => median(descendants(pid(name)).slice(1).map(own));
  const idle = median(['jwks', 'error', 'delete_user', 'change_email'].map(memory));
  const backends = sql("SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'todo task%'").split('\n').map(Number);
  figure('kB of its own: an idle process; task_list after load; a PostgreSQL backend', `${idle}; ${memory('task_list')}; ${median(backends.map(own))}`);
});
