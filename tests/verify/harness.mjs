// What the tests of todo-verify share: instances of their own (startOurs, newDatabase, startReal), and
// the command as an operator runs it.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

export { migrate, migrateAsBetterAuth, newDatabase, startOurs } from '../interop/instance.mjs';
export { startReal } from '../interop/real.mjs';
export { randomId, request, secret, sql } from '../http/harness.mjs';

const COMMAND = `${process.env.TODO_ROOT}/env/verify/todo-verify`;

// A folder that is gone when the test file ends; `write` puts a file into it and gives its path.
export function folder() {
  const place = mkdtempSync(path.join(tmpdir(), 'todo-verify-'));
  process.on('exit', () => rmSync(place, { recursive: true, force: true }));
  const write = (name, text) => {
    const file = path.join(place, name);
    writeFileSync(file, typeof text === 'string' ? text : Object.entries(text).map(([key, value]) => `${key}='${value}'\n`).join(''));
    return file;
  };
  return { place, write };
}

// The running command: `ended` resolves to {status, stdout, stderr, result, check}, the last two from
// its JSON; check(id) is one check of it. Settings of the instance under test do not get in.
export function command(words, { env = {}, limit = 120e3 } = {}) {
  const place = mkdtempSync(path.join(tmpdir(), 'todo-verify-'));
  const json = path.join(place, 'result.json');
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(BETTER_AUTH|AUTH|JWT|TODO|DATABASE|MAIL|SMTP|STATE_DIR|PORT|BIND|NODE_TEST)/.test(name)));
  const child = spawn(COMMAND, [...words, '--json', json], { env: { ...clean, BUILD: process.env.TODO_BUILD, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const seen = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr']) child[name].on('data', (chunk) => { seen[name] += chunk; });
  const timer = setTimeout(() => child.kill('SIGKILL'), limit);
  const ended = new Promise((resolve) => {
    child.on('close', (status, signal) => {
      clearTimeout(timer);
      let result;
      try { result = JSON.parse(readFileSync(json, 'utf8')); } catch { result = undefined; }
      rmSync(place, { recursive: true, force: true });
      resolve({ status, signal, ...seen, result, check: (id) => result?.checks.find((one) => one.id === id) });
    });
  });
  return { child, seen, ended };
}

export const verify = (words, more) => command(words, more).ended;

// The identifiers of the checks with this status.
export const withStatus = (result, status) => result.checks.filter((check) => check.status === status).map(({ id }) => id);
