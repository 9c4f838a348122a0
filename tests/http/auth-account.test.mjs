// Contract better-auth-wire, sections 3.3 to 3.5 and 4: the user's sessions and account.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cgi, cookieOf, origin, request, seal, signUp, someone, sql } from './harness.mjs';

const done = '{"status":true}';
const isAlive = async (session) => (await session.get('get-session')).text !== 'null';
const age = (user, interval) => sql(`UPDATE session SET "createdAt" = now() - interval '${interval}' WHERE "userId" = :'id'`, { id: user.id });

test('every account route needs a session', async () => {
  for (const [method, route, body] of [['GET', 'list-sessions'], ['POST', 'revoke-session', { token: 'x' }], ['POST', 'revoke-sessions', {}], ['POST', 'revoke-other-sessions', {}], ['POST', 'update-session', {}], ['POST', 'update-user', { name: 'x' }],
    ['POST', 'change-password', { currentPassword: 'x', newPassword: 'y' }], ['POST', 'verify-password', { password: 'x' }], ['GET', 'list-accounts'], ['POST', 'unlink-account', { accountId: 'x' }], ['POST', 'delete-user', {}], ['POST', 'change-email', { newEmail: 'a@x.co' }], ['GET', 'token']]) {
    const answer = await request(method, `/api/auth/${route}`, { body });
    assert.deepEqual([answer.status, answer.json], [401, { message: 'Unauthorized', code: 'UNAUTHORIZED' }], route);
  }
});

test('the list has the unexpired sessions of the user, and needs a fresh session', async () => {
  const user = await signUp();
  const second = await user.signIn();
  const third = await user.signIn();
  sql("UPDATE session SET \"expiresAt\" = now() - interval '1 minute' WHERE token = :'token'", { token: third.token });
  await signUp();
  const answer = await user.get('list-sessions');
  assert.deepEqual(answer.json.map((session) => session.token).sort(), [user.token, second.token].sort());
  assert.deepEqual(Object.keys(answer.json[0]), ['expiresAt', 'token', 'createdAt', 'updatedAt', 'ipAddress', 'userAgent', 'userId', 'id']);
  age(user, '25 hours');
  const stale = await user.get('list-sessions');
  assert.deepEqual([stale.status, stale.json], [403, { message: 'Session is not fresh', code: 'SESSION_NOT_FRESH' }]);
});

test('one session is revoked, if it is the user\'s; a foreign or unknown token answers the same', async () => {
  const user = await signUp();
  const second = await user.signIn();
  const stranger = await signUp();
  for (const token of [second.token, stranger.token, 'unknown', 'a\u0000b']) {
    const answer = await user.post('revoke-session', { token });
    assert.deepEqual([answer.status, answer.text, answer.headers['set-cookie']], [200, done, undefined]);
  }
  assert.equal(await isAlive(second), false);
  assert.equal(await isAlive(stranger), true);
  const own = await user.post('revoke-session', { token: user.token });
  assert.equal(own.headers['set-cookie'].length, 3);
  assert.equal(await isAlive(user), false);
});

test('all other sessions are revoked, however many there are, or all', async () => {
  const user = await signUp();
  sql("INSERT INTO session (id, token, \"userId\", \"expiresAt\", \"updatedAt\") SELECT :'id' || n, :'id' || n, :'id', now() + interval '1 day', now() FROM generate_series(1, 150) n", { id: user.id });
  const count = () => sql("SELECT count(*) FROM session WHERE \"userId\" = :'id'", { id: user.id });
  assert.equal((await user.get('list-sessions')).json.length, 151);
  const others = await user.post('revoke-other-sessions');
  assert.deepEqual([others.status, others.text], [200, done]);
  assert.equal(count(), '1');
  assert.equal(await isAlive(user), true);
  const all = await user.post('revoke-sessions', {});
  assert.deepEqual([all.status, all.text, all.headers['set-cookie'].length], [200, done, 3]);
  assert.equal(count(), '0');
});

test('update-session has nothing that could be set', async () => {
  const answer = await (await signUp()).post('update-session', { userId: 'other' });
  assert.deepEqual([answer.status, answer.text], [400, '{"message":"No fields to update"}']);
});

test('name and image are changed, and only by texts', async () => {
  const user = await signUp({ image: 'http://x/y' });
  const answer = await user.post('update-user', { name: 'New', role: 'admin', emailVerified: true, id: 'x' });
  assert.deepEqual([answer.status, answer.text], [200, done]);
  assert.deepEqual(answer.headers['set-cookie'], [`better-auth.session_token=${seal(user.token)}; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax`]);
  let now = (await user.get('get-session')).json.user;
  assert.deepEqual([now.name, now.image, now.emailVerified, now.id], ['New', 'http://x/y', false, user.id]);
  assert.ok(now.updatedAt > now.createdAt);
  await user.post('update-user', { image: null });
  now = (await user.get('get-session')).json.user;
  assert.deepEqual([now.name, now.image], ['New', null]);
  for (const body of [{}, { other: 1 }]) assert.equal((await user.post('update-user', body)).text, '{"message":"No fields to update"}');
  assert.equal((await user.post('update-user', { email: 'a@x.co' })).json.code, 'EMAIL_CAN_NOT_BE_UPDATED');
  for (const body of [{ name: 5 }, { name: null }, { name: {} }, { image: 5 }]) assert.equal((await user.post('update-user', body)).status, 400, JSON.stringify(body));
  assert.equal((await user.get('get-session')).json.user.name, 'New');
});

test('the password is changed with the current one only; sessions stay, or all but a new one end', async () => {
  const user = await signUp();
  const second = await user.signIn();
  for (const [body, code] of [[{ newPassword: 'short', currentPassword: user.password }, 'PASSWORD_TOO_SHORT'], [{ newPassword: 'x'.repeat(129), currentPassword: user.password }, 'PASSWORD_TOO_LONG'], [{ newPassword: 'new-password', currentPassword: 'x'.repeat(129) }, 'PASSWORD_TOO_LONG'], [{ newPassword: 'new-password', currentPassword: 'wrong' }, 'INVALID_PASSWORD']]) {
    const answer = await user.post('change-password', body);
    assert.deepEqual([answer.status, answer.json.code], [400, code]);
  }
  const kept = await user.post('change-password', { newPassword: 'new-password', currentPassword: user.password });
  assert.deepEqual([kept.status, kept.json.token, kept.json.user.id], [200, null, user.id]);
  assert.equal(await isAlive(second), true);
  const revoked = await user.post('change-password', { newPassword: 'newer-password', currentPassword: 'new-password', revokeOtherSessions: true });
  assert.match(revoked.json.token, /^[a-zA-Z0-9]{32}$/);
  assert.equal(await isAlive(user), false);
  assert.equal(await isAlive(second), false);
  assert.notEqual((await request('GET', '/api/auth/get-session', { cookie: cookieOf(revoked) })).text, 'null');
  const signIn = (password) => request('POST', '/api/auth/sign-in/email', { body: { email: user.email, password } });
  assert.deepEqual([(await signIn(user.password)).status, (await signIn('new-password')).status, (await signIn('newer-password')).status], [401, 401, 200]);
});

test('a password is verified; an account without one has none to change', async () => {
  const user = await signUp();
  assert.equal((await user.post('verify-password', { password: user.password })).text, done);
  assert.deepEqual((await user.post('verify-password', { password: 'wrong' })).json, { message: 'Invalid password', code: 'INVALID_PASSWORD' });
  sql("UPDATE account SET password = NULL WHERE \"userId\" = :'id'", { id: user.id });
  assert.equal((await user.post('change-password', { newPassword: 'new-password', currentPassword: 'x' })).json.code, 'CREDENTIAL_ACCOUNT_NOT_FOUND');
});

test('accounts are listed without secrets, and unlinked but for the last', async () => {
  const user = await signUp();
  sql("INSERT INTO account (id, \"accountId\", \"providerId\", \"userId\", scope, \"accessToken\", \"updatedAt\") VALUES (:'id' || 'g', '1', 'github', :'id', 'a,b', 'hidden', now())", { id: user.id });
  const list = await user.get('list-accounts');
  assert.equal(list.json.length, 2);
  assert.deepEqual(Object.keys(list.json[0]), ['accountId', 'providerId', 'userId', 'createdAt', 'updatedAt', 'id', 'scopes']);
  assert.deepEqual([list.json[0].scopes, list.json[1].scopes], [[], ['a', 'b']]);
  assert.doesNotMatch(list.text, /hidden|password/);
  assert.equal((await user.post('unlink-account', { accountId: 'unknown' })).json.code, 'ACCOUNT_NOT_FOUND');
  assert.equal((await user.post('unlink-account', { accountId: `${user.id}g` })).text, done);
  assert.deepEqual((await user.post('unlink-account', { accountId: list.json[0].id })).json, { message: "You can't unlink your last account", code: 'FAILED_TO_UNLINK_LAST_ACCOUNT' });
});

test('a deleted user is gone with sessions, accounts and tasks', async () => {
  const user = await signUp();
  const { token } = (await user.get('token')).json;
  await request('POST', '/api/tasks', { token, body: { title: 'x' } });
  assert.equal((await user.post('delete-user', { password: 'wrong' })).json.code, 'INVALID_PASSWORD');
  const wrong = await user.post('delete-user', { token: 'wrong' });
  assert.deepEqual([wrong.status, wrong.json.code], [404, 'INVALID_TOKEN']);
  const answer = await user.post('delete-user', { password: user.password });
  assert.deepEqual([answer.status, answer.text, answer.headers['set-cookie'].length], [200, '{"success":true,"message":"User deleted"}', 3]);
  assert.equal(await isAlive(user), false);
  assert.equal(sql("SELECT (SELECT count(*) FROM \"user\" WHERE id = :'id') + (SELECT count(*) FROM session WHERE \"userId\" = :'id') + (SELECT count(*) FROM account WHERE \"userId\" = :'id') + (SELECT count(*) FROM task WHERE user_id = :'id')", { id: user.id }), '0');
});

test('an old session deletes its user only with the password', async () => {
  const user = await signUp();
  age(user, '25 hours');
  const stale = await user.post('delete-user', {});
  assert.deepEqual([stale.status, stale.json], [400, { message: 'Session expired. Re-authenticate to perform this action.', code: 'SESSION_EXPIRED' }]);
  const fresh = await user.signIn();
  assert.equal((await fresh.post('delete-user', {})).status, 200);
});

test('where it is switched off, deletion is not there, and changing the address is refused', async () => {
  const user = await signUp();
  const headers = { cookie: user.cookie, origin };
  const settings = { AUTH_DELETE_USER: 'off' };
  const off = cgi('delete_user', 'POST', '/api/auth/delete-user', { settings, headers, body: {} });
  assert.deepEqual([off.status, off.text], [404, '']);
  const callback = cgi('delete_user', 'GET', '/api/auth/delete-user/callback?token=x', { settings, headers });
  assert.deepEqual([callback.status, callback.json], [404, { message: 'Not found', code: 'NOT_FOUND' }]);
  assert.deepEqual((await user.post('change-email', { newEmail: 'a@x.co' })).json, { message: 'Change email is disabled', code: 'CHANGE_EMAIL_DISABLED' });
});

test('where no mail can be sent, the routes that need it say so', async () => {
  const user = await signUp();
  assert.equal((await user.post('send-verification-email', { email: user.email })).json.code, 'VERIFICATION_EMAIL_NOT_ENABLED');
  assert.equal((await user.post('request-password-reset', { email: user.email })).json.code, 'RESET_PASSWORD_DISABLED');
  const answer = cgi('change_email', 'POST', '/api/auth/change-email', { settings: { AUTH_CHANGE_EMAIL: 'on' }, headers: { cookie: user.cookie, origin }, body: { newEmail: 'a@x.co' } });
  assert.deepEqual([answer.status, answer.text], [400, '{"message":"Verification email isn\'t enabled"}']);
  const reset = await request('POST', '/api/auth/reset-password', { body: { newPassword: 'password123', token: 'unknown' } });
  assert.deepEqual([reset.status, reset.json.code], [400, 'INVALID_TOKEN']);
});

test('a task token is not a session, and a session token is not a task token', async () => {
  const user = await signUp();
  assert.equal((await request('GET', '/api/tasks', { token: user.token })).status, 401);
  const { token } = someone(user.id);
  assert.equal((await request('GET', '/api/auth/get-session', { cookie: `better-auth.session_token=${token}` })).text, 'null');
  const verify = await request('GET', `/api/auth/verify-email?token=${token}`);
  assert.deepEqual([verify.status, verify.json.code], [401, 'INVALID_TOKEN']);
});
