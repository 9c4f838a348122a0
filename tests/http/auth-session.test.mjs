// Contract better-auth-wire, sections 1.5, 1.10 and 3: what a session shows and remembers, and when it ends.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cgi, cookieOf, origin, request, seal, signUp, sql } from './harness.mjs';

const get = (cookie, headers = {}) => request('GET', '/api/auth/get-session', { cookie, headers });
const login = (user, headers) => cgi('signin', 'POST', '/api/auth/sign-in/email', { headers, body: { email: user.email, password: user.password } }).json.token;
const stored = (token) => sql("SELECT \"ipAddress\", \"userAgent\" FROM session WHERE token = :'token'", { token });

test('times have exactly three digits of a second, cut and not rounded', async () => {
  const user = await signUp();
  sql("UPDATE session SET \"createdAt\" = date_trunc('second', now()) - interval '1 hour' + interval '0.999999 s', \"updatedAt\" = date_trunc('second', now()) WHERE token = :'token'", { token: user.token });
  const { session } = (await user.get('get-session')).json;
  assert.match(session.createdAt, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.999Z$/);
  assert.match(session.updatedAt, /:\d\d\.000Z$/);
  const direct = sql("SELECT to_char(\"expiresAt\" AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"') FROM session WHERE token = :'token'", { token: user.token });
  assert.equal(session.expiresAt, direct);
});

test('what other code left empty is null', async () => {
  const user = await signUp();
  sql("UPDATE session SET \"ipAddress\" = NULL, \"userAgent\" = NULL WHERE token = :'token'", { token: user.token });
  const { session, user: shown } = (await user.get('get-session')).json;
  assert.deepEqual([session.ipAddress, session.userAgent, shown.image], [null, null, null]);
});

test('text comes out as it went in: no escapes but those that JSON needs', async () => {
  const name = 'a"b\\c/d\u2028\u2029é😀\u0001\u007f<&>';
  const user = await signUp({ name });
  const answer = await user.get('get-session');
  assert.equal(answer.json.user.name, name);
  assert.ok(answer.text.includes('"a\\"b\\\\c/d\u2028\u2029é😀\\u0001\u007f<&>"'), answer.text);
  assert.doesNotMatch(answer.text, /\n|": |, "/);
  assert.equal(answer.headers['content-type'], 'application/json');
});

test('a session keeps the client\'s address in its stored form, and its user agent', async () => {
  const user = await signUp();
  for (const [sent, kept] of [['203.0.113.7', '203.0.113.7'], ['2001:DB8:1:2:3:4:5:6', '2001:0db8:0001:0002:0000:0000:0000:0000'], ['::ffff:203.0.113.7', '203.0.113.7'], ['1.2.3.4, 5.6.7.8', ''], ['1.2.3.4:80', ''], ['nonsense', '']]) {
    assert.equal(stored(login(user, { 'x-forwarded-for': sent })), `${kept}|`, sent);
  }
  const agent = `Agent/1 ${'x'.repeat(1992)}`;
  assert.equal(stored(login(user, { 'user-agent': agent })), `|${agent}`);
  const through = await request('POST', '/api/auth/sign-in/email', { body: { email: user.email, password: user.password }, headers: { 'user-agent': 'Ägent "1"', 'x-forwarded-for': '203.0.113.9' } });
  const { session } = (await get(cookieOf(through))).json;
  assert.equal(session.ipAddress, '127.0.0.1'); // what the client claims is replaced by the web server
});

test('a session that is not remembered is not prolonged; update-user keeps it so', async () => {
  const user = await signUp();
  const made = await request('POST', '/api/auth/sign-in/email', { body: { email: user.email, password: user.password, rememberMe: false } });
  const cookie = cookieOf(made);
  const { token } = made.json;
  sql("UPDATE session SET \"expiresAt\" = now() + interval '1 hour' WHERE token = :'token'", { token });
  const left = () => Number(sql("SELECT round(extract(epoch FROM \"expiresAt\" - now()) / 3600) FROM session WHERE token = :'token'", { token }));
  assert.equal((await get(cookie)).headers['set-cookie'], undefined);
  const answer = await request('POST', '/api/auth/update-user', { cookie, headers: { origin }, body: { name: 'x' } });
  assert.deepEqual(answer.headers['set-cookie'], [`better-auth.session_token=${seal(token)}; Path=/; HttpOnly; SameSite=Lax`, `better-auth.dont_remember=${seal('true')}; Path=/; HttpOnly; SameSite=Lax`]);
  assert.equal(left(), 1);
  // A forged "not remembered" counts as none: such a session is prolonged like any other.
  assert.equal((await get(`better-auth.session_token=${seal(token)}; better-auth.dont_remember=true`)).headers['set-cookie'].length, 1);
  assert.equal(left(), 168);
});

test('prolonging keeps token and beginning, and is what POST routes do too', async () => {
  const user = await signUp();
  const before = (await user.get('get-session')).json.session;
  const due = () => sql("UPDATE session SET \"expiresAt\" = now() + interval '1 day', \"updatedAt\" = now() - interval '6 days' WHERE token = :'token'", { token: user.token });
  due();
  const { session } = (await user.get('get-session')).json;
  assert.deepEqual([session.token, session.id, session.createdAt], [before.token, before.id, before.createdAt]);
  assert.ok(Math.abs(Date.parse(session.updatedAt) - Date.now()) < 60000);
  assert.equal(Date.parse(session.expiresAt) - Date.parse(session.updatedAt), 604800000);
  const line = `better-auth.session_token=${seal(user.token)}; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax`;
  for (const [route, body] of [['verify-password', { password: user.password }], ['revoke-other-sessions', {}], ['revoke-session', { token: 'other' }], ['change-password', { currentPassword: user.password, newPassword: user.password }], ['update-user', { name: 'x' }]]) {
    due();
    const answer = await user.post(route, body);
    assert.deepEqual([answer.status, answer.headers['set-cookie']], [200, [line]], route);
  }
  due();
  assert.equal((await user.post('sign-out', {})).headers['set-cookie'].length, 3);
});

test('an expired session is refused by every route, and deleted only by its own cookie', async () => {
  const user = await signUp();
  const second = await user.signIn();
  const third = await user.signIn();
  const exists = (session) => sql("SELECT count(*) FROM session WHERE token = :'token'", { token: session.token }) === '1';
  sql("UPDATE session SET \"expiresAt\" = now() - interval '1 second' WHERE token IN (:'a', :'b')", { a: second.token, b: third.token });
  await user.get('list-sessions');
  await user.get('get-session');
  assert.ok(exists(second) && exists(third));
  assert.equal((await second.get('token')).status, 401);
  assert.equal((await third.post('update-user', { name: 'expired' })).status, 401);
  assert.ok(!exists(second) && !exists(third));
  assert.equal((await user.get('get-session')).json.user.name, user.name);
});

test('a session that ended is refused by the very next request, whoever ended it', async () => {
  const user = await signUp();
  const second = await user.signIn();
  assert.notEqual((await second.get('get-session')).text, 'null');
  await user.post('revoke-session', { token: second.token });
  assert.equal((await second.get('token')).status, 401);
  sql("DELETE FROM \"user\" WHERE id = :'id'", { id: user.id });
  assert.equal((await user.get('get-session')).text, 'null');
  assert.equal((await user.post('update-user', { name: 'x' })).status, 401);
});

test('freshness is of the beginning, and 0 switches it off', async () => {
  const user = await signUp();
  sql("UPDATE session SET \"createdAt\" = now() - interval '25 hours' WHERE token = :'token'", { token: user.token });
  const list = (fresh) => cgi('sessions', 'GET', '/api/auth/list-sessions', { settings: { AUTH_SESSION_FRESH_AGE: fresh }, headers: { cookie: user.cookie } }).status;
  assert.deepEqual(['86400', '93600', '0'].map(list), [403, 200, 200]);
});
