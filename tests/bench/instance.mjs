// One instance for one run of the benchmark: env/embedded with a private PostgreSQL, and behind its
// nginx, besides our handlers, whatever they are compared with, each under a host name of its own.
import { execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort, noSettings, until } from '../common.mjs';

export const here = path.dirname(fileURLToPath(import.meta.url));
export const root = path.resolve(here, '../..');
export const build = path.resolve(process.env.BUILD ?? 'build/release');
export const results = path.join(root, 'build/bench');
export const cores = os.cpus().length;
const embedded = path.join(root, 'env/embedded');
const run = promisify(execFile);

// --- Options --------------------------------------------------------------------------------------

export const quick = process.env.QUICK === '1';
export const seconds = Number(process.env.SECONDS ?? (quick ? 1 : 3));
export const rounds = Number(process.env.ROUNDS ?? (quick ? 2 : 5));

// --- Processes ------------------------------------------------------------------------------------

// State, CPU time in clock ticks (that of children that have ended included) and parent of a process.
function readStat(pid) {
  try {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'latin1').replace(/^.*\) /s, '').split(' ');
    return { parent: Number(fields[1]), ticks: [11, 12, 13, 14].reduce((sum, i) => sum + Number(fields[i]), 0) };
  } catch {
    return undefined; // ended meanwhile
  }
}

export function descendants(pid) {
  const children = new Map();
  for (const name of fs.readdirSync('/proc')) {
    const stat = /^\d+$/.test(name) ? readStat(name) : undefined;
    if (stat) children.set(stat.parent, [...(children.get(stat.parent) ?? []), Number(name)]);
  }
  const all = [Number(pid)];
  for (let i = 0; i < all.length; i += 1) all.push(...(children.get(all[i]) ?? []));
  return all;
}

const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

// CPU time in microseconds that a process and all below it have used so far.
export const cpuTime = (pid) => descendants(pid)
  .reduce((sum, each) => sum + (readStat(each)?.ticks ?? 0), 0) * (1e6 / ticksPerSecond);

// Work that was begun for clients that are gone goes on; the next measurement waits for its end.
export async function settled(pid) {
  for (let tries = 0; tries < 400; tries += 1) {
    const before = cpuTime(pid);
    await sleep(150);
    if (cpuTime(pid) - before < 20000) return;
  }
  throw new Error('the programs still work a minute after the last request');
}

// --- The instance ---------------------------------------------------------------------------------

export class Instance {
  children = [];

  // `settings` go to env/embedded; nothing of the caller's deployment gets in.
  static async start(settings = {}) {
    const instance = new Instance();
    // On a disk, as a database is, and open to the user of nginx.
    instance.folder = fs.mkdtempSync('/var/tmp/todo-bench-');
    fs.chmodSync(instance.folder, 0o755);
    instance.port = await freePort();
    instance.environment = {
      PATH: process.env.PATH, BUILD: build, ...noSettings,
      STATE_DIR: `${instance.folder}/state`, PORT: String(instance.port), ...settings,
    };
    for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => { instance.stop().finally(() => process.exit(130)); });
    try {
      const started = spawnSync(embedded, ['start'], { env: instance.environment, encoding: 'utf8' });
      if (started.status !== 0) throw new Error(started.stdout + started.stderr);
      instance.readSettings();
    } catch (error) {
      await instance.stop();
      throw error;
    }
    return instance;
  }

  readSettings() {
    const file = `${this.folder}/state/env`;
    const text = execFileSync('bash', ['-c', 'set -a; source "$1"; env -0', 'bash', file], { env: { PATH: process.env.PATH }, encoding: 'utf8' });
    this.settings = Object.fromEntries(text.split('\0').filter(Boolean).map((pair) => pair.split(/=(.*)/s)));
    this.run = execFileSync(embedded, ['folder'], { env: this.environment, encoding: 'utf8' }).trim();
    const url = new URL(this.settings.DATABASE_URL.replace('@/', '@socket/'));
    this.database = {
      PATH: process.env.PATH, PGHOST: url.searchParams.get('host'), PGUSER: url.username,
      PGPASSWORD: decodeURIComponent(url.password), PGDATABASE: url.pathname.slice(1),
    };
  }

  async stop() {
    const running = this.children.filter((child) => child.exitCode === null && child.signalCode === null);
    this.children = [];
    let ended = false;
    const all = Promise.all(running.map((child) => once(child, 'exit'))).then(() => { ended = true; });
    // Not all of them (fcgiwrap) tell their own children; and multiwatch, when it is told after its worker,
    // has started another one meanwhile, which may miss its signal: so they are told again, and at last killed.
    for (let tries = 0; !ended; tries += 1) {
      for (const pid of running.filter((child) => child.exitCode === null && child.signalCode === null).flatMap((child) => descendants(child.pid))) {
        try { process.kill(pid, tries < 20 ? 'SIGTERM' : 'SIGKILL'); } catch { /* ended by now */ }
      }
      await Promise.race([all, sleep(500)]);
    }
    spawnSync(embedded, ['stop'], { env: this.environment });
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  pid(part) { return Number(fs.readFileSync(`${this.run}/${part}.pid`, 'utf8')); }

  async sql(text) {
    const child = run('psql', ['--no-psqlrc', '--quiet', '--no-align', '--tuples-only', '--set', 'ON_ERROR_STOP=1'], { env: this.database });
    child.child.stdin.end(text);
    return (await child).stdout.trim();
  }

  // A program that runs until stop(). Its messages are kept.
  spawn(command, args, environment) {
    fs.mkdirSync(results, { recursive: true });
    this.messages ??= fs.openSync(path.join(results, 'messages.log'), 'w');
    const child = spawn(command, args, { env: { PATH: process.env.PATH, ...environment }, stdio: ['ignore', this.messages, this.messages] });
    this.children.push(child);
    return child.pid;
  }

  // Adds to the running nginx: `servers` maps a host name to the content of its server block.
  async addServers(upstreams, servers) {
    const limits = `${this.run}/conf/todo-fcgi-http.conf`;
    // The wall against floods from one address: all of the load comes from one.
    fs.writeFileSync(limits, fs.readFileSync(limits, 'utf8').replace('rate=50r/s', 'rate=10000r/s'));
    const blocks = Object.entries(servers).map(([name, content]) => `server {\nlisten 127.0.0.1:${this.port};\nserver_name ${name};\n${content}\n}\n`);
    const file = `${this.run}/conf/nginx.conf`;
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace(/\}\s*$/, `server_names_hash_bucket_size 128;\n${upstreams}\n${blocks.join('')}}\n`));
    const [nginx, ...before] = descendants(this.pid('nginx'));
    process.kill(nginx, 'SIGHUP');
    await until('nginx has new workers only', () => !descendants(nginx).some((pid) => before.includes(pid)));
    for (const name of Object.keys(servers)) {
      await until(`nginx and ${name} answer`, async () => {
        const answer = await this.request(name, 'GET', '/api/nobody/tasks').catch(() => undefined);
        return answer && answer.status < 500;
      });
    }
  }

  request(host, method, target, { token, body } = {}) {
    const headers = { host };
    if (token) headers.authorization = `Bearer ${token}`;
    if (body) Object.assign(headers, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    return new Promise((resolve, reject) => {
      http.request({ host: '127.0.0.1', port: this.port, agent: false, method, path: target, headers }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk) => { text += chunk; }).on('error', reject);
        response.on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
      }).on('error', reject).end(body);
    });
  }

  // A token of the shared secret, as the task services of this family accept it.
  token(user, secret = this.settings.BETTER_AUTH_SECRET) {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const now = Math.floor(Date.now() / 1000);
    const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: user, iat: now, exp: now + 86400 })}`;
    return `${text}.${crypto.createHmac('sha256', secret).update(text).digest('base64url')}`;
  }

  // Writes the requests that wrk sends: [method, path, token, body] each.
  requestFile(name, requests) {
    const file = `${this.folder}/${name}.requests`;
    fs.writeFileSync(file, `${requests.map((request) => request.join('\t')).join('\n')}\n`);
    return file;
  }

  // Load on one host name; resolves to what wrk.lua prints, and `rate` in requests per second.
  async wrk(host, file, { connections = 64, duration = seconds } = {}) {
    const threads = Math.min(2, connections);
    const { stdout } = await run('wrk', ['-t', threads, '-c', connections, '-d', `${duration}s`, '--timeout', '30s',
      '-H', `Host: ${host}`, '-s', path.join(here, 'wrk.lua'), `http://127.0.0.1:${this.port}`, '--', file, threads].map(String));
    const result = JSON.parse(stdout.trim().split('\n').at(-1));
    return { ...result, rate: result.requests / result.duration * 1e6, errors: result.refused + result.broken };
  }

  // The same, and the CPU time in microseconds that each part of the service spent in it.
  async measured(host, file, program, options) {
    const parts = Object.entries({ nginx: this.pid('nginx'), program, postgres: this.pid('postgres') }).filter(([, pid]) => pid);
    const times = () => parts.map(([, pid]) => cpuTime(pid));
    const before = times();
    const result = await this.wrk(host, file, options);
    return { ...result, cpu: Object.fromEntries(times().map((time, i) => [parts[i][0], time - before[i]])) };
  }
}

// --- Data -----------------------------------------------------------------------------------------

// User n of a set: ids have 19 digits, so that pgbench can make them, too.
export const userId = (n, set = 1) => String(BigInt(set) * 10n ** 18n + BigInt(n));

// `users` users with `tasks` tasks each, and nothing else. A user's tasks do not lie side by side, as
// they were not made at one time: task t of user n has the id (t - 1) * users + n.
export async function load(instance, users, tasks) {
  await instance.sql(`
    ALTER TABLE task SET (autovacuum_enabled = off);
    TRUNCATE task RESTART IDENTITY;
    INSERT INTO task (user_id, title, description, completed, created_at, updated_at)
    SELECT ${userId(0)} + n, 'Task ' || t || ' of a list of them', CASE WHEN t % 4 > 0 THEN 'What there is to say about task ' || t || ' of user ' || n END,
           t % 3 = 0, made, made
      FROM generate_series(1, ${tasks}) t, generate_series(1, ${users}) n,
           LATERAL (SELECT timestamptz '2026-01-01' + t * interval '1 hour' + n * interval '1 millisecond' AS made) times
     ORDER BY t, n;
    VACUUM (ANALYZE) task;`);
  await useLog(instance);
}

// A database that has been in use writes its log into files that it has. A new one makes each of them
// first, 16 MB, and commits nothing meanwhile: every few seconds all writes would wait for that.
async function useLog(instance) {
  await instance.sql("SELECT count(pg_create_restore_point('bench')), count(pg_switch_wal()) FROM generate_series(1, 48)");
  await instance.sql('CHECKPOINT');
}

// --- Numbers --------------------------------------------------------------------------------------

export const median = (values) => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
