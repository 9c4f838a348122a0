// Web servers that stop in the middle, dawdle, go away or talk nonsense, and signals at every moment
// (rows 1 to 16 of the test plan). Each worker here is one process: what holds it up would be seen.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { now, randomId, sign, sql } from '../http/harness.mjs';
import { connect, head, record, whole, worker } from './peer.mjs';

const user = `peer-${randomId()}`;
const token = sign({ sub: user, exp: now() + 900 });
const tasks = (title) => Number(sql(`SELECT count(*) FROM task WHERE user_id = '${user}' AND title = '${title}'`));
let list;
let create;

before(async () => {
  sql(`INSERT INTO task (user_id, title, description) SELECT '${user}', 'large', repeat('x', 3000) FROM generate_series(1, 1000)`);
  [list, create] = [await worker('task_list'), await worker('task_create')];
});
after(async () => {
  for (const each of [list, create]) { each.kill(); assert.equal(await each.ended, 0); }
  sql(`DELETE FROM task WHERE user_id = '${user}'`);
});

test('row 1: SIGTERM ends an idle worker with status 0', async () => {
  const idle = await worker('health');
  assert.equal((await idle.ask('GET', '/health')).status, 200);
  idle.kill();
  assert.equal(await idle.ended, 0);
});

test('row 2: a request whose body is on its way when SIGTERM comes is answered whole', async () => {
  const worker_ = await worker('task_create');
  const body = JSON.stringify({ title: 'row 2' });
  const connection = worker_.connect();
  connection.send(head('POST', '/api/tasks', { token, length: body.length }));
  connection.send(record(5, body.slice(0, 5)));
  // The worker has read this much when it answers somebody else.
  await worker_.ask('POST', '/api/tasks');
  worker_.kill();
  connection.send(record(5, body.slice(5)));
  connection.send(record(5));
  const answer = await connection.answer();
  assert.deepEqual([answer.status, answer.whole], [201, true]);
  assert.equal(await worker_.ended, 0);
  assert.equal(tasks('row 2'), 1);
});

test('row 3: a large answer that is read slowly is whole, though SIGTERM comes meanwhile', async () => {
  const worker_ = await worker('task_list');
  const connection = worker_.connect();
  connection.send(whole('GET', '/api/tasks', { token }));
  await connection.until((state) => state.output.length > 0);
  connection.link.pause();
  worker_.kill();
  await new Promise((resolve) => { setTimeout(resolve, 300); });
  connection.link.resume();
  const answer = await connection.answer();
  assert.equal(answer.body.length, answer.length);
  assert.ok(answer.length > 3e6 && answer.whole);
  assert.equal(await worker_.ended, 0);
});

test('row 6: peers that say nothing, or stop in the middle, hold nobody up, and are hung up on', async () => {
  const request = whole('GET', '/api/tasks?limit=1', { token });
  const stuck = [];
  for (const cut of [0, 3, 8, 12, 16, 30, request.length - 9]) {
    for (let copies = 0; copies < 8; ++copies) {
      const connection = list.connect();
      connection.send(request.subarray(0, cut));
      stuck.push(connection);
    }
  }
  for (let i = 0; i < 20; ++i) assert.equal((await list.ask('GET', '/api/tasks?limit=1', { token })).status, 200);
  for (const connection of stuck) assert.equal((await connection.until((state) => state.closed)).output, '');
});

test('row 7: a body that drips keeps nobody waiting', async () => {
  const connection = create.connect();
  connection.send(head('POST', '/api/tasks', { token, length: 100000 }));
  for (let i = 0; i < 10; ++i) {
    connection.send(record(5, '{'));
    assert.equal((await create.ask('POST', '/api/tasks', { token, body: '{"title":"row 7"}' })).status, 201);
  }
  connection.link.destroy();
  assert.equal(tasks('row 7'), 10);
});

test('rows 8, 9: a peer that goes away or takes its request back in mid-body has changed nothing', async () => {
  const body = JSON.stringify({ title: 'row 8' });
  const connection = create.connect();
  connection.send(Buffer.concat([head('POST', '/api/tasks', { token, length: body.length }), record(5, body.slice(0, 8))]));
  connection.link.end();
  await connection.until((state) => state.closed);
  const aborted = create.connect();
  aborted.send(Buffer.concat([head('POST', '/api/tasks', { token, length: body.length, keep: 1 }), record(5, body), record(2)]));
  await aborted.until((state) => state.ends === 1);
  assert.equal(aborted.state.output, '');
  aborted.send(whole('POST', '/api/tasks', { token, body: '{"title":"row 9"}', keep: 1 }));
  await aborted.until((state) => state.ends === 2);
  assert.match(aborted.state.output, /^Status: 201/);
  aborted.link.destroy();
  assert.deepEqual([tasks('row 8'), tasks('row 9')], [0, 1]);
});

test('who has gone away before its turn to hash costs no hash', async () => {
  const signIn = await worker('signin');
  const body = JSON.stringify({ email: `${user}@example.com`, password: 'password123' });
  const connections = Array.from({ length: 6 }, () => signIn.connect());
  // A worker that hashes takes no new connection, so all are made before.
  for (const connection of connections) {
    connection.send(whole('POST', '/api/auth/sign-in/email', { body: '{}', keep: 1 }));
    await connection.until((state) => state.ends === 1);
  }
  for (const connection of connections) connection.send(whole('POST', '/api/auth/sign-in/email', { body, keep: 1 }));
  const [first, ...others] = connections;
  await first.until((state) => state.ends === 2);
  for (const { link } of others) link.destroy();
  assert.equal((await signIn.ask('POST', '/api/auth/sign-in/email', { body })).status, 401);
  const lines = signIn.log().match(/went away before its turn/g) ?? [];
  assert.ok(lines.length >= 3, signIn.log()); // the second may have had its turn meanwhile
  signIn.kill();
  assert.equal(await signIn.ended, 0);
});

test('row 10: a body that is shorter or longer than announced is refused', async () => {
  for (const [length, status] of [[16, 400], [18, 400], [17, 201], [-1, 201], ['1e3', 400], ['0x11', 400], ['1'.repeat(31), 413]]) {
    const answer = await create.ask('POST', '/api/tasks', { token, more: { CONTENT_LENGTH: String(length), CONTENT_TYPE: 'application/json' } });
    assert.ok([400, 413, 422].includes(answer.status)); // without a body
    const connection = create.connect();
    connection.send(Buffer.concat([head('POST', '/api/tasks', { token, length }), record(5, '{"title":"row10"}'), record(5)]));
    assert.equal((await connection.answer()).status, status, String(length));
  }
  assert.equal(tasks('row10'), 2);
});

test('rows 11 to 14: records that make no sense cost the connection, not the worker', async () => {
  const names = Buffer.concat(Array.from({ length: 400 }, () => Buffer.from('\x0f\x00FCGI_MPXS_CONNS', 'latin1')));
  for (const bytes of [Buffer.from('GET / HTTP/1.1\r\n\r\n'), Buffer.alloc(64, 255), Buffer.concat([record(1, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0])), record(5, 'x')]),
    Buffer.concat([record(1, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0])), ...Array.from({ length: 100 }, () => record(4, Buffer.alloc(60000)))])]) {
    const connection = list.connect();
    connection.send(bytes);
    await connection.until((state) => state.closed);
    assert.equal(connection.state.output, '');
  }
  const values = list.connect();
  values.send(Buffer.concat([record(9, names, 0), whole('GET', '/api/tasks?limit=1', { token })]));
  assert.equal((await values.answer()).status, 200);
  assert.equal((await list.ask('GET', '/api/tasks?limit=1', { token })).status, 200);
});

test('row 15: peers that never read their answers hold nobody up', async () => {
  const deaf = [];
  for (let i = 0; i < 4; ++i) {
    const connection = list.connect();
    connection.link.pause();
    connection.send(whole('GET', '/api/tasks', { token }));
    deaf.push(connection);
  }
  for (let i = 0; i < 20; ++i) assert.equal((await list.ask('GET', '/api/tasks?limit=1', { token })).status, 200);
  for (const connection of deaf) connection.link.destroy();
});

test('row 16: a kept connection takes one request after the other', async () => {
  const connection = list.connect();
  for (let i = 1; i <= 50; ++i) {
    connection.send(whole('GET', '/api/tasks?limit=1', { token, keep: 1 }));
    await connection.until((state) => state.ends === i);
  }
  assert.equal(connection.state.output.match(/Status: 200/g).length, 50);
  connection.link.destroy();
});

test('many requests of one worker wait for the database at once, and each gets its own answer', async () => {
  const answers = await Promise.all(Array.from({ length: 200 }, async (_, i) => {
    const other = sign({ sub: `${user}-${i}`, exp: now() + 60 });
    const made = await create.ask('POST', '/api/tasks', { token: other, body: JSON.stringify({ title: `of ${i}` }) });
    const seen = await list.ask('GET', '/api/tasks', { token: other });
    return [made.status, JSON.parse(seen.body).map((task) => [task.title, task.user_id])];
  }));
  answers.forEach((answer, i) => assert.deepEqual(answer, [201, [[`of ${i}`, `${user}-${i}`]]]));
  sql(`DELETE FROM task WHERE user_id LIKE '${user}-%'`);
});

test('a request that waits on purpose, so that nobody learns from the time, keeps nobody else waiting', async () => {
  const it = await worker('verification', { SMTP_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'todo@example.com' });
  const done = [];
  const unknown = it.ask('POST', '/api/auth/send-verification-email', { body: `{"email":"${randomId()}@example.com"}` }).then((answer) => { done.push('unknown'); return answer; });
  const other = it.ask('GET', '/api/auth/verify-email?token=a.b.c').then((answer) => { done.push('other'); return answer; });
  assert.deepEqual([(await unknown).status, (await other).status], [200, 401]);
  assert.deepEqual(done, ['other', 'unknown']);
  it.kill();
  assert.equal(await it.ended, 0);
});

test('an idle worker ends when it is told to, and one that has done its share', async () => {
  const idle = await worker('health', { IDLE_EXIT_SECONDS: '1' });
  assert.equal(await idle.ended, 0);
  const brief = await worker('health', { MAX_REQUESTS: '3' });
  for (let i = 0; i < 3; ++i) assert.equal((await brief.ask('GET', '/health')).status, 200);
  assert.equal(await brief.ended, 0);
});
