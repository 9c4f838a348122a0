// Contract better-auth-wire, sections 1.1 to 1.7: what is checked before a route's own rules.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { base, cgi, origin, randomEmail, raw, request, seal, signUp, trusted } from './harness.mjs';

const post = (route, body, headers = {}, more = {}) => request('POST', `/api/auth/${route}`, { body, headers, ...more });
const login = { email: 'nobody@example.com', password: 'x' };

test('what is no route is 404 with an empty body and no type', async () => {
  for (const [method, path] of [['GET', '/api/auth/nothing'], ['GET', '/api/auth/sign-in/email'], ['PUT', '/api/auth/sign-out'], ['HEAD', '/api/auth/get-session'], ['OPTIONS', '/api/auth/get-session'], ['DELETE', '/api/auth/token'],
    ['POST', '/api/auth/sign-in/email/'], ['POST', '/api/auth//sign-in/email'], ['POST', '/api/auth/sign-in//email'], ['POST', '/api/auth/Sign-In/email'], ['GET', '/api/auth/'], ['GET', '/api/auth'], ['POST', '/api/auth/set-password'], ['POST', '/api/auth/forget-password'],
    ['GET', '/api/auth/.well-known/jwks.json'], ['GET', '/api/auth/ok/'], ['GET', '/api/auth/reset-password/']]) {
    const answer = await request(method, path, { body: method === 'POST' ? '{' : undefined });
    assert.deepEqual([answer.status, answer.text, answer.headers['content-type'], answer.headers.allow], [404, '', undefined, undefined], `${method} ${path}`);
  }
});

test('ok and error are small pages', async () => {
  assert.equal((await request('GET', '/api/auth/ok')).text, '{"ok":true}');
  const page = await request('GET', '/api/auth/error?error=SOME_CODE&error_description=%3Cb%3Ex%3C/b%3E');
  assert.equal(page.headers['content-type'], 'text/html');
  assert.match(page.text, /SOME_CODE/);
  assert.match(page.text, /&lt;b&gt;x&lt;\/b&gt;/);
  assert.match((await request('GET', '/api/auth/error?error=%3Cscript%3E')).text, /UNKNOWN/);
});

test('a body of another type is 415 and quotes it; malformed JSON is 400', async () => {
  const type = await post('sign-out', 'x', { 'content-type': 'text/plain' });
  assert.deepEqual([type.status, type.json], [415, { message: 'Content-Type "text/plain" is not allowed. Allowed types: application/json', code: 'UNSUPPORTED_MEDIA_TYPE' }]);
  const signIn = await post('sign-in/email', 'x', { 'content-type': 'application/vnd.api+json' });
  assert.equal(signIn.json.message, 'Content-Type "application/vnd.api+json" is not allowed. Allowed types: application/x-www-form-urlencoded, application/json');
  const json = await post('sign-in/email', '{"email":');
  assert.deepEqual([json.status, json.text], [400, '{"message":"Invalid JSON in request body","code":"BAD_REQUEST"}']);
  assert.equal((await post('sign-in/email', login, { 'content-type': 'APPLICATION/JSON; charset=utf-8' })).status, 401);
});

test('row 32: JSON is read leniently: a byte order mark, bad bytes, half surrogate pairs, duplicates', async () => {
  const email = randomEmail();
  const text = Buffer.concat([Buffer.from(`\uFEFF{"__proto__":{"x":1},"name":"first","name":"a`), Buffer.from([0xff]), Buffer.from(`\\ud800","email":"${email}","password":"password123"}`)]);
  const answer = await post('sign-up/email', text);
  assert.equal(answer.status, 200);
  assert.equal(answer.json.user.name, 'a\uFFFD\uFFFD');
});

test('validation names every problem in schema order', async () => {
  for (const [route, body, message] of [
    ['sign-in/email', {}, '[body.email] Invalid input: expected string, received undefined; [body.password] Invalid input: expected string, received undefined'],
    ['sign-in/email', { email: null, password: 5, rememberMe: 'x' }, '[body.email] Invalid input: expected string, received null; [body.password] Invalid input: expected string, received number; [body.rememberMe] Invalid input: expected boolean, received string'],
    ['sign-in/email', '[]', '[body] Invalid input: expected object, received array'],
    ['sign-in/email', '', '[body] Invalid input: expected object, received undefined'],
    ['sign-up/email', '[]', '[body] Invalid input: expected object, received array; [body] Invalid input: expected record, received array'],
    ['sign-up/email', { name: 'x', email: 'no', password: '' }, '[body.email] Invalid email address; [body.password] Too small: expected string to have >=1 characters'],
    ['sign-up/email', { email: 'a@x.co', password: 'password123' }, '[body.name] Invalid input: expected string, received undefined'],
    ['sign-up/email', { name: 'x', email: 'a@x.co', password: 'password123', image: null }, '[body.image] Invalid input: expected string, received null'],
    ['update-user', '[]', '[body] Invalid input: expected record, received array'],
    ['revoke-session', {}, '[body.token] Invalid input: expected string, received undefined'],
  ]) {
    const answer = await post(route, body);
    assert.deepEqual([answer.status, answer.json], [400, { message, code: 'VALIDATION_ERROR' }], route);
  }
});

test('checks come in order: routing, body, origin, callback, schema, session', async () => {
  const cookie = 'any=cookie';
  assert.equal((await post('nothing', '{')).status, 404);
  assert.equal((await post('update-user', '{', { origin: 'http://evil.example' }, { cookie })).status, 400);
  assert.equal((await post('update-user', '[]', { origin: 'http://evil.example' }, { cookie })).json.code, 'INVALID_ORIGIN');
  assert.equal((await post('update-user', { callbackURL: '//evil.example' })).json.code, 'INVALID_CALLBACK_URL');
  assert.equal((await post('update-user', '[]')).status, 400);
  assert.equal((await post('update-user', { name: 'x' })).status, 401);
  assert.equal((await post('sign-in/email', {}, { origin: 'http://evil.example' })).json.code, 'VALIDATION_ERROR');
  assert.equal((await post('sign-in/email', login, { origin: 'http://evil.example' })).json.code, 'INVALID_ORIGIN');
});

test('row 56: a request with any cookie must come from a trusted origin', async () => {
  const cookie = 'anything=1';
  for (const [headers, code] of [[{}, 'MISSING_OR_NULL_ORIGIN'], [{ origin: 'null' }, 'MISSING_OR_NULL_ORIGIN'], [{ origin: 'http://evil.example' }, 'INVALID_ORIGIN'], [{ referer: 'http://evil.example/x' }, 'INVALID_ORIGIN'], [{ origin: `${origin}.evil.example` }, 'INVALID_ORIGIN'],
    [{ origin: 'null', 'sec-fetch-site': 'cross-site' }, 'MISSING_OR_NULL_ORIGIN']]) {
    const answer = await post('sign-out', {}, headers, { cookie });
    assert.deepEqual([answer.status, answer.json.code], [403, code], JSON.stringify(headers));
  }
  for (const headers of [{ origin }, { origin: trusted }, { referer: `${origin}/page?x` }, { origin: '', referer: `${trusted}/` }, { origin: 'null', 'sec-fetch-site': 'same-origin' }, { origin: origin.toUpperCase() }]) {
    assert.equal((await post('sign-out', {}, headers, { cookie })).status, 200, JSON.stringify(headers));
  }
  assert.equal((await post('sign-out', {}, { origin: 'http://evil.example' })).status, 200, 'without a cookie');
  assert.equal((await request('GET', '/api/auth/get-session', { cookie, headers: { origin: 'http://evil.example' } })).status, 200, 'GET');
});

test('row 56: sign-in without a cookie is checked when a browser or another page sends it', async () => {
  for (const [headers, code] of [[{ origin: 'http://evil.example' }, 'INVALID_ORIGIN'], [{ referer: 'http://evil.example/' }, 'INVALID_ORIGIN'], [{ 'sec-fetch-site': 'same-origin' }, 'MISSING_OR_NULL_ORIGIN'], [{ 'sec-fetch-mode': 'cors', origin: 'null' }, 'MISSING_OR_NULL_ORIGIN'],
    [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate', origin }, 'CROSS_SITE_NAVIGATION_LOGIN_BLOCKED']]) {
    const answer = await post('sign-in/email', login, headers);
    assert.deepEqual([answer.status, answer.json.code], [403, code], JSON.stringify(headers));
  }
  for (const headers of [{}, { origin }, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors', origin: trusted }, { 'sec-fetch-site': ' ' }]) assert.equal((await post('sign-in/email', login, headers)).status, 401, JSON.stringify(headers));
});

test('row 57: an address to go on to must be a path or trusted, on every route', async () => {
  for (const [name, code] of [['callbackURL', 'INVALID_CALLBACK_URL'], ['redirectTo', 'INVALID_REDIRECT_URL'], ['errorCallbackURL', 'INVALID_ERROR_CALLBACK_URL'], ['newUserCallbackURL', 'INVALID_NEW_USER_CALLBACK_URL']]) {
    for (const url of ['//evil.example', '/\\evil.example', 'https://evil.example', 'javascript:alert(1)', 'dash', '/%2Fevil', '/a\tb', `${origin}@evil.example`]) {
      const answer = await post('sign-out', { [name]: url });
      assert.deepEqual([answer.status, answer.json.code], [403, code], `${name} ${url}`);
    }
    for (const url of ['/', '/dash?a=b#c', `${origin}/x`, `${trusted}/y`, '']) assert.equal((await post('sign-out', { [name]: url })).status, 200, url);
    const wrong = await post('sign-out', { [name]: 5 });
    assert.deepEqual([wrong.status, wrong.json], [400, { message: `Invalid ${name === 'redirectTo' ? 'redirectURL' : name}: expected a string` }]);
  }
  assert.equal((await post('sign-out?callbackURL=//evil.example', {})).status, 403);
  assert.equal((await request('GET', '/api/auth/verify-email?token=x&callbackURL=//evil.example')).status, 403);
});

test('row 55: cookies: the first of a name counts, quotes are dropped, a forged or re-spelled signature is none', async () => {
  const user = await signUp();
  const name = 'better-auth.session_token';
  const session = (cookie) => request('GET', '/api/auth/get-session', { cookie });
  const sealed = seal(user.token);
  const plain = decodeURIComponent(sealed);
  for (const cookie of [`${name}=${sealed}`, `a=b;${name}=${sealed};c`, `${name}="${sealed}"`, `${name}=${plain}`, ` ${name} = ${sealed} `, `${name}=${sealed}; ${name}=x`]) assert.notEqual((await session(cookie)).text, 'null', cookie);
  for (const cookie of [`${name}=x; ${name}=${sealed}`, `${name}=${user.token}`, `${name}=${plain.replace(/=$/, '')}`, `${name}=${plain.replaceAll('+', '-').replaceAll('/', '_').slice(0, -1)}A`, `${name}=${seal(user.token, 'another secret')}`, `__Secure-${name}=${sealed}`,
    `${name}=${seal(`${user.token}x`).replace(/^[^.]+/, user.token)}`, `${name}=`, '=', `${name}=%zz`, `${name}=${'x'.repeat(9000)}`]) assert.equal((await session(cookie)).text, 'null', cookie.slice(0, 80));
});

test('trusted origins may call with credentials; others get no CORS header; preflights are answered', async () => {
  const answer = await request('GET', '/api/auth/get-session', { headers: { origin: trusted } });
  assert.deepEqual([answer.headers['access-control-allow-origin'], answer.headers['access-control-allow-credentials']], [trusted, 'true']);
  assert.match(answer.headers['access-control-expose-headers'], /set-auth-jwt/);
  const preflight = await request('OPTIONS', '/api/auth/sign-in/email', { headers: { origin: trusted, 'access-control-request-method': 'POST' } });
  assert.equal(preflight.status, 204);
  const evil = await request('OPTIONS', '/api/auth/sign-in/email', { headers: { origin: 'http://evil.example', 'access-control-request-method': 'POST' } });
  assert.deepEqual([evil.status, evil.headers['access-control-allow-origin']], [404, undefined]);
});

test('row 58: the host of a request never gets into what is trusted or issued where a base URL is set', async () => {
  const answer = await raw(`POST /api/auth/sign-in/email HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nContent-Type: application/json\r\nContent-Length: 2\r\nX-Forwarded-Host: evil.example\r\nConnection: close\r\n\r\n{}`);
  assert.match(answer, /VALIDATION_ERROR/);
  const signIn = await raw(`POST /api/auth/sign-in/email HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nContent-Type: application/json\r\nContent-Length: 41\r\nConnection: close\r\n\r\n{"email":"a@x.co","password":"password1"}`);
  assert.match(signIn, /INVALID_ORIGIN/);
  assert.equal(base.hostname, '127.0.0.1');
});

test('without a base URL, the origin of each request is trusted', () => {
  const settings = { BETTER_AUTH_URL: '', BETTER_AUTH_TRUSTED_ORIGINS: '' };
  const call = (from) => cgi('signin', 'POST', '/api/auth/sign-in/email', { settings, headers: { host: 'my.example:81', origin: from }, body: { email: 'no', password: 'x' } });
  assert.equal(call('http://my.example:81').json.code, 'INVALID_EMAIL');
  assert.equal(call('http://other.example').json.code, 'INVALID_ORIGIN');
});
