// What the tests of larger deployments share: PostgreSQL clusters and PgBouncers of their own, instances
// before them, and a load that keeps a ledger of what was acknowledged.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, closeSync, existsSync, mkdtempSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, chown, mkdir, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { randomId, sign } from '../http/harness.mjs';
import { freePort, noSettings, until } from '../common.mjs';

const run = promisify(execFile);
export const root = process.env.TODO_ROOT;
export const build = process.env.TODO_BUILD;
export const isLong = process.env.SCALE === 'long';
const isRoot = process.getuid() === 0;

// One line of the table that `make scale` prints.
export function figure(what, value) {
  if (process.env.SCALE_FIGURES) appendFileSync(process.env.SCALE_FIGURES, `${what}\t${value}\n`);
}

// --- A place for one test file, with all that runs in it ---------------------------------------------------

// PostgreSQL and PgBouncer refuse to run as root.
const databaseUser = isRoot ? ['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))) : undefined;
export const asDatabaseUser = (command) => (isRoot ? ['setpriv', '--reuid', 'postgres', '--regid', 'postgres', '--init-groups', ...command] : command);

export class Ground {
  folder = mkdtempSync(`${tmpdir()}/todo-scale-`);
  endings = []; // in reverse order, when the tests are over

  async prepare() {
    await chmod(this.folder, 0o755);
    return this;
  }

  async ownFolder(name) {
    const folder = `${this.folder}/${name}`;
    await mkdir(folder, { mode: 0o700 });
    if (isRoot) await chown(folder, ...databaseUser);
    return folder;
  }

  async ownFile(name, content) {
    await writeFile(`${this.folder}/${name}`, content, { mode: 0o600 });
    if (isRoot) await chown(`${this.folder}/${name}`, ...databaseUser);
    return `${this.folder}/${name}`;
  }

  async clear() {
    for (const end of this.endings.reverse()) await end();
    await rm(this.folder, { recursive: true, force: true });
  }

  // A process in the foreground, with its messages in NAME.log: of the database's user, or (`isPlain`) of ours.
  spawn(name, command, { namespace, env, isPlain = false } = {}) {
    const log = `${this.folder}/${name}.log`;
    const output = openSync(log, 'a');
    const all = [...(namespace ? ['ip', 'netns', 'exec', namespace] : []), ...(isPlain ? command : asDatabaseUser(command))];
    const child = spawn(all[0], all.slice(1), { cwd: '/', stdio: ['ignore', output, output], env: { PATH: process.env.PATH, ...env } });
    closeSync(output);
    const ended = once(child, 'exit');
    const process_ = { pid: child.pid, log: () => readFileSync(log, 'utf8'), ended, isAlive: () => child.exitCode === null && child.signalCode === null };
    process_.stop = async (signal = 'SIGINT') => {
      if (!process_.isAlive()) return;
      child.kill(signal);
      const timer = setTimeout(() => child.kill('SIGKILL'), 20000);
      await ended;
      clearTimeout(timer);
    };
    return process_;
  }
}

export async function makeGround() {
  const ground = await new Ground().prepare();
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => { ground.clear().finally(() => process.exit(130)); });
  return ground;
}

// --- PostgreSQL --------------------------------------------------------------------------------------------

const pgConfig = () => { try { return execFileSync('pg_config', ['--bindir'], { encoding: 'utf8' }).trim(); } catch { return undefined; } };
const installed = () => readdirSync('/usr/lib/postgresql').sort((a, b) => Number(a) - Number(b)).map((version) => `/usr/lib/postgresql/${version}/bin`).pop();
export const postgresBin = pgConfig() ?? installed();
// Programs of another major version, where there are any: what is true of one may not be of the next.
export const otherBin = process.env.OTHER_POSTGRES ?? postgresBin;
// One that was built without ICU sorts by code points.
export const knowsIcu = (bin) => execFileSync('ldd', [`${bin}/postgres`], { encoding: 'utf8' }).includes('libicu');

export const password = randomBytes(12).toString('hex');

function childrenOf(pid) {
  return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).filter((name) => {
    try { return Number(readFileSync(`/proc/${name}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ')[1]) === pid; } catch { return false; }
  }).map(Number);
}

// One cluster. `settings` become its command line, so that a copy of it has none of them.
export class Cluster {
  constructor(ground, name, { settings = {}, namespace, host = '127.0.0.1', bin = postgresBin } = {}) {
    Object.assign(this, { ground, name, settings, namespace, host, bin });
  }

  // A new one with the role and the database `todo`; no `hba`: SCRAM everywhere.
  static async make(ground, name, { hba, ...options } = {}) {
    const cluster = new Cluster(ground, name, options);
    await cluster.takePlace();
    const file = await ground.ownFile(`${name}.password`, password);
    await cluster.tool('initdb', ['--pgdata', cluster.data, '--username', 'todo', '--pwfile', file, '--auth', 'scram-sha-256', '--encoding', 'UTF8',
      '--locale', 'C.UTF-8', ...(knowsIcu(cluster.bin) ? ['--locale-provider', 'icu', '--icu-locale', 'und'] : []), '--no-sync', '--no-instructions']);
    if (hba) await writeFile(`${cluster.data}/pg_hba.conf`, `local all all scram-sha-256\nlocal replication all scram-sha-256\n${hba}\n`);
    await cluster.start();
    cluster.sql('CREATE DATABASE todo', 'postgres');
    return cluster;
  }

  // A copy of `primary` that follows it; it confirms what it has written as `name`.
  static async follow(primary, name, options = {}) {
    const cluster = new Cluster(primary.ground, name, { namespace: primary.namespace, host: primary.host, bin: primary.bin, ...options });
    await cluster.takePlace();
    await rm(cluster.data, { recursive: true });
    await cluster.tool('pg_basebackup', ['--pgdata', cluster.data, '--checkpoint', 'fast', '--no-sync', '--write-recovery-conf',
      '--dbname', `host=${primary.folder} port=${primary.port} user=todo application_name=${name} password=${password}`]);
    await cluster.start();
    return cluster;
  }

  async takePlace() {
    this.folder = await this.ground.ownFolder(this.name);
    this.data = `${this.folder}/data`;
    await this.ground.ownFolder(`${this.name}/data`);
    this.port = await freePort();
    this.ground.endings.push(() => this.stop('SIGQUIT'));
  }

  tool(program, args) {
    const [command, ...rest] = asDatabaseUser([existsSync(`${this.bin}/${program}`) ? `${this.bin}/${program}` : `${postgresBin}/${program}`, ...args]);
    return run(command, rest, { cwd: '/' });
  }

  // `ready`: a standby in recovery that accepts no connections yet is not waited for.
  async start() {
    const settings = { listen_addresses: this.host, max_connections: 300, log_error_verbosity: 'terse', ...this.settings };
    this.process = this.ground.spawn(this.name, [`${this.bin}/postgres`, '-D', this.data, '-k', this.folder, '-p', String(this.port),
      ...Object.entries(settings).flatMap(([key, value]) => ['-c', `${key}=${value}`])], { namespace: this.namespace });
    await until(`${this.name} accepts connections`, async () => {
      assert.ok(this.process.isAlive(), `${this.name}: ${this.process.log()}`);
      return this.tool('pg_isready', ['--quiet', '--host', this.folder, '--port', String(this.port)]).then(() => true, () => false);
    });
  }

  stop(signal = 'SIGINT') { return this.process?.stop(signal); }

  // What a machine that is switched off leaves: nothing of it goes on, or says goodbye.
  async crash() {
    const children = childrenOf(this.process.pid);
    for (const pid of [this.process.pid, ...children]) { try { process.kill(pid, 'SIGKILL'); } catch { /* ended by itself */ } }
    await this.process.ended;
  }

  promote() { return this.tool('pg_ctl', ['-D', this.data, 'promote', '--wait', '--silent']); }

  url(parameters = '', { host = this.host, port = this.port, user = 'todo', secret = password, database = 'todo' } = {}) {
    return `postgresql://${user}:${secret}@${host}:${port}/${database}${parameters ? `?${parameters}` : ''}`;
  }

  // Over the unix socket, which is there whatever becomes of the network.
  sql(text, database = 'todo') {
    return psql(`postgresql://todo:${password}@/${database}?host=${this.folder}&port=${this.port}`, text);
  }
}

export function psql(url, text) {
  return execFileSync('psql', ['--no-psqlrc', '--quiet', '--no-align', '--tuples-only', '--set', 'ON_ERROR_STOP=1', url], { input: text, encoding: 'utf8', maxBuffer: 2 ** 28, stdio: ['pipe', 'pipe', 'pipe'] }).trim();
}

// --- PgBouncer ---------------------------------------------------------------------------------------------

// Debian's, with the settings that Neon publishes of its own; `more` come later and win.
export class Pooler {
  static async make(ground, name, cluster, more = {}, database = {}) {
    const pooler = new Pooler();
    Object.assign(pooler, { ground, name, folder: await ground.ownFolder(name), port: await freePort() });
    const users = await ground.ownFile(`${name}/users`, `"todo" "${password}"\n"neondb_owner" "${password}"\n`);
    const settings = {
      listen_addr: '127.0.0.1', listen_port: pooler.port, unix_socket_dir: pooler.folder, auth_type: 'scram-sha-256', auth_file: users, admin_users: 'todo',
      pool_mode: 'transaction', max_client_conn: 10000, default_pool_size: 64, query_wait_timeout: 120, log_connections: 0, log_disconnections: 0, ...more,
    };
    const target = { host: cluster.folder, port: cluster.port, ...database };
    pooler.file = await ground.ownFile(`${name}/pgbouncer.ini`, `[databases]\n* = ${Object.entries(target).map(([key, value]) => `${key}=${value}`).join(' ')}\n[pgbouncer]\n${
      Object.entries(settings).map(([key, value]) => `${key} = ${value}\n`).join('')}`);
    ground.endings.push(() => pooler.stop());
    await pooler.start();
    return pooler;
  }

  async start() {
    this.process = this.ground.spawn(`${this.name}/pgbouncer`, ['/usr/sbin/pgbouncer', this.file]);
    await until(`${this.name} answers`, async () => {
      assert.ok(this.process.isAlive(), this.process.log());
      try { this.ask('SHOW VERSION'); return true; } catch { return false; }
    });
  }

  stop(signal = 'SIGTERM') { return this.process.stop(signal); }

  url(parameters = '') { return `postgresql://todo:${password}@127.0.0.1:${this.port}/todo${parameters ? `?${parameters}` : ''}`; }

  // A command of its console. (psql's first words, in the extended protocol or not, must be the command.)
  ask(command) { return psql(`postgresql://todo:${password}@/pgbouncer?host=${this.folder}&port=${this.port}`, command); }
}

// --- Commands of the document -------------------------------------------------------------------------------

// Runs the commands of env/SCALING.md that a comment before them calls NAME, as they are there.
export async function runDocumented(name, env) {
  const found = new RegExp(`<!-- not run: tests/scale/\\S+ runs it as "${name}" -->\\n+\`\`\`sh\\n([\\s\\S]*?)\\n\`\`\``).exec(readFileSync(`${root}/env/SCALING.md`, 'utf8'));
  assert.ok(found, `env/SCALING.md has no commands "${name}"`);
  return run('bash', ['-euo', 'pipefail', '-c', found[1].replaceAll('build/release', build)], { cwd: root, env, timeout: 120000 });
}

// --- Instances ---------------------------------------------------------------------------------------------

// An instance by env/embedded on the database of `settings`; nothing of the instance under test gets in.
export async function startInstance(ground, settings = {}) {
  const state = mkdtempSync(`${ground.folder}/instance-`);
  await chmod(state, 0o755);
  const port = await freePort();
  const env = { ...process.env, ...noSettings, BUILD: build, STATE_DIR: state, PORT: String(port),
    BETTER_AUTH_TRUSTED_ORIGINS: process.env.BETTER_AUTH_TRUSTED_ORIGINS, ...settings };
  const embedded = (command, more) => run(`${root}/env/embedded`, [command], { env: { ...env, ...more } });
  ground.endings.push(() => embedded('stop'));
  await embedded('start').catch((error) => { throw new Error(`${error.stdout}${error.stderr}`); });
  // What it wrote down for whoever wants to join.
  const settingsIn = (folder) => {
    const text = execFileSync('bash', ['-c', 'set -a; source "$1"; env -0', 'bash', `${folder}/env`], { env: { PATH: process.env.PATH }, encoding: 'utf8' });
    return Object.fromEntries(text.split('\0').filter(Boolean).map((pair) => pair.split(/=(.*)/s)));
  };
  const effective = settingsIn(state);
  const folder = (await embedded('folder')).stdout.trim();
  return {
    port, state, env, settingsIn, settings: effective, secret: effective.BETTER_AUTH_SECRET, folder, embedded,
    log: (name = 'handlers') => readFileSync(`${state}/log/${name}.log`, 'utf8'),
    send: sender({ host: '127.0.0.1', port }),
  };
}

// request(), to wherever an instance listens. Rejects if there is no whole answer. Idle connections are closed
// before nginx does so, which would race with a request.
export function sender(where) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 256, timeout: 60000, ...where });
  return (method, path, { token, body, headers = {} } = {}) => new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const sent = http.request({
      ...where, agent, method, path, timeout: 60000,
      headers: { ...headers, ...(token ? { authorization: `Bearer ${token}` } : {}), ...(payload ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) } : {}) },
    }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk)).on('error', reject).on('end', () => {
        const text = Buffer.concat(chunks).toString();
        let json;
        try { json = JSON.parse(text); } catch { json = undefined; }
        resolve({ status: response.statusCode, headers: response.headers, text, json });
      });
    });
    sent.on('timeout', () => sent.destroy(new Error('no answer within 60 s'))).on('error', reject).end(payload);
  });
}

// The tests of tests/http, aimed at an instance.
export async function apiTests(instance, files, different = []) {
  const { NODE_TEST_CONTEXT, NODE_OPTIONS, ...environment } = process.env;
  const child = spawn(process.execPath, ['--test', '--test-reporter', 'tap', '--test-concurrency', '2', ...files.map((name) => `${root}/tests/http/${name}.test.mjs`)], {
    env: { ...environment, ...instance.settings, TODO_URL: `http://127.0.0.1:${instance.port}`, TODO_STATE_DIR: instance.state, TODO_DIFFERENT: JSON.stringify(different) },
    stdio: ['ignore', 'pipe', 'pipe'], timeout: 300000,
  });
  let output = '';
  child.stdout.on('data', (chunk) => { output += chunk; });
  child.stderr.on('data', (chunk) => { output += chunk; });
  await once(child, 'close');
  const count = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(output)?.[1]);
  const failures = [...output.matchAll(/^( *)not ok \d+ - (.*)\n\1  ---\n([\s\S]*?)\n\1  \.\.\./gm)].map((match) => `${match[2]}\n${match[3].slice(0, 1500)}`);
  const errors = instance.log().split('\n').filter((line) => line.includes('"level":"error"')).slice(-20);
  assert.equal(count('fail') + count('cancelled'), 0, [...failures, ...errors].join('\n') || output.slice(-3000));
  assert.ok(count('pass') > 3 * files.length, output.slice(-2000));
  return count('pass');
}

// --- A load with a ledger ----------------------------------------------------------------------------------

const now = () => Math.floor(Date.now() / 1000);
export const tokenOf = (id, secret) => sign({ sub: id, exp: now() + 3600 }, { key: secret });

// Clients, each a user that creates, changes, reads and deletes tasks of its own, one request after the other.
// What was acknowledged must be so, in every answer and in the end; of a request without an answer (or with a
// 503) both outcomes are right.
export class Load {
  samples = []; // {at, ms, ok, write}: each request
  statuses = new Map();
  faults = []; // answers that cannot be
  tasks = new Map(); // id -> {user, titles, done, there}: the values that may be
  doubtful = new Set(); // titles of creations without an answer
  acknowledged = 0;
  isOver = false;

  constructor(send, secret, clients = 16) {
    this.send = send;
    this.clients = Array.from({ length: clients }, (_, n) => ({ id: `load-${n}-${randomId()}`, own: [], count: 0 }));
    this.work = this.clients.map((client) => this.drive(client, tokenOf(client.id, secret)));
  }

  async request(method, path, options) {
    const at = Date.now();
    const answer = await this.send(method, path, options).catch((error) => ({ status: error.code ?? error.message }));
    const ok = answer.status >= 200 && answer.status < 300;
    this.samples.push({ at, ms: Date.now() - at, ok, write: method !== 'GET', what: `${method} ${answer.status}` });
    this.statuses.set(answer.status, (this.statuses.get(answer.status) ?? 0) + 1);
    if (ok && method !== 'GET') this.acknowledged += 1;
    if (!ok) await sleep(10);
    return { ...answer, ok, isUnknown: answer.status === 503 || typeof answer.status !== 'number' };
  }

  async drive(client, token) {
    while (!this.isOver) {
      const dice = Math.random();
      const id = client.own[Math.floor(Math.random() * client.own.length)];
      if (id === undefined || dice < 0.35) await this.create(client, token);
      else if (dice < 0.45) await this.delete(client, token, id);
      else if (dice < 0.75) await this.change(token, id, dice < 0.6);
      else await this.read(client, token, id);
    }
  }

  fault(what, answer) { this.faults.push(`${what}: ${answer.status} ${answer.text ?? ''}`); }

  async create(client, token) {
    const title = `${client.id} ${client.count += 1}`;
    const answer = await this.request('POST', '/api/tasks', { token, body: { title } });
    if (answer.isUnknown) this.doubtful.add(title);
    else if (!answer.ok) this.fault('create', answer);
    else {
      this.tasks.set(answer.json.id, { user: client.id, titles: new Set([title]), done: new Set([false]), there: new Set([true]) });
      client.own.push(answer.json.id);
    }
  }

  async change(token, id, isTitle) {
    const task = this.tasks.get(id);
    const value = isTitle ? `${task.user} changed ${randomId()}` : Math.random() < 0.5;
    const answer = isTitle ? await this.request('PUT', `/api/tasks/${id}`, { token, body: { title: value } })
      : await this.request('PATCH', `/api/tasks/${id}/complete`, { token, body: { completed: value } });
    const values = isTitle ? task.titles : task.done;
    if (answer.isUnknown) task.isDoubtful = true;
    else if (!answer.ok) return this.missing('change', task, answer);
    // What is in doubt may still be carried out, also later.
    else if (!task.isDoubtful) values.clear();
    values.add(value);
  }

  async delete(client, token, id) {
    const task = this.tasks.get(id);
    const answer = await this.request('DELETE', `/api/tasks/${id}`, { token });
    client.own.splice(client.own.indexOf(id), 1);
    if (answer.isUnknown) task.there.add(false);
    else if (!answer.ok) this.missing('delete', task, answer);
    else task.there = new Set([false]);
  }

  async read(client, token, id) {
    const task = this.tasks.get(id);
    const answer = await this.request('GET', `/api/tasks/${id}`, { token });
    if (answer.isUnknown) return;
    if (!answer.ok) return this.missing('read', task, answer);
    if (answer.json.user_id !== client.id || !task.titles.has(answer.json.title) || !task.done.has(answer.json.completed)) this.fault('read', answer);
  }

  missing(what, task, answer) {
    if (answer.status !== 404 || !task.there.has(false)) this.fault(`${what} of an acknowledged task`, answer);
  }

  async stop() {
    this.isOver = true;
    await Promise.all(this.work);
  }

  // Compares the ledger with `sql`, the database. Returns what was acknowledged and is not so.
  lost(sql) {
    const rows = new Map(sql(`SELECT id, user_id, completed, title FROM task WHERE user_id LIKE 'load-%'`).split('\n').filter(Boolean).map((line) => {
      const [id, user, done, ...title] = line.split('|');
      return [Number(id), { user, done: done === 't', title: title.join('|') }];
    }));
    const lost = [];
    for (const [id, task] of this.tasks) {
      const row = rows.get(id);
      const isRight = row ? task.there.has(true) && row.user === task.user && task.titles.has(row.title) && task.done.has(row.done) : task.there.has(false);
      if (!isRight) lost.push(`task ${id}: ${JSON.stringify(row)}, not ${JSON.stringify({ titles: [...task.titles], done: [...task.done], there: [...task.there] })}`);
      rows.delete(id);
    }
    for (const [id, row] of rows) if (!this.doubtful.has(row.title)) lost.push(`task ${id} was not asked for: ${row.title}`);
    return lost;
  }

  failed(from = 0, to = Infinity) { return this.samples.filter(({ at, ok }) => !ok && at >= from && at <= to); }

  // Milliseconds from `moment` until a write that was begun after it was acknowledged.
  recovery(moment) {
    return Math.min(...this.samples.filter(({ at, ok, write }) => ok && write && at >= moment).map(({ at, ms }) => at + ms - moment));
  }

  async more(requests, seconds = 120) {
    const wanted = this.samples.length + requests;
    await until(`${requests} more requests`, () => this.samples.length >= wanted, seconds);
  }
}
