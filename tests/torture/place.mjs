// Where it happens: an instance of its own (env/embedded), a PostgreSQL of its own, and between them the
// proxy that fails when it is told to.
import { execFile, execFileSync, fork, spawn } from 'node:child_process';
import crypto from 'node:crypto';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort, noSettings, until } from '../common.mjs';

export const here = path.dirname(fileURLToPath(import.meta.url));
export const root = path.resolve(here, '../..');
const embedded = path.join(root, 'env/embedded');
const run = promisify(execFile);

export function isAlive(pid) {
  try { return !/^\d+ \(.*\) [ZX]/s.test(fs.readFileSync(`/proc/${pid}/stat`, 'latin1')); } catch { return false; }
}

export const children = (pid) => {
  try { return fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim().split(' ').filter(Boolean).map(Number); } catch { return []; }
};

// Of a process that may have ended by now.
export function kill(pid, signal) {
  try { process.kill(pid, signal); } catch (error) { if (error.code !== 'ESRCH') throw error; }
}

// A private PostgreSQL, whose superuser is "postgres"; the service logs in as "todo", which is not one.
export class Postgres {
  constructor(folder) {
    this.data = `${folder}/postgres`;
    this.sockets = `${folder}/database`;
    this.log = `${folder}/postgres.log`;
    const bin = fs.readdirSync('/usr/lib/postgresql').sort((a, b) => Number(a) - Number(b)).at(-1);
    this.bin = `/usr/lib/postgresql/${bin}/bin`;
    // PostgreSQL refuses to run as root.
    const [uid, gid] = ['-u', '-g'].map((what) => Number(execFileSync('id', [what, os.userInfo().uid === 0 ? 'postgres' : os.userInfo().username], { encoding: 'utf8' })));
    this.identity = { uid, gid };
    fs.mkdirSync(this.data, { mode: 0o700 });
    fs.mkdirSync(this.sockets, { mode: 0o755 });
    if (os.userInfo().uid === 0) for (const each of [this.data, this.sockets]) fs.chownSync(each, uid, gid);
    const as = { ...(os.userInfo().uid === 0 ? this.identity : {}), cwd: '/' };
    this.as = as;
    execFileSync(`${this.bin}/initdb`, ['-D', this.data, '--username', 'postgres', '--auth', 'trust', '--encoding', 'UTF8', '--locale', 'C.UTF-8',
      '--locale-provider', 'icu', '--icu-locale', 'und', '--data-checksums', '--no-instructions', '--no-sync'], { ...as, stdio: 'ignore' });
    fs.appendFileSync(`${this.data}/postgresql.conf`, `
listen_addresses = ''
max_connections = 100
idle_in_transaction_session_timeout = 10s
log_error_verbosity = terse
`);
    this.environment = { PATH: process.env.PATH, PGHOST: this.sockets, PGUSER: 'postgres', PGDATABASE: 'todo' };
  }

  get pid() {
    try { return Number(fs.readFileSync(`${this.data}/postmaster.pid`, 'utf8').split('\n')[0]); } catch { return 0; }
  }

  async isReady() {
    try { await run(`${this.bin}/pg_isready`, ['--quiet', '--host', this.sockets]); return true; } catch { return false; }
  }

  async start() {
    const log = fs.openSync(this.log, 'a');
    await until('PostgreSQL starts', async () => {
      // While processes of the one before are still about, it refuses to start.
      if (!this.child || this.child.exitCode !== null || this.child.signalCode !== null)
        this.child = spawn(`${this.bin}/postgres`, ['-D', this.data, '-k', this.sockets], { ...this.as, stdio: ['ignore', log, log] });
      await sleep(20);
      return this.isReady();
    });
    fs.closeSync(log);
  }

  // SIGINT: fast, SIGQUIT: immediate, SIGKILL.
  async stop(signal = 'SIGINT') {
    const { pid } = this;
    if (!pid) return;
    kill(pid, signal);
    await until('PostgreSQL ends', () => !isAlive(pid));
  }

  // All of its processes.
  processes() { return [this.pid, ...children(this.pid)]; }
  backends() {
    return children(this.pid).filter((pid) => {
      try { return /^postgres: todo/.test(fs.readFileSync(`/proc/${pid}/cmdline`, 'latin1')); } catch { return false; }
    });
  }

  async sql(text, database = 'todo') {
    const child = run('psql', ['--no-psqlrc', '--quiet', '--no-align', '--tuples-only', '--set', 'ON_ERROR_STOP=1'], { env: { ...this.environment, PGDATABASE: database }, maxBuffer: 2 ** 30 });
    child.child.stdin.end(text);
    return (await child).stdout.trim();
  }

  // A setting for all sessions at once. It is there when a session of our own sees it.
  async set(name, value) {
    await this.sql(value === undefined ? `ALTER SYSTEM RESET ${name}` : `ALTER SYSTEM SET ${name} = '${value}'`);
    await this.sql('SELECT pg_reload_conf()');
    if (value !== undefined) await until(`${name} is ${value}`, async () => await this.sql(`SHOW ${name}`) === value);
  }
}

export class Place {
  static async start({ build = 'build/release', settings = {}, workers = 2 } = {}) {
    const place = new Place();
    place.build = path.resolve(build);
    // On a disk, as a database is, and open to the users of nginx and PostgreSQL.
    place.folder = fs.mkdtempSync('/var/tmp/todo-torture-');
    fs.chmodSync(place.folder, 0o755);
    try {
      await place.begin(settings, workers);
    } catch (error) {
      await place.stop();
      throw error;
    }
    return place;
  }

  async begin(settings, workers) {
    this.postgres = new Postgres(this.folder);
    await this.postgres.start();
    await this.postgres.sql('CREATE ROLE todo LOGIN CREATEROLE', 'postgres');
    await this.postgres.sql('CREATE DATABASE todo OWNER todo', 'postgres');
    await this.postgres.sql('ALTER SCHEMA public OWNER TO todo');
    const sockets = `${this.folder}/proxy`;
    fs.mkdirSync(sockets);
    this.proxy = fork(path.join(here, 'proxy.mjs'), [`${sockets}/.s.PGSQL.5432`, `${this.postgres.sockets}/.s.PGSQL.5432`]);
    await once(this.proxy, 'message');
    this.struck = 0;
    this.proxy.on('message', ({ struck }) => { if (struck) this.struck += 1; });

    this.port = await freePort();
    this.secret = crypto.randomBytes(32).toString('base64url');
    this.environment = {
      PATH: process.env.PATH, BUILD: this.build, ...(process.env.ASAN_OPTIONS ? { ASAN_OPTIONS: process.env.ASAN_OPTIONS } : {}),
      ...noSettings,
      STATE_DIR: `${this.folder}/state`, PORT: String(this.port), WORKERS: String(workers), BETTER_AUTH_SECRET: this.secret,
      DATABASE_URL: `postgresql://todo@/todo?host=${sockets}`, ...settings,
    };
    await run(embedded, ['start'], { env: this.environment });
    this.run = execFileSync(embedded, ['folder'], { env: this.environment, encoding: 'utf8' }).trim();
    // Every change of a task, beside the service and in the same transaction: what was done how often.
    await this.postgres.sql(`
      CREATE SCHEMA torture;
      CREATE TABLE torture.change (what text, user_id text, id bigint, title text, text text, flipped boolean);
      CREATE FUNCTION torture.note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = torture AS $$
      BEGIN
        IF TG_OP = 'DELETE' THEN
          INSERT INTO torture.change VALUES ('DELETE', OLD.user_id, OLD.id, OLD.title);
          RETURN OLD;
        END IF;
        INSERT INTO torture.change VALUES (TG_OP, NEW.user_id, NEW.id, NEW.title,
          CASE WHEN TG_OP = 'INSERT' OR NEW.description IS DISTINCT FROM OLD.description THEN NEW.description END,
          TG_OP = 'UPDATE' AND NEW.completed <> OLD.completed);
        RETURN NEW;
      END $$;
      CREATE TRIGGER torture AFTER INSERT OR UPDATE OR DELETE ON task FOR EACH ROW EXECUTE FUNCTION torture.note();`);
  }

  stop() { return this.stopping ??= this.end(); }

  async end() {
    if (this.environment) await run(embedded, ['stop'], { env: this.environment }).catch(() => {});
    this.proxy?.disconnect?.();
    if (this.postgres) {
      for (const pid of this.postgres.processes()) if (pid) kill(pid, 'SIGCONT');
      await this.postgres.stop().catch(() => {});
    }
    fs.rmSync(this.folder, { recursive: true, force: true });
  }

  // For whoever wants to know why.
  keepLogs(folder) {
    fs.rmSync(`${folder}/log`, { recursive: true, force: true });
    fs.cpSync(`${this.folder}/state/log`, `${folder}/log`, { recursive: true });
    fs.copyFileSync(this.postgres.log, `${folder}/log/postgres.log`);
  }

  // As it was, when a fault could not be done to its end.
  async mend() {
    this.fault();
    for (const pid of this.postgres.processes()) if (pid) kill(pid, 'SIGCONT');
    await this.postgres.start();
    await this.postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'");
  }

  // What the proxy does from now on; nothing: none.
  fault(mode = 'none', { every = 1, ms = 0 } = {}) { this.proxy.send({ mode, every, ms }); }

  pid(part) {
    try { return Number(fs.readFileSync(`${this.run}/${part}.pid`, 'utf8')); } catch { return 0; }
  }

  // The processes of a program, without the one that watches over them.
  workers(program) { return children(this.pid(program)); }

  get taskPrograms() { return ['task_list', 'task_get', 'task_create', 'task_update', 'task_complete', 'task_delete']; }

  // As units are restarted: each worker in turn is told to stop and its successor is there before the next one.
  async restartWorkers(program) {
    for (const pid of this.workers(program)) {
      kill(pid, 'SIGTERM');
      await until(`${program} has a new worker`, () => !isAlive(pid) && this.workers(program).length === Number(this.environment.WORKERS) && !this.workers(program).includes(pid));
    }
  }

  // A program with other contents in the place of the one that runs.
  replace(program, contents) {
    const file = `${this.run}/bin/${program}`;
    fs.writeFileSync(`${file}.new`, contents, { mode: 0o755 });
    fs.renameSync(`${file}.new`, file);
  }

  // The program as before, with variables that are read anew at each of its starts.
  wrap(program, variables) {
    const kept = `${this.run}/bin/${program}.real`;
    if (!fs.existsSync(kept)) fs.copyFileSync(`${this.run}/bin/${program}`, kept);
    const lines = Object.entries(variables).map(([name, value]) => `export ${name}='${value}'\n`).join('');
    this.replace(program, `#!/bin/sh\n${lines}exec '${kept}'\n`);
  }

  unwrap(program) { fs.renameSync(`${this.run}/bin/${program}.real`, `${this.run}/bin/${program}`); }

  token(user, secret = this.secret) {
    const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const now = Math.floor(Date.now() / 1000);
    const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: user, iat: now, exp: now + 86400 })}`;
    return `${text}.${crypto.createHmac('sha256', secret).update(text).digest('base64url')}`;
  }

  // No statement of the service is under way.
  async settle() {
    await until('the database has nothing to do', async () => await this.postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'todo' AND state <> 'idle'") === '0');
  }
}
