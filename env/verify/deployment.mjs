// The embedded deployment (env/embedded), whose parts can be stopped and come back by themselves. Must
// not know: what is checked meanwhile.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { pause } from './http.mjs';
import { Misuse } from './options.mjs';

const EMBEDDED = fileURLToPath(new URL('../embedded', import.meta.url));
const NO_PROGRAM = ['supervisor', 'nginx', 'postgres', 'mailer'];

const read = (file) => { try { return readFileSync(file, 'utf8'); } catch { return ''; } };
const stat = (pid) => read(`/proc/${pid}/stat`).replace(/^.*\) /s, '').split(' ');

export const isAlive = (pid) => { const [state] = stat(pid); return state !== '' && state !== 'Z'; };

export async function until(condition, what, seconds = 20) {
  for (const end = Date.now() + seconds * 1000; ;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`${what} did not happen within ${seconds} s`);
    await pause(50);
  }
}

export class Deployment {
  constructor(state) {
    this.state = path.resolve(state);
    this.envFile = path.join(this.state, 'env');
    try {
      this.folder = execFileSync(EMBEDDED, ['folder'], { env: { ...process.env, STATE_DIR: this.state }, encoding: 'utf8' }).trim();
    } catch (error) {
      throw new Misuse(`--embedded ${state}: ${error.message.split('\n')[0]}`);
    }
    if (!this.pid('supervisor')) throw new Misuse(`--embedded ${state}: nothing runs there; start it with STATE_DIR=${state} env/embedded start`);
  }

  url(values) {
    const host = !values.BIND || values.BIND === '0.0.0.0' ? '127.0.0.1' : values.BIND === '::' ? '[::1]' : values.BIND.includes(':') ? `[${values.BIND}]` : values.BIND;
    return new URL(`http://${host}:${values.PORT}`);
  }

  get routesFile() { return path.join(this.folder, 'conf', 'todo-fcgi-http.conf'); }

  // The process id of a part that runs; else undefined.
  pid(name) {
    const pid = Number(read(path.join(this.folder, `${name}.pid`)));
    return pid > 0 && isAlive(pid) ? pid : undefined;
  }

  programs() {
    return readdirSync(this.folder).filter((file) => file.endsWith('.pid')).map((file) => file.slice(0, -4)).filter((name) => !NO_PROGRAM.includes(name)).sort();
  }

  get ownsDatabase() { return this.pid('postgres') !== undefined; }

  // The processes that answer for a program.
  workers(name) {
    const parent = String(this.pid(name));
    return readdirSync('/proc').filter((entry) => /^\d+$/.test(entry) && stat(entry)[1] === parent).map(Number);
  }

  signal(name, signal) {
    const pid = this.pid(name);
    if (pid) process.kill(pid, signal);
    return pid;
  }

  // Nothing that ends is started again while `during` runs.
  async unattended(during) {
    const supervisor = this.signal('supervisor', 'SIGSTOP');
    this.resume = () => { try { process.kill(supervisor, 'SIGCONT'); } catch { /* it has ended */ } };
    try {
      return await during();
    } finally {
      this.resume();
      this.resume = undefined;
    }
  }

  // Ends a part and everything below it, and waits until it is gone.
  async stop(name, signal = 'SIGTERM') {
    const below = this.workers(name);
    const pid = this.signal(name, signal);
    if (pid) await until(() => ![pid, ...below].some(isAlive), `the end of ${name}`, 40);
    return pid;
  }

  // Starts a program in its place, with other settings than the deployment's, as env/embedded starts it.
  async startWith(name, settings) {
    const env = { PATH: '/usr/local/bin:/usr/bin:/bin', ...Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== '')) };
    const identity = process.getuid() === 0 ? ['-u', 'www-data', '-g', 'www-data'] : [];
    const socket = path.join(this.folder, 'sockets', `${name}.sock`);
    rmSync(socket, { force: true });
    execFileSync('spawn-fcgi', ['-s', socket, '-M', '0660', '-P', path.join(this.folder, `${name}.pid`), ...identity, '--',
      '/usr/bin/multiwatch', '-f', '1', '--', path.join(this.folder, 'bin', name)], { env, stdio: 'ignore' });
    await until(() => this.workers(name).length > 0, `the start of ${name}`);
  }

  // Waits until the supervisor has started a part anew.
  back(name, oldPid) {
    return until(() => { const pid = this.pid(name); return pid && pid !== oldPid; }, `the return of ${name}`, 30);
  }
}
