// Behind PgBouncer in transaction mode, as Debian has it (without prepared statements of the protocol), with
// Neon's settings: the programs notice, and stay correct.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { writeFile } from 'node:fs/promises';
import { apiTests, Cluster, figure, isLong, Load, makeGround, Pooler, psql, startInstance, tokenOf } from './support.mjs';
import { until } from '../common.mjs';

const run = promisify(execFile);
let ground;
let cluster;

before(async () => {
  ground = await makeGround();
  cluster = await Cluster.make(ground, 'cluster');
});
after(() => ground.clear());

// Neither in the programs' log nor in the pooler's.
function assertNoWordOfPreparedStatements(instance, pooler) {
  for (const log of [instance.log(), pooler.process.log(), cluster.process.log()]) assert.doesNotMatch(log, /prepared statement/);
}

test('the API tests pass behind it', { timeout: 300000 }, async () => {
  const pooler = await Pooler.make(ground, 'whole', cluster);
  const instance = await startInstance(ground, { DATABASE_URL: pooler.url() });
  const files = ['isolation', 'tasks-write', 'tasks-repeats', 'auth-basic', ...(isLong ? ['tasks-list', 'tasks-versions', 'tasks-http', 'tasks-paths', 'tasks-bodies', 'auth-account', 'auth-session', 'auth-delete', 'auth-cookies', 'auth-checks', 'auth-errors'] : [])];
  figure('API tests passed behind PgBouncer', await apiTests(instance, files));
  assertNoWordOfPreparedStatements(instance, pooler);
  // The programs themselves came through the pooler: no connection is of theirs.
  assert.equal(cluster.sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND datname = 'todo' AND client_port IS NULL"), '0');
  await instance.embedded('stop');
  await pooler.stop();
});

test('row 53: with 2 servers for 16 clients of 8 users, nobody ever sees a row of somebody else', { timeout: 300000 }, async () => {
  const pooler = await Pooler.make(ground, 'narrow', cluster, { default_pool_size: 2 });
  const instance = await startInstance(ground, { DATABASE_URL: pooler.url() });
  const users = Array.from({ length: 8 }, (_, n) => ({ id: `row53-${n}`, token: tokenOf(`row53-${n}`, instance.secret), ids: [] }));
  for (const user of users) {
    for (let n = 0; n < 5; n += 1) user.ids.push((await instance.send('POST', '/api/tasks', { token: user.token, body: { title: `of ${user.id}`, description: user.id } })).json.id);
  }
  const wanted = isLong ? 10000 : 3000;
  let sent = 0;
  const seen = { lists: 0, tasks: 0, missing: 0 };
  await Promise.all(Array.from({ length: 16 }, async (_, n) => {
    while (sent < wanted) {
      const count = sent += 1;
      const user = users[(n + count) % 8];
      const other = users[(n + count + 1 + (count % 7)) % 8];
      const own = user.ids[count % 5];
      const { token } = user;
      const about = (answer) => `${user.id}: ${answer.status} ${answer.text}`;
      if (count % 4 === 0) {
        const list = await instance.send('GET', '/api/tasks', { token });
        assert.equal(list.status, 200, about(list));
        assert.equal(list.json.length, 5);
        for (const task of list.json) assert.deepEqual([task.user_id, task.description], [user.id, user.id]);
        seen.lists += 1;
      } else if (count % 4 === 1) {
        const method = ['GET', 'PUT', 'DELETE'][count % 3];
        const foreign = await instance.send(method, `/api/tasks/${other.ids[count % 5]}`, { token, body: method === 'PUT' ? { title: 'stolen' } : undefined });
        assert.equal(foreign.status, other === user ? foreign.status : 404, about(foreign));
        seen.missing += 1;
      } else {
        const answer = count % 4 === 2 ? await instance.send('GET', `/api/tasks/${own}`, { token }) : await instance.send('PATCH', `/api/tasks/${own}/complete`, { token });
        assert.equal(answer.status, 200, about(answer));
        assert.deepEqual([answer.json.id, answer.json.user_id, answer.json.description], [own, user.id, user.id]);
        seen.tasks += 1;
      }
    }
  }));
  assert.ok(Math.min(...Object.values(seen)) > wanted / 5);
  assert.equal(cluster.sql("SELECT count(*), count(DISTINCT user_id), bool_and(description = user_id) FROM task WHERE user_id LIKE 'row53-%'"), '40|8|t');
  // Two sessions carried all of it, and neither keeps a user or a role for whoever comes next.
  const sessions = new Map();
  await until('each of the two sessions was looked at', async () => {
    const rows = await Promise.all(Array.from({ length: 4 }, () => run('psql', ['-XqAt', pooler.url(), '-c', "SELECT pg_backend_pid(), coalesce(current_setting('todo.sub', true), ''), current_user, pg_sleep(0.1)"])));
    for (const { stdout } of rows) { const [pid, ...kept] = stdout.trim().split('|'); sessions.set(pid, kept.join('|')); }
    return sessions.size === 2;
  });
  assert.deepEqual([...sessions.values()], ['|todo|', '|todo|']);
  assertNoWordOfPreparedStatements(instance, pooler);
  figure('row 53: requests of 8 users by 2 servers; rows of somebody else', `${wanted}; 0`);
  await instance.embedded('stop');
  await pooler.stop();
});

test('row 81: restarted, paused, with servers that live for a second, and with all servers taken: served or 503', { timeout: 300000 }, async () => {
  const pooler = await Pooler.make(ground, 'unsteady', cluster, { default_pool_size: 4, server_lifetime: 1 });
  const instance = await startInstance(ground, { DATABASE_URL: pooler.url() });
  const load = new Load(instance.send, instance.secret);
  const rest = () => load.more(isLong ? 2000 : 300);
  const failuresOf = async (action) => {
    const begin = Date.now();
    await action();
    const end = Date.now();
    await rest();
    return load.failed(begin, end).length;
  };

  await rest();
  const sessions = Number(cluster.sql("SELECT count(*) FROM pg_stat_activity WHERE datname = 'todo' AND backend_type = 'client backend' AND backend_start > now() - interval '5 s'"));
  assert.ok(sessions > 0, 'sessions are made anew');
  assert.equal(load.failed().length, 0, 'server_lifetime=1 is not noticed');

  const restarted = await failuresOf(async () => { await pooler.stop('SIGTERM'); await pooler.start(); });
  const paused = await failuresOf(async () => {
    pooler.ask('PAUSE');
    await sleep(1000);
    pooler.ask('RESUME');
  });
  assert.equal(paused, 0, 'a short pause only delays');
  const longPause = await failuresOf(async () => {
    const begin = Date.now();
    pooler.ask('PAUSE');
    await until('the first answer is 503', () => load.failed(begin).length > 0, 20);
    pooler.ask('RESUME');
  });
  assert.ok(longPause > 0 && longPause <= 32, `each client waited for its deadline: ${longPause}`);
  const killed = await failuresOf(async () => { await pooler.stop('SIGKILL'); await pooler.start(); });
  const taken = await failuresOf(async () => {
    await Promise.all(Array.from({ length: 4 }, () => run('psql', ['-XqAt', pooler.url(), '-c', 'SELECT pg_sleep(6)'])));
  });
  await rest();
  await load.stop();

  assert.deepEqual(load.faults, []);
  assert.deepEqual(load.lost((text) => cluster.sql(text)), []);
  for (const status of load.statuses.keys()) assert.ok([200, 201, 204, 503].includes(status), `${status}`);
  assert.ok(load.samples.every(({ ms }) => ms < 8000), 'nobody waits for longer than the deadline');
  assertNoWordOfPreparedStatements(instance, pooler);
  figure('row 81: requests; 503 while PgBouncer is restarted / killed / paused 1 s / paused until the first 503 / without a free server for 6 s', `${load.samples.length}; ${restarted} / ${killed} / ${paused} / ${longPause} / ${taken}`);
  figure('row 81: acknowledged writes; lost', `${load.acknowledged}; 0`);
  await instance.embedded('stop');
  await pooler.stop();
});

// Requests per second in turn, over the same instance's programs, by wrk.
test('what it costs', { skip: !isLong && 'only in the long form', timeout: 600000 }, async () => {
  const pooler = await Pooler.make(ground, 'cost', cluster);
  const instances = { direct: await startInstance(ground, { DATABASE_URL: cluster.url() }) };
  instances.pooled = await startInstance(ground, { DATABASE_URL: pooler.url(), BETTER_AUTH_SECRET: instances.direct.secret });
  const users = Array.from({ length: 100 }, (_, n) => `cost-${n}`);
  cluster.sql(`INSERT INTO task (user_id, title) SELECT 'cost-' || n % 100, 'task ' || n FROM generate_series(0, 1999) AS n; VACUUM ANALYZE task`);
  const ids = cluster.sql("SELECT DISTINCT ON (user_id) user_id, id FROM task WHERE user_id LIKE 'cost-%'").split('\n').map((line) => line.split('|'));
  const first = new Map(ids);
  const script = `${ground.folder}/requests.lua`;
  const operations = {
    get: users.map((id) => ['GET', `/api/tasks/${first.get(id)}`, id]), list: users.map((id) => ['GET', '/api/tasks', id]),
    complete: users.map((id) => ['PATCH', `/api/tasks/${first.get(id)}/complete`, id]),
  };
  const perSecond = async (instance, requests) => {
    await writeFile(script, `local all = {${requests.map(([method, path, id]) => `{"${method}","${path}","${tokenOf(id, instances.direct.secret)}"}`).join(',')}}
local n = 0
request = function() n = n % #all + 1; local r = all[n]; return wrk.format(r[1], r[2], {Authorization = "Bearer " .. r[3]}) end\n`);
    const { stdout } = await run('wrk', ['-t', '1', '-c', '32', '-d', '3s', '-s', script, `http://127.0.0.1:${instance.port}`]);
    assert.doesNotMatch(stdout, /Non-2xx|Socket errors/, stdout);
    return Number(/Requests\/sec: +([\d.]+)/.exec(stdout)[1]);
  };
  for (const [name, requests] of Object.entries(operations)) {
    const rates = { direct: [], pooled: [] };
    for (let round = 0; round < 5; round += 1) {
      for (const which of round % 2 ? ['pooled', 'direct'] : ['direct', 'pooled']) rates[which].push(await perSecond(instances[which], requests));
    }
    const median = (values) => values.sort((a, b) => a - b)[2];
    const [direct, pooled] = [median(rates.direct), median(rates.pooled)];
    figure(`requests per second, ${name}: direct / behind PgBouncer`, `${direct.toFixed(0)} / ${pooled.toFixed(0)} = ${(direct / pooled).toFixed(2)}`);
  }
  assert.equal(psql(pooler.url(), 'SELECT 1'), '1');
});
