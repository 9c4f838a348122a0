// A real Better Auth server and the instance under test behind one address, on a database whose schema
// our migrations have made.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { cgi, cookieOf, now, origin, randomEmail, request, sign, signUp, sql } from '../http/harness.mjs';
import { crossTests, firstKey, inOrder } from './cross.mjs';
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

test('from sign-up to deletion, the two answer with the same members, redirects and cookies', async () => {
  // What is left of a value when everything random and every time is taken out.
  const shape = (value) => {
    if (Array.isArray(value)) return value.map(shape);
    if (typeof value === 'object' && value !== null) return Object.entries(value).map(([name, member]) => [name, shape(member)]);
    return typeof value === 'string' ? value.replace(/^127\.0\.0\.1$/, '').replace(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/, '<time>').replace(/^[a-zA-Z0-9]{32}$/, '<id>').replace(/^[\w-]+\.[\w-]+\.[\w-]{86}$/, '<token>').replace(/^[0-9a-f]{24}@/, '<user>@') : value;
  };
  const told = ({ status, headers, json, text }) => ({
    status, body: json === undefined ? text : shape(Array.isArray(json?.keys) ? inOrder(json) : json), type: headers['content-type']?.split(';')[0],
    location: headers.location, token: headers['set-auth-jwt'] !== undefined,
    cookies: headers['set-cookie']?.map((line) => line.replace(/=[a-zA-Z0-9]{32}\.[\w%-]+%3D;/, '=<session>;').replace(/=true\.[\w%-]+%3D;/, '=<true>;')).sort(),
  });
  const life = async (side) => {
    const user = { name: 'Zoë', email: randomEmail(), password: 'password123', image: 'http://x/y.png' };
    const { email, password } = user;
    const seen = [];
    const note = (answer) => { seen.push(told(answer)); return answer; };
    const post = async (route, body, cookie) => note(await side.post(route, body, cookie));
    const get = async (route, cookie) => note(await side.get(route, cookie));
    const first = cookieOf(await post('sign-up/email', user));
    const short = cookieOf(await post('sign-in/email', { email, password, rememberMe: false }));
    await get('get-session', first);
    await get('get-session', short);
    await get('get-session?disableRefresh=true', first);
    const again = cookieOf(await post('sign-in/email', { email, password, callbackURL: '/x?y=1' }, short));
    await post('sign-in/email', { email, password, callbackURL: '' });
    await get('list-accounts', first);
    await get('token', first);
    await get('jwks');
    await post('update-user', { name: 'Next', image: null }, first);
    await post('update-user', { name: 'Next' }, short);
    await post('verify-password', { password }, first);
    await post('change-password', { currentPassword: password, newPassword: password }, first);
    await post('revoke-session', { token: 'unknown' }, first);
    await post('revoke-session', { token: decodeURIComponent(again).split('=')[1].split('.')[0] }, again);
    await get('get-session', again);
    await get('get-session', `${again}; better-auth.session_data=x; better-auth.session_data.0=y`);
    const changed = cookieOf(await post('change-password', { currentPassword: password, newPassword: password, revokeOtherSessions: true }, short));
    await get('get-session', first);
    await get('list-sessions', changed);
    await post('revoke-other-sessions', {}, changed);
    await post('revoke-sessions', {}, changed);
    await get('get-session', changed);
    const last = cookieOf(await post('sign-in/email', { email, password }));
    await post('sign-out', {}, last);
    await post('sign-out', {}, last);
    await post('sign-out', {});
    await post('delete-user', { password }, cookieOf(await post('sign-in/email', { email, password })));
    await post('sign-in/email', { email, password });
    return seen;
  };
  const [mine, theirs] = [await life(ours), await life(real)];
  assert.equal(mine.length, theirs.length);
  mine.forEach((answer, step) => assert.deepEqual(answer, theirs[step], `step ${step}`));
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
