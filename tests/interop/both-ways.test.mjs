// A real Better Auth server and our programs on one database and one secret, at the same time. Issue
// what one makes, and use it at the other.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { cgi, cookieOf, now, origin, randomEmail, request, sign, signUp, sql } from '../http/harness.mjs';
import { startReal } from './real.mjs';

let real;
before(async () => { real = await startReal(process.env.DATABASE_URL); });
after(() => real.stop());

const ours = {
  get: (route, cookie) => request('GET', `/api/auth/${route}`, { cookie }),
  post: (route, body, cookie) => request('POST', `/api/auth/${route}`, { cookie, body, headers: { origin } }),
};
const keysAreReadAgain = () => new Promise((resolve) => { setTimeout(resolve, 1100); });

// Each test runs with the roles both ways: `a` makes, `b` uses.
for (const [from, to, sides] of [['ours', 'the real one', () => [ours, real]], ['the real one', 'ours', () => [real, ours]]]) {
  const register = async () => {
    const [a, b] = sides();
    const user = { name: 'Zoë 😀', email: randomEmail(), password: 'pass ﬁ 😀 word' };
    const answer = await a.post('sign-up/email', user);
    assert.equal(answer.status, 200, answer.text);
    return { a, b, user, cookie: cookieOf(answer), id: answer.json.user.id, answer };
  };

  test(`a user made by ${from} signs in at ${to}, with the same user in the answer`, async () => {
    const { b, user, answer } = await register();
    const signIn = await b.post('sign-in/email', { email: user.email, password: user.password });
    assert.equal(signIn.status, 200, signIn.text);
    assert.deepEqual(signIn.json.user, answer.json.user);
    assert.deepEqual(Object.keys(signIn.json.user), Object.keys(answer.json.user));
    assert.equal((await b.post('sign-in/email', { email: user.email, password: 'wrong' })).status, 401);
  });

  test(`a session of ${from} is one at ${to}, with the same body`, async () => {
    const { a, b, cookie } = await register();
    const [mine, theirs] = [await a.get('get-session', cookie), await b.get('get-session', cookie)];
    assert.equal(theirs.text, mine.text);
    assert.ok(theirs.headers['set-auth-jwt']);
  });

  test(`a session ended at ${to} is ended at ${from}`, async () => {
    const { a, b, cookie } = await register();
    assert.equal((await b.post('sign-out', {}, cookie)).text, '{"success":true}');
    assert.equal((await a.get('get-session', cookie)).text, 'null');
  });

  test(`a token of ${from} opens the task service`, async () => {
    const { a, cookie, id } = await register();
    const { token } = (await a.get('token', cookie)).json;
    await keysAreReadAgain();
    const made = await request('POST', `/api/${id}/tasks`, { token, body: { title: 'x' } });
    assert.equal(made.status, 201, made.text);
    assert.equal(made.json.user_id, id);
  });

  test(`both sign with one key and publish the same set (${from} first)`, async () => {
    const { a, b, cookie } = await register();
    const header = async (side) => JSON.parse(Buffer.from((await side.get('token', cookie)).json.token.split('.')[0], 'base64url'));
    assert.deepEqual(await header(a), await header(b));
    assert.deepEqual((await a.get('jwks')).json, (await b.get('jwks')).json);
  });

  test(`a password changed at ${to} is the one that counts at ${from}`, async () => {
    const { a, b, user, cookie } = await register();
    const changed = await b.post('change-password', { currentPassword: user.password, newPassword: 'another password', revokeOtherSessions: true }, cookie);
    assert.equal(changed.status, 200, changed.text);
    assert.equal((await a.get('get-session', cookie)).text, 'null');
    assert.equal((await a.post('sign-in/email', { email: user.email, password: user.password })).status, 401);
    assert.equal((await a.post('sign-in/email', { email: user.email, password: 'another password' })).status, 200);
  });

  test(`sessions of ${from} are listed and revoked at ${to}`, async () => {
    const { a, b, user, cookie } = await register();
    const second = cookieOf(await a.post('sign-in/email', { email: user.email, password: user.password }));
    const list = (await b.get('list-sessions', cookie)).json;
    assert.equal(list.length, 2);
    const sorted = (sessions) => [...sessions].sort((x, y) => (x.id < y.id ? -1 : 1));
    assert.deepEqual(sorted(list), sorted((await a.get('list-sessions', cookie)).json));
    assert.equal((await b.post('revoke-other-sessions', {}, cookie)).text, '{"status":true}');
    assert.equal((await a.get('get-session', second)).text, 'null');
    assert.notEqual((await a.get('get-session', cookie)).text, 'null');
  });

  test(`a name changed at ${to} is read at ${from}; accounts are listed alike`, async () => {
    const { a, b, cookie } = await register();
    assert.equal((await b.post('update-user', { name: 'Changed' }, cookie)).text, '{"status":true}');
    assert.equal((await a.get('get-session', cookie)).json.user.name, 'Changed');
    assert.deepEqual((await a.get('list-accounts', cookie)).json, (await b.get('list-accounts', cookie)).json);
  });

  test(`a user deleted at ${to} is gone at ${from}, with the tasks`, async () => {
    const { a, b, user, cookie, id } = await register();
    const { token } = (await a.get('token', cookie)).json;
    await keysAreReadAgain();
    assert.equal((await request('POST', '/api/tasks', { token, body: { title: 'x' } })).status, 201);
    const deleted = await b.post('delete-user', { password: user.password }, cookie);
    assert.equal(deleted.status, 200, deleted.text);
    assert.equal((await a.get('get-session', cookie)).text, 'null');
    assert.equal(sql("SELECT count(*) FROM task WHERE user_id = :'id'", { id }), '0');
    assert.equal((await a.post('sign-up/email', user)).status, 200, 'the address is free again');
  });
}

test('the two answer the same refusals', async () => {
  const user = await signUp();
  const cases = [
    ['POST', 'sign-in/email', { email: user.email, password: 'wrong' }], ['POST', 'sign-in/email', { email: 'nobody', password: 'x' }], ['POST', 'sign-in/email', {}], ['POST', 'sign-in/email', '{'], ['POST', 'sign-in/email', '[]'],
    ['POST', 'sign-in/email', { email: user.email, password: 'x'.repeat(129) }], ['POST', 'sign-up/email', '[]'], ['POST', 'sign-up/email', { name: 'x', email: 'no', password: '' }], ['POST', 'sign-up/email', { name: 'x', email: user.email, password: 'password123' }],
    ['POST', 'sign-up/email', { name: 'x', email: 'x@example.com', password: 'short' }], ['POST', 'sign-out', { callbackURL: '//evil.example' }], ['POST', 'sign-out', { callbackURL: 5 }], ['POST', 'sign-out', 'null'], ['GET', 'token'], ['GET', 'nothing'], ['GET', 'sign-out'],
    ['POST', 'update-user', {}], ['POST', 'change-password', {}], ['POST', 'get-session', {}], ['GET', 'get-session'], ['GET', 'ok'], ['POST', 'request-password-reset', { email: user.email }], ['POST', 'send-verification-email', { email: user.email }],
    ['POST', 'reset-password', { newPassword: 'password123' }], ['GET', 'verify-email?token=x'], ['GET', 'verify-email?token=x&callbackURL=/x'], ['GET', 'reset-password/x?callbackURL=/x'], ['GET', 'reset-password/x'],
  ];
  for (const [method, route, body] of cases) {
    const [mine, theirs] = await Promise.all([undefined, real.port].map((port) => request(method, `/api/auth/${route}`, { body, ...(port ? { port } : {}) })));
    const seen = ({ status, text, headers }) => ({ status, text, location: headers.location, type: text === '' ? undefined : headers['content-type']?.split(';')[0] });
    assert.deepEqual(seen(mine), seen(theirs), `${method} ${route} ${JSON.stringify(body)}`);
  }
  const signedIn = [['POST', 'update-user', {}], ['POST', 'update-user', { email: 'x@example.com' }], ['POST', 'change-password', { currentPassword: 'wrong', newPassword: 'password123' }], ['POST', 'change-password', { currentPassword: 'x', newPassword: 'short' }],
    ['POST', 'verify-password', { password: 'wrong' }], ['POST', 'unlink-account', { accountId: 'x' }], ['POST', 'revoke-session', {}], ['POST', 'update-session', {}], ['POST', 'delete-user', { password: 'wrong' }], ['POST', 'delete-user', { token: 'wrong' }], ['POST', 'change-email', { newEmail: 'x@example.com' }]];
  for (const [method, route, body] of signedIn) {
    const [mine, theirs] = await Promise.all([undefined, real.port].map((port) => request(method, `/api/auth/${route}`, { body, cookie: user.cookie, headers: { origin }, ...(port ? { port } : {}) })));
    assert.deepEqual([mine.status, mine.text], [theirs.status, theirs.text], `${method} ${route} ${JSON.stringify(body)}`);
  }
});

test('our access token under the shared secret buys nothing at the real server\'s verify-email', async () => {
  const user = await signUp();
  const { token } = cgi('token', 'GET', '/api/auth/token', { settings: { JWT_ALGORITHM: 'HS256' }, headers: { cookie: user.cookie } }).json;
  const answer = await real.get(`verify-email?token=${token}`);
  assert.notEqual(answer.status, 200);
  assert.equal(sql("SELECT \"emailVerified\" FROM \"user\" WHERE id = :'id'", { id: user.id }), 'f');
  // And an access token with the address in it, which a real server would take, is refused by ours.
  const confused = sign({ email: user.email, sub: user.id, iss: origin, aud: origin, exp: now() + 600 }, { header: { alg: 'HS256' } });
  assert.equal((await ours.get(`verify-email?token=${confused}`)).json.code, 'INVALID_TOKEN');
});
