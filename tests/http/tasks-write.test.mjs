// Contract tasks-api, sections 2 and 6: create, update, complete, delete, and the form of errors.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { someone, sql, test } from './harness.mjs';

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

test('a new task has every member, in its type', async () => {
  const user = someone();
  const answer = await user.send('POST', user.tasks, { body: { title: 'Buy milk' } });
  assert.equal(answer.status, 201);
  assert.equal(answer.headers['content-type'], 'application/json');
  const { id, created_at: created, updated_at: updated, ...rest } = answer.json;
  assert.deepEqual(rest, { title: 'Buy milk', description: null, completed: false, user_id: user.id });
  assert.ok(Number.isInteger(id) && id > 0);
  assert.match(created, time);
  assert.equal(updated, created);
  assert.ok(Math.abs(Date.parse(created) - Date.now()) < 60000);
});

test('a missing description is null, "" stays ""', async () => {
  const user = someone();
  assert.equal((await user.create({ title: 'x', description: '' })).description, '');
  assert.equal((await user.create({ title: 'x', description: null })).description, null);
});

test('row 38: what belongs to the server cannot be set by a body', async () => {
  const user = someone();
  const body = { title: 'x', id: 1, user_id: 'other', completed: true, created_at: '2000-01-01T00:00:00Z', updated_at: '2000-01-01T00:00:00Z', priority: 5 };
  const task = await user.create(body);
  assert.notEqual(task.id, 1);
  assert.equal(task.user_id, user.id);
  assert.equal(task.completed, false);
  assert.ok(task.created_at > '2020');
  const changed = (await user.send('PUT', `/api/tasks/${task.id}`, { body: { ...body, completed: undefined } })).json;
  assert.deepEqual([changed.id, changed.user_id, changed.created_at], [task.id, user.id, task.created_at]);
});

test('an update changes what is sent, and the time always', async () => {
  const user = someone();
  let task = await user.create({ title: 'a', description: 'b' });
  for (const method of ['PUT', 'PATCH']) {
    for (const body of [{ title: 'c' }, { description: 'd' }, { completed: true }, { completed: false }, {}, { description: null }, { description: '' }, { title: 'e', description: 'f', completed: true }]) {
      const answer = await user.send(method, `/api/tasks/${task.id}`, { body });
      assert.equal(answer.status, 200, JSON.stringify(body));
      assert.deepEqual(answer.json, { ...task, ...body, updated_at: answer.json.updated_at });
      assert.ok(answer.json.updated_at >= task.updated_at);
      task = answer.json;
    }
  }
  const versions = Number(sql("SELECT (updated_at > created_at)::int FROM task WHERE id = :id", { id: task.id }));
  assert.equal(versions, 1);
});

test('null is refused for title and completed, and a wrong member leaves everything as it was', async () => {
  const user = someone();
  const task = await user.create({ title: 'a', description: 'b' });
  for (const [body, field] of [[{ title: null }, 'title'], [{ completed: null }, 'completed'], [{ completed: 1 }, 'completed'], [{ completed: 0 }, 'completed'],
    [{ completed: 'true' }, 'completed'], [{ title: 5 }, 'title'], [{ title: ['x'] }, 'title'], [{ description: 5 }, 'description'], [{ description: {} }, 'description'],
    [{ title: 'new', completed: 'x' }, 'completed'], [{ description: 'new', title: '' }, 'title']]) {
    const answer = await user.send('PUT', `/api/tasks/${task.id}`, { body });
    assert.equal(answer.status, 422, JSON.stringify(body));
    assert.equal(answer.json.details.field, field);
    assert.deepEqual((await user.send('GET', `/api/tasks/${task.id}`)).json, task);
  }
});

test('a 422 names all faults in the order title, description, completed', async () => {
  const user = someone();
  const task = await user.create();
  const answer = await user.send('PUT', `/api/tasks/${task.id}`, { body: { completed: 3, description: 4, title: '' } });
  assert.equal(answer.status, 422);
  assert.equal(answer.json.error, 'validation_error');
  assert.equal(answer.json.detail, answer.json.message);
  const { field, constraint, errors } = answer.json.details;
  assert.equal(field, 'title');
  assert.equal(constraint, 'min_length=1, max_length=200');
  assert.equal(typeof answer.json.details.title, 'string');
  assert.deepEqual(errors.map((error) => error.field), ['title', 'description', 'completed']);
  for (const error of errors) assert.deepEqual(Object.keys(error), ['field', 'constraint', 'message']);
  assert.equal(errors[2].constraint, 'type=boolean');
});

test('the error for a missing title is the contract\'s example', async () => {
  const answer = await someone().send('POST', '/api/tasks', { body: {} });
  assert.equal(answer.status, 422);
  assert.equal(answer.json.message, 'Title is required and must have 1 to 200 characters');
  assert.equal(answer.json.details.errors.length, 1);
});

test('every error has code, message and detail, and no details where there are none', async () => {
  const user = someone();
  for (const [method, path, body, status, code] of [['GET', '/api/tasks/999999999', undefined, 404, 'not_found'], ['POST', '/api/tasks', '{', 400, 'validation_error'],
    ['PUT', '/api/tasks', {}, 405, 'method_not_allowed']]) {
    const answer = await user.send(method, path, { body });
    assert.equal(answer.status, status);
    assert.deepEqual(Object.keys(answer.json), ['error', 'message', 'detail']);
    assert.equal(answer.json.error, code);
    assert.equal(answer.json.detail, answer.json.message);
  }
});

test('completion flips, or sets what body or query names', async () => {
  const user = someone();
  const task = await user.create();
  const complete = async (options = {}, query = '') => {
    const answer = await user.send('PATCH', `/api/tasks/${task.id}/complete${query}`, options);
    assert.equal(answer.status, 200, answer.text);
    return answer.json.completed;
  };
  assert.equal(await complete(), true);
  assert.equal(await complete({ body: {} }), false);
  assert.equal(await complete({ body: { other: 1 } }), true);
  assert.equal(await complete({ body: '', headers: { 'content-type': 'text/plain' } }), false);
  for (const value of [true, true, false, false]) assert.equal(await complete({ body: { completed: value } }), value);
  for (const value of ['true', '1', 'TRUE']) assert.equal(await complete({}, `?completed=${value}`), true);
  assert.equal(await complete({ body: { completed: false } }, '?completed=false'), false);
  const before = (await user.send('GET', `/api/tasks/${task.id}`)).json;
  for (const [options, query] of [[{ body: { completed: 1 } }, ''], [{ body: { completed: null } }, ''], [{}, '?completed=maybe'], [{ body: { completed: true } }, '?completed=false']]) {
    const answer = await user.send('PATCH', `/api/tasks/${task.id}/complete${query}`, options);
    assert.equal(answer.status, 422);
    assert.equal(answer.json.details.field, 'completed');
  }
  assert.deepEqual((await user.send('GET', `/api/tasks/${task.id}`)).json, before);
});

test('setting what is set already moves the time', async () => {
  const user = someone();
  const task = await user.create();
  const stamp = () => sql('SELECT updated_at FROM task WHERE id = :id', { id: task.id });
  await user.send('PATCH', `/api/tasks/${task.id}/complete`, { body: { completed: true } });
  const first = stamp();
  await user.send('PATCH', `/api/tasks/${task.id}/complete`, { body: { completed: true } });
  assert.notEqual(stamp(), first);
});

test('row 61: 50 flips at once flip 50 times, and every version has its own time', async () => {
  const user = someone();
  const task = await user.create();
  const answers = await Promise.all(Array.from({ length: 51 }, () => user.send('PATCH', `/api/tasks/${task.id}/toggle`)));
  assert.ok(answers.every((answer) => answer.status === 200));
  assert.equal(answers.filter((answer) => answer.json.completed).length, 26);
  assert.equal((await user.send('GET', `/api/tasks/${task.id}`)).json.completed, true);
});

test('flips that meet in the database both count', async () => {
  const user = someone();
  const task = await user.create();
  // Requests at once seldom meet inside a statement; while somebody else holds the row they must.
  const holder = spawn('psql', ['--no-psqlrc', '--quiet', '--tuples-only', process.env.DATABASE_URL], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(holder, 'close');
  let flips;
  let waiting = 0;
  try {
    holder.stdin.write(`BEGIN; SELECT id FROM task WHERE user_id = '${user.id}' AND id = ${task.id} FOR UPDATE;\n`);
    await once(holder.stdout, 'data');
    flips = Promise.all(Array.from({ length: 6 }, () => user.send('PATCH', `/api/tasks/${task.id}/complete`)));
    for (const end = Date.now() + 5000; waiting < 2 && Date.now() < end;) {
      waiting = Number(sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'todo task_complete' AND wait_event_type = 'Lock'"));
      await new Promise((resolve) => { setTimeout(resolve, 20); });
    }
  } finally {
    holder.stdin.end('COMMIT;\n');
    await ended;
  }
  assert.ok(waiting >= 2, 'two processes wait for the row');
  const answers = await flips;
  assert.deepEqual(answers.map((answer) => answer.status), Array(6).fill(200));
  assert.equal(answers.filter((answer) => answer.json.completed).length, 3);
  assert.equal((await user.send('GET', `/api/tasks/${task.id}`)).json.completed, false);
});

test('a deleted task is gone for every method, and its id never comes back', async () => {
  const user = someone();
  const task = await user.create();
  const gone = await user.send('DELETE', `/api/tasks/${task.id}`);
  assert.equal(gone.status, 204);
  assert.equal(gone.text, '');
  assert.equal(gone.headers['content-length'], undefined);
  for (const [method, path, body] of [['GET', ''], ['DELETE', ''], ['PUT', '', {}], ['PATCH', '/complete']]) {
    assert.equal((await user.send(method, `/api/tasks/${task.id}${path}`, { body })).status, 404);
  }
  assert.ok((await user.create()).id > task.id);
});

test('row 61: an update against a delete never revives the task', async () => {
  const user = someone();
  for (let round = 0; round < 20; round += 1) {
    const task = await user.create();
    const [, ...updates] = await Promise.all([user.send('DELETE', `/api/tasks/${task.id}`), ...Array.from({ length: 3 }, (_, n) => user.send('PUT', `/api/tasks/${task.id}`, { body: { title: `n${n}` } }))]);
    assert.ok(updates.every((answer) => [200, 404].includes(answer.status)));
    assert.equal((await user.send('GET', `/api/tasks/${task.id}`)).status, 404);
  }
});

test('of two updates at once the later one counts whole, and both are 200', async () => {
  const user = someone();
  const task = await user.create();
  for (let round = 0; round < 10; round += 1) {
    const bodies = ['a', 'b', 'c', 'd'].map((word) => ({ title: `${word}${round}`, description: `${word}${round}` }));
    const answers = await Promise.all(bodies.map((body) => user.send('PUT', `/api/tasks/${task.id}`, { body })));
    answers.forEach((answer, n) => {
      assert.equal(answer.status, 200);
      assert.deepEqual([answer.json.title, answer.json.description], [bodies[n].title, bodies[n].description]);
    });
    const last = (await user.send('GET', `/api/tasks/${task.id}`)).json;
    assert.equal(last.title, last.description);
    assert.ok(answers.some((answer) => answer.json.title === last.title && answer.json.updated_at === last.updated_at));
  }
});

test('what was answered is there for whoever asks next, on every process', async () => {
  const user = someone();
  const task = await user.create();
  for (let n = 0; n < 10; n += 1) {
    const written = (await user.send('PUT', `/api/tasks/${task.id}`, { body: { title: `n${n}` } })).json;
    const reads = await Promise.all(Array.from({ length: 6 }, (_, k) => user.send('GET', k % 2 ? '/api/tasks' : `/api/tasks/${task.id}`)));
    for (const read of reads) assert.deepEqual([read.json].flat(), [written]);
  }
});
