// A real Better Auth server and an instance of ours, each at an address of its own, on a database whose
// schema Better Auth has made.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { cookieOf, randomEmail, sql } from '../http/harness.mjs';
import { crossTests, firstKey } from './cross.mjs';
import { migrateAsBetterAuth, newDatabase, startOurs } from './instance.mjs';
import { startReal } from './real.mjs';

let database;
let ours;
let real;
let other; // a third address, which nobody has told our instance about

before(async () => {
  database = newDatabase();
  await migrateAsBetterAuth(database.url);
  real = await startReal(database.url, { baseURL: null });
  ours = await startOurs({ DATABASE_URL: database.url, AUTH_DELETE_USER: 'on', WORKERS: '1' }, (own) => ({ JWT_ISSUERS: `${own},${real.origin}`, JWT_AUDIENCES: `${own},${real.origin}` }));
  other = await startReal(database.url, { baseURL: null });
  await firstKey({ ours, real });
});
after(async () => {
  await Promise.all([ours?.stop(), real?.stop(), other?.stop()]);
  database?.drop();
});

crossTests(() => ({ ours, real, url: database.url }));

test('the addresses differ, the first key was made by the real server, and there is one', async () => {
  assert.equal(new Set([ours.origin, real.origin, other.origin]).size, 3);
  assert.equal(sql('SELECT count(*) FROM jwks', {}, database.url), '1');
});

test('a token of an address that JWT_ISSUERS does not name opens nothing, though key and user are right', async () => {
  const signUp = await other.post('sign-up/email', { name: 'x', email: randomEmail(), password: 'password123' });
  const of = async (side) => (await side.get('token', cookieOf(signUp))).json.token;
  const tasks = async (token) => (await ours.send('GET', '/api/tasks', { token })).status;
  assert.deepEqual([await tasks(await of(other)), await tasks(await of(real)), await tasks(await of(ours))], [401, 200, 200]);
});

test('a page of the other address that has the cookie is not trusted', async () => {
  const signUp = await real.post('sign-up/email', { name: 'x', email: randomEmail(), password: 'password123' });
  for (const [side, foreign] of [[ours, real.origin], [real, ours.origin]]) {
    const answer = await side.send('POST', '/api/auth/update-user', { cookie: cookieOf(signUp), headers: { origin: foreign }, body: { name: 'y' } });
    assert.deepEqual([answer.status, answer.json.code], [403, 'INVALID_ORIGIN']);
  }
});
