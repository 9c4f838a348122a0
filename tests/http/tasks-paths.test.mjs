// Contract tasks-api, sections 1, 1.1 and 8: which paths are which resource.
import assert from 'node:assert/strict';
import { assertError, base, raw, request, someone, tokenOf, test } from './harness.mjs';

test('every form of a collection is the same resource, with and without a slash at the end', async () => {
  const user = someone();
  const task = await user.create({ title: 'one' });
  for (const form of [`/api/${user.id}/tasks`, '/api/tasks', '/api/v1/tasks', `/api/users/${user.id}/tasks`]) {
    for (const end of ['', '/']) {
      const list = await user.send('GET', form + end);
      assert.equal(list.status, 200, form + end);
      assert.deepEqual(list.json, [task]);
      const one = await user.send('GET', `${form}/${task.id}${end}`);
      assert.equal(one.status, 200);
      assert.deepEqual(one.json, task);
      assert.equal((await user.send('HEAD', `${form}/${task.id}${end}`)).status, 200);
      assert.equal((await user.send('PUT', `${form}/${task.id}${end}`, { body: {} })).status, 200);
      assert.equal((await user.send('PATCH', `${form}/${task.id}${end}`, { body: {} })).status, 200);
      for (const action of ['complete', 'toggle']) {
        for (const method of ['PATCH', 'POST', 'PUT']) {
          assert.equal((await user.send(method, `${form}/${task.id}/${action}${end}`)).status, 200, method + action);
        }
      }
      Object.assign(task, (await user.send('GET', `/api/tasks/${task.id}`)).json);
      const made = await user.send('POST', form + end, { body: { title: 'two' } });
      assert.equal(made.status, 201);
      assert.equal(made.headers.location, `/api/${user.id}/tasks/${made.json.id}`);
      assert.equal((await user.send('DELETE', `${form}/${made.json.id}${end}`)).status, 204);
    }
  }
});

test('row 21: a path that is not exactly a resource is 404, before any token is asked for', async () => {
  for (const path of ['/api/u//tasks', '//api/tasks', '/api//tasks', '/api/tasks//', '/api/tasks/1//', '/api/tasks/./1',
    '/api/../api/tasks', '/api/u/../tasks', '/api/./tasks', '/api/Tasks', '/api/tasks/1/2', '/api/nothing',
    '/api/tasks/1/complete/2', '/api/users/tasks/1/2', '/api', '/api/', '/api/v2/u/tasks']) {
    const answer = await request('GET', path);
    assertError(answer, 404, 'not_found', path);
  }
});

test('a path of the API that leaves it by ".." is no page', async () => {
  for (const path of ['/api/%2e%2e/tasks', '/api/..%2ftasks', '/api/../tasks', '/api/x/../../index.html']) assertError(await request('GET', path), 404, 'not_found', path);
});

test('a bad escape or a NUL in a path is 400', async () => {
  for (const path of ['/api/%zz/tasks', '/api/%4/tasks', '/api/u%00/tasks']) assertError(await request('GET', path), 400, 'validation_error', path);
});

test('bytes in a path that are not UTF-8 are 400', async () => {
  for (const path of ['/api/%ff/tasks', '/api/%C0%AF/tasks']) assertError(await request('GET', path), 400, 'validation_error', path);
});

test('row 21: a segment is decoded once, after splitting: an encoded slash, percent, plus and é belong to the user id', async () => {
  for (const id of ['a/b', 'a%2Fb', 'a+b', 'a b', 'é', '用户', 'a?b#c', 'tasks', 'v1', 'users', '%']) {
    const user = someone(id);
    const made = await user.send('POST', user.tasks, { body: { title: 'x' } });
    assert.equal(made.status, 201, id);
    assert.equal(made.json.user_id, id);
    assert.equal(made.headers.location, `/api/${encodeURIComponent(id)}/tasks/${made.json.id}`);
    assert.equal((await user.send('GET', `${user.tasks}/${made.json.id}`)).status, 200, id);
    assert.equal((await user.send('DELETE', `${user.tasks}/${made.json.id}`)).status, 204, id);
  }
  assert.equal((await request('GET', '/api/a+b/tasks', { token: tokenOf('a b') })).status, 401);
});

test('the target is cut at the first question mark, and an absolute one means the same', async () => {
  const user = someone();
  const task = await user.create();
  for (const path of ['/api/tasks?', '/api/tasks/?x=1', '/api/tasks?a?b/c']) assert.deepEqual((await user.send('GET', path)).json, [task], path);
  const answer = await raw(`GET ${base.origin}/api/tasks HTTP/1.1\r\nHost: ${base.host}\r\nAuthorization: Bearer ${user.token}\r\nConnection: close\r\n\r\n`);
  assert.match(answer, /^HTTP\/1\.1 200/);
  assert.ok(answer.endsWith(JSON.stringify([task])));
});

test('row 21: bytes of a path that are not escaped are read as they are', async () => {
  const line = (id, token) => raw(Buffer.concat([Buffer.from('GET /api/'), id, Buffer.from(`/tasks HTTP/1.1\r\nHost: ${base.host}\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`)]));
  assert.match(await line(Buffer.from('é'), tokenOf('é')), /^HTTP\/1\.1 200/);
  assert.match(await line(Buffer.from([0xff]), tokenOf('é')), /^HTTP\/1\.1 400/);
});

test('/api/v1/tasks is the collection of a user called "v1" for that user, and the caller\'s own for all others', async () => {
  const named = someone('v1');
  const other = someone();
  const [task, own] = [await named.create(), await other.create()];
  assert.equal((await named.send('GET', `/api/v1/tasks/${task.id}`)).json.user_id, 'v1');
  assert.deepEqual((await other.send('GET', '/api/v1/tasks')).json, [own]);
  assert.equal((await other.send('GET', `/api/v1/tasks/${task.id}`)).status, 404);
  assert.equal((await other.send('GET', '/api/users/v1/tasks')).status, 401);
});

test('/api/tasks/tasks is the collection of a user called "tasks", and the task "tasks" for all others', async () => {
  const named = someone('tasks');
  assert.equal((await named.send('GET', '/api/tasks/tasks')).status, 200);
  const other = await someone().send('GET', '/api/tasks/tasks');
  assert.equal(other.status, 422);
  assert.equal(other.json.details.field, 'task_id');
});

test('row 37: an id that no task can have is 404', async () => {
  const user = someone();
  for (const id of ['0', '-5', '9223372036854775807', '9223372036854775808', '1'.repeat(40), '00', '-0']) {
    const answer = await user.send('GET', `/api/tasks/${id}`);
    assertError(answer, 404, 'not_found', id);
  }
});

test('row 37: leading zeros of an id do not matter', async () => {
  const user = someone();
  const task = await user.create();
  assert.deepEqual((await user.send('GET', `/api/tasks/000${task.id}`)).json, task);
});

test('row 37: an id that is no number is 422 on every method, and only after authentication', async () => {
  const user = someone();
  for (const id of ['abc', '1.0', '1e3', '%201', '+1', '0x1', '%D9%A1', '3f2504e0-4f89-41d3-9a0c-0305e82c3301', '--1', '-', '1%202']) {
    for (const [method, path, body] of [['GET', ''], ['PUT', '', {}], ['PATCH', '', {}], ['DELETE', ''], ['PATCH', '/complete']]) {
      const answer = await user.send(method, `/api/tasks/${id}${path}`, { body });
      assertError(answer, 422, 'validation_error', `${method} ${id}`);
      assert.equal(answer.json.details.field, 'task_id');
      assert.equal(answer.json.details.constraint, 'type=integer');
    }
    assert.equal((await request('GET', `/api/tasks/${id}`)).status, 401);
  }
});

test('liveness and readiness need no token', async () => {
  for (const path of ['/health', '/api/health', '/health/', '/api/health/']) {
    const answer = await request('GET', path);
    assert.equal(answer.status, 200, path);
    assert.deepEqual(answer.json, { status: 'healthy' });
    assert.equal((await request('HEAD', path)).status, 200);
  }
  for (const path of ['/ready', '/api/ready', '/ready/', '/api/ready/']) {
    const answer = await request('GET', path);
    assert.equal(answer.status, 200, path);
    assert.equal(answer.json.status, 'ready');
  }
});
