// Rows 21 to 35 of the plan, as far as they are HTTP: requests that mean two things, headers that claim
// more than a client may say, paths and queries that are too much.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertError, base, cgi, origin, raw, request, secret, sign, now, signUp, someone, tokenOf } from './harness.mjs';
import { assertNothingIsSmuggled, exchange } from './smuggling.mjs';

const user = someone();
const authorization = { authorization: `Bearer ${user.token}` };

test('row 29: no request is smuggled behind another one, whatever shape it has', () => assertNothingIsSmuggled());

test('row 29: bare line feeds, absolute targets, missing and double hosts mean one thing or are 400', async () => {
  const task = await user.create({ title: 'kept' });
  const send = (lines, end = '\r\n') => exchange(`${lines.join(end)}${end}${end}`);
  const line = `Authorization: Bearer ${user.token}`;
  const close = 'Connection: close';
  for (const [why, text] of [
    ['bare LF', await send([`GET /api/tasks/${task.id} HTTP/1.1`, `Host: ${base.host}`, line, close], '\n')],
    ['absolute target with another host', await send([`GET http://evil.example/api/tasks/${task.id} HTTP/1.1`, `Host: ${base.host}`, line, close])],
  ]) assert.match(text, /^HTTP\/1\.1 (200[^]*"title":"kept"|400)/, why);
  for (const [why, text] of [
    ['two hosts', await send(['GET /api/tasks HTTP/1.1', `Host: ${base.host}`, 'Host: evil.example', line, close])],
    ['no host', await send(['GET /api/tasks HTTP/1.1', line, close])],
    ['a blank in the target', await send([`GET /api/tasks /api/tasks HTTP/1.1`, `Host: ${base.host}`, close])],
    ['a lower-case method', await send(['get /api/tasks HTTP/1.1', `Host: ${base.host}`, line, close])],
    ['no path', await send(['GET api/tasks HTTP/1.1', `Host: ${base.host}`, line, close])],
    ['HTTP/3.0', await send(['GET /api/tasks HTTP/3.0', `Host: ${base.host}`, line, close])],
    ['the preface of HTTP/2', await send(['PRI * HTTP/2.0', '', 'SM'])],
  ]) assert.match(text, /^(HTTP\/1\.1 (400|405|505) |$)/, `${why}: ${text.slice(0, 60)}`);
});

test('row 29: a second request on a connection gets an answer of its own, as its own user', async () => {
  const other = someone();
  await other.create({ title: 'of the other' });
  const get = (token, last) => `GET /api/tasks HTTP/1.1\r\nHost: ${base.host}\r\nAuthorization: Bearer ${token}\r\n${last ? 'Connection: close\r\n' : ''}\r\n`;
  const mine = someone();
  await mine.create({ title: 'of mine' });
  const bodies = (await raw(get(mine.token) + get(other.token) + get('x', true))).split(/(?=HTTP\/1\.1 )/);
  assert.match(bodies[0], /^HTTP\/1\.1 200[^]*of mine/);
  assert.match(bodies[1], /^HTTP\/1\.1 200[^]*of the other/);
  assert.match(bodies[2], /^HTTP\/1\.1 401/);
  assert.doesNotMatch(bodies[0] + bodies[2], /of the other/);
});

test('row 30: no header changes the method, the address, the user or the origin', async () => {
  const task = await user.create({ title: 'kept' });
  const plain = await request('GET', `/api/tasks/${task.id}`, { headers: authorization });
  const mine = ({ status, text, headers }) => [status, text, headers.etag, headers.location, headers['access-control-allow-origin']];
  for (const headers of [{ 'x-http-method-override': 'DELETE' }, { 'x-method-override': 'DELETE' }, { 'x-http-method': 'DELETE' }, { 'x-original-url': '/api/tasks' }, { 'x-rewrite-url': '/api/tasks' }, { 'x-forwarded-prefix': '/evil' },
    { 'x-original-method': 'DELETE' }, { 'x-forwarded-host': 'evil.example' }, { 'x-forwarded-proto': 'https' }, { forwarded: 'for=1.2.3.4;host=evil.example;proto=https' }, { 'x-forwarded-user': 'other' }, { 'x-user-id': 'other' }, { 'remote-user': 'other' },
    { proxy: 'http://127.0.0.1:1' }, { 'script-name': '/evil' }, { 'path-info': '/evil' }, { 'content-length': '0' }, { connection: 'close, Authorization' }, { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAMAAABkAAQAAP__' }, { te: 'trailers', connection: 'TE' }, { 'x-sendfile': '/etc/passwd' }, { 'x-accel-redirect': '/etc/passwd' }, { range: 'bytes=0-1' }]) {
    assert.deepEqual(mine(await request('GET', `/api/tasks/${task.id}`, { headers: { ...authorization, ...headers } })), mine(plain), JSON.stringify(headers));
  }
  for (const name of ['_method', 'method', 'X-HTTP-Method-Override']) {
    assert.equal((await request('POST', `/api/tasks/${task.id}?${name}=DELETE`, { headers: authorization, body: { [name]: 'DELETE' } })).status, 405, name);
  }
  assert.equal((await user.send('GET', `/api/tasks/${task.id}`)).status, 200);
});

test('row 30: what a program is told of its environment by a header is a header only', () => {
  const token = tokenOf('u');
  const list = (headers) => cgi('task_list', 'GET', '/api/tasks', { headers: { authorization: `Bearer ${token}`, ...headers } });
  for (const headers of [{ proxy: 'http://127.0.0.1:1' }, { 'database-url': 'postgresql://evil.example/' }, { 'better-auth-secret': 'x'.repeat(40) }, { 'pghost': 'evil.example' }, { 'ld-preload': '/evil.so' }]) {
    assert.equal(list(headers).status, 200, JSON.stringify(headers));
  }
  const forged = sign({ sub: 'u', exp: now() + 600 }, { key: 'x'.repeat(40) });
  assert.equal(cgi('task_list', 'GET', '/api/tasks', { headers: { authorization: `Bearer ${forged}`, 'better-auth-secret': 'x'.repeat(40) } }).status, 401);
});

test('row 22: 1000 parameters are read, 100,000 are too much for the address; a program takes what fits', async () => {
  assert.equal((await request('GET', `/api/tasks?${'a=1&'.repeat(1000)}`, { headers: authorization })).status, 200);
  assert.equal((await request('GET', `/api/tasks?${'limit=0&'.repeat(1000)}limit=1`, { headers: authorization })).status, 200, 'the last counts');
  assertError(await request('GET', `/api/tasks?${'a=1&'.repeat(100000)}`, { headers: authorization }), 414, 'validation_error', '100,000 parameters');
  const form = `email=${'a'.repeat(50)}%40example.com&password=x`;
  assert.ok([400, 401, 413].includes((await request('POST', '/api/auth/sign-in/email', { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: `${'a&'.repeat(60000)}${form}` })).status));
  const token = tokenOf('u');
  const answer = cgi('task_list', 'GET', `/api/tasks?${'a&'.repeat(60000)}limit=1`, { headers: { authorization: `Bearer ${token}` } });
  assert.deepEqual([answer.status, answer.text], [200, '[]']);
});

test('row 21: no spelling of a path reaches another user\'s tasks or a file', async () => {
  const other = someone();
  const task = await other.create({ title: 'of the other' });
  const mine = encodeURIComponent(user.id);
  const theirs = encodeURIComponent(other.id);
  for (const path of [`/api/${mine}/../${theirs}/tasks`, `/api/${mine}%2F..%2F${theirs}/tasks`, `/api/${mine}/%2e%2e/${theirs}/tasks`, `/api/./${theirs}/tasks`, `//api/${theirs}/tasks`, `/api/${theirs};x=${mine}/tasks`, `/api/${theirs}%00${mine}/tasks`, `/api/${mine},${theirs}/tasks`,
    `/api/%c0%ae%c0%ae/${theirs}/tasks`, `/api/${theirs}/tasks/${task.id}`, `/api/tasks/${task.id}`, `/api/tasks/${task.id}%20`, `/api/tasks/${task.id}.json`, `/api/tasks/%2e%2e/${theirs}/tasks`, `/api\\${theirs}\\tasks`, `/api/users/${theirs}/tasks/`, '/../../etc/passwd', '/%2e%2e/%2e%2e/etc/passwd', '/api/..%2f..%2fetc/passwd', '/.env', '/api/auth/../tasks', '/.git/config', '/index.html/../../conf/nginx.conf']) {
    const answer = await request('GET', path, { headers: authorization });
    assert.ok(answer.status >= 400 && answer.status < 500 || (answer.status === 200 && /text\/html/.test(answer.headers['content-type'])), `${path}: ${answer.status} ${answer.text.slice(0, 80)}`);
    assert.doesNotMatch(answer.text, /of the other|root:|BETTER_AUTH|fastcgi/, path);
  }
});

test('row 35: U+0000 is refused wherever it comes in, and nothing is stored short of it', async () => {
  for (const body of [{ title: 'a\0b' }, { title: 'x', description: 'a\0b' }]) assertError(await user.send('POST', '/api/tasks', { body }), 422, 'validation_error', JSON.stringify(body));
  for (const path of ['/api/tasks?search=a%00b', '/api/a%00b/tasks', '/api/tasks/1%00']) assertError(await request('GET', path, { headers: authorization }), 400, 'validation_error', path);
  for (const line of ['Authorization: Bearer a\0b', 'Cookie: a=\0', 'X-Request-Id: a\0b', 'User-Agent: a\0b']) assert.match(await raw(`GET /api/tasks HTTP/1.1\r\nHost: ${base.host}\r\n${line}\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 400 /, line);
  const member = await signUp();
  for (const [route, body, status] of [['update-user', { name: 'a\0b' }, 400], ['update-user', { image: 'a\0b' }, 400], ['sign-up/email', { name: 'a\0b', email: `n${Date.now()}@example.com`, password: 'password123' }, 422],
    ['sign-up/email', { name: 'a', email: 'admin@example.com\0evil', password: 'password123' }, 400], ['sign-in/email', { email: `${member.email}\0`, password: member.password }, 400], ['sign-in/email', { email: member.email, password: `\0${member.password}` }, 401], ['sign-in/email', { email: member.email, password: `${member.password}\0x` }, 401],
    ['change-password', { currentPassword: `${member.password}\0x`, newPassword: 'password124' }, 400], ['sign-out', { callbackURL: '/a\0b' }, 403], ['revoke-session', { token: `${member.token}\0` }, 200]]) {
    const answer = await member.post(route, body);
    assert.equal(answer.status, status, `${route} ${JSON.stringify(body)}: ${answer.text}`);
  }
  assert.equal((await member.get('get-session')).json.user.name, member.name, 'and the session was not revoked by a name that was cut');
  for (const cookie of [`better-auth.session_token=${encodeURIComponent(`${member.token}\0`)}`, `${member.cookie}%00`, member.cookie.replace('=', '%00=')]) assert.equal((await request('GET', '/api/auth/get-session', { cookie })).text, 'null', cookie);
});

test('row 28: an encoded body is 415 before it is decoded, however large it would become', async () => {
  for (const coding of ['gzip', 'br', 'deflate', 'gzip, gzip', 'identity, gzip', 'x-gzip']) {
    assertError(await user.send('POST', '/api/tasks', { headers: { 'content-encoding': coding }, body: Buffer.from('1f8b0800000000000003', 'hex') }), 415, 'unsupported_media_type', coding);
  }
  assert.equal((await user.send('POST', '/api/tasks', { headers: { 'content-encoding': 'identity' }, body: { title: 'x' } })).status, 201);
});

test('row 27: the type of a body is what it says, not what it could be', async () => {
  for (const type of ['application/jsonp', 'application/json-evil', 'text/json', 'application/json; charset=utf-16', 'application/json; charset=utf-7', 'multipart/form-data; boundary=x', 'application/x-www-form-urlencoded', 'application/json, text/plain', '*/*', 'application/xml']) {
    const answer = await user.send('POST', '/api/tasks', { headers: { 'content-type': type }, body: '{"title":"x"}' });
    assertError(answer, 415, 'unsupported_media_type', type);
    assert.equal(answer.headers.accept, 'application/json');
  }
});

test('row 25: an origin that only looks like a trusted one gets no CORS header, on any status', async () => {
  const trusted = 'http://app.example.test';
  for (const from of ['null', `${trusted}.evil.example`, `${trusted}:81`, trusted.replace('http', 'https'), `http://evil.example#${trusted}`, `http://evil.example?${trusted}`, 'http://app.example.test@evil.example', 'http://xapp.example.test', '*', `${trusted}, http://evil.example`, 'http://app.example.test\u0000', 'file://', 'http://app-example.test']) {
    for (const [method, path, more] of [['GET', '/api/tasks', { headers: { ...authorization } }], ['GET', '/api/nothing', {}], ['POST', '/api/tasks', { headers: { ...authorization }, body: '{' }], ['OPTIONS', '/api/tasks', { headers: { 'access-control-request-method': 'DELETE' } }], ['GET', '/api/auth/get-session', {}], ['POST', '/api/auth/sign-in/email', { body: {} }]]) {
      if (from.includes('\0')) continue;
      const answer = await request(method, path, { ...more, headers: { ...more.headers, origin: from } });
      assert.deepEqual(Object.keys(answer.headers).filter((name) => name.startsWith('access-control')), [], `${from} ${method} ${path}`);
    }
  }
});

test('no answer tells which software runs, and none holds the secret', async () => {
  for (const [method, path] of [['GET', '/'], ['GET', '/api/tasks'], ['GET', '/api/nothing'], ['TRACE', '/'], ['GET', `/api/${'x'.repeat(20000)}`], ['POST', '/api/auth/sign-in/email'], ['GET', '/api/auth/get-session']]) {
    const answer = await raw(`${method} ${path} HTTP/1.1\r\nHost: ${base.host}\r\nOrigin: ${origin}\r\nConnection: close\r\n\r\n`);
    assert.doesNotMatch(answer, /nginx\/\d|PHP|FastCGI|libpq|PostgreSQL|X-Powered-By/i, path.slice(0, 40));
    assert.ok(!answer.includes(secret));
  }
});
