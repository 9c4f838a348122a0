// Contract better-auth-wire, sections 1.2 to 1.4: the bytes of every error that these routes can give,
// and what counts as a body.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cgi, origin, randomEmail, raw, request, seal, signUp, sql } from './harness.mjs';

const post = (route, body, headers = {}, more = {}) => request('POST', `/api/auth/${route}`, { body, headers, ...more });
const error = (message, code) => (code === undefined ? `{"message":"${message}"}` : `{"message":"${message}","code":"${code}"}`);

test('an error is message, then code, in JSON, and nothing else', async () => {
  const user = await signUp();
  const stale = await signUp();
  sql("UPDATE session SET \"createdAt\" = now() - interval '2 days' WHERE \"userId\" = :'id'", { id: stale.id });
  const cases = [
    [await post('sign-in/email', { email: user.email, password: 'wrong' }), 401, 'Invalid email or password', 'INVALID_EMAIL_OR_PASSWORD'],
    [await post('sign-in/email', { email: 'no', password: 'x' }), 400, 'Invalid email', 'INVALID_EMAIL'],
    [await post('sign-in/email', { email: user.email, password: 'x'.repeat(129) }), 400, 'Password too long', 'PASSWORD_TOO_LONG'],
    [await post('sign-up/email', { name: 'x', email: randomEmail(), password: 'x' }), 400, 'Password too short', 'PASSWORD_TOO_SHORT'],
    [await post('sign-up/email', { name: 'x', email: user.email, password: 'password123' }), 422, 'User already exists. Use another email.', 'USER_ALREADY_EXISTS_USE_ANOTHER_EMAIL'],
    [await post('sign-up/email', { name: 'x\0', email: randomEmail(), password: 'password123' }), 422, 'Failed to create user', 'FAILED_TO_CREATE_USER'],
    [await post('get-session', {}), 405, 'POST method requires deferSessionRefresh to be enabled in session config', 'METHOD_NOT_ALLOWED_DEFER_SESSION_REQUIRED'],
    [await request('GET', '/api/auth/token'), 401, 'Unauthorized', 'UNAUTHORIZED'],
    [await stale.get('list-sessions'), 403, 'Session is not fresh', 'SESSION_NOT_FRESH'],
    [await stale.post('unlink-account', { accountId: 'x' }), 403, 'Session is not fresh', 'SESSION_NOT_FRESH'],
    [await stale.post('delete-user', {}), 400, 'Session expired. Re-authenticate to perform this action.', 'SESSION_EXPIRED'],
    [await user.post('verify-password', { password: 'wrong' }), 400, 'Invalid password', 'INVALID_PASSWORD'],
    [await user.post('change-password', { currentPassword: 'wrong', newPassword: 'password123' }), 400, 'Invalid password', 'INVALID_PASSWORD'],
    [await user.post('update-user', { email: 'a@x.co' }), 400, 'Email can not be updated', 'EMAIL_CAN_NOT_BE_UPDATED'],
    [await user.post('update-user', {}), 400, 'No fields to update'],
    [await user.post('update-session', {}), 400, 'No fields to update'],
    [await user.post('unlink-account', { accountId: 'x' }), 400, 'You can\'t unlink your last account', 'FAILED_TO_UNLINK_LAST_ACCOUNT'],
    [await user.post('change-email', { newEmail: 'a@x.co' }), 400, 'Change email is disabled', 'CHANGE_EMAIL_DISABLED'],
    [await user.post('delete-user', { token: 'x' }), 404, 'Invalid token', 'INVALID_TOKEN'],
    [await post('reset-password', { newPassword: 'password123', token: 'x' }), 400, 'Invalid token', 'INVALID_TOKEN'],
    [await post('reset-password', { newPassword: 'x', token: 'x' }), 400, 'Password too short', 'PASSWORD_TOO_SHORT'],
    [await post('reset-password', { newPassword: 'x' }), 400, 'Invalid token', 'INVALID_TOKEN'],
    [await post('send-verification-email', { email: 'a@x.co' }), 400, 'Verification email isn\'t enabled', 'VERIFICATION_EMAIL_NOT_ENABLED'],
    [await post('request-password-reset', { email: 'a@x.co' }), 400, 'Reset password isn\'t enabled', 'RESET_PASSWORD_DISABLED'],
    [await request('GET', '/api/auth/verify-email?token=x'), 401, 'Invalid token', 'INVALID_TOKEN'],
    [await post('sign-out', {}, { origin: 'http://evil.example' }, { cookie: 'a=b' }), 403, 'Invalid origin', 'INVALID_ORIGIN'],
    [await post('sign-out', {}, {}, { cookie: 'a=b' }), 403, 'Missing or null Origin', 'MISSING_OR_NULL_ORIGIN'],
    [await post('sign-in/email', { email: 'a@x.co', password: 'x' }, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }), 403, 'Cross-site navigation login blocked. This request appears to be a CSRF attack.', 'CROSS_SITE_NAVIGATION_LOGIN_BLOCKED'],
    [await post('sign-out', { callbackURL: 'x' }), 403, 'Invalid callbackURL', 'INVALID_CALLBACK_URL'],
    [await post('sign-out', { redirectTo: 'x' }), 403, 'Invalid redirectURL', 'INVALID_REDIRECT_URL'],
    [await post('sign-out', { errorCallbackURL: 'x' }), 403, 'Invalid errorCallbackURL', 'INVALID_ERROR_CALLBACK_URL'],
    [await post('sign-out', { newUserCallbackURL: 'x' }), 403, 'Invalid newUserCallbackURL', 'INVALID_NEW_USER_CALLBACK_URL'],
    [await post('sign-out', { callbackURL: {} }), 400, 'Invalid callbackURL: expected a string'],
    [await request('GET', '/api/auth/reset-password/x'), 400, '[query.callbackURL] Invalid input: expected string, received undefined', 'VALIDATION_ERROR'],
    [await request('GET', '/api/auth/verify-email'), 400, '[query.token] Invalid input: expected string, received undefined', 'VALIDATION_ERROR'],
    [await request('GET', '/api/auth/verify-email?token=a&token=b'), 400, '[query.token] Invalid input: expected string, received array', 'VALIDATION_ERROR'],
    [await request('GET', '/api/auth/verify-email?token=a&callbackURL=/a&callbackURL=/b'), 400, 'Invalid callbackURL: expected a string'],
  ];
  for (const [answer, status, message, code] of cases) {
    assert.deepEqual([answer.status, answer.text], [status, error(message, code)]);
    assert.equal(answer.headers['content-type'], 'application/json', message);
  }
});

test('row 72: no text of a client comes back in an error but the type of a body', async () => {
  const mark = 'zq-mark-zq';
  for (const [route, body, headers] of [['sign-in/email', { email: mark, password: mark, rememberMe: mark }], ['sign-up/email', { name: mark, email: mark, password: mark, image: [mark] }], ['sign-in/email', `{"${mark}":`], ['sign-out', { callbackURL: `//${mark}` }], ['sign-out', {}, { origin: `http://${mark}` }], [mark, {}]]) {
    const answer = await post(route, body, headers, { cookie: 'a=b' });
    assert.ok(answer.status >= 400);
    assert.ok(!answer.text.includes(mark), answer.text);
  }
  assert.match((await post('sign-out', 'x', { 'content-type': `x/${mark}` })).text, new RegExp(`Content-Type \\\\"x/${mark}\\\\" is not allowed`));
});

test('the order of the checks, pair by pair', async () => {
  const evil = { origin: 'http://evil.example' };
  const cookie = 'a=b';
  for (const [what, answer, status, code] of [
    ['routing before type', await post('nothing', 'x', { 'content-type': 'text/plain' }), 404, undefined],
    ['type before syntax', await post('sign-out', '{', { 'content-type': 'text/plain' }), 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['type before origin', await post('sign-out', '{}', { 'content-type': 'text/plain', ...evil }, { cookie }), 415, 'UNSUPPORTED_MEDIA_TYPE'],
    ['syntax before origin', await post('sign-out', '{', evil, { cookie }), 400, 'BAD_REQUEST'],
    ['origin before callback', await post('sign-out', { callbackURL: 'x' }, evil, { cookie }), 403, 'INVALID_ORIGIN'],
    ['callback before schema', await post('sign-in/email', { callbackURL: 'x' }), 403, 'INVALID_CALLBACK_URL'],
    ['origin before schema', await post('sign-in/email', {}, evil, { cookie }), 403, 'INVALID_ORIGIN'],
    ['schema before the origin of a sign-in', await post('sign-in/email', {}, evil), 400, 'VALIDATION_ERROR'],
    ['schema before the origin of a sign-up', await post('sign-up/email', {}, evil), 400, 'VALIDATION_ERROR'],
    ['origin of a sign-in before its rules', await post('sign-in/email', { email: 'no', password: 'x' }, evil), 403, 'INVALID_ORIGIN'],
    ['origin of a sign-up before its rules', await post('sign-up/email', { name: '', email: 'a@x.co', password: 'x' }, evil), 403, 'INVALID_ORIGIN'],
    ['schema before session', await post('change-password', {}), 400, 'VALIDATION_ERROR'],
    ['session before rules', await post('change-password', { currentPassword: 'x', newPassword: 'x' }), 401, 'UNAUTHORIZED'],
    ['session before what is switched off', await post('change-email', { newEmail: 'a@x.co' }), 401, 'UNAUTHORIZED'],
  ]) assert.deepEqual([answer.status, answer.json?.code], [status, code], what);
});

test('an empty body is no body, whatever its type; a body without a type is none', async () => {
  const user = await signUp();
  for (const type of ['application/json', 'text/plain', 'image/png']) {
    const headers = { 'content-type': type };
    assert.equal((await post('sign-out', '', headers)).status, 200, type);
    assert.deepEqual((await post('sign-in/email', '', headers)).json, { message: '[body] Invalid input: expected object, received undefined', code: 'VALIDATION_ERROR' });
    assert.equal((await user.post('revoke-other-sessions', '', headers)).status, 200);
  }
  const untyped = await raw(`POST /api/auth/sign-out HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nConnection: close\r\n\r\n{`);
  assert.match(untyped, /^HTTP\/1\.1 200 /);
  for (const route of ['revoke-sessions', 'revoke-other-sessions', 'sign-out']) {
    for (const [body, received] of [['null', 'null'], ['[]', 'array'], ['5', 'number'], ['"x"', 'string'], ['true', 'boolean']]) {
      assert.deepEqual((await user.post(route, body)).json, { message: `[body] Invalid input: expected object, received ${received}`, code: 'VALIDATION_ERROR' }, `${route} ${body}`);
    }
  }
  assert.equal((await user.post('revoke-sessions')).status, 200);
});

test('only the named types are taken, and forms only where people sign in and up', async () => {
  const login = { email: 'nobody@example.com', password: 'x' };
  for (const type of ['application/json', 'Application/JSON', 'application/json;charset=latin1', 'application/json ; x']) assert.equal((await post('sign-in/email', login, { 'content-type': type })).status, 401, type);
  for (const type of ['text/json', 'multipart/form-data; boundary=x', 'application/vnd.api+json', 'text/plain;application/json', 'x']) {
    const answer = await post('sign-in/email', 'x', { 'content-type': type });
    assert.deepEqual([answer.status, answer.json], [415, { message: `Content-Type "${type}" is not allowed. Allowed types: application/x-www-form-urlencoded, application/json`, code: 'UNSUPPORTED_MEDIA_TYPE' }]);
  }
  assert.equal((await post('sign-in/email', 'email=nobody%40example.com&password=x', { 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' })).status, 401);
  assert.equal((await post('sign-out', 'a=b', { 'content-type': 'application/x-www-form-urlencoded' })).status, 415);
});

test('row 32: JSON that is cut, deep, or followed by something is 400, never worse', async () => {
  for (const body of ['{', '{}x', '{"a":1,}', "{'a':1}", '\u00a0', '{"a":NaN}', '{}\0', '\uFEFF\uFEFF{}', '{"a":"\n"}']) {
    const answer = await post('sign-out', body);
    assert.deepEqual([answer.status, answer.json], [400, { message: 'Invalid JSON in request body', code: 'BAD_REQUEST' }], JSON.stringify(body));
  }
  const deep = await post('sign-out', `{"a":${'['.repeat(50000)}${']'.repeat(50000)}}`);
  assert.ok([200, 400].includes(deep.status), String(deep.status));
  assert.equal((await post('sign-out', '\uFEFF{"callbackURL":"x","callbackURL":""}')).status, 200);
});

test('a failure of the database is told apart from wrong input, without its cause', () => {
  const settings = { DATABASE_URL: process.env.DATABASE_URL.replace(/\/todo(\?|$)/, '/postgres$1') };
  assert.notEqual(settings.DATABASE_URL, process.env.DATABASE_URL);
  const signIn = cgi('signin', 'POST', '/api/auth/sign-in/email', { settings, headers: { origin }, body: { email: 'a@x.co', password: 'x' } });
  assert.deepEqual([signIn.status, signIn.text, signIn.find('content-type')], [500, '', []]);
  const session = (cookie) => cgi('session', 'GET', '/api/auth/get-session', { settings, headers: { cookie } });
  const signed = session(`better-auth.session_token=${seal('x'.repeat(32))}`);
  assert.deepEqual([signed.status, signed.text], [500, error('Failed to get session', 'FAILED_TO_GET_SESSION')]);
  assert.equal(session('better-auth.session_token=unsigned').text, 'null');
});
