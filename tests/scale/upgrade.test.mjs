// The embedded database goes to a newer major version of PostgreSQL by pg_upgrade, with the commands of
// env/SCALING.md: where two are installed, as after the upgrade of Debian 12 to 13, else left out.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { apiTests, figure, Load, makeGround, psql, runDocumented, startInstance } from './support.mjs';

const versions = readdirSync('/usr/lib/postgresql').map(Number).sort((a, b) => a - b);
const [oldest, newest] = [versions[0], versions.at(-1)];
const options = { skip: versions.length < 2 && `only PostgreSQL ${oldest} is installed`, timeout: 600000 };

let ground;
before(async () => { ground = await makeGround(); });
after(() => ground.clear());

test('pg_upgrade: env/embedded upgrade takes the database along, whole and with its order', options, async () => {
  // As it was before the newer one was installed.
  await mkdir(`${ground.folder}/bin`);
  await writeFile(`${ground.folder}/bin/pg_config`, `#!/bin/sh\necho /usr/lib/postgresql/${oldest}/bin\n`);
  await chmod(`${ground.folder}/bin/pg_config`, 0o755);
  const instance = await startInstance(ground, { PATH: `${ground.folder}/bin:${process.env.PATH}` });
  const sql = (text) => psql(instance.settingsIn(instance.state).DATABASE_URL, text);
  assert.match(sql('SHOW server_version'), new RegExp(`^${oldest}\\b`));
  const account = { name: 'Zoë', email: 'zoe@example.com', password: 'password123' };
  const headers = { origin: instance.settings.BETTER_AUTH_URL };
  assert.equal((await instance.send('POST', '/api/auth/sign-up/email', { body: account, headers })).status, 200);
  const load = new Load(instance.send, instance.secret);
  await load.more(300);
  await load.stop();

  const withNewest = { PATH: process.env.PATH };
  await assert.rejects(instance.embedded('upgrade', withNewest), /it runs: env\/embedded stop comes first/);
  const begin = Date.now();
  const { stdout } = await runDocumented('upgrade', { ...instance.env, ...withNewest });
  figure(`pg_upgrade of the embedded database, ${oldest} to ${newest}: ms from stop to start`, String(Date.now() - begin));
  assert.match(stdout, new RegExp(`of PostgreSQL ${newest} now`));
  assert.match(sql('SHOW server_version'), new RegExp(`^${newest}\\b`));
  assert.deepEqual(load.lost(sql), []);
  assert.equal(sql('SELECT datcollversion = pg_database_collation_actual_version(oid) FROM pg_database WHERE datname = current_database()'), 't');
  assert.equal((await instance.send('POST', '/api/auth/sign-in/email', { body: account, headers })).status, 200);
  await apiTests(instance, ['isolation', 'tasks-write', 'tasks-list', 'auth-basic', 'roles']);

  // Again there is nothing to do; and the way back is there.
  await instance.embedded('stop');
  assert.match((await instance.embedded('upgrade', withNewest)).stdout, /no newer one is installed/);
  assert.ok(readdirSync(instance.state).includes('postgres-old'));
});
