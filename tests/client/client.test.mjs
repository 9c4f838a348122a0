// The official Better Auth client against our programs, with its cookies kept as a browser keeps them.
// It is unchanged: whatever it has for our routes must work.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { test } from 'node:test';
import { createAuthClient as createReactClient } from 'better-auth/react';
import { createAuthClient } from 'better-auth/client';
import { jwtClient } from 'better-auth/client/plugins';
import { origin, randomEmail, request, sql, trusted } from '../http/harness.mjs';
import { setCookiesOf } from '../common.mjs';

const driven = new Set(); // routes that a client has called, of any kind

// A browser's fetch: the origin of its page, and a jar of cookies.
function browser(page) {
  const jar = new Map();
  const visit = async (input, init = {}) => {
    const headers = new Headers(init.headers ?? input.headers);
    const method = init.method ?? input.method ?? 'GET';
    driven.add(`${method} ${new URL(input.url ?? input).pathname.replace('/api/auth', '')}`);
    if (method !== 'GET' || page !== origin) headers.set('origin', page);
    headers.set('sec-fetch-site', page === origin ? 'same-origin' : 'cross-site');
    headers.set('sec-fetch-mode', 'cors');
    if (jar.size > 0) headers.set('cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '));
    const response = await fetch(input, { ...init, headers });
    for (const line of setCookiesOf(response)) {
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
  const client = (page = origin, jarOf) => {
    const { jar, visit } = browser(page);
    if (jarOf) for (const [name, value] of jars.get(jarOf)) jar.set(name, value);
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

  // What an error is for the client's callers. `code` is left out where the body has none.
  const failed = ({ data, error }) => {
    assert.equal(data, null);
    const { statusText, ...rest } = error;
    assert.equal(typeof statusText, 'string');
    return rest;
  };

  test(`${kind}: dates have the database's time, to the millisecond`, async () => {
    const { auth, data } = await signedUp();
    const { id } = data.user;
    sql("UPDATE \"user\" SET \"createdAt\" = '2026-01-02 03:04:05.999999+00', \"updatedAt\" = '2026-01-02 03:04:05+00' WHERE id = :'id'", { id });
    const { user, session } = ok(await auth.getSession());
    assert.equal(user.createdAt.getTime(), Date.UTC(2026, 0, 2, 3, 4, 5, 999));
    assert.equal(user.updatedAt.getTime(), Date.UTC(2026, 0, 2, 3, 4, 5, 0));
    const stored = sql("SELECT (extract(epoch FROM \"expiresAt\") * 1000)::bigint, (extract(epoch FROM \"createdAt\") * 1000)::bigint, (extract(epoch FROM \"updatedAt\") * 1000)::bigint FROM session WHERE \"userId\" = :'id'", { id });
    assert.equal([session.expiresAt, session.createdAt, session.updatedAt].map((time) => time.getTime()).join('|'), stored);
    const [account] = ok(await auth.listAccounts());
    assert.equal(String(account.createdAt.getTime()), sql("SELECT (extract(epoch FROM \"createdAt\") * 1000)::bigint FROM account WHERE \"userId\" = :'id'", { id }));
  });

  test(`${kind}: rememberMe and callbackURL, at sign-up and sign-in`, async () => {
    const auth = client();
    const user = { name: 'x', email: randomEmail(), password: 'password123', image: 'http://x/y.png', rememberMe: false, callbackURL: '/tasks' };
    assert.equal(ok(await auth.signUp.email(user)).user.image, user.image);
    assert.ok(jars.get(auth).has('better-auth.dont_remember'));
    const day = ok(await auth.getSession()).session;
    assert.ok(Math.abs(day.expiresAt - day.createdAt - 86400e3) < 5000);
    ok(await auth.signOut());
    const data = ok(await auth.signIn.email({ email: user.email, password: user.password, rememberMe: true, callbackURL: '/tasks?x=1' }));
    assert.deepEqual([data.redirect, data.url], [true, '/tasks?x=1']);
    const week = ok(await auth.getSession()).session;
    assert.ok(Math.abs(week.expiresAt - week.createdAt - 7 * 86400e3) < 5000);
    assert.deepEqual(failed(await auth.signIn.email({ ...user, callbackURL: 'https://evil.example/' })), { status: 403, code: 'INVALID_CALLBACK_URL', message: 'Invalid callbackURL' });
  });

  test(`${kind}: a token verifies by the published keys, and comes with the session too`, async () => {
    const { auth, data } = await signedUp();
    let header;
    ok(await auth.getSession({ fetchOptions: { onSuccess: ({ response }) => { header = response.headers.get('set-auth-jwt'); } } }));
    const { keys } = ok(await auth.jwks());
    for (const token of [header, ok(await auth.token()).token]) {
      const [head, body, signature] = token.split('.');
      const { alg, kid } = JSON.parse(Buffer.from(head, 'base64url'));
      const key = keys.find((candidate) => candidate.kid === kid);
      assert.deepEqual([alg, key.alg, key.crv], ['EdDSA', 'EdDSA', 'Ed25519']);
      assert.ok(crypto.verify(null, Buffer.from(`${head}.${body}`), crypto.createPublicKey({ key, format: 'jwk' }), Buffer.from(signature, 'base64url')));
      const claims = JSON.parse(Buffer.from(body, 'base64url'));
      assert.deepEqual([claims.sub, claims.iss, claims.aud, claims.email], [data.user.id, origin, origin, data.user.email]);
    }
  });

  test(`${kind}: without a session, every method that needs one fails alike`, async () => {
    const auth = client();
    const token = 'x';
    const calls = {
      token: auth.token(), listSessions: auth.listSessions(), revokeSession: auth.revokeSession({ token }), revokeSessions: auth.revokeSessions(),
      revokeOtherSessions: auth.revokeOtherSessions(), updateSession: auth.updateSession({ theme: 'x' }), updateUser: auth.updateUser({ name: 'x' }),
      changePassword: auth.changePassword({ currentPassword: 'password123', newPassword: 'password123' }), verifyPassword: auth.verifyPassword({ password: 'x' }),
      listAccounts: auth.listAccounts(), unlinkAccount: auth.unlinkAccount({ accountId: 'x' }), deleteUser: auth.deleteUser({ password: 'x' }), changeEmail: auth.changeEmail({ newEmail: randomEmail() }),
    };
    for (const [name, call] of Object.entries(calls)) {
      assert.deepEqual(failed(await call), { status: 401, code: 'UNAUTHORIZED', message: 'Unauthorized' }, name);
    }
    assert.equal(ok(await auth.getSession()), null);
    assert.deepEqual(ok(await auth.signOut()), { success: true });
  });

  test(`${kind}: errors carry message, code and status, and no code where there is none`, async () => {
    const { auth } = await signedUp();
    assert.deepEqual(failed(await auth.updateUser({ nickname: 'x' })), { status: 400, message: 'No fields to update' });
    assert.deepEqual(failed(await auth.updateSession({ theme: 'dark' })), { status: 400, message: 'No fields to update' });
    assert.deepEqual(failed(await auth.updateUser({ email: randomEmail() })), { status: 400, code: 'EMAIL_CAN_NOT_BE_UPDATED', message: 'Email can not be updated' });
    assert.deepEqual(failed(await auth.verifyPassword({ password: 'wrong' })), { status: 400, code: 'INVALID_PASSWORD', message: 'Invalid password' });
    assert.deepEqual(failed(await auth.deleteUser({ password: 'wrong' })), { status: 400, code: 'INVALID_PASSWORD', message: 'Invalid password' });
    assert.deepEqual(failed(await auth.deleteUser.callback({ query: { token: 'unknown' } })), { status: 404, code: 'INVALID_TOKEN', message: 'Invalid token' });
    assert.deepEqual(failed(await auth.signUp.email({ name: 'x' })), {
      status: 400, code: 'VALIDATION_ERROR',
      message: '[body.email] Invalid input: expected string, received undefined; [body.password] Invalid input: expected string, received undefined',
    });
    assert.deepEqual(failed(await auth.setPassword({ newPassword: 'x' })), { status: 404 });
  });

  test(`${kind}: a page of a trusted origin may use the session, one of another may not`, async () => {
    const { auth, data } = await signedUp();
    assert.deepEqual(ok(await client(trusted, auth).updateUser({ name: 'From there' })), { status: true });
    assert.deepEqual(failed(await client('http://evil.example', auth).updateUser({ name: 'Evil' })), { status: 403, code: 'INVALID_ORIGIN', message: 'Invalid origin' });
    assert.equal(ok(await auth.getSession()).user.name, 'From there');
    assert.equal(ok(await auth.verifyPassword({ password: 'password123' })).status, true);
    assert.equal(sql("SELECT name FROM \"user\" WHERE id = :'id'", { id: data.user.id }), 'From there');
  });

  test(`${kind}: the session's store follows sign-in, a new name and sign-out`, async () => {
    const { auth, user } = await signedUp();
    const store = auth.$store.atoms.session;
    // Methods that change the session make the store ask again, by themselves.
    const becomes = async (wanted) => {
      for (let tries = 0; tries < 60 && (store.get().isRefetching || !wanted(store.get().data)); tries += 1) await new Promise((resolve) => { setTimeout(resolve, 50); });
      assert.ok(wanted(store.get().data), JSON.stringify(store.get().data));
      assert.equal(store.get().error, null);
    };
    const leave = store.listen(() => {});
    try {
      await store.get().refetch();
      await becomes((data) => data?.user.email === user.email && data.session.expiresAt instanceof Date);
      ok(await auth.updateUser({ name: 'Next' }));
      await becomes((data) => data?.user.name === 'Next');
      ok(await auth.signOut());
      await becomes((data) => data === null);
    } finally {
      leave();
    }
  });
}

test('a browser is sent on after sign-in with a callbackURL', async () => {
  const { visit } = browser(origin);
  const auth = createAuthClient({ baseURL: origin, fetchOptions: { customFetchImpl: visit } });
  const user = { name: 'x', email: randomEmail(), password: 'password123' };
  await auth.signUp.email(user);
  globalThis.window = { location: { href: origin } };
  try {
    await auth.signIn.email({ ...user, callbackURL: '/tasks' });
    assert.equal(globalThis.window.location.href, '/tasks');
  } finally {
    delete globalThis.window;
  }
});

test('the clients have called every route but those that links in mails lead to', () => {
  const routes = ['POST /sign-up/email', 'POST /sign-in/email', 'POST /sign-out', 'GET /get-session', 'GET /list-sessions', 'POST /revoke-session', 'POST /revoke-sessions',
    'POST /revoke-other-sessions', 'POST /update-session', 'POST /update-user', 'POST /change-password', 'POST /verify-password', 'GET /list-accounts', 'POST /unlink-account',
    'POST /delete-user', 'GET /delete-user/callback', 'POST /change-email', 'POST /send-verification-email', 'GET /verify-email', 'POST /request-password-reset', 'POST /reset-password', 'GET /token', 'GET /jwks'];
  assert.deepEqual(routes.filter((route) => !driven.has(route)), []);
});
