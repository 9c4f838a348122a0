// A deployment that can be sabotaged: an instance of ours on a database and a role of its own, with the
// files that an operator would hand to todo-verify; and the means to put another program on a handler's
// socket, built from the real sources with one line changed, so that no product holds a switch for it.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { randomId, sql } from '../http/harness.mjs';
import { migrate, startOurs, verify as command } from './harness.mjs';
import { until } from '../common.mjs';

const run = promisify(execFile);
const root = process.env.TODO_ROOT;
const build = process.env.TODO_BUILD;
const COMPILE_LIMIT = 120e3;

const scratch = mkdtempSync(path.join(tmpdir(), 'todo-sabotage-'));
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

// What a program is started with to have another clock.
export function faketime() {
  const library = ['x86_64', 'aarch64'].map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`).find(existsSync);
  assert.ok(library, 'libfaketime is installed');
  return library;
}

// --- Programs with one line changed ---------------------------------------------------------------

let commands;
// How the Makefile compiles and links. A test build differs in the change and, to be there soon, in
// what the compiler makes of it.
async function makeCommands() {
  const print = 'sabotage: ; $(info $(CXX) $(CXXFLAGS))$(info $(CXX) $(LDFLAGS))$(info $(LDLIBS))@:';
  const configuration = path.basename(build);
  const { stdout } = await run('make', ['--silent', '-C', root, '--no-print-directory', `CONFIG=${configuration}`, `OUT=${build}`, '--eval', print, 'sabotage']);
  const [compile, link, libraries] = stdout.trim().split('\n').slice(-3).map((line) => line.split(' '));
  return { compile, link, libraries };
}

const ccache = () => run('ccache', ['--version']).then(() => true, () => false);

// The program `name`, built with `from` replaced by `to` in `file` (of lib/ or handlers/). The text must
// be there exactly once, else the sources have changed and the sabotage would be none.
export async function buildWith(name, file, from, to) {
  commands ??= makeCommands();
  const { compile, link, libraries } = await commands;
  const folder = path.join(scratch, randomId());
  mkdirSync(folder);
  for (const part of ['lib', 'handlers']) cpSync(path.join(root, part), path.join(folder, part), { recursive: true });
  const source = readFileSync(path.join(folder, file), 'utf8');
  assert.equal(source.split(from).length, 2, `${file} has this once: ${from}`);
  writeFileSync(path.join(folder, file), source.replace(from, () => to));
  const wrap = await ccache() ? ['ccache'] : [];
  const settings = { cwd: folder, timeout: COMPILE_LIMIT, env: { ...process.env, CCACHE_BASEDIR: folder, CCACHE_NOHASHDIR: '1' } };
  const words = [...wrap, ...compile.filter((word) => !/^(ccache|-MMD|-MP|-O.*|-g|-D_FORTIFY_SOURCE=.*)$/.test(word)), '-c', file, '-o', 'changed.o'];
  await run(words[0], words.slice(1), settings);
  const others = file.startsWith('handlers/') ? [] : [path.join(build, 'obj/handlers', `${name}.o`)];
  // What is linked by name comes before the library, whose own copy is then not needed.
  const [linker, ...rest] = [...link.filter((word) => word !== 'ccache'), 'changed.o', ...others, path.join(build, 'libtodo.a'), ...libraries, '-o', name];
  await run(linker, rest, settings);
  return path.join(folder, name);
}

// --- A deployment ---------------------------------------------------------------------------------

// A database with a role of its own, which is no superuser: limits and privileges count for it.
function newDatabase() {
  const name = `verify_${randomId()}`;
  const password = randomId();
  sql(`CREATE ROLE ${name} LOGIN CREATEROLE PASSWORD '${password}'`);
  // The programs' roles belong to the whole server; whoever made them lets this user in.
  sql(`SELECT format('GRANT %I TO ${name}', rolname) FROM pg_roles WHERE rolname LIKE 'todo\\_%' \\gexec`);
  sql(`CREATE DATABASE ${name} OWNER ${name}`);
  const own = process.env.DATABASE_URL.replace(/\/\/[^@]*@([^/]*)\/[^?]*/, `//${name}:${password}@$1/${name}`);
  return {
    name, password, url: own,
    administer: process.env.DATABASE_URL.replace(/(\/\/[^/]*\/)[^?]*/, `$1${name}`),
    drop: () => {
      sql(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      sql(`DROP ROLE IF EXISTS ${name}`);
    },
  };
}

// Quoted for every reader of such files.
const lines = (settings) => Object.entries(settings).map(([name, value]) => `${name}="${value}"\n`).join('');

function runFolder(state) {
  const base = process.getuid() === 0 ? '/run' : process.env.XDG_RUNTIME_DIR ?? '/tmp';
  return path.join(base, `todo-fcgi-${createHash('sha256').update(realpathSync(state)).digest('hex').slice(0, 12)}`);
}

// What the instance runs by. The file is quoted for a shell, so a shell reads it.
async function settingsOf(state) {
  const file = path.join(state, 'env');
  const names = readFileSync(file, 'utf8').match(/^[A-Z_]+(?==)/gm);
  const { stdout } = await run('bash', ['-c', 'set -a; source "$1"; exec env -0', 'bash', file]);
  return Object.fromEntries(stdout.split('\0').map((pair) => pair.split(/=(.*)/s).slice(0, 2)).filter(([name]) => names.includes(name)));
}

const accepts = (socket) => new Promise((resolve) => {
  const link = net.connect(socket, () => { link.destroy(); resolve(true); });
  link.on('error', () => resolve(false));
});

export class Deployment {
  // `settings` as for env/embedded. With `embedded` it has a PostgreSQL of its own, which may be stopped.
  static async start({ embedded = false, settings = {} } = {}) {
    const deployment = new Deployment();
    deployment.embedded = embedded;
    deployment.database = embedded ? undefined : newDatabase();
    try {
      deployment.instance = await startOurs({ ...(embedded ? {} : { DATABASE_URL: deployment.database.url }), ...settings });
      deployment.run = runFolder(deployment.instance.state);
      deployment.settings = await settingsOf(deployment.instance.state);
    } catch (error) {
      await deployment.stop();
      throw error;
    }
    deployment.folder = mkdtempSync(path.join(scratch, 'files-'));
    return deployment;
  }

  async stop() {
    await this.instance?.stop();
    this.database?.drop();
  }

  get origin() { return this.instance.origin; }

  // Runs SQL as the administrator of the cluster.
  sql(text, values = {}) { return sql(text, values, this.database?.administer ?? this.settings.DATABASE_URL); }

  // A second database of the same server and owner, with the same tables.
  async withOtherDatabase(act) {
    const name = `${this.database.name}_other`;
    this.sql(`CREATE DATABASE ${name} OWNER ${this.database.name}`);
    try {
      const url = this.database.url.replace(`/${this.database.name}?`, `/${name}?`);
      await migrate(url);
      return await act(url);
    } finally {
      this.sql(`DROP DATABASE ${name} WITH (FORCE)`);
    }
  }

  // Every link of the handlers ends; their next request makes a new one, under the rules of then.
  dropLinks() {
    this.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()");
  }

  // What the operator's files say, without sabotage.
  get backendEnv() {
    const names = ['BETTER_AUTH_SECRET', 'DATABASE_URL', 'BETTER_AUTH_URL', 'BETTER_AUTH_TRUSTED_ORIGINS', 'DATABASE_ROLES'];
    return Object.fromEntries(names.filter((name) => this.settings[name]).map((name) => [name, this.settings[name]]));
  }

  get frontendEnv() {
    const { BETTER_AUTH_SECRET, DATABASE_URL, BETTER_AUTH_URL } = this.settings;
    return { BETTER_AUTH_SECRET, DATABASE_URL, BETTER_AUTH_URL };
  }

  // Writes settings, or a text as it is, to a file that only this test knows; returns its path.
  file(name, content) {
    const file = path.join(mkdtempSync(path.join(this.folder, 'env-')), name);
    writeFileSync(file, typeof content === 'string' ? content : lines(content), { mode: 0o600 });
    return file;
  }

  // The command line of todo-verify for this deployment; `json` is where the result will be.
  words({ only, origin = this.origin, backend = this.backendEnv, frontend, journeys = 2, more = [] }) {
    return [
      ...(this.embedded ? ['--embedded', this.instance.state] : ['--url', origin, '--backend-env', this.file('backend.env', backend),
        '--routes', path.join(this.run, 'conf/todo-fcgi-http.conf')]),
      ...(frontend ? ['--frontend-env', this.file('frontend.env', frontend)] : []),
      ...(only ? ['--only', only] : []), '--journeys', String(journeys), ...more,
    ];
  }

  // Runs todo-verify. No secret may be in anything that it wrote.
  async verify(options = {}) {
    const html = path.join(mkdtempSync(path.join(this.folder, 'out-')), 'result.html');
    const outcome = await command(this.words({ ...options, more: ['--html', html, ...options.more ?? []] }), { env: options.environment });
    const written = [outcome.stdout, outcome.stderr, JSON.stringify(outcome.result), existsSync(html) ? readFileSync(html, 'utf8') : ''];
    for (const secret of [this.settings.BETTER_AUTH_SECRET, new URL(this.settings.DATABASE_URL.replace('@/', '@localhost/')).password, ...options.secrets ?? []])
      for (const text of written) assert.ok(!text?.includes(secret), 'a secret is in the output');
    return outcome;
  }

  // --- Sabotage, undone after `act` ---------------------------------------------------------------

  socket(name) { return path.join(this.run, 'sockets', `${name}.sock`); }

  // Puts another program, or the same with other settings, on the socket of a handler.
  async withProgram(name, { program = path.join(this.run, 'bin', name), settings = {} }, act) {
    const socket = this.socket(name);
    const mine = `${socket}.${randomId().slice(0, 8)}`;
    const child = spawn('spawn-fcgi', ['-n', '-s', mine, '-M', '0666', '-b', '1024', '--', '/usr/bin/multiwatch', '-f', '2', '--', program], {
      env: { PATH: '/usr/local/bin:/usr/bin:/bin', LIBFCGI_OS_CLOSE_POLL_TIMEOUT: '100', ...this.settings, ...settings }, stdio: 'ignore',
    });
    const ended = new Promise((resolve) => { child.once('exit', resolve); child.once('error', resolve); });
    try {
      await until(`${name} listens`, () => accepts(mine));
      renameSync(socket, `${mine}.aside`);
      renameSync(mine, socket);
      await this.reload();
      return await act();
    } finally {
      if (existsSync(`${mine}.aside`)) {
        renameSync(`${mine}.aside`, socket);
        await this.reload();
      }
      child.kill('SIGTERM');
      await ended;
    }
  }

  pid(part) { return Number(readFileSync(path.join(this.run, `${part}.pid`), 'utf8')); }

  // A handler stopped for good: nobody starts it again before `act` has ended.
  async without(name, act) {
    const [supervisor, handler] = [this.pid('supervisor'), this.pid(name)];
    process.kill(supervisor, 'SIGSTOP');
    try {
      process.kill(handler, 'SIGTERM');
      await until(`${name} stops`, async () => !await accepts(this.socket(name)));
      return await act();
    } finally {
      process.kill(supervisor, 'SIGCONT');
      await until(`${name} runs again`, () => accepts(this.socket(name)));
    }
  }

  // nginx with one of its files changed by `change`.
  async withNginx(file, change, act) {
    const name = path.join(this.run, 'conf', file);
    const before = readFileSync(name, 'utf8');
    const changed = change(before);
    assert.notEqual(changed, before, `${file} was changed`);
    writeFileSync(name, changed);
    await this.reload();
    try {
      return await act();
    } finally {
      writeFileSync(name, before);
      await this.reload();
    }
  }

  // nginx keeps connections to handlers; new workers, by the configuration of now, have none.
  async reload() {
    const master = this.pid('nginx');
    const workers = () => readFileSync(`/proc/${master}/task/${master}/children`, 'utf8').trim().split(' ');
    const old = new Set(workers());
    process.kill(master, 'SIGHUP');
    await until('new workers of nginx', () => workers().every((one) => !old.has(one)));
  }

  // SQL before and after.
  async withSql(change, undo, act) {
    this.sql(change);
    try { return await act(); } finally { this.sql(undo); }
  }
}

// Exactly the checks of `wanted` fail, as the exit status says; its values are what saw or fix of each
// must say: the cause, in words that somebody who sees no source understands.
export function assertFails({ status, result, stdout, stderr }, wanted) {
  const output = stdout + stderr;
  assert.ok(result, `no result; exit status ${status}: ${output}`);
  const failed = result.checks.filter((check) => check.required && check.status === 'fail');
  const told = failed.map((check) => `${check.id}: ${check.saw} | ${check.fix}`).join('\n');
  assert.deepEqual(failed.map((check) => check.id).sort(), Object.keys(wanted).sort(), told);
  for (const check of failed) {
    assert.match(`${check.saw}\n${check.fix}`, wanted[check.id], check.id);
    assert.ok(check.fix && !check.fix.includes('\n'), `${check.id} says in one line what to change`);
  }
  assert.equal(status, failed.length ? 1 : 0, output);
  assert.equal(result.verdict, failed.length ? 'not ready' : 'ready');
}
