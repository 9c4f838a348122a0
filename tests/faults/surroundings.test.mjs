// What a program stands on is wrong, full, blocked or gone: the database's answers, names, descriptors,
// the log (rows 73, 79, 82, 83, 87, 88 of the test plan).
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { cgi, now, randomId, sign, sql } from '../http/harness.mjs';
import { until } from '../common.mjs';
import { whole, worker } from './peer.mjs';

const user = `surroundings-${randomId()}`;
const token = sign({ sub: user, exp: now() + 900 });
const url = new URL(process.env.DATABASE_URL.replace('@/', '@socket/'));
const directory = url.searchParams.get('host');
const database = (changes) => {
  const { host = directory, user: name = url.username, password = url.password, name: base = url.pathname.slice(1), more = '' } = changes;
  return `postgresql://${name}:${password}@/${base}?host=${host}${more}`;
};
const get = ['GET', '/api/tasks?limit=1', { token }];
// A database of their own for the tests that change more than rows.
const own = `todo_${randomId()}`;
let folder;

before(() => { sql(`CREATE DATABASE ${own}`); folder = fs.mkdtempSync(path.join(os.tmpdir(), 'todo-surroundings-')); fs.chmodSync(folder, 0o755); });
after(() => {
  sql(`DELETE FROM task WHERE user_id = '${user}'`);
  sql(`DROP DATABASE ${own} WITH (FORCE)`);
  fs.rmSync(folder, { recursive: true, force: true });
});

async function end(each) {
  each.kill();
  assert.equal(await each.ended, 0);
}

// The database answers, but not with what is wanted.
for (const [what, changes, status, cause] of [
  ['a wrong password', { password: 'not-it' }, 503, /password authentication failed/],
  ['a missing database', { name: 'nowhere' }, 503, /does not exist/],
  ['a server that is not there', { host: '/nonexistent' }, 503, /cannot connect/],
  ['a database without tables', { name: own }, 500, /42P01|42704/],
]) {
  test(`row 73: ${what} is ${status}; the cause is in the log, not in the answer`, async () => {
    const program = await worker('task_list', { DATABASE_URL: database(changes) });
    const answer = await program.ask(...get);
    assert.equal(answer.status, status);
    const { details, ...others } = JSON.parse(answer.body);
    assert.deepEqual([Object.keys(others), Object.keys(details)], [['error', 'message', 'detail'], ['request_id']]);
    assert.doesNotMatch(JSON.stringify(others), /password|database|exist|host|42/);
    await end(program);
    assert.match(program.log(), cause);
    assert.doesNotMatch(program.log(), /not-it/);
  });
}

// --- Names ----------------------------------------------------------------------------------------------

// A name server whose answers change; undefined: none. It and the programs that ask it are in a mount
// namespace with a resolv.conf of their own.
function nameServer() {
  const socket = dgram.createSocket('udp4');
  const server = { address: undefined, questions: 0, close: () => socket.close() };
  socket.on('message', (question, peer) => {
    server.questions += 1;
    if (server.address === undefined) return;
    const isA = question.readUInt16BE(question.indexOf(0, 12) + 1) === 1;
    const head = Buffer.from(question.subarray(0, question.indexOf(0, 12) + 5));
    head.writeUInt16BE(0x8180, 2);
    head.writeUInt16BE(isA ? 1 : 0, 6);
    head.fill(0, 8, 12);
    const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...server.address.split('.').map(Number)]);
    socket.send(isA ? Buffer.concat([head, record]) : head, peer.port, peer.address);
  });
  return new Promise((resolve) => { socket.bind(53, '127.0.0.83', () => resolve(server)); });
}

const canUnshare = (() => {
  try { execFileSync('unshare', ['--mount', 'true'], { stdio: 'ignore' }); return process.getuid() === 0; } catch { return false; }
})();

test('row 79: a name that cannot be resolved, or only slowly, is 503 in time; when it leads somewhere, no restart is needed', { skip: !canUnshare && 'needs a mount namespace', timeout: 60000 }, async () => {
  const names = await nameServer();
  const relays = ['127.0.0.84', '127.0.0.85'].map((address) => net.createServer((client) => {
    const link = net.connect(`${directory}/.s.PGSQL.5432`);
    for (const [from, to] of [[client, link], [link, client]]) from.on('error', () => {}).on('close', () => to.destroy()).pipe(to);
  }).listen(15432, address));
  await Promise.all(relays.map((relay) => once(relay, 'listening')));
  fs.writeFileSync(`${folder}/resolv.conf`, 'nameserver 127.0.0.83\noptions timeout:1 attempts:5\n');
  const program = await worker('task_list', { DATABASE_URL: database({ host: 'database.todo.test', more: '&port=15432' }) }, ['unshare', '--mount', 'sh', '-c', `mount --bind '${folder}/resolv.conf' /etc/resolv.conf && exec "$@"`, 'sh']);
  const timed = async () => {
    const begin = Date.now();
    const { status } = await program.ask(...get);
    return [status, Date.now() - begin];
  };
  const [status, silent] = await timed();
  assert.equal(status, 503);
  assert.ok(silent < 8000, `${silent} ms`);
  assert.ok(names.questions > 0);
  names.address = '127.0.0.84';
  const served = async () => { for (let tries = 0; tries < 20; tries += 1) if ((await timed())[0] === 200) return true; return false; };
  assert.ok(await served());
  // It moves: the old address is gone with all its links.
  names.address = '127.0.0.85';
  relays[0].close();
  sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'todo task_list'");
  assert.ok(await served());
  await end(program);
  for (const relay of relays) relay.close();
  names.close();
});

// --- Locks and limits of the database -------------------------------------------------------------------

test('row 82: of two transactions that wait for each other, ours is answered, and so is the next request', async () => {
  sql(`INSERT INTO task (user_id, title) VALUES ('${user}', 'locked')`);
  const id = sql(`SELECT id FROM task WHERE user_id = '${user}' AND title = 'locked'`);
  const program = await worker('task_update');
  // The other one has the row, and then wants what our statement holds: the lock on the table.
  const other = spawn('psql', ['--no-psqlrc', '--quiet', process.env.DATABASE_URL], { stdio: ['pipe', 'ignore', 'ignore'] });
  const exited = once(other, 'exit');
  const mark = Math.floor(Math.random() * 2 ** 31);
  other.stdin.write(`BEGIN; SET LOCAL deadlock_timeout = '10s'; SELECT FROM task WHERE id = ${id} FOR UPDATE; SELECT pg_advisory_xact_lock(${mark});\n`);
  const holds = () => sql(`SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = ${mark} AND granted`) === '1';
  while (!holds()) await new Promise((resolve) => { setTimeout(resolve, 20); });
  const answer = program.ask('PUT', `/api/tasks/${id}`, { token, body: '{"title":"unlocked"}' });
  while (sql(`SELECT count(*) FROM pg_stat_activity WHERE application_name = 'todo task_update' AND wait_event_type = 'Lock'`) === '0') await new Promise((resolve) => { setTimeout(resolve, 20); });
  other.stdin.end('LOCK TABLE task IN ACCESS EXCLUSIVE MODE; COMMIT;\n');
  const { status } = await answer;
  // Ours is the one that the server gives up after a second: it is repeated once, or 503.
  assert.ok([200, 503].includes(status), String(status));
  await exited;
  assert.equal((await program.ask('PUT', `/api/tasks/${id}`, { token, body: '{"title":"unlocked"}' })).status, 200);
  await end(program);
});

test('with DATABASE_REQUEST_IDS the database shows whose request a statement is, and forgets it', async () => {
  const id = sql(`INSERT INTO task (user_id, title) VALUES ('${user}', 'held') RETURNING id`);
  const program = await worker('task_update', { DATABASE_REQUEST_IDS: 'on' });
  const other = spawn('psql', ['--no-psqlrc', '--quiet', process.env.DATABASE_URL], { stdio: ['pipe', 'pipe', 'ignore'] });
  const exited = once(other, 'exit');
  other.stdin.write(`BEGIN; SELECT id FROM task WHERE id = ${id} FOR UPDATE;\n`);
  await once(other.stdout, 'data');
  const ids = [randomId(), randomId()];
  const answers = ids.map((REQUEST_ID) => program.ask('PUT', `/api/tasks/${id}`, { token, body: '{"title":"free"}', more: { REQUEST_ID } }));
  const shown = () => sql("SELECT application_name FROM pg_stat_activity WHERE application_name LIKE 'todo task_update %' ORDER BY 1").split('\n');
  const expected = ids.map((each) => `todo task_update ${each}`).sort().join();
  await until(`${expected} in pg_stat_activity`, () => shown().join() === expected);
  other.stdin.end('COMMIT;\n');
  await exited;
  for (const answer of answers) assert.equal((await answer).status, 200);
  assert.deepEqual(shown(), ['']);
  assert.equal((await program.ask('PUT', `/api/tasks/${id}`, { token, body: '{"title":"again"}', more: { REQUEST_ID: 'x' } })).status, 200);
  await end(program);
});

test('row 83: when the ids are used up, creating is 500 and reading goes on; and once there are more, creating, too', async () => {
  const DATABASE_URL = database({ name: own });
  execFileSync(path.join(process.env.TODO_ROOT, 'sql/migrate'), { env: { ...process.env, DATABASE_URL }, stdio: 'ignore' });
  const next = (id) => sql(`SELECT setval(pg_get_serial_sequence('task', 'id'), ${id})`, {}, DATABASE_URL);
  const [list, create] = [await worker('task_list', { DATABASE_URL }), await worker('task_create', { DATABASE_URL })];
  const made = async () => (await create.ask('POST', '/api/tasks', { token, body: '{"title":"row 83"}' })).status;
  next('9223372036854775806');
  assert.deepEqual([await made(), await made(), await made()], [201, 500, 500]);
  assert.match((await list.ask(...get)).body, /^\[\{"id":9223372036854775807,/);
  next('1000');
  assert.equal(await made(), 201);
  for (const each of [list, create]) await end(each);
});

// --- The process ----------------------------------------------------------------------------------------

test('row 87: a worker without descriptors serves those that it has, does not spin, and goes on', async () => {
  const program = await worker('task_list', {}, ['prlimit', '--nofile=20']);
  assert.equal((await program.ask(...get)).status, 200);
  const idle = Array.from({ length: 40 }, () => program.connect());
  const waiting = idle.slice(20).map((connection) => { connection.send(whole(...get)); return connection; });
  const cpu = () => fs.readFileSync(`/proc/${program.pid}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ').slice(11, 13).reduce((sum, ticks) => sum + Number(ticks), 0);
  const before_ = cpu();
  await new Promise((resolve) => { setTimeout(resolve, 1500); });
  assert.ok(cpu() - before_ < 50, `${cpu() - before_} ticks in 1.5 s`);
  for (const connection of idle.slice(0, 20)) connection.link.destroy();
  for (const connection of waiting) assert.equal((await connection.answer()).status, 200);
  for (const connection of waiting) connection.link.destroy();
  assert.equal((await program.ask(...get)).status, 200);
  await end(program);
});

for (const [what, redirection] of [['is closed', '2>&-'], ['is full', '2>/dev/full'], ['is a pipe that nobody reads', '2>"$FIFO"'], ['has no reader any more', '2>"$FIFO"']]) {
  test(`row 88: requests are served though the log ${what}`, async () => {
    const fifo = `${folder}/${randomId()}`;
    execFileSync('mkfifo', [fifo]);
    const reader = fs.openSync(fifo, fs.constants.O_RDWR | fs.constants.O_NONBLOCK);
    const TODO_METRICS = fs.mkdtempSync(`${folder}/counts-`);
    const program = await worker('task_list', { FIFO: fifo, TODO_METRICS }, ['sh', '-c', `exec "$@" ${redirection}`, 'sh']);
    assert.equal((await program.ask(...get)).status, 200);
    if (what.startsWith('has no')) fs.closeSync(reader);
    // More than a pipe holds.
    for (let n = 0; n < 1000; n += 1) assert.equal((await program.ask(...get)).status, 200);
    if (!what.startsWith('has no')) fs.closeSync(reader);
    await end(program);
    // No line of the log has gone where it does not belong.
    assert.match(cgi('metrics', 'GET', '/api/metrics', { settings: { TODO_METRICS } }).text, /^todo_http_requests_total\{route="task_list",method="GET",code="200"\} 1001$/m);
  });
}
