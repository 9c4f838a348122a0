// Least privilege in the database: what the role of each program may do, column by column, and that
// row-level security holds where a statement has forgotten the user.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { cgi, now, request, sign, sql } from './harness.mjs';

// S I U D: on the whole table; S(a b): on these columns only. Written by hand, not read from
// sql/grants.sql: whoever widens a grant changes it in two places, knowingly.
const keys = { jwks: 'S(id publicKey alg createdAt expiresAt)' };
const counted = { rateLimit: 'SIU' };
const sessions = { user: 'S', session: 'SDU(expiresAt updatedAt)' };
const expected = {
  task_list: { task: 'S', ...keys },
  task_get: { task: 'S', ...keys },
  task_create: { task: 'SI(user_id title description)', todo_idempotency: 'SI', ...keys },
  task_update: { task: 'SU(title description completed updated_at)', ...keys },
  task_complete: { task: 'SU(completed updated_at)', ...keys },
  task_delete: { task: 'SD', ...keys },
  signup: { user: 'SI', account: 'I', session: 'I', todo_mail: 'I', ...counted },
  signin: { user: 'S', account: 'S', session: 'I', ...counted },
  signout: { session: 'DS(token)', ...counted },
  session: { ...sessions, jwks: 'SI', ...counted },
  sessions: { ...sessions, ...counted },
  token: { ...sessions, jwks: 'SI', ...counted },
  jwks: { jwks: 'SI', ...counted },
  account: { user: 'SU(name image updatedAt)', account: 'SDU(password updatedAt)', session: 'SIDU(expiresAt updatedAt)', ...counted },
  change_email: { ...sessions, todo_mail: 'I', ...counted },
  delete_user: { user: 'SD', account: 'SD', session: 'SDU(expiresAt updatedAt)', verification: 'SID', todo_mail: 'I', ...counted },
  verification: { user: 'SU(email emailVerified updatedAt)', session: 'SDU(expiresAt updatedAt)', todo_mail: 'I', ...counted },
  password_reset: { user: 'S', account: 'IS(id userId providerId)U(password updatedAt)', session: 'DS(userId)', verification: 'SID', todo_mail: 'I', ...counted },
  error: counted,
  fallback: counted,
  health: counted,
  metrics: {},
  mailer: { todo_mail: 'SDU(attempts next_try)' },
  maintenance: { session: 'SD', verification: 'SD', rateLimit: 'SD', jwks: 'SD', todo_idempotency: 'DS(created_at)' },
};
const names = { S: 'SELECT', I: 'INSERT', U: 'UPDATE', D: 'DELETE' };

// "role table privilege column" for each right; a right on a whole table stands once for each column.
function flat(matrix, columns) {
  const all = new Set();
  for (const [program, tables] of Object.entries(matrix)) {
    for (const [table, rights] of Object.entries(tables)) {
      for (const [, letter, some] of rights.matchAll(/([SIUD])(?:\(([^)]*)\))?/g)) {
        if (letter === 'D') all.add(`todo_${program} ${table} DELETE`);
        else for (const column of some?.split(' ') ?? columns[table]) all.add(`todo_${program} ${table} ${names[letter]} ${column}`);
      }
    }
  }
  return [...all].sort();
}

test('row 54: each program\'s role has exactly the rights that its statements need', () => {
  const columns = {};
  for (const row of sql("SELECT relname || ' ' || attname FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND attnum > 0 AND NOT attisdropped").trim().split('\n')) {
    const [table, column] = row.split(' ');
    (columns[table] ??= []).push(column);
  }
  const found = sql(`
    SELECT concat_ws(' ', r.rolname, c.relname, p.privilege, a.attname)
      FROM pg_roles r, pg_class c, (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('REFERENCES')) p (privilege), pg_attribute a
     WHERE r.rolname LIKE 'todo\\_%' AND c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
       AND a.attrelid = c.oid AND attnum > 0 AND NOT attisdropped
       AND has_column_privilege(r.oid, c.oid, attnum, p.privilege)
     UNION ALL
    SELECT concat_ws(' ', r.rolname, c.relname, p.privilege)
      FROM pg_roles r, pg_class c, (VALUES ('DELETE'), ('TRUNCATE'), ('TRIGGER')) p (privilege)
     WHERE r.rolname LIKE 'todo\\_%' AND c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
       AND has_table_privilege(r.oid, c.oid, p.privilege)`).trim().split('\n').sort();
  assert.deepEqual(found, flat(expected, columns));
});

test('the roles cannot log in, own nothing and belong to no other role', () => {
  assert.equal(sql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'todo\\_%' AND (rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls OR rolreplication)").trim(), '0');
  assert.equal(sql("SELECT count(*) FROM pg_class WHERE relowner IN (SELECT oid FROM pg_roles WHERE rolname LIKE 'todo\\_%')").trim(), '0');
  assert.equal(sql("SELECT count(*) FROM pg_auth_members WHERE member IN (SELECT oid FROM pg_roles WHERE rolname LIKE 'todo\\_%')").trim(), '0');
});

test('every program that has a route has a role', () => {
  const programs = fs.readFileSync(path.join(process.env.TODO_BUILD, 'routes.tsv'), 'utf8').trim().split('\n').map((line) => line.split('\t')[0]);
  for (const program of programs) assert.ok(program in expected, program);
});

let scratch;
before(() => { scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'todo-roles-')); });
after(() => fs.rmSync(scratch, { recursive: true }));

// A program as it would be with `from` written as `to`.
function changedProgram(name, from, to) {
  const root = process.env.TODO_ROOT;
  const source = fs.readFileSync(path.join(root, 'handlers', `${name}.cpp`), 'utf8');
  assert.ok(source.includes(from), `${name}.cpp has "${from}"`);
  const file = path.join(scratch, `${name}.cpp`);
  fs.writeFileSync(file, source.replaceAll(from, to));
  const build = process.env.TODO_BUILD;
  const sanitizers = build.endsWith('asan') ? ['-fsanitize=address,undefined'] : [];
  execFileSync('g++', ['-std=c++20', '-O0', ...sanitizers, '-I', root, '-I', path.join(build, 'generated'), file, path.join(build, 'libtodo.a'), '-pthread', '-lfcgi', '-lpq', '-lcrypto', '-lutf8proc', '-o', path.join(scratch, name)]);
}

test('row 52: a program that forgets to ask for the user still reads and changes no other user\'s tasks', async () => {
  const [alice, bob] = ['alice', 'bob'].map((name) => ({ token: sign({ sub: `${name}-${Math.random()}`, exp: now() + 600 }) }));
  const made = (await request('POST', '/api/tasks', { token: alice.token, body: { title: 'secret of alice' } })).json;
  await request('POST', '/api/tasks', { token: bob.token, body: { title: 'of bob' } });

  changedProgram('task_list', 'WHERE user_id = $1', 'WHERE $1::text IS NOT NULL');
  const as = (program, method, target, settings = {}) => cgi(path.join(scratch, program), method, target, { settings, headers: { authorization: `Bearer ${bob.token}` } });
  assert.deepEqual(as('task_list', 'GET', '/api/tasks').json.map((task) => task.title), ['of bob']);
  assert.deepEqual(as('task_list', 'GET', '/api/tasks?search=alice').json, []);
  // The changed program does forget: without the role, as the owner of the table, it shows all.
  const all = as('task_list', 'GET', '/api/tasks', { DATABASE_ROLES: 'off' }).json.map((task) => task.title);
  assert.ok(all.includes('secret of alice'));

  changedProgram('task_delete', 'WHERE " TASK_SELECTED "', 'WHERE $1::text IS NOT NULL AND id = $2::bigint AND $3::timestamptz[] IS NULL AND $4::timestamptz[] IS NULL');
  assert.equal(as('task_delete', 'DELETE', `/api/tasks/${made.id}`).status, 404);
  assert.equal(sql(`SELECT count(*) FROM task WHERE id = ${made.id}`).trim(), '1');
});

test('row 52: the keys of repeated requests are their user\'s alone, and old ones are removed for all', async () => {
  const [alice, bob] = ['alice', 'bob'].map((name) => `${name}-${Math.random()}`);
  const send = (sub, key) => request('POST', '/api/tasks', { token: sign({ sub, exp: now() + 600 }), body: { title: 'x' }, headers: { 'idempotency-key': key } });
  for (const sub of [alice, bob]) assert.equal((await send(sub, 'same')).status, 201);
  const as = (role, sub, text) => sql(`BEGIN; SET LOCAL ROLE ${role}; SELECT set_config('todo.sub', :'sub', true) \\g /dev/null\n${text}; COMMIT;`, { sub, alice, bob });
  const mine = "SELECT string_agg(DISTINCT user_id, ',') FROM todo_idempotency";
  assert.equal(as('todo_task_create', bob, mine), bob);
  assert.equal(as('todo_task_create', '', mine), '');
  assert.throws(() => as('todo_task_create', bob, "INSERT INTO todo_idempotency VALUES (:'alice', 'k', '', 1, now())"), /row-level security/);
  assert.equal((await send(bob, 'same')).headers['idempotent-replayed'], 'true');
  sql("UPDATE todo_idempotency SET created_at = now() - interval '25 hours' WHERE user_id IN (:'alice', :'bob')", { alice, bob });
  assert.equal(as('todo_maintenance', '', "WITH gone AS (DELETE FROM todo_idempotency WHERE created_at < now() - interval '24 hours' RETURNING 1) SELECT count(*) >= 2 FROM gone"), 't');
  assert.equal(sql("SELECT count(*) FROM todo_idempotency WHERE user_id IN (:'alice', :'bob')", { alice, bob }), '0');
});
