// What Neon is to the programs, on this machine: PostgreSQL behind TLS with a CA of our own and SCRAM, a pooled
// endpoint beside the direct one, and a compute that is suspended and takes three seconds to wake.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { whole, worker } from '../faults/peer.mjs';
import { Cluster, figure, makeGround, otherBin, password, Pooler, root, tokenOf } from './support.mjs';
import { until } from '../common.mjs';

const secret = randomBytes(32).toString('base64');
const token = tokenOf('neon', secret);
let ground;
let cluster;

const openssl = (args, env = {}) => execFileSync('openssl', args, { cwd: ground.folder, stdio: 'pipe', env: { ...process.env, ...env } });
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

// NAME.crt and NAME.key for `localhost`, by `ca`, or by itself.
async function certificate(name, { ca, subject = 'localhost', env } = {}) {
  await ground.ownFile(`${name}.ext`, `subjectAltName=DNS:${subject}\n`);
  if (ca) {
    openssl(['req', ...newKey, '-subj', `/CN=${subject}`, '-keyout', `${name}.key`, '-out', `${name}.csr`]);
    openssl(['x509', '-req', '-in', `${name}.csr`, '-CA', `${ca}.crt`, '-CAkey', `${ca}.key`, '-CAcreateserial', '-days', '1', '-extfile', `${name}.ext`, '-out', `${name}.crt`], env);
  } else {
    openssl(['req', '-x509', ...newKey, '-subj', `/CN=${subject}`, '-addext', `subjectAltName=DNS:${subject}`, '-days', '1', '-keyout', `${name}.key`, '-out', `${name}.crt`]);
  }
  const key = readFileSync(`${ground.folder}/${name}.key`, 'utf8');
  execFileSync('rm', [`${ground.folder}/${name}.key`]);
  await ground.ownFile(`${name}.key`, key);
  execFileSync('chmod', ['0644', `${ground.folder}/${name}.crt`]);
}

async function present(name) {
  for (const what of ['cert', 'key']) cluster.sql(`ALTER SYSTEM SET ssl_${what}_file = '${ground.folder}/${name}.${what === 'cert' ? 'crt' : 'key'}'`);
  cluster.sql('SELECT pg_reload_conf()');
  // New connections have it as soon as the postmaster has read it.
  await until(`${name} is presented`, () => {
    const seen = execFileSync('bash', ['-c', `openssl s_client -starttls postgres -connect 127.0.0.1:${cluster.port} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint`], { encoding: 'utf8' });
    return seen === openssl(['x509', '-noout', '-fingerprint', '-in', `${name}.crt`]).toString();
  });
}

// The way to the database, which may be asleep: then the first connection wakes it, and waits.
class Compute {
  static async make(target, delay = 3000) {
    const compute = new Compute();
    Object.assign(compute, { delay, connections: new Set(), attempts: 0, isAsleep: false, plain: [] });
    compute.server = net.createServer((client) => compute.take(client, target()));
    compute.server.listen(0, '127.0.0.1');
    await once(compute.server, 'listening');
    compute.port = compute.server.address().port;
    ground.endings.push(() => { compute.suspend(); compute.server.close(); });
    return compute;
  }

  async take(client, port) {
    this.attempts += 1;
    this.connections.add(client);
    client.on('error', () => {}).on('close', () => this.connections.delete(client));
    let count = 0;
    client.on('data', (bytes) => {
      // "May we speak TLS?", then TLS, and never a word besides.
      const isRight = count === 0 ? bytes.toString('hex') === '0000000804d2162f' : count > 1 || bytes[0] === 0x16;
      if (!isRight) this.plain.push(bytes.toString('latin1'));
      count += 1;
    });
    client.pause();
    if (this.isAsleep) await (this.waking ??= sleep(this.delay).then(() => { this.isAsleep = false; this.waking = undefined; }));
    const server = net.connect(port, '127.0.0.1');
    server.on('error', () => client.destroy()).on('close', () => client.destroy());
    client.on('close', () => server.destroy());
    client.pipe(server).pipe(client);
  }

  suspend() {
    this.isAsleep = true;
    for (const client of this.connections) client.end();
  }
}

async function start(name, url) {
  const program = await worker(name, { DATABASE_URL: url, BETTER_AUTH_SECRET: secret });
  ground.endings.push(() => program.kill('SIGKILL'));
  // It may have its socket, and not listen yet.
  await until(`${name} answers`, async () => (await program.ask('GET', '/')).status > 0);
  return program;
}
async function ask(program, method, uri, body) {
  const connection = program.connect();
  connection.send(whole(method, uri, { token, body: body && JSON.stringify(body) }));
  const { status, body: text } = await connection.answer();
  const { output } = connection.state;
  connection.link.destroy();
  return { status, text, retryAfter: /^Retry-After: (\d+)/m.exec(output)?.[1] };
}
const create = (program, title = 'a task') => ask(program, 'POST', '/api/tasks', { title });
async function end(program) {
  program.kill();
  assert.equal(await program.ended, 0);
}

before(async () => {
  ground = await makeGround();
  await certificate('ca', { subject: 'Test CA' });
  await certificate('good', { ca: 'ca' });
  await certificate('self');
  await certificate('named', { ca: 'ca', subject: 'other.example.test' });
  await certificate('expired', { ca: 'ca', env: { LD_PRELOAD: '/usr/$LIB/faketime/libfaketime.so.1', FAKETIME: '-10d' } });
  const file = (name) => `${ground.folder}/${name}`;
  cluster = await Cluster.make(ground, 'cluster', { bin: otherBin, hba: 'hostssl all cleartext all password\nhostssl all all all scram-sha-256' });
  await cluster.stop();
  appendFileSync(`${cluster.data}/postgresql.conf`, `ssl = on\nssl_cert_file = '${file('good.crt')}'\nssl_key_file = '${file('good.key')}'\n`);
  await cluster.start();
  cluster.sql(`CREATE ROLE cleartext LOGIN SUPERUSER PASSWORD '${password}'`);
  // Neon's users are no superusers, but may make roles.
  cluster.sql(`CREATE ROLE neondb_owner LOGIN CREATEROLE CREATEDB PASSWORD '${password}'`);
  cluster.sql('CREATE DATABASE neondb OWNER neondb_owner');
  execFileSync(`${root}/sql/migrate`, { env: { ...process.env, DATABASE_URL: direct('sslmode=verify-full&sslrootcert=CA&channel_binding=require') } });
});
after(() => ground.clear());

const direct = (parameters, options = {}) => cluster.url(parameters.replace('CA', `${ground.folder}/ca.crt`), { host: 'localhost', user: 'neondb_owner', database: 'neondb', ...options });

test('the direct endpoint: sslmode=require with channel binding, and verify-full', async () => {
  for (const parameters of ['sslmode=require&channel_binding=require', 'sslmode=verify-full&sslrootcert=CA&channel_binding=require']) {
    const program = await start('task_create', direct(parameters));
    assert.equal((await create(program)).status, 201, program.log());
    assert.equal(cluster.sql("SELECT bool_and(ssl AND version >= 'TLSv1.2' AND usename = 'neondb_owner') FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'todo task_create'"), 't');
    await end(program);
  }
});

test('the pooled endpoint, beside it', async () => {
  const pooler = await Pooler.make(ground, 'pooler', cluster, { client_tls_sslmode: 'require', client_tls_cert_file: `${ground.folder}/good.crt`, client_tls_key_file: `${ground.folder}/good.key` });
  const url = (parameters) => direct(parameters, { port: pooler.port });
  const program = await start('task_create', url('sslmode=verify-full&sslrootcert=CA'));
  for (let n = 0; n < 3; n += 1) assert.equal((await create(program)).status, 201, program.log());
  assert.doesNotMatch(program.log(), /prepared/);
  await end(program);
  const plain = await start('task_create', url('sslmode=disable'));
  assert.equal((await create(plain)).status, 503);
  await end(plain);
  await pooler.stop();
});

test('row 80: a server that is not proven to be the right one is refused with one clear line, and hears no word of it', { timeout: 300000 }, async () => {
  const compute = await Compute.make(() => cluster.port);
  const through = (parameters, options) => direct(parameters, { port: compute.port, ...options });
  const refusals = [
    ['self-signed', 'self', through('sslmode=verify-full&sslrootcert=CA'), /certificate verify failed/],
    ['wrong name', 'named', through('sslmode=verify-full&sslrootcert=CA'), /does not match host name/],
    ['expired', 'expired', through('sslmode=verify-full&sslrootcert=CA'), /certificate verify failed/],
    ['no SCRAM', 'good', through('sslmode=require&channel_binding=require', { user: 'cleartext' }), /channel binding required/],
  ];
  for (const [what, presented, url, message] of refusals) {
    await present(presented);
    const program = await start('task_create', url);
    const answer = await create(program);
    assert.equal(answer.status, 503, `${what}: ${program.log()}`);
    assert.equal(JSON.parse(answer.text).error, 'unavailable');
    const lines = program.log().split('\n').filter((line) => /cannot connect/.test(line));
    assert.equal(lines.length, 1, what);
    assert.match(lines[0], message, what);
    assert.ok(!program.log().includes(password), what);
    await end(program);
  }
  await present('good');

  const open = await Cluster.make(ground, 'open');
  const toOpen = await Compute.make(() => open.port);
  const program = await start('task_create', direct('sslmode=require', { port: toOpen.port }));
  assert.equal((await create(program)).status, 503);
  assert.match(program.log(), /server does not support SSL, but SSL was required/);
  await end(program);
  assert.deepEqual([...compute.plain, ...toOpen.plain], []);
  assert.ok(compute.attempts >= refusals.length && toOpen.attempts >= 1);
  await open.stop();
});

test('row 84: a compute that is asleep: the first requests wait for it together, or are told to come back', { timeout: 300000 }, async () => {
  const compute = await Compute.make(() => cluster.port);
  const url = (more = '') => direct(`sslmode=require&channel_binding=require${more}`, { port: compute.port });
  const storm = (program, title) => Promise.all(Array.from({ length: 32 }, () => create(program, title)));
  const kept = (title) => Number(cluster.sql(`SELECT count(*) FROM task WHERE title = '${title}'`, 'neondb'));

  // As env/SCALING.md says: time to wake.
  const patient = await start('task_create', url('&connect_timeout=10'));
  compute.suspend();
  const begin = Date.now();
  const answers = await storm(patient, 'patient');
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([201]), patient.log().slice(-500) + cluster.process.log());
  figure('compute asleep for 3 s, 32 requests at once: connections; ms to the last answer', `${compute.attempts}; ${Date.now() - begin}`);
  assert.ok(compute.attempts <= 8, `${compute.attempts} connections`);
  assert.equal(kept('patient'), 32);

  // Suspended again: the idle connections were closed, which is seen before anything is sent.
  compute.suspend();
  assert.equal((await create(patient, 'again')).status, 201, patient.log());
  assert.equal(kept('again'), 1);
  await end(patient);

  // With the default of 2 s for a connection, the first ones are told to come back; they have woken it.
  compute.suspend();
  compute.delay = 4000; // libpq counts in whole seconds
  compute.attempts = 0;
  const hasty = await start('task_create', url());
  const hurried = await storm(hasty, 'hasty');
  const refused = hurried.filter(({ status }) => status === 503);
  assert.ok(refused.length > 0 && refused.every(({ retryAfter }) => Number(retryAfter) > 0));
  assert.deepEqual(hurried.filter(({ status }) => ![201, 503].includes(status)), []);
  assert.equal(kept('hasty'), hurried.length - refused.length);
  assert.ok(compute.attempts <= 8, `${compute.attempts} connections`);
  await until('it is awake', () => !compute.isAsleep);
  assert.equal((await create(hasty, 'awake')).status, 201, hasty.log());
  await end(hasty);
  assert.deepEqual(compute.plain, []);
});
