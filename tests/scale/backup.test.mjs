// Backups that are taken while tasks are written, and restored: by dump, and to a moment (row 104). The commands
// are those of env/SCALING.md.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { apiTests, Cluster, figure, isLong, knowsIcu, Load, makeGround, otherBin, psql, runDocumented, startInstance } from './support.mjs';
import { until } from '../common.mjs';

let ground;
let instance;
let load;
let backup;
let environment;

const databaseUrl = (name) => instance.settings.DATABASE_URL.replace('/todo?', `/${name}?`);
const sql = (text, name = 'todo') => psql(databaseUrl(name), text);

before(async () => {
  ground = await makeGround();
  backup = await ground.ownFolder('backup');
  instance = await startInstance(ground);
  environment = { ...instance.env, DATABASE_URL: instance.settings.DATABASE_URL, BACKUP: backup };
});
after(() => ground.clear());

test('row 104: a dump that was taken during writes is consistent, and migrating it again changes nothing', { timeout: 300000 }, async () => {
  load = new Load(instance.send, instance.secret);
  await load.more(300);
  const certain = [...load.tasks].filter(([, task]) => !task.there.has(false)).map(([id]) => id);
  const before_ = load.samples.length;
  await runDocumented('dump', environment);
  assert.ok(load.samples.length > before_, 'writes went on');
  await load.more(100);
  await load.stop();
  assert.deepEqual(load.faults, []);

  sql('CREATE DATABASE restored');
  const { stdout } = await runDocumented('restore', { ...environment, NEW_DATABASE_URL: databaseUrl('restored') });
  assert.equal(stdout, '', 'no migration was missing');
  const ids = new Set(sql('SELECT id FROM task', 'restored').split('\n').map(Number));
  // What was acknowledged before, and not deleted since, is there; and nothing that never was.
  for (const id of certain) assert.ok(ids.has(id) || load.tasks.get(id).there.has(false), `task ${id}`);
  for (const id of ids) assert.ok(load.tasks.has(id), `task ${id}`);
  assert.ok(ids.size >= certain.length / 2 && ids.size < load.tasks.size);
  // With the roles' rights and the row-level security.
  assert.equal(sql("SELECT count(*) FROM information_schema.role_table_grants WHERE grantee LIKE 'todo\\_%' AND table_name = 'task'", 'restored'),
    sql("SELECT count(*) FROM information_schema.role_table_grants WHERE grantee LIKE 'todo\\_%' AND table_name = 'task'"));
  assert.equal(sql("SELECT relrowsecurity FROM pg_class WHERE relname = 'task'", 'restored'), 't');
  sql('DROP DATABASE restored');
});

test('row 104: back to the moment before an accident, from a base backup and the log, both taken during writes', { timeout: 300000 }, async () => {
  await runDocumented('archive', environment);
  load = new Load(instance.send, instance.secret);
  const before_ = load.samples.length;
  await runDocumented('base', environment);
  assert.ok(load.samples.length > before_, 'writes went on');
  await load.more(isLong ? 2000 : 300);
  await load.stop();
  const moment = sql('SELECT clock_timestamp()');
  const tasks = Number(sql('SELECT count(*) FROM task'));

  // The accident, and life that goes on after it.
  sql('DELETE FROM task');
  const later = new Load(instance.send, instance.secret);
  await later.more(100);
  await later.stop();
  const log = sql('SELECT pg_walfile_name(pg_switch_wal())');
  await until('the log is archived', () => sql(`SELECT last_archived_wal >= '${log}' FROM pg_stat_archiver`) === 't');
  await instance.embedded('stop');

  const restored = `${ground.folder}/restored`;
  const begin = Date.now();
  ground.endings.push(() => instance.embedded('stop', { STATE_DIR: restored }));
  await runDocumented('restore-to', { ...environment, DATABASE_URL: '', RESTORED: restored, MOMENT: moment, PORT: String(instance.port) });
  const url = instance.settingsIn(restored).DATABASE_URL;
  assert.deepEqual(load.faults, []);
  assert.deepEqual(load.lost((text) => psql(url, text)).filter((line) => /^task \d+: /.test(line)), []);
  assert.equal(psql(url, 'SELECT count(*) FROM task'), String(tasks));
  // It is a whole deployment: the tokens of before are good, and new tasks come after the old ones.
  const more = new Load(instance.send, instance.secret);
  await more.more(50);
  await more.stop();
  assert.deepEqual([...more.faults, ...more.failed()], []);
  assert.equal(psql(url, "SELECT string_agg(DISTINCT pg_is_in_recovery()::text, '') FROM task"), 'false');
  figure('back to a moment: tasks; lost; ms until it serves', `${tasks}; 0; ${Date.now() - begin}`);
});

test('to another major version of PostgreSQL, or a fresh cluster of this one, by dump', { timeout: 300000 }, async () => {
  const account = { name: 'Zoë', email: 'zoe@example.com', password: 'password123' };
  const origin = { origin: instance.settings.BETTER_AUTH_URL };
  assert.equal((await instance.send('POST', '/api/auth/sign-up/email', { body: account, headers: origin })).status, 200);
  const restored = instance.settingsIn(`${ground.folder}/restored`);
  await runDocumented('dump', { ...environment, DATABASE_URL: restored.DATABASE_URL });
  await instance.embedded('stop', { STATE_DIR: restored.STATE_DIR });

  const cluster = await Cluster.make(ground, 'new', { bin: otherBin });
  await runDocumented('restore', { ...environment, NEW_DATABASE_URL: cluster.url() });
  const seen = load.lost((text) => cluster.sql(text)).filter((line) => /^task \d+: /.test(line));
  assert.deepEqual(seen, []);
  assert.equal(cluster.sql('SELECT email FROM "user"'), account.email);
  if (isLong) {
    const upgraded = await startInstance(ground, { DATABASE_URL: cluster.url(), BETTER_AUTH_SECRET: instance.secret });
    const signedIn = await upgraded.send('POST', '/api/auth/sign-in/email', { body: account, headers: { origin: upgraded.settings.BETTER_AUTH_URL } });
    assert.equal(signedIn.status, 200, signedIn.text);
    await apiTests(upgraded, ['isolation', 'tasks-write', 'tasks-list', 'auth-basic', 'roles'], knowsIcu(otherBin) ? [] : ['every sort order, under each of its names']);
    await upgraded.embedded('stop');
  }
  figure('dump of this PostgreSQL restored into', cluster.sql('SHOW server_version'));
});
