// GET /api/metrics: Prometheus can read it, the numbers are right, also when processes are killed, and
// nobody but this machine gets them.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before } from 'node:test';
import { worker } from '../faults/peer.mjs';
import { cgi, raw, request, someone, test } from './harness.mjs';

// The text format 0.0.4, as strictly as promtool reads it; "name{labels}" -> number.
function parsed(text) {
  assert.ok(text.endsWith('\n'));
  const samples = new Map();
  const families = new Map();
  let family;
  for (const line of text.trimEnd().split('\n')) {
    const help = /^# HELP ([a-z_]+) \S.*$/.exec(line);
    const type = /^# TYPE ([a-z_]+) (counter|gauge|histogram)$/.exec(line);
    if (help) {
      assert.ok(!families.has(help[1]), `${help[1]} is one block`);
      families.set(help[1], undefined);
      [, family] = help;
      continue;
    }
    if (type) {
      assert.equal(type[1], family);
      assert.equal(families.get(family), undefined);
      families.set(family, type[2]);
      assert.ok(type[2] !== 'counter' || family.endsWith('_total'), family);
      continue;
    }
    const sample = /^([a-z_]+)\{((?:[a-z]+="[^"\\]*",?)+)\} (\d+(?:\.\d+)?)$/.exec(line);
    assert.ok(sample, line);
    const [, name, labels, value] = sample;
    const suffixes = families.get(family) === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
    assert.ok(suffixes.some((suffix) => name === family + suffix), line);
    assert.ok(!samples.has(`${name}{${labels}}`), `twice: ${line}`);
    samples.set(`${name}{${labels}}`, Number(value));
  }
  for (const [key, value] of samples) {
    const bucket = /^([a-z_]+)_bucket\{(.*),le="(.*)"\}$/.exec(key);
    if (!bucket) continue;
    const [, name, labels, end] = bucket;
    const all = [...samples].filter(([other]) => other.startsWith(`${name}_bucket{${labels},le=`)).map(([, count]) => count);
    assert.deepEqual(all, [...all].sort((a, b) => a - b), `${key} is cumulative`);
    if (end === '+Inf') assert.equal(value, samples.get(`${name}_count{${labels}}`));
  }
  return samples;
}

const scrape = async () => {
  const answer = await request('GET', '/api/metrics');
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
  assert.equal(answer.headers['cache-control'], 'no-store');
  return parsed(answer.text);
};
const sum = (samples, start, labels = '') => [...samples].filter(([key]) => key.startsWith(`${start}{`) && key.includes(labels)).reduce((total, [, value]) => total + value, 0);

test('every program has its numbers, in a form that Prometheus reads', async () => {
  const samples = await scrape();
  const programs = fs.readFileSync(path.join(process.env.TODO_BUILD, 'routes.tsv'), 'utf8').trim().split('\n').map((line) => line.split('\t')[0]);
  for (const program of new Set([...programs, 'fallback'])) assert.ok(samples.get(`todo_workers{route="${program}"}`) >= 1, program);
  assert.equal(sum(samples, 'todo_build_info'), 1);
  const now = Date.now() / 1000;
  for (const [key, value] of samples) if (key.startsWith('todo_worker_start_timestamp_seconds')) assert.ok(value > now - 86400 && value <= now + 1, key);
});

test('what the folder holds is summed over the workers, and no worker that ends or is killed takes its numbers along', async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'todo-metrics-'));
  const read = () => parsed(cgi('metrics', 'GET', '/api/metrics', { settings: { TODO_METRICS: folder } }).text);
  const user = someone();
  const workers = [];
  const start = async () => workers.push(await worker('task_list', { TODO_METRICS: folder }));
  const count = (code) => sum(read(), 'todo_http_requests_total', `route="task_list",method="GET",code="${code}"`);
  await start();
  await start();
  for (const it of workers) {
    assert.equal((await it.ask('GET', '/api/tasks', { token: user.token })).status, 200);
    assert.equal((await it.ask('GET', '/api/tasks')).status, 401);
  }
  let samples = read();
  assert.deepEqual([count(200), count(401), samples.get('todo_workers{route="task_list"}')], [2, 2, 2]);
  assert.equal(samples.get('todo_auth_failures_total{route="task_list",reason="token"}'), 2);
  assert.equal(samples.get('todo_http_request_duration_seconds_count{route="task_list"}'), 4);
  assert.equal(samples.get('todo_db_query_duration_seconds_count{route="task_list"}'), 2);
  workers[0].kill('SIGKILL');
  await workers[0].ended;
  samples = read();
  assert.deepEqual([count(200), count(401), samples.get('todo_workers{route="task_list"}')], [2, 2, 1]);
  // The next one counts on, in its place.
  await start();
  await workers[2].ask('GET', '/api/tasks', { token: user.token });
  samples = read();
  assert.deepEqual([count(200), samples.get('todo_workers{route="task_list"}'), samples.get('todo_worker_starts_total{route="task_list"}')], [3, 2, 3]);
  assert.equal(samples.get('todo_http_requests_in_progress{route="task_list"}'), 0);
  for (const it of workers.slice(1)) { it.kill(); await it.ended; }
  assert.deepEqual([count(200), read().get('todo_workers{route="task_list"}')], [3, 0]);
  fs.rmSync(folder, { recursive: true });
});

test('failed statements are counted by what is known of them', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'todo-metrics-'));
  cgi('task_list', 'GET', '/api/tasks', { settings: { TODO_METRICS: folder, DATABASE_URL: 'postgresql:///x?host=/nowhere' }, headers: { authorization: `Bearer ${someone().token}` } });
  const samples = parsed(cgi('metrics', 'GET', '/api/metrics', { settings: { TODO_METRICS: folder } }).text);
  assert.equal(samples.get('todo_db_errors_total{route="task_list",kind="unavailable"}'), 1);
  assert.equal(samples.get('todo_http_requests_total{route="task_list",method="GET",code="503"}'), 1);
  fs.rmSync(folder, { recursive: true });
});

test('a folder that cannot be written, or is full, or missing, costs the numbers and nothing else', () => {
  for (const folder of ['/nowhere', '/proc', '/dev/null', '']) {
    const headers = { authorization: `Bearer ${someone().token}` };
    assert.equal(cgi('task_list', 'GET', '/api/tasks', { settings: { TODO_METRICS: folder }, headers }).status, 200, folder);
  }
  assert.equal(cgi('metrics', 'GET', '/api/metrics', { settings: { TODO_METRICS: '' } }).status, 404);
});

let full;
before(() => {
  full = fs.mkdtempSync(path.join(os.tmpdir(), 'todo-full-'));
  execFileSync('sh', ['-c', `mount -t tmpfs -o size=4k tmpfs ${full} 2>/dev/null && head -c 4096 /dev/zero >${full}/x || true`]);
});
after(() => {
  execFileSync('sh', ['-c', `umount ${full} 2>/dev/null || true; rm -rf ${full}`]);
});

test('a full file system costs the numbers and nothing else', (context) => {
  if (!fs.existsSync(path.join(full, 'x'))) return context.skip('no file system of its own can be made here');
  const headers = { authorization: `Bearer ${someone().token}` };
  assert.equal(cgi('task_list', 'GET', '/api/tasks', { settings: { TODO_METRICS: full }, headers }).status, 200);
  return undefined;
});

test('from another address there is nothing, through nginx and from the program itself', async () => {
  const ask = (headers = '') => `GET /api/metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers}\r\n`;
  assert.match(await raw(ask()), /^HTTP\/1\.1 200 /);
  for (const headers of ['', 'X-Forwarded-For: 127.0.0.1\r\n', 'X-Real-IP: 127.0.0.1\r\nForwarded: for=127.0.0.1\r\n'])
    assert.match(await raw(ask(headers), undefined, '127.0.0.2'), /^HTTP\/1\.1 404 /);
  const own = (settings) => cgi('metrics', 'GET', '/api/metrics', { settings: { TODO_METRICS: '/tmp', ...settings } }).status;
  for (const REMOTE_ADDR of ['127.0.0.1', '::1', 'unix:', '::ffff:127.0.0.1']) assert.equal(own({ REMOTE_ADDR }), 200, REMOTE_ADDR);
  for (const REMOTE_ADDR of ['192.0.2.1', '2001:db8::1', '1.127.0.0', 'x']) assert.equal(own({ REMOTE_ADDR }), 404, REMOTE_ADDR);
  for (const HTTP_X_FORWARDED_FOR of ['192.0.2.1', '127.0.0.1, 192.0.2.1', '192.0.2.1, 127.0.0.1']) assert.equal(own({ REMOTE_ADDR: '127.0.0.1', HTTP_X_FORWARDED_FOR }), 404, HTTP_X_FORWARDED_FOR);
  assert.equal((await request('POST', '/api/metrics')).status, 405);
});
