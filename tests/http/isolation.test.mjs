// Contract tasks-api, section 3, last rows: what belongs to another user does not exist.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { someone, sql } from './harness.mjs';

const operations = [['GET', ''], ['HEAD', ''], ['PUT', '', { title: 'stolen' }], ['PATCH', '', { title: 'stolen' }], ['DELETE', ''], ['PATCH', '/complete'], ['POST', '/toggle', { completed: true }]];
const rows = (user) => sql("SELECT id, title, description, completed, updated_at FROM task WHERE user_id = :'user' ORDER BY id", { user: user.id });

test('row 51: another user\'s task is answered byte for byte like a missing one, on every route', async () => {
  const [a, b] = [someone(), someone()];
  const tasks = [];
  for (let n = 0; n < 5; n += 1) {
    tasks.push(await a.create({ title: `a${n}`, description: 'secret' }));
    await b.create({ title: `b${n}` });
  }
  const before = rows(a);
  for (const task of tasks) {
    for (const [method, path, body] of operations) {
      for (const form of ['/api/tasks', b.tasks]) {
        const foreign = await b.send(method, `${form}/${task.id}${path}`, { body });
        const missing = await b.send(method, `${form}/987654321987${path}`, { body });
        assert.equal(foreign.status, 404, `${method} ${path}`);
        assert.equal(foreign.text, missing.text);
        // The header lines in their order, as they came.
        const lines = (answer) => answer.raw.map((part, n) => (n % 2 && ['Date', 'X-Request-Id'].includes(answer.raw[n - 1]) ? '' : part));
        assert.deepEqual(lines(foreign), lines(missing));
      }
      assert.equal((await b.send(method, `${a.tasks}/${task.id}${path}`, { body })).status, 401);
    }
  }
  assert.equal(rows(a), before);
});

test('row 51: another user\'s tasks are not listed, counted, found or paged into', async () => {
  const [a, b] = [someone(), someone()];
  for (let n = 0; n < 3; n += 1) await a.create({ title: 'needle in a' });
  await b.create({ title: 'of b' });
  for (const query of ['', '?search=needle', '?status=all&limit=500', '?limit=1&offset=1', '?sort=title&envelope=tasks', `?user_id=${a.id}`, '?updated_since=2000-01-01T00:00:00Z']) {
    const answer = await b.send('GET', `/api/tasks${query}`);
    assert.equal(answer.status, 200);
    assert.doesNotMatch(answer.text, /needle|in a/);
    assert.ok(Number(answer.headers['x-total-count']) <= 1);
  }
  assert.equal((await b.send('POST', a.tasks, { body: { title: 'planted' } })).status, 401);
  assert.doesNotMatch(rows(a), /planted/);
});

test('row 51: users that write at once, with ids in between, stay apart', async () => {
  const users = Array.from({ length: 4 }, () => someone());
  await Promise.all(users.flatMap((user) => Array.from({ length: 10 }, (_, n) => user.create({ title: `${user.id}-${n}` }))));
  for (const user of users) {
    const { json } = await user.send('GET', '/api/tasks');
    assert.equal(json.length, 10);
    assert.ok(json.every((task) => task.user_id === user.id && task.title.startsWith(user.id)));
  }
});
