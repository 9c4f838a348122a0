// Contract tasks-api, section 9: methods, CORS, caching.
import assert from 'node:assert/strict';
import { assertError, base, origin, raw, request, someone, trusted, test } from './harness.mjs';

const user = someone();

test('row 23: a wrong method on a known path is 405 with Allow, before authentication', async () => {
  for (const [method, path, allow] of [['PUT', '/api/tasks', 'GET, HEAD, POST, OPTIONS'], ['DELETE', '/api/u/tasks', 'GET, HEAD, POST, OPTIONS'], ['POST', '/api/tasks/1', 'GET, HEAD, PUT, PATCH, DELETE, OPTIONS'],
    ['GET', '/api/tasks/1/complete', 'POST, PUT, PATCH, OPTIONS'], ['DELETE', '/api/tasks/1/toggle', 'POST, PUT, PATCH, OPTIONS'], ['POST', '/api/health', 'GET, HEAD, OPTIONS'], ['PROPFIND', '/api/tasks', 'GET, HEAD, POST, OPTIONS']]) {
    const answer = await raw(`${method} ${path} HTTP/1.1\r\nHost: ${base.host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
    assert.match(answer, /^HTTP\/1\.1 405/, `${method} ${path}`);
    assert.match(answer, new RegExp(`\r\nAllow: ${allow}\r\n`), `${method} ${path}`);
    assert.match(answer, /"error":"method_not_allowed"/);
  }
});

// node's client refuses methods that it does not know, so this goes by hand.
test('a method that nobody knows is 405', async () => {
  const answer = await raw(`FOO /api/tasks/1 HTTP/1.1\r\nHost: ${base.host}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
  assert.match(answer, /^HTTP\/1\.1 405/);
  assert.match(answer, /\r\nAllow: GET, HEAD, PUT, PATCH, DELETE, OPTIONS\r\n/);
});

test('a POST without a length has no body', async () => {
  const task = await user.create();
  assert.match(await raw(`POST /api/tasks/${task.id}/complete HTTP/1.1\r\nHost: ${base.host}\r\nAuthorization: Bearer ${user.token}\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 200/);
});

test('TRACE is 405, never echoed', async () => {
  const trace = await raw(`TRACE /api/tasks HTTP/1.1\r\nHost: ${base.host}\r\nX-Secret: shown\r\nConnection: close\r\n\r\n`);
  assert.match(trace, /^HTTP\/1\.1 405/);
  assert.doesNotMatch(trace, /shown/);
});

test('CONNECT is refused', async () => {
  assert.match(await raw(`CONNECT ${base.host} HTTP/1.1\r\nHost: ${base.host}\r\nConnection: close\r\n\r\n`), /^HTTP\/1\.1 (400|405)/);
});

test('row 24: HEAD is GET without its body', async () => {
  const task = await user.create();
  for (const path of ['/api/tasks', `/api/tasks/${task.id}`, '/api/health', '/api/tasks?limit=1', '/api/tasks/999999999']) {
    const get = await user.send('GET', path);
    const head = await user.send('HEAD', path);
    assert.equal(head.status, get.status);
    assert.equal(head.text, '');
    const fields = ({ headers }) => Object.fromEntries(Object.entries(headers).filter(([name]) => !['date', 'x-request-id'].includes(name)));
    assert.deepEqual(fields(head), fields(get), path);
    assert.equal(head.headers['content-length'], String(Buffer.byteLength(get.text)), path);
  }
});

test('OPTIONS without Origin says which methods there are', async () => {
  for (const [path, allow] of [['/api/tasks', 'GET, HEAD, POST, OPTIONS'], ['/api/x/tasks/5', 'GET, HEAD, PUT, PATCH, DELETE, OPTIONS']]) {
    const answer = await request('OPTIONS', path);
    assert.equal(answer.status, 204);
    assert.equal(answer.headers.allow, allow);
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
  }
  assert.equal((await request('OPTIONS', '/api/nothing')).status, 404);
});

test('row 25: a preflight from an allowed origin is answered without a token', async () => {
  for (const from of [trusted, origin]) {
    const answer = await request('OPTIONS', '/api/tasks/1', { headers: { origin: from, 'access-control-request-method': 'PATCH', 'access-control-request-headers': 'authorization, x-odd' } });
    assert.equal(answer.status, 204);
    assert.equal(answer.headers['access-control-allow-origin'], from);
    assert.equal(answer.headers['access-control-allow-credentials'], 'true');
    assert.equal(answer.headers['access-control-allow-methods'], 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS');
    assert.equal(answer.headers['access-control-allow-headers'], 'authorization, content-type, if-match, if-none-match, idempotency-key, x-request-id');
    assert.equal(answer.headers['access-control-max-age'], '600');
    assert.match(answer.headers.vary, /Origin/);
  }
});

test('row 25: another origin gets the same answers without any CORS header', async () => {
  for (const from of ['http://evil.example', 'null', `${trusted}.evil.example`, `${trusted}:81`, trusted.replace('http:', 'https:'), origin.replace(/:\d+$/, ':1')]) {
    for (const [method, headers] of [['OPTIONS', { 'access-control-request-method': 'GET' }], ['GET', {}]]) {
      const answer = await request(method, '/api/tasks', { headers: { origin: from, ...headers } });
      assert.equal(answer.status, method === 'GET' ? 401 : 204, from);
      assert.deepEqual(Object.keys(answer.headers).filter((name) => name.startsWith('access-control')), []);
      assert.match(answer.headers.vary, /Origin/);
    }
  }
});

test('row 25: every status carries the CORS headers for an allowed origin', async () => {
  const headers = { origin: trusted };
  const task = await user.create();
  const answers = [await user.send('GET', '/api/tasks', { headers }), await user.send('POST', '/api/tasks', { headers, body: { title: 'x' } }), await user.send('POST', '/api/tasks', { headers, body: '{' }),
    await request('GET', '/api/tasks', { headers }), await user.send('GET', '/api/tasks/99999999', { headers }), await user.send('PUT', '/api/tasks', { headers, body: {} }), await user.send('POST', '/api/tasks', { headers, body: {} }),
    await user.send('POST', '/api/tasks', { headers: { ...headers, 'content-type': 'text/plain' }, body: 'x' }), await user.send('DELETE', `/api/tasks/${task.id}`, { headers })];
  assert.deepEqual(answers.map((answer) => answer.status), [200, 201, 400, 401, 404, 405, 422, 415, 204]);
  for (const answer of answers) {
    assert.equal(answer.headers['access-control-allow-origin'], trusted);
    assert.equal(answer.headers['access-control-allow-credentials'], 'true');
    assert.equal(answer.headers['access-control-expose-headers'], 'ETag, Link, Location, Retry-After, X-Request-Id, X-Total-Count');
  }
});

test('answers say how they may be kept, carry an id and set no cookie', async () => {
  const get = await user.send('GET', '/api/tasks');
  assert.equal(get.headers['cache-control'], 'private, no-cache');
  const post = await user.send('POST', '/api/tasks', { body: { title: 'x' } });
  assert.equal(post.headers['cache-control'], 'no-store');
  const missing = await user.send('GET', '/api/tasks/99999999');
  assert.equal(missing.headers['cache-control'], 'no-store');
  for (const answer of [get, post, missing]) {
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    assert.match(answer.headers['x-request-id'], /^[0-9a-f]{32}$/);
    assert.equal(answer.headers['set-cookie'], undefined);
  }
});

test('a request that the web server cannot read is answered in JSON', async () => {
  const long = await request('GET', `/api/${'x'.repeat(20000)}`);
  assert.equal(long.status, 414);
  assert.equal(long.json.error, 'validation_error');
  for (const bytes of [`GET /api/tasks HTTP/1.1\r\nHost: ${base.host}\r\nX-Big: ${'x'.repeat(20000)}\r\nConnection: close\r\n\r\n`, 'GET /api/tasks HTTP/1.1\r\nConnection: close\r\n\r\n', 'GARBAGE\r\n\r\n']) {
    const answer = await raw(bytes);
    assert.match(answer, /^HTTP\/1\.1 400 /, bytes.slice(0, 60));
    assert.match(answer, /\r\nContent-Type: application\/json\r\n/);
    assert.equal(JSON.parse(answer.split('\r\n\r\n')[1]).error, 'validation_error');
  }
});

test('a refusal by the web server has the headers and the form of every other error', async () => {
  const headers = { origin: trusted };
  const big = 'x'.repeat(131073);
  const answers = [[413, await user.send('POST', '/api/tasks', { headers, body: big })], [413, await user.send('POST', '/api/tasks', { headers: { ...headers, 'transfer-encoding': 'chunked' }, body: big })],
    [413, await request('POST', '/api/auth/sign-in/email', { headers, body: big })], [404, await request('GET', '//api/tasks', { headers })], [404, await request('GET', '/api', { headers })]];
  for (const [status, answer] of answers) {
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.headers['content-type'], /^application\/json/);
    assert.equal(answer.headers['access-control-allow-origin'], trusted);
    assert.match(answer.headers.vary, /Origin/);
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    assert.match(answer.headers['x-request-id'], /^[0-9a-f]{32}$/);
  }
  assert.deepEqual(answers[2][1].json, { message: 'Request body is too large', code: 'payload_too_large' });
});

test('a refusal by the web server before it knows the path is like the others', async () => {
  const headers = { origin: trusted };
  const trace = await raw(`TRACE /api/tasks/1 HTTP/1.1\r\nHost: ${base.host}\r\nOrigin: ${trusted}\r\nConnection: close\r\n\r\n`);
  assert.match(trace, /\r\nAllow: GET, HEAD, PUT, PATCH, DELETE, OPTIONS\r\n/);
  assert.match(trace, /\r\nAccess-Control-Allow-Origin: http:\/\/app.example.test\r\n/);
  // Here the headers have not been read, so the origin is not known.
  const long = await request('GET', `/api/${'x'.repeat(20000)}`, { headers });
  assert.equal(long.headers['cache-control'], 'no-store');
  assert.match(long.headers['x-request-id'], /^[0-9a-f]{32}$/);
});

test('each error has the form of the contract', async () => {
  const big = 'x'.repeat(131073);
  for (const [status, code, answer] of [[400, 'validation_error', await user.send('POST', '/api/tasks', { body: '{' })], [401, 'unauthorized', await request('GET', '/api/tasks')],
    [401, 'unauthorized', await request('GET', '/api/tasks', { token: 'x' })], [404, 'not_found', await user.send('GET', '/api/tasks/99999999')], [404, 'not_found', await user.send('GET', '/api/nothing')],
    [405, 'method_not_allowed', await user.send('PUT', '/api/tasks')], [413, 'payload_too_large', await user.send('POST', '/api/tasks', { body: big })],
    [415, 'unsupported_media_type', await user.send('POST', '/api/tasks', { body: 'x', headers: { 'content-type': 'text/plain' } })], [422, 'validation_error', await user.send('POST', '/api/tasks', { body: {} })],
    [422, 'validation_error', await user.send('GET', '/api/tasks?limit=0')], [422, 'validation_error', await user.send('GET', '/api/tasks/abc')]]) assertError(answer, status, code, `${status}`);
});

test('only a GET or HEAD that succeeds may be kept, and a 204 has no length', async () => {
  const task = await user.create();
  const one = `/api/tasks/${task.id}`;
  for (const [method, path, body, kept] of [['GET', one, undefined, true], ['HEAD', one, undefined, true], ['HEAD', '/api/tasks', undefined, true], ['PUT', one, {}], ['PATCH', one, {}], ['PATCH', `${one}/complete`],
    ['OPTIONS', one], ['PUT', one, { title: '' }], ['POST', one], ['DELETE', one], ['DELETE', one], ['GET', one]]) {
    const answer = await user.send(method, path, { body });
    const why = `${method} ${path} ${answer.status}`;
    assert.equal(answer.headers['cache-control'], kept ? 'private, no-cache' : 'no-store', why);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff', why);
    assert.match(answer.headers['x-request-id'], /./, why);
    assert.match(answer.headers.vary, /Origin/, why);
    if (answer.status === 204) assert.equal(answer.headers['content-length'], undefined, why);
  }
  assert.equal((await request('GET', '/api/tasks')).headers['cache-control'], 'no-store');
});

test('row 71: a header with line breaks in a value of ours cannot be made', async () => {
  const answer = await user.send('GET', '/api/tasks?limit=1&x=%0d%0aSet-Cookie:%20a=b');
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['set-cookie'], undefined);
});

test('row 30: Proxy and underscored headers have no effect', async () => {
  const answer = await request('GET', '/api/tasks', { token: user.token, headers: { proxy: 'http://127.0.0.1:1', x_forwarded_for: '1.2.3.4' } });
  assert.equal(answer.status, 200);
});
