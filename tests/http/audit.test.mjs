// What happens to accounts is in the log, each event in exactly one line, without anything secret.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { b64, origin, patient, randomEmail, request, secret, sign, now, signUp, sql, test } from './harness.mjs';

const log = path.join(process.env.TODO_STATE_DIR, 'log/handlers.log');
const lines = () => fs.readFileSync(log, 'utf8').split('\n').filter(Boolean).map((line) => { try { return JSON.parse(line); } catch { return {}; } });

// The audit lines of a request, once its own line, which comes after them, is there.
async function audited(answer) {
  const rid = answer.headers['x-request-id'];
  assert.ok(rid);
  for (;;) {
    const mine = lines().filter((line) => line.rid === rid);
    if (mine.some((line) => line.route)) return mine.filter((line) => line.audit);
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}

async function assertEvent(answer, status, expected) {
  assert.equal(answer.status, status, answer.text);
  const found = await audited(answer);
  if (!expected) return assert.deepEqual(found, []);
  assert.equal(found.length, 1, JSON.stringify(found));
  const { ts, level, rid, ...rest } = found[0];
  assert.ok(ts && rid);
  assert.equal(level, 'info');
  return assert.deepEqual(rest, { addr: '127.0.0.1', ...expected });
}

const signIn = (email, password) => patient(() => request('POST', '/api/auth/sign-in/email', { body: { email, password }, headers: { origin } }));

test('row 72: signing up and in, and failing to, is one line each', async () => {
  const user = await signUp();
  await assertEvent(user.answer, 200, { audit: 'sign_up', user_id: user.id });
  await assertEvent(await signIn(user.email, user.password), 200, { audit: 'sign_in', user_id: user.id });
  await assertEvent(await signIn(user.email, 'wrong-password'), 401, { audit: 'sign_in_failed', user_id: user.id, detail: 'password' });
  await assertEvent(await signIn(randomEmail(), 'wrong-password'), 401, { audit: 'sign_in_failed', detail: 'address' });
  await assertEvent(await signIn('not an address', 'wrong-password'), 400, undefined);
  await assertEvent(await user.get('get-session'), 200, undefined);
});

test('row 72: a password that is changed, refused or reset is one line', async () => {
  const user = await signUp();
  await assertEvent(await user.post('change-password', { currentPassword: 'wrong-password', newPassword: 'password124' }), 400, { audit: 'password_refused', user_id: user.id });
  await assertEvent(await user.post('verify-password', { password: 'wrong-password' }), 400, { audit: 'password_refused', user_id: user.id });
  await assertEvent(await user.post('verify-password', { password: 'password123' }), 200, undefined);
  const changed = await user.post('change-password', { currentPassword: 'password123', newPassword: 'password124', revokeOtherSessions: true });
  await assertEvent(changed, 200, { audit: 'password_changed', user_id: user.id, detail: 'sessions ended' });
  const token = crypto.randomBytes(12).toString('hex');
  sql("INSERT INTO verification (id, identifier, value, \"expiresAt\", \"createdAt\", \"updatedAt\") VALUES (:'token', 'reset-password:' || :'token', :'user', now() + interval '1 hour', now(), now())", { token, user: user.id });
  const reset = () => request('POST', '/api/auth/reset-password', { body: { newPassword: 'password125', token }, headers: { origin } });
  await assertEvent(await reset(), 200, { audit: 'password_reset', user_id: user.id });
  await assertEvent(await reset(), 400, undefined);
});

test('row 72: sessions that are revoked are one line, and one that was not there is none', async () => {
  const user = await signUp();
  const other = await user.signIn();
  await assertEvent(await user.post('revoke-session', { token: 'unknown' }), 200, undefined);
  await assertEvent(await user.post('revoke-session', { token: other.token }), 200, { audit: 'sessions_revoked', user_id: user.id, detail: 'one' });
  await assertEvent(await user.post('revoke-other-sessions'), 200, { audit: 'sessions_revoked', user_id: user.id, detail: 'others' });
  await assertEvent(await user.post('revoke-sessions'), 200, { audit: 'sessions_revoked', user_id: user.id, detail: 'all' });
});

test('row 72: a changed address and a deleted account are one line each', async () => {
  const user = await signUp();
  const [header, payload] = [b64('{"alg":"HS256"}'), b64(JSON.stringify({ email: user.email, updateTo: randomEmail(), requestType: 'change-email-verification', userId: user.id, iat: now(), exp: now() + 600 }))];
  const token = `${header}.${payload}.${crypto.createHmac('sha256', secret).update(`${header}.${payload}`).digest('base64url')}`;
  const verify = () => request('GET', `/api/auth/verify-email?token=${token}`);
  await assertEvent(await verify(), 200, { audit: 'email_changed', user_id: user.id });
  await assertEvent(await verify(), 401, undefined);
  await assertEvent(await user.post('delete-user', { password: 'wrong-password' }), 400, { audit: 'password_refused', user_id: user.id });
  await assertEvent(await user.post('delete-user', { password: 'password123' }), 200, { audit: 'account_deleted', user_id: user.id });
});

test('what the command does is a line on its standard error', () => {
  const email = randomEmail();
  const run = (words, input = '') => {
    const { stderr, status, stdout } = spawnSync(path.join(process.env.TODO_BIN, 'operator'), words, { input, encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    return { stdout, found: stderr.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line)).map(({ ts, level, ...rest }) => rest) };
  };
  const made = run(['user', 'add', email, '--json'], 'password123\n');
  const user_id = JSON.parse(made.stdout).id;
  assert.deepEqual(made.found, [{ audit: 'sign_up', by: 'operator', user_id }]);
  assert.deepEqual(run(['user', 'reset-password', email], 'password124\n').found, [{ audit: 'password_reset', by: 'operator', user_id }]);
  assert.deepEqual(run(['key', 'rotate']).found, [{ audit: 'signing_key_made', by: 'program' }, { audit: 'signing_keys_rotated', by: 'operator' }]);
  assert.deepEqual(run(['user', 'delete', email]).found, [{ audit: 'account_deleted', by: 'operator', user_id }]);
});

test('row 72: no line of all this has an address of mail, a password, a token or a cookie', () => {
  const texts = lines().filter((line) => line.audit).map((line) => JSON.stringify(line));
  assert.ok(texts.length > 10);
  for (const text of texts) assert.doesNotMatch(text, /@|password12|eyJ|session_token|[a-f0-9]{64}/);
  assert.ok(sign({ sub: 'x' }).startsWith('eyJ'), 'tokens look like this');
});
