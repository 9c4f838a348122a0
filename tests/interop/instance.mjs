// What tests need that cannot do with the instance under test: further databases in its cluster, and
// further instances of ours, with settings of their own.
import '../../env/verify/node18.mjs';
import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { getMigrations } from 'better-auth/db/migration';
import { randomId, request, secret, sql } from '../http/harness.mjs';
import { options } from './real.mjs';
import { freePort, noSettings } from '../common.mjs';

const run = promisify(execFile);
const root = process.env.TODO_ROOT;

// A new, empty database; `drop` ends every connection to it.
export function newDatabase() {
  const name = `interop_${randomId()}`;
  const url = new URL(process.env.DATABASE_URL.replace('@/', '@localhost/')); // the host is in its query
  url.pathname = `/${name}`;
  sql(`CREATE DATABASE ${name}`);
  return {
    url: url.href.replace('@localhost/', '@/'),
    drop: () => sql(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

// The schema as Better Auth itself makes it.
export async function migrateAsBetterAuth(url) {
  const configuration = options(url);
  try {
    await (await getMigrations(configuration)).runMigrations();
  } finally {
    await configuration.database.end();
  }
}

// Our migrations, on an empty database or on what is there.
export const migrate = (url, more = {}) => run(`${root}/sql/migrate`, { env: { ...process.env, DATABASE_URL: url, ...more } });

// An instance of ours on a database of its own or, with DATABASE_URL among the settings, on that one.
// `more` gives the settings that depend on its own address. Nothing of the instance under test gets in
// but its secret; an empty variable counts as not set.
export async function startOurs(settings = {}, more = () => ({})) {
  const state = await mkdtemp(path.join(tmpdir(), 'todo-interop-'));
  await chmod(state, 0o755);
  const port = await freePort();
  const origin = settings.BETTER_AUTH_URL ?? `http://127.0.0.1:${port}`;
  const env = {
    ...process.env, ...noSettings,
    BUILD: process.env.TODO_BUILD, BETTER_AUTH_SECRET: secret, STATE_DIR: state, PORT: String(port), ...settings, ...more(origin),
  };
  const stop = async () => {
    await run(`${root}/env/embedded`, ['stop'], { env });
    await rm(state, { recursive: true });
  };
  try {
    await run(`${root}/env/embedded`, ['start'], { env });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    port,
    origin,
    state,
    send: (method, uri, more = {}) => request(method, uri, { port, ...more }),
    get: (route, cookie) => request('GET', `/api/auth/${route}`, { port, cookie }),
    post: (route, body, cookie) => request('POST', `/api/auth/${route}`, { port, cookie, body, headers: { origin } }),
    stop,
  };
}
