// A primary with a synchronous standby, and programs that know both (row 77): what was acknowledged is on
// both machines, so the death of one loses nothing of it. env/SCALING.md says how it is set up.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Cluster, figure, isLong, Load, makeGround, password, startInstance, tokenOf } from './support.mjs';
import { until } from '../common.mjs';

let ground;

before(async () => { ground = await makeGround(); });
after(() => ground.clear());

// The list of hosts as libpq knows it: the one that takes writes is meant.
const urlOf = (...clusters) => `postgresql://todo:${password}@${clusters.map(({ host, port }) => `${host}:${port}`).join(',')}/todo?target_session_attrs=read-write`;

test('row 77: the primary dies under load, the standby is promoted: nothing acknowledged is lost', { timeout: 300000 }, async () => {
  const lost = [];
  const recoveries = [];
  let acknowledged = 0;
  for (let n = 0; n < (isLong ? 3 : 1); n += 1) {
    const primary = await Cluster.make(ground, `primary${n}`);
    const standby = await Cluster.follow(primary, `standby${n}`);
    primary.sql(`ALTER SYSTEM SET synchronous_standby_names = 'standby${n}'`);
    primary.sql('SELECT pg_reload_conf()');
    await until('the standby is synchronous', () => primary.sql("SELECT sync_state FROM pg_stat_replication") === 'sync');
    const instance = await startInstance(ground, { DATABASE_URL: urlOf(primary, standby) });
    const load = new Load(instance.send, instance.secret);
    await load.more(isLong ? 2000 : 500);
    assert.equal(load.failed().length, 0);

    const died = Date.now();
    await primary.crash();
    // Nobody has taken over yet: every answer is 503, and says when to come back.
    await until('the first 503', () => load.failed(died).length > 0);
    const token = tokenOf('somebody', instance.secret);
    const refused = await instance.send('GET', '/api/tasks', { token });
    assert.deepEqual([refused.status, refused.json.error], [503, 'unavailable']);
    assert.ok(Number(refused.headers['retry-after']) > 0);
    const promoted = Date.now();
    await standby.promote();
    await until('writes are acknowledged again', () => load.recovery(promoted) < Infinity);
    await load.more(isLong ? 2000 : 300);
    await load.stop();

    assert.deepEqual(load.faults, []);
    for (const status of load.statuses.keys()) assert.ok([200, 201, 204, 503].includes(status), `${status}`);
    lost.push(...load.lost((text) => standby.sql(text)));
    acknowledged += load.acknowledged;
    recoveries.push(`${load.recovery(promoted)} (${load.recovery(died)})`);

    await instance.embedded('stop');
    await standby.stop();
  }
  assert.deepEqual(lost, []);
  figure('primary killed: acknowledged writes; lost', `${acknowledged}; ${lost.length}`);
  figure('ms from the promotion (from the death) to the next acknowledged write', recoveries.join(', '));
});

test('row 77: the first host is dead; a standby alone; a primary that turns read-only', { timeout: 300000 }, async () => {
  const primary = await Cluster.make(ground, 'second');
  const standby = await Cluster.follow(primary, 'reader');
  const dead = { host: '127.0.0.1', port: 1 };
  const instance = await startInstance(ground, { DATABASE_URL: urlOf(dead, standby, primary) });
  const token = tokenOf('row77', instance.secret);
  const create = () => instance.send('POST', '/api/tasks', { token, body: { title: 'row 77' } });
  const created = await create();
  assert.equal(created.status, 201, 'dead first host, standby second, primary third');
  const path = `/api/tasks/${created.json.id}`;
  const complete = () => instance.send('PATCH', `${path}/complete`, { token, body: { completed: true } });
  assert.equal((await complete()).status, 200);

  primary.sql('ALTER SYSTEM SET default_transaction_read_only = on');
  primary.sql('SELECT pg_reload_conf()');
  await until('writes are refused', async () => (await complete()).status === 503);
  assert.equal((await create()).status, 503);
  primary.sql('SET default_transaction_read_only = off; ALTER SYSTEM SET default_transaction_read_only = off');
  primary.sql('SELECT pg_reload_conf()');
  await until('writes are taken again', async () => (await complete()).status === 200);

  await primary.stop();
  for (let n = 0; n < 3; n += 1) assert.equal((await create()).status, 503, 'a standby takes no writes');
  await standby.promote();
  await until('the standby has become the primary', async () => (await create()).status === 201);
  assert.equal((await instance.send('GET', path, { token })).json.completed, true);
  await instance.embedded('stop');
});
