// Contract better-auth-wire, section 4.5: an account ends by password, by a fresh session, or by the
// link of a mail, whole or not at all.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cgi, origin, request, signUp, sql } from './harness.mjs';

const settings = { AUTH_DELETE_USER: 'confirm', SMTP_URL: 'smtp://localhost:1', MAIL_FROM: 'todo@example.com' };
const clearing = ['session_token', 'session_data', 'dont_remember'].map((name) => `better-auth.${name}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax`);
const ask = (user, body = {}) => cgi('delete_user', 'POST', '/api/auth/delete-user', { settings, headers: { cookie: user.cookie, origin }, body });
const open = (link, cookie) => cgi('delete_user', 'GET', link, { settings, headers: cookie === undefined ? {} : { cookie } });
const exists = (user) => sql("SELECT count(*) FROM \"user\" WHERE id = :'id'", { id: user.id }) === '1';

// The link that was queued for a user, as a path.
function linkFor(user) {
  const link = sql("DELETE FROM todo_mail WHERE recipient = :'email' AND template = 'delete-account' RETURNING link", { email: user.email });
  assert.ok(link.startsWith(`${origin}/api/auth/delete-user/callback?token=`), link);
  return link.slice(origin.length);
}

test('with confirmation a mail is sent, and its link ends the account once', async () => {
  const user = await signUp();
  const { token } = (await user.get('token')).json;
  assert.equal((await request('POST', '/api/tasks', { token, body: { title: 'x' } })).status, 201);
  const asked = ask(user, { callbackURL: '/bye?a=b' });
  assert.deepEqual([asked.status, asked.text, asked.find('set-cookie')], [200, '{"success":true,"message":"Verification email sent"}', []]);
  assert.ok(exists(user));
  const link = linkFor(user);
  assert.match(link, /\?token=[0-9a-z]{32}&callbackURL=%2Fbye%3Fa%3Db$/);
  const [, secret] = /token=([0-9a-z]{32})/.exec(link);
  assert.equal(sql("SELECT value, round(extract(epoch FROM \"expiresAt\" - \"createdAt\")) FROM verification WHERE identifier = 'delete-account-' || :'secret'", { secret }), `${user.id}|86400`);

  const gone = open(link, user.cookie);
  assert.deepEqual([gone.status, gone.text, gone.find('location'), gone.find('set-cookie')], [302, '', ['/bye?a=b'], clearing]);
  assert.equal(exists(user), false);
  assert.equal(sql("SELECT (SELECT count(*) FROM session WHERE \"userId\" = :'id') + (SELECT count(*) FROM account WHERE \"userId\" = :'id') + (SELECT count(*) FROM task WHERE user_id = :'id') + (SELECT count(*) FROM verification WHERE value = :'id')", { id: user.id }), '0');
  assert.equal((await user.get('get-session')).text, 'null');
});

test('the link without a place to go on to answers in JSON; by default it leads to /', async () => {
  const user = await signUp();
  ask(user);
  const link = linkFor(user);
  assert.match(link, /&callbackURL=%2F$/);
  const answer = open(link.split('&')[0], user.cookie);
  assert.deepEqual([answer.status, answer.text, answer.find('set-cookie')], [200, '{"success":true,"message":"User deleted"}', clearing]);
  assert.equal(exists(user), false);
});

test('a link is worth nothing without its user\'s session, expired, or with a wrong token, and stays unspent', async () => {
  const user = await signUp();
  const stranger = await signUp();
  ask(user);
  const link = linkFor(user);
  const route = '/api/auth/delete-user/callback';
  const none = open(link);
  assert.deepEqual([none.status, none.text], [404, '{"message":"Failed to get user info","code":"FAILED_TO_GET_USER_INFO"}']);
  for (const [path, cookie] of [[link, stranger.cookie], [`${route}?token=unknown`, user.cookie], [`${route}?token=`, user.cookie]]) {
    const answer = open(path, cookie);
    assert.deepEqual([answer.status, answer.text], [404, '{"message":"Invalid token","code":"INVALID_TOKEN"}'], path);
  }
  const missing = open(route, user.cookie);
  assert.deepEqual([missing.status, missing.text], [400, '{"message":"[query.token] Invalid input: expected string, received undefined","code":"VALIDATION_ERROR"}']);
  const evil = open(`${link.split('&')[0]}&callbackURL=//evil.example`, user.cookie);
  assert.deepEqual([evil.status, evil.json.code], [403, 'INVALID_CALLBACK_URL']);
  assert.ok(exists(user) && exists(stranger));
  sql("UPDATE verification SET \"expiresAt\" = now() - interval '1 second' WHERE value = :'id'", { id: user.id });
  assert.equal(open(link, user.cookie).status, 404);
  sql("UPDATE verification SET \"expiresAt\" = now() + interval '1 hour' WHERE value = :'id'", { id: user.id });
  const posted = ask(user, { token: /token=([^&]+)/.exec(link)[1] });
  assert.deepEqual([posted.status, posted.text, posted.find('set-cookie')], [200, '{"success":true,"message":"User deleted"}', clearing]);
  assert.equal(exists(user), false);
});

test('a body is needed, and an account is ended only by who is signed in', async () => {
  const user = await signUp();
  for (const [body, received] of [[undefined, 'undefined'], ['[]', 'array'], ['null', 'null']]) {
    const answer = await user.post('delete-user', body);
    assert.deepEqual([answer.status, answer.text], [400, `{"message":"[body] Invalid input: expected object, received ${received}","code":"VALIDATION_ERROR"}`]);
  }
  const wrong = await user.post('delete-user', { password: 5, token: null });
  assert.equal(wrong.json.message, '[body.password] Invalid input: expected string, received number; [body.token] Invalid input: expected string, received null');
  assert.equal((await request('POST', '/api/auth/delete-user', { body: { password: user.password } })).status, 401);
  // Who is not signed in does not learn whether it is switched off.
  assert.equal(cgi('delete_user', 'POST', '/api/auth/delete-user', { settings: { AUTH_DELETE_USER: 'off' }, body: {} }).status, 401);
  assert.ok(exists(user));
});

test('what refers to a user and cannot go keeps all of them: sessions, accounts, user', async () => {
  const user = await signUp();
  const table = `keeps_${user.id.toLowerCase()}`;
  sql(`CREATE TABLE "${table}" (id text REFERENCES "user" (id)); INSERT INTO "${table}" VALUES (:'id')`, { id: user.id });
  try {
    const answer = await user.post('delete-user', {});
    assert.deepEqual([answer.status, answer.text], [500, '']);
    assert.equal((await user.get('get-session')).json.user.id, user.id);
    assert.equal((await user.post('verify-password', { password: user.password })).status, 200);
  } finally {
    sql(`DROP TABLE "${table}"`);
  }
  assert.equal((await user.post('delete-user', {})).status, 200);
});
