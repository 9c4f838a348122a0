// Contract better-auth-wire, sections 2, 3.1, 3.2 and 7: signing up, in and out, sessions, tokens.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { test } from 'node:test';
import { now, origin, randomEmail, request, seal, signUp, sql } from './harness.mjs';

const userKeys = ['name', 'email', 'emailVerified', 'image', 'createdAt', 'updatedAt', 'id'];
const sessionKeys = ['expiresAt', 'token', 'createdAt', 'updatedAt', 'ipAddress', 'userAgent', 'userId', 'id'];
const id = /^[a-zA-Z0-9]{32}$/;
const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
const post = (route, body, headers = {}) => request('POST', `/api/auth/${route}`, { body, headers });
const cleared = (answer) => (answer.headers['set-cookie'] ?? []).map((line) => line);
const clearing = ['session_token', 'session_data', 'dont_remember'].map((name) => `better-auth.${name}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax`);

test('sign-up answers token and user in their order, and sets the session cookie', async () => {
  const email = randomEmail();
  const answer = await post('sign-up/email', { name: ' Zoë ', email: email.toUpperCase(), password: 'password123', image: 'http://x/y.png', id: 'mine', emailVerified: true, role: 'admin' });
  assert.equal(answer.status, 200);
  assert.deepEqual(Object.keys(answer.json), ['token', 'user']);
  assert.deepEqual(Object.keys(answer.json.user), userKeys);
  const { user, token } = answer.json;
  assert.deepEqual([user.name, user.email, user.emailVerified, user.image], [' Zoë ', email, false, 'http://x/y.png']);
  assert.match(user.id, id);
  assert.match(token, id);
  assert.match(user.createdAt, time);
  assert.deepEqual(answer.headers['set-cookie'], [`better-auth.session_token=${seal(token)}; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax`]);
});

test('user, account and session are stored as Better Auth stores them', async () => {
  const user = await signUp();
  assert.equal(sql("SELECT email, \"emailVerified\", image IS NULL, date_trunc('milliseconds', \"createdAt\") = \"createdAt\" FROM \"user\" WHERE id = :'id'", { id: user.id }), `${user.email}|f|t|t`);
  assert.equal(sql("SELECT \"accountId\" = \"userId\", \"providerId\", password ~ '^[0-9a-f]{32}:[0-9a-f]{128}$', scope IS NULL FROM account WHERE \"userId\" = :'id'", { id: user.id }), 't|credential|t|t');
  assert.equal(sql("SELECT token, \"ipAddress\", \"expiresAt\" - \"createdAt\" FROM session WHERE \"userId\" = :'id'", { id: user.id }), `${user.token}|127.0.0.1|7 days`);
  const [salt, key] = sql("SELECT password FROM account WHERE \"userId\" = :'id'", { id: user.id }).split(':');
  assert.equal(crypto.scryptSync('password123', salt, 64, { N: 16384, r: 16, p: 1, maxmem: 64 * 1024 * 1024 }).toString('hex'), key);
});

test('row 59: a taken address is 422 in any letter case; of many at once exactly one gets it', async () => {
  const user = await signUp();
  const taken = await post('sign-up/email', { name: 'x', email: user.email.toUpperCase(), password: 'password123' });
  assert.equal(taken.status, 422);
  assert.deepEqual(taken.json, { message: 'User already exists. Use another email.', code: 'USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL' });
  assert.equal(taken.headers['set-cookie'], undefined);
  const email = randomEmail();
  const answers = await Promise.all(Array.from({ length: 8 }, () => post('sign-up/email', { name: 'x', email, password: 'password123' })));
  assert.equal(answers.filter((answer) => answer.status === 200).length, 1);
  assert.ok(answers.every((answer) => answer.status === 200 || ['FAILED_TO_CREATE_USER', 'USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL'].includes(answer.json.code)));
  assert.equal(sql("SELECT count(*), (SELECT count(*) FROM account a WHERE a.\"userId\" = min(u.id)) FROM \"user\" u WHERE email = :'email'", { email }), '1|1');
});

test('row 66: a password has 8 to 128 UTF-16 units, and is not trimmed', async () => {
  for (const [password, code] of [['1234567', 'PASSWORD_TOO_SHORT'], ['x'.repeat(129), 'PASSWORD_TOO_LONG'], ['😀'.repeat(3), 'PASSWORD_TOO_SHORT'], ['😀'.repeat(65), 'PASSWORD_TOO_LONG']]) {
    const answer = await post('sign-up/email', { name: 'x', email: randomEmail(), password });
    assert.equal(answer.status, 400);
    assert.equal(answer.json.code, code);
  }
  for (const password of ['😀😀😀😀', 'x'.repeat(128), ' padded ']) {
    const user = await signUp({ password });
    assert.equal((await post('sign-in/email', { email: user.email, password })).status, 200);
  }
  const user = await signUp({ password: 'ﬁancé①Å long' });
  assert.equal((await post('sign-in/email', { email: user.email, password: 'fiance\u03011\u212B long'.normalize('NFD') })).status, 200);
  assert.equal((await post('sign-in/email', { email: user.email, password: ' ﬁancé①Å long' })).status, 401);
});

test('row 35: U+0000 in a name cannot be stored: 422, and nothing is left', async () => {
  const email = randomEmail();
  const answer = await post('sign-up/email', `{"name":"a\\u0000b","email":"${email}","password":"password123"}`);
  assert.deepEqual([answer.status, answer.json.code], [422, 'FAILED_TO_CREATE_USER']);
  assert.equal(sql("SELECT count(*) FROM \"user\" WHERE email = :'email'", { email }), '0');
});

test('sign-in makes a further session and answers as the contract says', async () => {
  const user = await signUp();
  const answer = await post('sign-in/email', { email: user.email.toUpperCase(), password: user.password });
  assert.equal(answer.status, 200);
  assert.deepEqual(Object.keys(answer.json), ['redirect', 'token', 'user']);
  assert.deepEqual(Object.keys(answer.json.user), userKeys);
  assert.equal(answer.json.redirect, false);
  assert.notEqual(answer.json.token, user.token);
  assert.equal((await user.get('get-session')).json.session.token, user.token);
});

test('sign-in with a callback answers where to go', async () => {
  const user = await signUp();
  const answer = await post('sign-in/email', { email: user.email, password: user.password, callbackURL: '/dash?a=b' });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.location, '/dash?a=b');
  assert.deepEqual(Object.keys(answer.json), ['redirect', 'token', 'url', 'user']);
  assert.deepEqual([answer.json.redirect, answer.json.url], [true, '/dash?a=b']);
  const empty = await post('sign-in/email', { email: user.email, password: user.password, callbackURL: '' });
  assert.deepEqual([empty.json.redirect, empty.json.url, empty.headers.location], [false, '', undefined]);
});

test('a wrong password, an unknown address and an account without password answer the same bytes', async () => {
  const user = await signUp();
  const other = await signUp();
  const broken = await signUp();
  sql("UPDATE account SET password = NULL WHERE \"userId\" = :'id'", { id: other.id });
  sql("UPDATE account SET password = 'garbage' WHERE \"userId\" = :'id'", { id: broken.id });
  const answers = [];
  for (const [email, password] of [[user.email, 'wrong-password'], [randomEmail(), 'password123'], [other.email, 'password123'], [broken.email, 'password123'], [user.email, '']]) answers.push(await post('sign-in/email', { email, password }));
  for (const answer of answers) {
    assert.equal(answer.status, 401);
    assert.equal(answer.text, '{"message":"Invalid email or password","code":"INVALID_EMAIL_OR_PASSWORD"}');
    assert.equal(answer.headers['set-cookie'], undefined);
  }
});

test('sign-in tells a malformed address and a password that is too long', async () => {
  for (const [body, code] of [[{ email: 'nobody', password: 'x' }, 'INVALID_EMAIL'], [{ email: 'a@x.co\n', password: 'x' }, 'INVALID_EMAIL'], [{ email: 'a@x.co', password: 'x'.repeat(129) }, 'PASSWORD_TOO_LONG']]) {
    const answer = await post('sign-in/email', body);
    assert.deepEqual([answer.status, answer.json.code], [400, code]);
  }
});

test('a form works on sign-up and sign-in, where every value is a text', async () => {
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  const email = randomEmail();
  const made = await post('sign-up/email', `name=A+B&email=${encodeURIComponent(email)}&password=password123`, headers);
  assert.equal(made.json.user.name, 'A B');
  const flag = await post('sign-in/email', `email=${encodeURIComponent(email)}&password=password123&rememberMe=false`, headers);
  assert.deepEqual([flag.status, flag.json.message], [400, '[body.rememberMe] Invalid input: expected boolean, received string']);
});

test('a session that is not remembered: one day, cookies without Max-Age, never prolonged', async () => {
  const user = await signUp();
  const answer = await post('sign-in/email', { email: user.email, password: user.password, rememberMe: false });
  const { token } = answer.json;
  assert.deepEqual(answer.headers['set-cookie'], [`better-auth.session_token=${seal(token)}; Path=/; HttpOnly; SameSite=Lax`, `better-auth.dont_remember=${seal('true')}; Path=/; HttpOnly; SameSite=Lax`]);
  assert.equal(sql("SELECT \"expiresAt\" - \"createdAt\" FROM session WHERE token = :'token'", { token }), '1 day');
  const cookie = `better-auth.session_token=${seal(token)}; better-auth.dont_remember=${seal('true')}`;
  const session = await request('GET', '/api/auth/get-session', { cookie });
  assert.equal(session.headers['set-cookie'], undefined);
  assert.equal(sql("SELECT \"expiresAt\" - \"createdAt\" FROM session WHERE token = :'token'", { token }), '1 day');
  const again = await request('POST', '/api/auth/sign-in/email', { cookie, headers: { origin }, body: { email: user.email, password: user.password } });
  assert.deepEqual(again.headers['set-cookie'].slice(1), ['better-auth.dont_remember=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax']);
});

test('get-session answers session and user in their order, never cached, with a token', async () => {
  const user = await signUp();
  const answer = await request('GET', '/api/auth/get-session', { cookie: user.cookie, headers: { 'user-agent': 'Test/1 "ü"' } });
  assert.deepEqual(Object.keys(answer.json), ['session', 'user']);
  assert.deepEqual(Object.keys(answer.json.session), sessionKeys);
  assert.deepEqual(Object.keys(answer.json.user), userKeys);
  assert.deepEqual([answer.headers['cache-control'], answer.headers.pragma], ['no-store', 'no-cache']);
  assert.equal(answer.headers['access-control-expose-headers'], 'set-auth-jwt');
  const tasks = await request('GET', '/api/tasks', { token: answer.headers['set-auth-jwt'] });
  assert.equal(tasks.status, 200);
  assert.equal((await request('GET', '/api/auth/get-session', { headers: { authorization: `Bearer ${user.token}` } })).text, 'null');
  const wrong = await user.post('get-session', {});
  assert.deepEqual([wrong.status, wrong.json.code], [405, 'METHOD_NOT_ALLOWED_DEFER_SESSION_REQUIRED']);
});

test('no session is null; a signed cookie without one is cleared, an expired row deleted', async () => {
  const none = await request('GET', '/api/auth/get-session');
  assert.deepEqual([none.status, none.text, none.headers['set-cookie']], [200, 'null', undefined]);
  const gone = await request('GET', '/api/auth/get-session', { cookie: `better-auth.session_token=${seal('x'.repeat(32))}; better-auth.session_data.0=a` });
  assert.equal(gone.text, 'null');
  assert.deepEqual(cleared(gone), [...clearing, 'better-auth.session_data.0=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax']);
  const user = await signUp();
  sql("UPDATE session SET \"expiresAt\" = now() - interval '1 second' WHERE token = :'token'", { token: user.token });
  const expired = await user.get('get-session');
  assert.equal(expired.text, 'null');
  assert.equal(expired.headers['set-auth-jwt'], undefined);
  assert.deepEqual(cleared(expired), clearing);
  assert.equal(sql("SELECT count(*) FROM session WHERE token = :'token'", { token: user.token }), '0');
});

test('a session is prolonged when less than six of its seven days remain, by every route that reads it', async () => {
  const user = await signUp();
  const age = (interval) => sql(`UPDATE session SET "expiresAt" = now() + interval '${interval}' WHERE token = :'token'`, { token: user.token });
  const left = () => Number(sql("SELECT round(extract(epoch FROM \"expiresAt\" - now()) / 3600) FROM session WHERE token = :'token'", { token: user.token }));
  age('6 days 1 hour');
  assert.equal((await user.get('get-session')).headers['set-cookie'], undefined);
  assert.equal(left(), 145);
  age('5 days 23 hours');
  assert.equal((await user.get('get-session?disableRefresh=false')).headers['set-cookie'], undefined);
  assert.equal(left(), 143);
  const prolonged = await user.get('get-session');
  assert.deepEqual(prolonged.headers['set-cookie'], [`better-auth.session_token=${seal(user.token)}; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax`]);
  assert.equal(left(), 168);
  for (const route of ['token', 'list-accounts', 'list-sessions']) {
    age('1 hour');
    assert.equal((await user.get(route)).headers['set-cookie'].length, 1, route);
    assert.equal(left(), 168);
  }
});

test('a token has the contract\'s header and claims, and opens the task service for 15 minutes', async () => {
  const user = await signUp();
  const answer = await user.get('token');
  assert.deepEqual(Object.keys(answer.json), ['token']);
  const [head, body, signature] = answer.json.token.split('.');
  const header = JSON.parse(Buffer.from(head, 'base64url'));
  const claims = JSON.parse(Buffer.from(body, 'base64url'));
  assert.deepEqual(Object.keys(header), ['alg', 'kid']);
  assert.equal(header.alg, 'EdDSA');
  assert.deepEqual(Object.keys(claims), ['iat', ...userKeys, 'sub', 'exp', 'iss', 'aud']);
  assert.deepEqual([claims.sub, claims.iss, claims.aud, claims.exp - claims.iat], [user.id, origin, origin, 900]);
  assert.ok(Math.abs(claims.iat - now()) < 60);
  const { keys } = (await request('GET', '/api/auth/jwks')).json;
  const jwk = keys.find((key) => key.kid === header.kid);
  assert.deepEqual(Object.keys(jwk), ['alg', 'crv', 'x', 'kty', 'kid']);
  assert.ok(crypto.verify(null, Buffer.from(`${head}.${body}`), crypto.createPublicKey({ key: jwk, format: 'jwk' }), Buffer.from(signature, 'base64url')));
  const made = await request('POST', `/api/${user.id}/tasks`, { token: answer.json.token, body: { title: 'x' } });
  assert.equal(made.status, 201);
  const none = await request('GET', '/api/auth/token');
  assert.deepEqual([none.status, none.json], [401, { message: 'Unauthorized', code: 'UNAUTHORIZED' }]);
});

test('row 20: a name that would make the header too long leaves it out, and the session is answered', async () => {
  const user = await signUp({ name: 'n'.repeat(7000) });
  const answer = await user.get('get-session');
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['set-auth-jwt'], undefined);
  assert.equal(answer.json.user.name.length, 7000);
});

test('sign-out ends the session of the cookie, with or without one', async () => {
  const user = await signUp();
  const second = await user.signIn();
  for (const body of [{}, undefined]) {
    const answer = await user.post('sign-out', body);
    assert.deepEqual([answer.status, answer.text], [200, '{"success":true}']);
    assert.deepEqual(cleared(answer), clearing);
  }
  assert.equal((await user.get('get-session')).text, 'null');
  assert.notEqual((await second.get('get-session')).text, 'null');
  assert.equal((await post('sign-out', {})).status, 200);
  assert.equal((await post('sign-out', 'null')).status, 400);
  const forged = await request('POST', '/api/auth/sign-out', { headers: { origin }, cookie: `better-auth.session_token=${second.token}.${'A'.repeat(43)}%3D` });
  assert.equal(forged.status, 200);
  assert.notEqual((await second.get('get-session')).text, 'null');
});
