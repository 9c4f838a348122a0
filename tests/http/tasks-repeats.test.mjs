// Contract tasks-api, section 9: repeats. Numbers in names are rows of the reliability plan.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import crypto from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import { assertError, base, signUp, someone, sql, test, tokenOf } from './harness.mjs';
import { until } from '../common.mjs';

const newKey = () => crypto.randomUUID();
const create = (user, key, body = { title: 'once' }, path = user.tasks) =>
  user.send('POST', path, { body, headers: { 'idempotency-key': key } });
const tasksOf = (user) => Number(sql("SELECT count(*) FROM task WHERE user_id = :'id'", { id: user.id }));
const keysOf = (user) => Number(sql("SELECT count(*) FROM todo_idempotency WHERE user_id = :'id'", { id: user.id }));

// Is `answer` the one that `first` was, said again?
function assertReplay(answer, first) {
  assert.equal(answer.status, 201);
  assert.equal(answer.text, first.text);
  for (const name of ['location', 'etag', 'content-type', 'content-length', 'cache-control'])
    assert.equal(answer.headers[name], first.headers[name], name);
  assert.equal(answer.headers['idempotent-replayed'], 'true');
}

test('the same key and body give the first answer again', async () => {
  for (const body of [{ title: 'once' }, { title: 'é 😀 "x" \\', description: '' }, { title: 'x', description: null }, { description: 'text\nmore', title: ' x ', completed: true }]) {
    const user = someone();
    const key = newKey();
    const first = await create(user, key, body);
    assert.equal(first.status, 201);
    assert.equal(first.headers['idempotent-replayed'], undefined);
    assert.equal(first.headers.location, `/api/${user.id}/tasks/${first.json.id}`);
    for (const path of [user.tasks, '/api/tasks', '/api/v1/tasks/', `/api/users/${user.id}/tasks`])
      assertReplay(await create(user, key, body, path), first);
    assert.equal(tasksOf(user), 1);
    assert.deepEqual((await user.send('GET', `/api/tasks/${first.json.id}`)).json, first.json);
  }
});

test('a repeat gives the first answer also when the task has changed, or is gone', async () => {
  const user = someone();
  const key = newKey();
  const first = await create(user, key);
  await user.send('PUT', `/api/tasks/${first.json.id}`, { body: { title: 'changed', completed: true } });
  assertReplay(await create(user, key), first);
  await user.send('DELETE', `/api/tasks/${first.json.id}`);
  assertReplay(await create(user, key), first);
  assert.equal(tasksOf(user), 0);
});

test('without a key, every request creates a task', async () => {
  const user = someone();
  const [one, two] = [await user.create(), await user.create()];
  assert.notEqual(one.id, two.id);
  assert.equal(keysOf(user), 0);
});

test('62: the same key with another body is 422, byte for byte', async () => {
  const user = someone();
  const key = newKey();
  const first = await create(user, key, '{"title":"once"}');
  for (const body of ['{"title":"twice"}', '{"title": "once"}', '{"title":"once","x":1}', '{"title":"once"}\n']) {
    const answer = await create(user, key, body);
    assertError(answer, 422, 'validation_error', body);
    assert.deepEqual([answer.json.details.field, answer.json.details.constraint], ['Idempotency-Key', 'same_body']);
  }
  assertReplay(await create(user, key, '{"title":"once"}'), first);
  assert.equal(tasksOf(user), 1);
});

test('a key has 1 to 64 visible ASCII characters', async () => {
  const user = someone();
  for (const key of ['', 'k'.repeat(65), 'a b', 'a\tb', 'é']) {
    const answer = await create(user, Buffer.from(key).toString('latin1'));
    assertError(answer, 422, 'validation_error', key);
    assert.equal(answer.json.details.field, 'Idempotency-Key');
  }
  assert.equal(tasksOf(user), 0);
  for (const key of ['k', 'k'.repeat(64), '"quoted"', `!#$%&'()*+,-./:;<=>?@[\\]^_\`{|}~`, "';--"]) {
    assert.equal((await create(user, key)).status, 201, key);
    assert.equal((await create(user, key)).headers['idempotent-replayed'], 'true', key);
  }
  assert.equal(tasksOf(user), 5);
});

test('a key belongs to one user, and upper and lower case are two keys', async () => {
  const [user, other] = [someone(), someone()];
  const first = await create(user, 'key');
  const second = await create(other, 'key', { title: 'another' });
  assert.deepEqual([first.status, second.status], [201, 201]);
  assertReplay(await create(user, 'key'), first);
  assertReplay(await create(other, 'key', { title: 'another' }), second);
  assert.equal((await create(user, 'KEY')).headers['idempotent-replayed'], undefined);
  // The two halves of (user, key) do not run into each other.
  const [ab, a] = [someone(`${user.id}b`), someone(user.id)];
  assert.equal((await create(ab, 'c')).headers['idempotent-replayed'], undefined);
  assert.equal((await create(a, 'bc')).headers['idempotent-replayed'], undefined);
});

test('a request that is refused leaves its key free', async () => {
  const user = someone();
  const key = newKey();
  assert.equal((await create(user, key, { title: '' })).status, 422);
  assert.equal((await create(user, key, '{')).status, 400);
  assert.equal((await user.send('POST', user.tasks, { token: null, body: { title: 'x' }, headers: { 'idempotency-key': key } })).status, 401);
  assert.equal(keysOf(user), 0);
  assert.equal((await create(user, key)).headers['idempotent-replayed'], undefined);
});

test('62: of 20 requests at once with one key, one creates; the others repeat it or are told to wait', async () => {
  for (let round = 0; round < 5; ++round) {
    const user = someone();
    const key = newKey();
    const answers = await Promise.all(Array.from({ length: 20 }, () => create(user, key)));
    const created = answers.filter(({ status, headers }) => status === 201 && !headers['idempotent-replayed']);
    assert.equal(created.length, 1);
    for (const answer of answers) {
      if (answer === created[0]) continue;
      if (answer.status === 201) assertReplay(answer, created[0]);
      else assertError(answer, 409, 'conflict', answer.text);
    }
    assert.equal(tasksOf(user), 1);
    assertReplay(await create(user, key), created[0]);
  }
});

for (const end of ['ROLLBACK', 'COMMIT']) {
  test(`62: while the first is running 409, at once; then what became of it (${end})`, async (t) => {
    const user = someone();
    const key = newKey();
    // A transaction of ours that has the key already makes the request wait in the database.
    const psql = spawn('psql', ['--no-psqlrc', '--quiet', '--no-align', '--tuples-only', process.env.DATABASE_URL], { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(() => psql.kill());
    psql.stdin.write(`BEGIN; INSERT INTO todo_idempotency VALUES ('${user.id}', '${key}', '', 1, now()) RETURNING 'done';\n`);
    await once(psql.stdout, 'data');
    const running = create(user, key);
    await until('the request waits', () => sql(`SELECT count(*) FROM pg_locks w, pg_locks a
      WHERE NOT w.granted AND w.locktype = 'transactionid' AND a.pid = w.pid AND a.locktype = 'advisory'`) !== '0');
    const second = await create(user, key);
    assertError(second, 409, 'conflict');
    assert.equal(second.headers['retry-after'], '1');
    psql.stdin.end(`${end};\n`);
    await once(psql, 'close');
    const first = await running;
    if (end === 'ROLLBACK') {
      assert.equal(first.status, 201);
      assertReplay(await create(user, key), first);
      assert.equal(tasksOf(user), 1);
    } else {
      // It had not seen the other one's key when it began: nothing of it is left.
      assertError(first, 409, 'conflict');
      assert.equal(tasksOf(user), 0);
    }
  });
}

test('62: an answer that was lost after the commit is given again', async () => {
  const user = someone();
  const key = newKey();
  const body = '{"title":"once"}';
  const socket = net.connect(Number(base.port), base.hostname);
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.end(`POST /api/tasks HTTP/1.1\r\nHost: ${base.host}\r\nAuthorization: Bearer ${user.token}\r\nIdempotency-Key: ${key}\r\n`
    + `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  await once(socket, 'finish');
  socket.destroy();
  // The web server may have given up before it passed the request on: then this is the first one.
  let again = await create(user, key, body);
  while (again.status === 409) again = await create(user, key, body); // it still runs
  assert.equal(again.status, 201);
  assertReplay(await create(user, key, body), again);
  assert.equal(tasksOf(user), 1);

  // A program that was killed once its work was done.
  const lost = newKey();
  execFileSync('sh', ['-c', '"$TODO_BIN/task_create" | true'], {
    input: body, stdio: ['pipe', 'ignore', 'ignore'],
    env: { ...process.env, REQUEST_METHOD: 'POST', REQUEST_URI: '/api/tasks', CONTENT_TYPE: 'application/json', HTTP_AUTHORIZATION: `Bearer ${user.token}`, HTTP_IDEMPOTENCY_KEY: lost },
  });
  await until('the task is there', () => tasksOf(user) === 2);
  assert.equal((await create(user, lost, body)).headers['idempotent-replayed'], 'true');
  assert.equal(tasksOf(user), 2);
});

test('keys are kept for 24 hours, and then removed by the program for it', async () => {
  const user = someone();
  const first = await create(user, 'old');
  await create(user, 'young', { title: 'young' });
  const age = (key, time) => sql("UPDATE todo_idempotency SET created_at = now() - :'time'::interval WHERE user_id = :'id' AND key = :'key'", { id: user.id, key, time });
  age('old', '24 hours 1 minute');
  age('young', '23 hours 59 minutes');
  execFileSync(`${process.env.TODO_BIN}/maintenance`, { stdio: 'ignore' });
  assert.equal(keysOf(user), 1);
  assert.equal((await create(user, 'young', { title: 'young' })).headers['idempotent-replayed'], 'true');
  const again = await create(user, 'old');
  assert.equal(again.headers['idempotent-replayed'], undefined);
  assert.notEqual(again.json.id, first.json.id);
});

test('keys go with their user', async () => {
  const { id } = await signUp();
  const [user, other] = [{ ...someone(id), token: tokenOf(id) }, someone()];
  await create(user, 'key');
  await create(other, 'key');
  sql('DELETE FROM "user" WHERE id = :\'id\'', { id });
  assert.deepEqual([tasksOf(user), keysOf(user), tasksOf(other), keysOf(other)], [0, 0, 1, 1]);
});
