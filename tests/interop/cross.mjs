// What must hold between our programs and a real Better Auth server that share a database and a secret:
// what one makes, the other takes. Run for every kind of such a pair.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cookieOf, randomEmail, sql } from '../http/harness.mjs';

const decoded = (token, part) => JSON.parse(Buffer.from(token.split('.')[part], 'base64url'));
const byId = (rows) => [...rows].sort((x, y) => (x.id < y.id ? -1 : 1));

async function register(side) {
  const user = { name: 'Zoë 😀', email: randomEmail(), password: 'pass ﬁ 😀 word' };
  const answer = await side.post('sign-up/email', user);
  assert.equal(answer.status, 200, answer.text);
  return { user, cookie: cookieOf(answer), id: answer.json.user.id, answer };
}

async function tokenOf(side, cookie) {
  const answer = await side.get('token', cookie);
  assert.equal(answer.status, 200, answer.text);
  return answer.json.token;
}

// Where there is no key yet, the real server makes it. A handler that has just read the keys of the
// table looks for a new one only a second later.
// The order of a key set means nothing (RFC 7517, section 5), and Better Auth asks its table for none.
export const inOrder = ({ keys }) => ({ keys: [...keys].sort((one, other) => one.kid.localeCompare(other.kid)) });

export async function firstKey({ ours, real }) {
  const { cookie } = await register(real);
  await tokenOf(real, cookie);
  await tokenOf(ours, cookie);
  await new Promise((resolve) => { setTimeout(resolve, 1100); });
}

// `pair()` gives {ours, real, url} once both run.
export function crossTests(pair) {
  // Each test runs with the roles both ways: `a` makes, `b` uses.
  for (const [from, to, sides] of [
    ['ours', 'the real one', () => [pair().ours, pair().real]],
    ['the real one', 'ours', () => [pair().real, pair().ours]],
  ]) {
    const made = async () => {
      const [a, b] = sides();
      return { a, b, ...await register(a) };
    };

    test(`a user made by ${from} signs in at ${to}, with the same user in the answer`, async () => {
      const { a, b, user, answer } = await made();
      const signIn = await b.post('sign-in/email', { email: user.email, password: user.password });
      assert.equal(signIn.status, 200, signIn.text);
      assert.equal(JSON.stringify(signIn.json.user), JSON.stringify(answer.json.user));
      assert.equal((await b.post('sign-in/email', { email: user.email, password: 'wrong' })).status, 401);
      const taken = await b.post('sign-up/email', user);
      assert.deepEqual([taken.status, taken.text], [422, (await a.post('sign-up/email', user)).text]);
    });

    test(`a session of ${from} is one at ${to}, with the same body`, async () => {
      const { a, b, cookie } = await made();
      const [mine, theirs] = [await a.get('get-session', cookie), await b.get('get-session', cookie)];
      assert.equal(theirs.text, mine.text);
      assert.notEqual(theirs.text, 'null');
      assert.equal(decoded(theirs.headers['set-auth-jwt'], 1).iss, b.origin);
    });

    test(`a session of ${from} that is not to be remembered stays so at ${to}`, async () => {
      const { a, b, user } = await made();
      const signIn = await a.post('sign-in/email', { email: user.email, password: user.password, rememberMe: false });
      const cookie = cookieOf(signIn);
      assert.match(cookie, /dont_remember=/);
      const { session } = (await b.get('get-session', cookie)).json;
      assert.ok(Math.abs(Date.parse(session.expiresAt) - Date.now() - 86400e3) < 60e3);
      // Setting the cookie again is what would lengthen it.
      const lines = (await b.post('update-user', { name: 'Zoë' }, cookie)).headers['set-cookie'];
      assert.deepEqual(lines.map((line) => [line.split('=')[0], /Max-Age/.test(line)]), [['better-auth.session_token', false], ['better-auth.dont_remember', false]]);
    });

    test(`a session ended at ${to} is ended at ${from}`, async () => {
      const { a, b, cookie } = await made();
      assert.equal((await b.post('sign-out', {}, cookie)).text, '{"success":true}');
      assert.equal((await a.get('get-session', cookie)).text, 'null');
    });

    test(`a token of ${from} opens the task service`, async () => {
      const { a, cookie, id } = await made();
      const { ours } = pair();
      const token = await tokenOf(a, cookie);
      const claims = decoded(token, 1);
      assert.deepEqual([claims.iss, claims.aud, claims.sub, claims.exp - claims.iat], [a.origin, a.origin, id, 900]);
      const task = await ours.send('POST', `/api/${id}/tasks`, { token, body: { title: 'x' } });
      assert.equal(task.status, 201, task.text);
      assert.equal(task.json.user_id, id);
      assert.equal((await ours.send('GET', '/api/someone-else/tasks', { token })).status, 401);
      const [head, body, signature] = token.split('.');
      const altered = [head, body, signature.replace(/^./, (first) => (first === 'A' ? 'B' : 'A'))].join('.');
      assert.equal((await ours.send('GET', `/api/${id}/tasks`, { token: altered })).status, 401);
    });

    test(`both sign with one key and publish the same set (${from} first)`, async () => {
      const { a, b, cookie } = await made();
      const [first, second] = [await tokenOf(a, cookie), await tokenOf(b, cookie)];
      assert.equal(first.split('.')[0], second.split('.')[0]);
      assert.deepEqual(Object.keys(decoded(first, 1)), Object.keys(decoded(second, 1)));
      const set = await a.get('jwks');
      assert.deepEqual(inOrder(set.json), inOrder((await b.get('jwks')).json));
      assert.ok(set.json.keys.some(({ kid }) => kid === decoded(first, 0).kid));
    });

    test(`a password changed at ${to} is the one that counts at ${from}`, async () => {
      const { a, b, user, cookie } = await made();
      const changed = await b.post('change-password', { currentPassword: user.password, newPassword: 'another password', revokeOtherSessions: true }, cookie);
      assert.equal(changed.status, 200, changed.text);
      assert.equal((await a.get('get-session', cookie)).text, 'null');
      assert.notEqual((await a.get('get-session', cookieOf(changed))).text, 'null');
      assert.equal((await a.post('sign-in/email', { email: user.email, password: user.password })).status, 401);
      assert.equal((await a.post('sign-in/email', { email: user.email, password: 'another password' })).status, 200);
    });

    test(`sessions of ${from} are listed and revoked at ${to}`, async () => {
      const { a, b, user, cookie } = await made();
      const more = async () => cookieOf(await a.post('sign-in/email', { email: user.email, password: user.password }));
      const [second, third] = [await more(), await more()];
      const list = (await b.get('list-sessions', cookie)).json;
      assert.equal(list.length, 3);
      assert.deepEqual(byId(list), byId((await a.get('list-sessions', cookie)).json));
      const { token } = (await a.get('get-session', second)).json.session;
      assert.equal((await b.post('revoke-session', { token }, cookie)).text, '{"status":true}');
      assert.equal((await a.get('get-session', second)).text, 'null');
      assert.notEqual((await a.get('get-session', third)).text, 'null');
      assert.equal((await b.post('revoke-other-sessions', {}, cookie)).text, '{"status":true}');
      assert.equal((await a.get('get-session', third)).text, 'null');
      assert.notEqual((await a.get('get-session', cookie)).text, 'null');
      assert.equal((await b.post('revoke-sessions', {}, cookie)).text, '{"status":true}');
      assert.equal((await a.get('get-session', cookie)).text, 'null');
    });

    test(`a name changed at ${to} is read at ${from}; accounts are listed alike`, async () => {
      const { a, b, cookie } = await made();
      assert.equal((await b.post('update-user', { name: 'Changed', image: 'http://x/y.png' }, cookie)).text, '{"status":true}');
      const { user } = (await a.get('get-session', cookie)).json;
      assert.deepEqual([user.name, user.image], ['Changed', 'http://x/y.png']);
      const accounts = (await a.get('list-accounts', cookie)).json;
      assert.equal(accounts.length, 1);
      assert.deepEqual(accounts, (await b.get('list-accounts', cookie)).json);
    });

    test(`a session of ${from} that is due is prolonged at ${to}, and one that has expired is refused`, async () => {
      const { a, b, cookie, id } = await made();
      const { url } = pair();
      const left = (seconds) => sql("UPDATE session SET \"expiresAt\" = date_trunc('milliseconds', now()) + :'left'::bigint * interval '1 second' WHERE \"userId\" = :'id'", { id, left: String(seconds) }, url);
      left(86400);
      const renewed = await b.get('get-session', cookie);
      assert.ok(Math.abs(Date.parse(renewed.json.session.expiresAt) - Date.now() - 7 * 86400e3) < 60e3, renewed.text);
      assert.equal(cookieOf(renewed), cookie);
      assert.equal((await a.get('get-session', cookie)).text, renewed.text);
      left(-1);
      assert.equal((await b.get('get-session', cookie)).text, 'null');
      assert.equal((await a.get('get-session', cookie)).text, 'null');
    });

    test(`a user deleted at ${to} is gone at ${from}, with the tasks`, async () => {
      const { a, b, user, cookie, id } = await made();
      const { ours, url } = pair();
      const token = await tokenOf(a, cookie);
      assert.equal((await ours.send('POST', '/api/tasks', { token, body: { title: 'x' } })).status, 201);
      const tasks = () => sql("SELECT count(*) FROM task WHERE user_id = :'id'", { id }, url);
      assert.equal(tasks(), '1');
      const deleted = await b.post('delete-user', { password: user.password }, cookie);
      assert.equal(deleted.status, 200, deleted.text);
      assert.equal((await a.get('get-session', cookie)).text, 'null');
      assert.equal(tasks(), '0');
      assert.equal((await a.post('sign-in/email', { email: user.email, password: user.password })).status, 401);
      assert.equal((await a.post('sign-up/email', user)).status, 200, 'the address is free again');
    });
  }
}
