// A real Better Auth server and the instance under test behind one address, on a database whose schema
// our migrations have made.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { cgi, now, origin, request, sign, signUp, sql } from '../http/harness.mjs';
import { crossTests, firstKey } from './cross.mjs';
import { startReal } from './real.mjs';

let real;
const ours = {
  origin,
  send: request,
  get: (route, cookie) => request('GET', `/api/auth/${route}`, { cookie }),
  post: (route, body, cookie) => request('POST', `/api/auth/${route}`, { cookie, body, headers: { origin } }),
};
before(async () => {
  real = await startReal(process.env.DATABASE_URL);
  await firstKey({ ours, real });
});
after(() => real.stop());

crossTests(() => ({ ours, real, url: process.env.DATABASE_URL }));

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
