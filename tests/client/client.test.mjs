// The official Better Auth client against our programs, with its cookies kept as a browser keeps them.
// It is unchanged: whatever it has for our routes must work.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAuthClient as createReactClient } from 'better-auth/react';
import { createAuthClient } from 'better-auth/client';
import { jwtClient } from 'better-auth/client/plugins';
import { origin, randomEmail, request } from '../http/harness.mjs';

// A browser's fetch: its own origin, and a jar of cookies.
function browser() {
  const jar = new Map();
  const visit = async (input, init = {}) => {
    const headers = new Headers(init.headers ?? input.headers);
    headers.set('origin', origin);
    headers.set('sec-fetch-site', 'same-origin');
    headers.set('sec-fetch-mode', 'cors');
    if (jar.size > 0) headers.set('cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '));
    const response = await fetch(input, { ...init, headers });
    for (const line of response.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split(';');
      const [name, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
      if (attributes.some((attribute) => attribute.trim() === 'Max-Age=0')) jar.delete(name);
      else jar.set(name, value);
    }
    return response;
  };
  return { jar, visit };
}

const jars = new Map(); // of each client: the client itself takes every name for a route
const kinds = [['vanilla', createAuthClient], ['React', createReactClient]];

for (const [kind, create] of kinds) {
  const client = () => {
    const { jar, visit } = browser();
    const auth = create({ baseURL: origin, fetchOptions: { customFetchImpl: visit }, plugins: [jwtClient()] });
    jars.set(auth, jar);
    return auth;
  };
  const ok = ({ data, error }) => {
    assert.equal(error, null, JSON.stringify(error));
    return data;
  };
  const signedUp = async () => {
    const auth = client();
    const user = { name: 'Zoë', email: randomEmail(), password: 'password123' };
    return { auth, user, data: ok(await auth.signUp.email(user)) };
  };

  test(`${kind}: sign up, session with real dates, token, task, sign out`, async () => {
    const { auth, user, data } = await signedUp();
    assert.equal(data.user.email, user.email);
    assert.ok(data.user.createdAt instanceof Date);
    assert.ok(Math.abs(data.user.createdAt - Date.now()) < 60000);
    const session = ok(await auth.getSession());
    assert.equal(session.user.id, data.user.id);
    assert.ok(session.session.expiresAt instanceof Date);
    assert.ok(Math.abs(session.session.expiresAt - Date.now() - 7 * 86400e3) < 60000);
    const { token } = ok(await auth.token());
    const made = await request('POST', '/api/tasks', { token, body: { title: 'by the client' } });
    assert.equal(made.json.user_id, data.user.id);
    assert.ok(ok(await auth.jwks()).keys.length > 0);
    assert.deepEqual(ok(await auth.signOut()), { success: true });
    assert.equal(jars.get(auth).size, 0);
    assert.equal(ok(await auth.getSession()), null);
  });

  test(`${kind}: sign in, remembered or not, and wrong`, async () => {
    const { user } = await signedUp();
    const auth = client();
    const wrong = await auth.signIn.email({ email: user.email, password: 'wrong' });
    assert.deepEqual([wrong.data, wrong.error.status, wrong.error.code, wrong.error.message], [null, 401, 'INVALID_EMAIL_OR_PASSWORD', 'Invalid email or password']);
    const data = ok(await auth.signIn.email({ email: user.email, password: user.password, rememberMe: false }));
    assert.equal(data.redirect, false);
    assert.ok(jars.get(auth).has('better-auth.dont_remember'));
    const again = ok(await auth.signIn.email({ email: user.email, password: user.password }));
    assert.notEqual(again.token, data.token);
    assert.ok(!jars.get(auth).has('better-auth.dont_remember'));
  });

  test(`${kind}: taken addresses, short passwords and missing members are errors with code and status`, async () => {
    const { user } = await signedUp();
    const auth = client();
    const codes = [];
    for (const body of [user, { ...user, email: randomEmail(), password: 'short' }, { name: 'x', email: 'no', password: 'password123' }]) {
      const { error } = await auth.signUp.email(body);
      codes.push([error.status, error.code]);
    }
    assert.deepEqual(codes, [[422, 'USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL'], [400, 'PASSWORD_TOO_SHORT'], [400, 'VALIDATION_ERROR']]);
  });

  test(`${kind}: sessions are listed and revoked`, async () => {
    const { auth, user } = await signedUp();
    const others = [client(), client(), client()];
    for (const other of others) ok(await other.signIn.email({ email: user.email, password: user.password }));
    const list = ok(await auth.listSessions());
    assert.equal(list.length, 4);
    assert.ok(list[0].createdAt instanceof Date);
    const { session } = ok(await others[0].getSession());
    assert.deepEqual(ok(await auth.revokeSession({ token: session.token })), { status: true });
    assert.equal(ok(await others[0].getSession()), null);
    ok(await auth.revokeOtherSessions());
    assert.equal(ok(await others[1].getSession()), null);
    assert.notEqual(ok(await auth.getSession()), null);
    ok(await auth.revokeSessions());
    assert.equal(ok(await auth.getSession()), null);
  });

  test(`${kind}: the account is changed and deleted`, async () => {
    const { auth, user } = await signedUp();
    ok(await auth.updateUser({ name: 'New name', image: 'http://x/y.png' }));
    const changed = ok(await auth.getSession()).user;
    assert.deepEqual([changed.name, changed.image], ['New name', 'http://x/y.png']);
    assert.equal((await auth.changePassword({ currentPassword: 'wrong', newPassword: 'another password' })).error.code, 'INVALID_PASSWORD');
    const password = ok(await auth.changePassword({ currentPassword: user.password, newPassword: 'another password', revokeOtherSessions: true }));
    assert.equal(typeof password.token, 'string');
    assert.notEqual(ok(await auth.getSession()), null);
    assert.equal(ok(await auth.listAccounts())[0].providerId, 'credential');
    assert.equal((await auth.unlinkAccount({ providerId: 'credential', accountId: ok(await auth.listAccounts())[0].id })).error.code, 'FAILED_TO_UNLINK_LAST_ACCOUNT');
    assert.equal((await auth.changeEmail({ newEmail: randomEmail() })).error.code, 'CHANGE_EMAIL_DISABLED');
    assert.equal((await auth.sendVerificationEmail({ email: user.email })).error.code, 'VERIFICATION_EMAIL_NOT_ENABLED');
    assert.equal((await auth.requestPasswordReset({ email: user.email })).error.code, 'RESET_PASSWORD_DISABLED');
    assert.equal((await auth.resetPassword({ newPassword: 'password123', token: 'unknown' })).error.code, 'INVALID_TOKEN');
    assert.equal((await auth.verifyEmail({ query: { token: 'unknown' } })).error.code, 'INVALID_TOKEN');
    assert.equal(ok(await auth.deleteUser({ password: 'another password' })).success, true);
    assert.equal(ok(await auth.getSession()), null);
    assert.equal((await auth.signIn.email({ email: user.email, password: 'another password' })).error.status, 401);
  });
}
