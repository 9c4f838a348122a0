// Contract better-auth-wire, section 1.7: the exact lines of every route that sets a cookie.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cgi, origin, request, seal, signUp } from './harness.mjs';

const plain = { prefix: 'better-auth', secure: '' };
const set = (name, value, { prefix, secure } = plain) => `${prefix}.${name}=${value}; Max-Age=604800; Path=/; HttpOnly; ${secure}SameSite=Lax`;
const brief = (name, value, { prefix, secure } = plain) => `${prefix}.${name}=${value}; Path=/; HttpOnly; ${secure}SameSite=Lax`;
const clear = (name, { prefix, secure } = plain) => `${prefix}.${name}=; Max-Age=0; Path=/; HttpOnly; ${secure}SameSite=Lax`;
const clearing = (kind = plain) => ['session_token', 'session_data', 'dont_remember'].map((name) => clear(name, kind));

test('a new session sets one line, or two if it is not remembered', async () => {
  const user = await signUp();
  assert.deepEqual(user.answer.headers['set-cookie'], [set('session_token', seal(user.token))]);
  const once = await signUp({ rememberMe: false });
  assert.deepEqual(once.answer.headers['set-cookie'], [brief('session_token', seal(once.token)), brief('dont_remember', seal('true'))]);
  const signIn = (rememberMe, cookie) => request('POST', '/api/auth/sign-in/email', { cookie, headers: { origin }, body: { email: user.email, password: user.password, rememberMe } });
  const again = await signIn(true, `better-auth.dont_remember=${seal('true')}`);
  assert.deepEqual(again.headers['set-cookie'], [set('session_token', seal(again.json.token)), clear('dont_remember')]);
  const forged = await signIn(true, 'better-auth.dont_remember=true');
  assert.deepEqual(forged.headers['set-cookie'], [set('session_token', seal(forged.json.token))]);
});

test('clearing names three cookies in order, and each part of a cached session', async () => {
  for (const [route, body] of [['sign-out', {}], ['revoke-sessions', {}], ['delete-user', {}]]) {
    const user = await signUp();
    const answer = await request('POST', `/api/auth/${route}`, { cookie: `${user.cookie}; better-auth.session_data=x; better-auth.session_data.0=y; better-auth.session_data.1=z; better-auth.session_dat=q; other.session_data.0=n`, headers: { origin }, body });
    assert.deepEqual([answer.status, answer.headers['set-cookie']], [200, [...clearing(), clear('session_data'), clear('session_data.0'), clear('session_data.1')]], route);
  }
  const user = await signUp();
  assert.deepEqual((await user.post('revoke-session', { token: user.token })).headers['set-cookie'], clearing());
});

test('a password change that ends all sessions sets the new one\'s cookie', async () => {
  const user = await signUp();
  const answer = await user.post('change-password', { currentPassword: user.password, newPassword: user.password, revokeOtherSessions: true });
  assert.deepEqual(answer.headers['set-cookie'], [set('session_token', seal(answer.json.token))]);
  assert.notEqual(answer.json.token, user.token);
});

test('errors and reads set no cookie', async () => {
  const user = await signUp();
  const answers = [await user.get('get-session'), await user.get('token'), await user.get('list-accounts'), await user.get('list-sessions'), await user.post('verify-password', { password: 'wrong' }), await user.post('update-user', {}), await user.post('nothing', {}), await request('GET', '/api/auth/token'), await request('GET', '/api/auth/jwks')];
  for (const answer of answers) assert.equal(answer.headers['set-cookie'], undefined);
});

test('names and attributes follow an https base URL and the prefix', async () => {
  const user = await signUp();
  const body = { email: user.email, password: user.password };
  for (const [settings, kind] of [[{ BETTER_AUTH_URL: 'https://todo.example.com' }, { prefix: '__Secure-better-auth', secure: 'Secure; ' }], [{ AUTH_SECURE_COOKIES: 'on' }, { prefix: '__Secure-better-auth', secure: 'Secure; ' }],
    [{ BETTER_AUTH_URL: 'https://todo.example.com', AUTH_SECURE_COOKIES: 'off' }, plain], [{ AUTH_COOKIE_PREFIX: 'my-app' }, { prefix: 'my-app', secure: '' }]]) {
    const headers = { origin: settings.BETTER_AUTH_URL ?? origin };
    const made = cgi('signin', 'POST', '/api/auth/sign-in/email', { settings, headers, body });
    assert.deepEqual(made.find('set-cookie'), [set('session_token', seal(made.json.token), kind)]);
    const named = (prefix) => cgi('session', 'GET', '/api/auth/get-session', { settings, headers: { cookie: `${prefix}.session_token=${seal(made.json.token)}` } }).json?.user?.id;
    assert.equal(named(kind.prefix), user.id);
    for (const other of ['better-auth', '__Secure-better-auth', '__Host-better-auth', 'my-app'].filter((name) => name !== kind.prefix)) assert.equal(named(other), undefined, other);
    const out = cgi('signout', 'POST', '/api/auth/sign-out', { settings, headers: { ...headers, cookie: `${kind.prefix}.session_token=${seal(made.json.token)}` }, body: {} });
    assert.deepEqual(out.find('set-cookie'), clearing(kind));
  }
});

test('a lifetime of the deployment is in the cookie and in the row', async () => {
  const user = await signUp();
  const made = cgi('signin', 'POST', '/api/auth/sign-in/email', { settings: { AUTH_SESSION_EXPIRES_IN: '3600' }, body: { email: user.email, password: user.password } });
  assert.deepEqual(made.find('set-cookie'), [`better-auth.session_token=${seal(made.json.token)}; Max-Age=3600; Path=/; HttpOnly; SameSite=Lax`]);
});

test('row 55: a signature is of the whole value, by this secret, in padded base64', async () => {
  const user = await signUp();
  const session = async (value) => (await request('GET', '/api/auth/get-session', { cookie: `better-auth.session_token=${value}` })).json?.user?.id;
  const good = decodeURIComponent(seal(user.token));
  const signature = good.slice(-44);
  assert.equal(await session(good), user.id);
  // The last character before the padding holds two bits that mean nothing: only one spelling counts.
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const respelled = `${good.slice(0, -2)}${letters[letters.indexOf(good.at(-2)) ^ 1]}=`;
  for (const value of [respelled, good.slice(0, -1), `${good}=`, `${user.token}.`, `${user.token}.${signature.toLowerCase()}`, `.${signature}`, signature, `${user.token.slice(1)}.${signature}`, `${user.token}x.${signature}`, `x.${good}`, seal(user.token, 'another-secret-that-is-long-enough'), seal(user.token.toUpperCase()), `${good}.${signature}`]) assert.equal(await session(value), undefined, value);
});
