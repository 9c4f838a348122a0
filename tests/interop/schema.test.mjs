// The database may have been made by Better Auth's own migration; ours then adds what is missing, and
// both go on with it. Our programs are called without a server, each with that database.
import '../../env/verify/node18.mjs';
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { getMigrations } from 'better-auth/db/migration';
import { cgi, origin, randomEmail, sql } from '../http/harness.mjs';
import { migrate, migrateAsBetterAuth, newDatabase } from './instance.mjs';
import { options, startReal } from './real.mjs';

let database;
let url;
let real;

before(async () => {
  database = newDatabase();
  url = database.url;
  await migrateAsBetterAuth(url);
  await migrate(url);
  real = await startReal(url);
});
after(async () => {
  await real?.stop();
  database?.drop();
});

const psql = (where, text) => sql(text, {}, where);
const ours = (program, method, route, more = {}) => cgi(program, method, `/api/auth/${route}`, { settings: { DATABASE_URL: url }, ...more, headers: { origin, ...more.headers } });
const cookie = (answer) => answer.find('set-cookie')[0].split(';')[0];

test('Better Auth\'s migration finds nothing to add to the schema that ours makes', async () => {
  const own = newDatabase();
  try {
    await migrate(own.url);
    const configuration = options(own.url);
    const { toBeCreated, toBeAdded } = await getMigrations(configuration);
    await configuration.database.end();
    assert.deepEqual([toBeCreated, toBeAdded], [[], []]);
    const columns = `SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
      WHERE table_name IN ('user', 'session', 'account', 'verification', 'jwks') ORDER BY 1, 2`;
    assert.equal(psql(own.url, columns), psql(url, columns));
    const constraints = `SELECT conname, contype, confdeltype FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype IN ('p', 'u', 'f')
      AND conrelid::regclass::text IN ('"user"', 'session', 'account', 'verification', 'jwks') ORDER BY 1`;
    assert.equal(psql(own.url, constraints), psql(url, constraints));
    const indexes = "SELECT indexname FROM pg_indexes WHERE tablename IN ('user', 'session', 'account', 'verification', 'jwks') ORDER BY 1";
    assert.equal(psql(own.url, indexes), psql(url, indexes));
  } finally {
    own.drop();
  }
});

test('on a database made by Better Auth, users and sessions go both ways, and keys made by either sign for both', async () => {
  const user = { name: 'Zoë', email: randomEmail(), password: 'password123' };
  const there = await real.post('sign-up/email', user);
  assert.equal(there.status, 200, there.text);
  const signIn = ours('signin', 'POST', 'sign-in/email', { body: user });
  assert.equal(signIn.status, 200);
  assert.deepEqual(signIn.json.user, there.json.user);
  assert.equal(JSON.parse((await real.get('get-session', cookie(signIn))).text).user.id, there.json.user.id);

  // No key yet: the first one is made here, and the real server signs with it.
  const made = ours('token', 'GET', 'token', { headers: { cookie: cookie(signIn) } });
  assert.equal(made.status, 200);
  const kid = (token) => JSON.parse(Buffer.from(token.split('.')[0], 'base64url')).kid;
  const theirs = await real.get('token', cookie(signIn));
  assert.equal(theirs.status, 200, theirs.text);
  assert.equal(kid(theirs.json.token), kid(made.json.token));
  assert.equal(psql(url, 'SELECT count(*) FROM jwks'), '1');

  // And the other way round.
  psql(url, 'DELETE FROM jwks');
  const fresh = await startReal(url);
  const first = await fresh.get('token', cookie(signIn));
  await fresh.stop();
  assert.equal(first.status, 200, first.text);
  assert.equal(kid(ours('token', 'GET', 'token', { headers: { cookie: cookie(signIn) } }).json.token), kid(first.json.token));
  for (const token of [first.json.token, ours('token', 'GET', 'token', { headers: { cookie: cookie(signIn) } }).json.token]) {
    const task = cgi('task_create', 'POST', '/api/tasks', { settings: { DATABASE_URL: url }, headers: { authorization: `Bearer ${token}` }, body: { title: 'x' } });
    assert.equal(task.status, 201, task.text);
  }
  psql(url, `DELETE FROM "user" WHERE id = '${there.json.user.id}'`);
  assert.equal(psql(url, 'SELECT count(*) FROM task'), '0');
});

test('with rotated secrets, either side opens what the other sealed', async () => {
  const user = { name: 'Zoë', email: randomEmail(), password: 'password123' };
  const secrets = { BETTER_AUTH_SECRETS: `2:${'n'.repeat(40)},1:${'o'.repeat(40)}` };
  psql(url, 'DELETE FROM jwks');
  const settings = { DATABASE_URL: url, ...secrets };
  const call = (program, method, route, more = {}) => cgi(program, method, `/api/auth/${route}`, { settings, ...more, headers: { origin, ...more.headers } });
  const signUp = call('signup', 'POST', 'sign-up/email', { body: user });
  const token = call('token', 'GET', 'token', { headers: { cookie: cookie(signUp) } });
  assert.equal(token.status, 200);
  assert.match(psql(url, 'SELECT "privateKey" FROM jwks'), /^"\$ba\$2\$/);
  const rotated = await startReal(url, { secret: undefined, secrets: [{ version: 2, value: 'n'.repeat(40) }, { version: 1, value: 'o'.repeat(40) }] });
  const theirs = await rotated.get('token', cookie(signUp));
  await rotated.stop();
  assert.equal(theirs.status, 200, theirs.text);
  psql(url, 'DELETE FROM jwks');
});

test('behind https, and with a cookie prefix, sessions go both ways under the longer names only', async () => {
  const secure = 'https://todo.example.com';
  const settings = { DATABASE_URL: url, BETTER_AUTH_URL: secure, AUTH_COOKIE_PREFIX: 'mine' };
  const theirs = await startReal(url, { baseURL: secure, advanced: { cookiePrefix: 'mine' } });
  const call = (program, method, route, more = {}) => cgi(program, method, `/api/auth/${route}`, { settings, ...more, headers: { origin: secure, ...more.headers } });
  try {
    const user = { name: 'Zoë', email: randomEmail(), password: 'password123' };
    const made = await theirs.post('sign-up/email', user);
    const here = call('signin', 'POST', 'sign-in/email', { body: user });
    const lines = [made.headers['set-cookie'], here.find('set-cookie')];
    for (const [line, ...others] of lines) {
      assert.deepEqual(others, []);
      assert.match(line, /^__Secure-mine\.session_token=[^;]+; Max-Age=604800; Path=\/; HttpOnly; Secure; SameSite=Lax$/);
      const pair = line.split(';')[0];
      for (const [name, found] of [[pair, made.json.user.id], [pair.replace('__Secure-', ''), undefined], [pair.replace('mine', 'better-auth'), undefined]]) {
        assert.equal(call('session', 'GET', 'get-session', { headers: { cookie: name } }).json?.user.id, found, name);
        assert.equal((await theirs.get('get-session', name)).json?.user.id, found, name);
      }
    }
    const cleared = [call('signout', 'POST', 'sign-out', { body: {}, headers: { cookie: cookie(here) } }).find('set-cookie'), (await theirs.post('sign-out', {}, cookie(here))).headers['set-cookie']];
    assert.deepEqual(cleared[0], cleared[1]);
  } finally {
    await theirs.stop();
  }
});
