// What sign-in costs beyond the password hash, and whether times tell who has an account.
//   make bench-signin            all of it; ONLY=cost, ONLY=sign-in or ONLY=reset a part
// Prints ratios of medians; everything that is compared is measured in turn, in the same run.
import { execFileSync, spawnSync, execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../..');
const build = path.resolve(process.env.BUILD ?? 'build/release');
const tries = Number(process.env.TRIES ?? 500);
const only = process.env.ONLY;
const cores = os.cpus().length;
const state = mkdtempSync(path.join(os.tmpdir(), 'todo-bench-'));
const port = 20000 + Math.floor(Math.random() * 12000);
const environment = {
  PATH: process.env.PATH, BUILD: build, STATE_DIR: state, PORT: String(port), WORKERS: String(cores),
  AUTH_RATE_LIMIT: 'off', SMTP_URL: 'smtp://127.0.0.1:9', MAIL_FROM: 'todo@example.com',
};

const agent = new http.Agent({ keepAlive: true });

// Sends one request; resolves to its time in microseconds and its status.
function post(route, body) {
  const text = JSON.stringify(body);
  const begin = process.hrtime.bigint();
  return new Promise((resolve, reject) => {
    const request = http.request({
      port, agent, method: 'POST', path: `/api/auth/${route}`,
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
    }, (response) => {
      response.resume();
      response.on('end', () => resolve({
        time: Number(process.hrtime.bigint() - begin) / 1000, status: response.statusCode,
      }));
    });
    request.on('error', reject);
    request.end(text);
  });
}

const sorted = (values) => [...values].sort((a, b) => a - b);
const quantile = (values, q) => sorted(values)[Math.floor((values.length - 1) * q)];
const median = (values) => quantile(values, 0.5);
const ms = (value) => (value / 1000).toFixed(2);

function raw(count) {
  return execFileSync(`${build}/bench/raw_scrypt`, [String(count)], { encoding: 'utf8' })
    .trim().split('\n').map(Number);
}

function rawInParallel(count) {
  const run = () => new Promise((resolve, reject) => {
    execFile(`${build}/bench/raw_scrypt`, [String(count)], (error) => (error ? reject(error) : resolve()));
  });
  return Promise.all(Array.from({ length: cores }, run));
}

async function timed(action) {
  const begin = process.hrtime.bigint();
  await action();
  return Number(process.hrtime.bigint() - begin) / 1000;
}

const known = { email: 'known@example.com', password: 'password123' };

async function cost() {
  const ours = [];
  const hash = [];
  for (let round = 0; round < 20; round += 1) {
    hash.push(...raw(5));
    for (let i = 0; i < 5; i += 1) ours.push((await post('sign-in/email', known)).time);
  }
  console.log(`sign-in ${ms(median(ours))} ms, raw scrypt ${ms(median(hash))} ms, ratio ${(median(ours) / median(hash)).toFixed(3)}`);

  const parallel = [];
  for (let round = 0; round < 7; round += 1) {
    const plain = await timed(() => rawInParallel(15));
    const signIns = await timed(() => Promise.all(Array.from({ length: cores }, async () => {
      for (let i = 0; i < 15; i += 1) await post('sign-in/email', known);
    })));
    parallel.push(signIns / plain);
  }
  console.log(`${cores} at once on ${cores} cores: time of 15 each, ratio to raw hashes ${median(parallel).toFixed(3)}`);
}

// `pause`, in ms, keeps cheap requests below nginx's outer wall.
async function enumeration(route, ofKnown, ofUnknown, pause = 0) {
  const a = [];
  const b = [];
  for (let i = 0; i < tries; i += 1) {
    // Which of the two comes first changes each time: after a pause, the first is the slower one.
    const pair = [[ofKnown, a], [ofUnknown(i), b]];
    if (i % 2 === 1) pair.reverse();
    const statuses = [];
    for (const [body, times] of pair) {
      const { time, status } = await post(route, body);
      times.push(time);
      statuses.push(status);
    }
    if (statuses[0] !== statuses[1]) throw new Error(`${route}: ${statuses.join(' and ')}`);
    if (pause > 0) await new Promise((resolve) => { setTimeout(resolve, pause); });
  }
  const spread = (values) => [0.05, 0.25, 0.5, 0.75, 0.95].map((q) => ms(quantile(values, q))).join(' ');
  console.log(`${route}, ${tries} each, quantiles 5 25 50 75 95 in ms: known ${spread(a)}, unknown ${spread(b)}, `
    + `ratio of medians ${(median(a) / median(b)).toFixed(3)}`);
}

try {
  const started = spawnSync(`${root}/env/embedded`, ['start'], { env: environment, encoding: 'utf8' });
  if (started.status !== 0) throw new Error(started.stdout + started.stderr);
  if ((await post('sign-up/email', { name: 'Known', ...known })).status !== 200) throw new Error('sign-up failed');
  if (only === undefined || only === 'cost') await cost();
  if (only === undefined || only === 'sign-in') await enumeration('sign-in/email', { ...known, password: 'wrong-password' },
    (i) => ({ email: `unknown${i}@example.com`, password: 'wrong-password' }));
  if (only === undefined || only === 'reset') await enumeration('request-password-reset', { email: known.email },
    (i) => ({ email: `unknown${i}@example.com` }), 50);
} finally {
  agent.destroy();
  spawnSync(`${root}/env/embedded`, ['stop'], { env: environment });
  rmSync(state, { recursive: true, force: true });
}
