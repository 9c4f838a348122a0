// What a great number of things does to a program: rows 64 and 96.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { now, randomId, sign, sql } from '../http/harness.mjs';
import { until } from '../common.mjs';
import { records, whole, worker } from './peer.mjs';

// Sends `count` requests over one kept connection, some at a time; resolves when all are answered with 200.
function send(socket, request, count) {
  return new Promise((resolve, reject) => {
    const link = net.connect(socket);
    let [sent, done, good] = [0, 0, 0];
    const next = () => { if (sent < count) { sent += 1; link.write(request); } };
    link.on('data', records((type, content) => {
      if (type === 6 && content.toString('latin1', 0, 11) === 'Status: 200') good += 1;
      if (type !== 3) return;
      done += 1;
      next();
      if (done === count) { link.destroy(); resolve(good); }
    }));
    link.on('error', reject);
    next();
  });
}

const resident = (pid) => Number(/^VmRSS:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

test('a worker that nobody asks for anything holds at most 8 MiB, again and again', { skip: process.env.TODO_BUILD.endsWith('asan') && 'sanitizers hold more' }, async () => {
  const it = await worker('task_list');
  const token = sign({ sub: `u-${randomId()}`, exp: now() + 3600 });
  for (let i = 0; i < 2; ++i) {
    assert.equal((await it.ask('GET', '/api/tasks', { token })).status, 200);
    const before = resident(it.pid);
    await until('memory was given back', () => resident(it.pid) <= 8192);
    console.log(`# ${before} -> ${resident(it.pid)} kB`);
  }
  assert.equal((await it.ask('GET', '/api/tasks', { token: 'a.b.c' })).status, 401); // it does not wait for anything
  await until('memory was given back', () => resident(it.pid) <= 8192);
  it.kill();
  assert.equal(await it.ended, 0);
});

test('row 96: after as many requests as come in a day, a worker holds what it held after the first', { skip: process.env.TODO_BUILD.endsWith('asan') && 'sanitizers keep what was freed' }, async () => {
  const requests = Number(process.env.REQUESTS ?? 20000); // the row is 100,000
  const it = await worker('task_list', { DATABASE_CONNECTIONS: '1' });
  const request = whole('GET', '/api/tasks', { token: sign({ sub: `u-${randomId()}`, exp: now() + 3600 }), keep: 1 });
  const state = () => ({
    memory: resident(it.pid),
    descriptors: fs.readdirSync(`/proc/${it.pid}/fd`).length,
  });
  const load = async (count) => {
    const good = await Promise.all(Array.from({ length: 16 }, () => send(it.socket, request, count / 16)));
    assert.equal(good.reduce((a, b) => a + b), count);
    // The connections are closed when the worker has noticed.
    await it.ask('GET', '/api/tasks');
  };
  await load(1600);
  const before = state();
  await load(requests);
  // It may still have to notice that somebody has hung up.
  await until('no more descriptors than before', () => state().descriptors <= before.descriptors);
  const after = state();
  console.log(`# ${requests} requests: ${before.memory} kB, ${before.descriptors} descriptors -> ${after.memory} kB, ${after.descriptors}`);
  assert.ok(Math.abs(after.memory - before.memory) <= 1024, `${before.memory} -> ${after.memory} kB`);
  it.kill();
  assert.equal(await it.ended, 0);
});

test('row 64: with a million addresses counted, a request reads one of them, and old ones are removed', () => {
  const name = `todo_many_${randomId()}`;
  const url = process.env.DATABASE_URL.replace(/\/[^/?]*(\?|$)/, `/${name}$1`);
  sql(`CREATE DATABASE ${name}`);
  try {
    execFileSync('sql/migrate', { cwd: process.env.TODO_ROOT, env: { ...process.env, DATABASE_URL: url }, stdio: 'ignore' });
    sql("INSERT INTO \"rateLimit\" (id, key, count, \"lastRequest\") SELECT i::text, 'address ' || i, 1, (extract(epoch FROM now()) * 1000)::bigint - 7200000 FROM generate_series(1, 1000000) AS i; ANALYZE \"rateLimit\"", {}, url);
    const scans = () => sql("SELECT pg_stat_clear_snapshot(), seq_scan FROM pg_stat_user_tables WHERE relname = 'rateLimit'", {}, url);
    const before = scans();
    const call = (program, settings = {}) => spawnSync(path.join(process.env.TODO_BIN, program), { encoding: 'utf8', env: { ...process.env, DATABASE_URL: url, AUTH_RATE_LIMIT: 'on', AUTH_RATE_LIMIT_EXEMPT: '', ...settings } });
    for (const status of [200, 200, 200]) {
      const { stdout } = call('health', { REQUEST_METHOD: 'GET', REQUEST_URI: '/api/auth/ok', REMOTE_ADDR: '192.0.2.1' });
      assert.match(stdout, new RegExp(`^Status: ${status}`));
    }
    assert.equal(sql("SELECT count FROM \"rateLimit\" WHERE key = '192.0.2.1|/ok'", {}, url), '3');
    assert.equal(scans(), before, 'no scan of the whole table');
    assert.match(call('maintenance').stderr, /"rate_limits":1000000\b/);
    assert.equal(sql('SELECT count(*) FROM "rateLimit"', {}, url), '1');
  } finally {
    sql(`DROP DATABASE ${name} WITH (FORCE)`);
  }
});
