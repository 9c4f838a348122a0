// The edges at which web servers differ, tried on each of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertError, cookieOf, origin, randomEmail, raw, request, someone, sql, trusted } from '../http/harness.mjs';
import { until } from '../common.mjs';

const headers = { origin: trusted };

function assertOurs(answer, status, code) {
  assertError(answer, status, code, answer.text);
  assert.equal(answer.headers['access-control-allow-origin'], trusted);
  assert.equal(answer.headers['cache-control'], 'no-store');
  assert.equal(answer.headers['x-content-type-options'], 'nosniff');
  assert.match(answer.headers['x-request-id'], /./);
}

// `place` gives {ground, port} once the server runs. What is different by the server's nature:
// `decodes`: it decodes paths before the handlers see them; `down`: its status when nothing of ours runs.
export function edgeCases(place, { decodes = false, down = 503 } = {}) {
  const send = (user, method, path, options = {}) => user.send(method, path, { ...options, port: place().port });

  test('Authorization, a chunked body, and a body without a length on the way', async () => {
    const user = someone();
    const made = await send(user, 'POST', '/api/tasks', { headers: { 'transfer-encoding': 'chunked' }, body: { title: 'in chunks' } });
    assert.equal(made.status, 201, made.text);
    const changed = await send(user, 'PATCH', `/api/tasks/${made.json.id}/complete`);
    assert.equal(changed.status, 200, changed.text);
    assert.equal(changed.json.completed, true);
    assert.equal((await request('GET', '/api/tasks', { port: place().port })).status, 401);
  });

  test('a user id with an encoded slash', async () => {
    const user = someone(`a/b ${Math.random()}`);
    const made = await send(user, 'POST', user.tasks, { body: { title: 'x' } });
    if (decodes) return assertError(made, 404, 'not_found', 'it is a path of its own');
    assert.equal(made.status, 201, made.text);
    assert.equal((await send(user, 'GET', `${user.tasks}/${made.json.id}`)).json.id, made.json.id);
    assert.equal((await send(user, 'PUT', `${user.tasks}/${made.json.id}`, { body: { title: 'y' } })).json.title, 'y');
    return assert.equal((await send(user, 'DELETE', `${user.tasks}/${made.json.id}`)).status, 204);
  });

  test('two slashes, and an encoded name, are no path of the API and no page', async () => {
    for (const path of ['//api/tasks', '/api//tasks', '/api', '/api/']) {
      assertOurs(await request('GET', path, { headers, port: place().port }), 404, 'not_found');
    }
    for (const path of ['/api/t%61sks', '/%61pi/tasks']) {
      assertOurs(await request('GET', path, { headers, port: place().port }), decodes ? 401 : 404, decodes ? 'unauthorized' : 'not_found');
    }
  });

  test('a body over the limit is 413, announced or not, small or large', async () => {
    const user = someone();
    for (const size of [131073, 3000000]) {
      const body = 'x'.repeat(size);
      assertOurs(await send(user, 'POST', '/api/tasks', { headers, body }), 413, 'payload_too_large');
      assertOurs(await send(user, 'POST', '/api/tasks', { headers: { ...headers, 'transfer-encoding': 'chunked' }, body }), 413, 'payload_too_large');
    }
    assert.deepEqual((await send(user, 'GET', '/api/tasks')).json, []);
  });

  test('a handler that is down is 503 in JSON, and only its routes are', async () => {
    const user = someone();
    const made = await send(user, 'POST', '/api/tasks', { body: { title: 'x' } });
    await place().ground.withoutHandler('task_update', async () => {
      // nginx keeps connections for two seconds.
      await until('the handler is away', async () => (await send(user, 'PUT', `/api/tasks/${made.json.id}`, { body: {} })).status === 503);
      for (const body of [{ title: 'y' }, { description: 'x'.repeat(4000) }]) {
        const answer = await send(user, 'PUT', `/api/tasks/${made.json.id}`, { headers, body });
        assertOurs(answer, 503, 'unavailable');
        assert.equal(answer.headers['retry-after'], '2');
      }
      assert.equal((await send(user, 'GET', `/api/tasks/${made.json.id}`)).status, 200);
      await place().ground.withoutHandler('fallback', async () => {
        await until('so is the one that answers for it', async () => (await send(user, 'GET', '/api/nothing')).status === down);
        assert.equal((await send(user, 'PUT', `/api/tasks/${made.json.id}`, { headers, body: {} })).status, down);
      });
    });
    // lighttpd tries a socket again after a second.
    await until('the handler is back', async () => (await send(user, 'PUT', `/api/tasks/${made.json.id}`, { body: { title: 'z' } })).json?.title === 'z');
    await until('so is the other', async () => (await send(user, 'GET', '/api/nothing')).status === 404);
  });

  test('several cookies, long headers, and the address of the client', async () => {
    const { port } = place();
    const forged = { 'x-forwarded-for': '203.0.113.66', x_forwarded_for: '203.0.113.67', 'x-forwarded_for': '203.0.113.68', 'x_forwarded-for': '203.0.113.69', proxy: 'http://203.0.113.70' };
    // Where two spellings meet, chance may decide which one counts. 127.0.0.1 is not counted, another address is.
    for (let n = 0; n < 20; n += 1) await request('GET', '/api/auth/ok', { port, headers: forged });
    assert.equal(sql(`SELECT key FROM "rateLimit" WHERE key LIKE '203.0.113.%|/ok'`), '');
    const body = { name: 'n'.repeat(3000), email: randomEmail(), password: 'password123', rememberMe: false };
    const up = await request('POST', '/api/auth/sign-up/email', { port, body, headers: { origin, ...forged, 'user-agent': 'u'.repeat(1500) } });
    assert.equal(up.status, 200, up.text);
    assert.equal(up.headers['set-cookie'].length, 2);
    const cookie = `${cookieOf(up)}; long=${'c'.repeat(3000)}`;
    const session = await request('GET', '/api/auth/get-session', { port, cookie });
    assert.equal(session.json.session.ipAddress, '127.0.0.1');
    assert.equal(session.json.session.userAgent.length, 1500);
    assert.ok(session.headers['set-auth-jwt'].length > 4000);
    const out = await request('POST', '/api/auth/sign-out', { port, cookie, headers: { origin } });
    assert.equal(out.headers['set-cookie'].length, 3);
    assert.ok(out.headers['set-cookie'].every((line) => /Max-Age=0/.test(line)));
  });

  test('a preflight, HEAD, and readiness for this machine', async () => {
    const { port } = place();
    const preflight = await request('OPTIONS', '/api/tasks/1', { port, headers: { ...headers, 'access-control-request-method': 'DELETE' } });
    assert.equal(preflight.status, 204);
    assert.equal(preflight.headers['access-control-allow-origin'], trusted);
    const head = await request('HEAD', '/api/health', { port });
    assert.equal(head.headers['content-length'], '20');
    assert.match(await raw('GET /api/health HTTP/1.1\r\nHost: site.example.test\r\nConnection: close\r\n\r\n', port), /\{"status":"healthy"\}$/);
    assert.match(await raw('GET /ready HTTP/1.0\r\nHost: site.example.test\r\n\r\n', port), /"status":"ready"/);
  });
}
