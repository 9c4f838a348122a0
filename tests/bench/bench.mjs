// `make bench`: our handlers, their peers and the limits, all in one run. README.md says what is
// measured and how; the result goes to build/bench/result.json and result.svg.
import { execFile, execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Instance, build, cores, here, load, median, quick, results, root, rounds, seconds, settled } from './instance.mjs';
import { assertSameAnswers, loadAccounts, operations, pgbenchScript, signIn, tasksPerUser, users } from './operations.mjs';
import { printReport, writeFiles } from './report.mjs';

const run = promisify(execFile);
const connections = 64;
const only = process.env.ONLY?.split(',') ?? [...Object.keys(operations), 'signin', 'curve', 'storm', 'rest'];
const chosen = Object.keys(operations).filter((name) => only.includes(name));
const subjectFolders = (process.env.SUBJECTS?.split(',').filter(Boolean) ?? fs.readdirSync(`${here}/subjects`).sort())
  .map((name) => (name.includes('/') ? path.resolve(name) : `${here}/subjects/${name}`));
for (const folder of subjectFolders) if (!fs.existsSync(`${folder}/start`)) throw new Error(`${folder} is no subject: it has no program "start"`);
const say = (text) => process.stderr.write(`bench: ${text}\n`);

// --- What stands behind nginx -----------------------------------------------------------------------

const rolesOff = 'roles-off';
const constant = '{"id":1,"title":"A task of the usual length","description":"What there is to say about it","completed":false,'
  + '"user_id":"1000000000000000001","created_at":"2026-01-01T00:00:00.000Z","updated_at":"2026-01-01T00:00:00.000Z"}';

// Starts everything besides the instance's own programs; resolves to the process ids. `rolesOff` are our
// programs once more, without a role for each and so without row-level security.
async function startOthers(instance) {
  const sockets = `${instance.folder}/sockets`;
  fs.mkdirSync(sockets);
  const pids = {};
  const upstreams = ['upstream noop { server unix:SOCKETS/noop.sock; keepalive 64; }'];
  const servers = {
    constant: `location / { default_type application/json; return 200 '${constant}'; }`,
    noop: `include ${instance.run}/conf/todo-fcgi-params.conf; location / { fastcgi_keep_conn on; fastcgi_pass noop; }`,
    fcgiwrap: ['health', 'task_get'].map((program) => `location ${program === 'health' ? '/health' : '/'} {
      include ${instance.run}/conf/todo-fcgi-params.conf;
      fastcgi_param SCRIPT_FILENAME ${instance.run}/bin/${program};
      fastcgi_pass unix:SOCKETS/fcgiwrap.sock; }`).join('\n'),
  };
  const fcgi = (name, command, environment) => instance.spawn('spawn-fcgi', ['-n', '-s', `${sockets}/${name}.sock`, '-M', '0666', '--', ...command], environment);
  pids.noop = fcgi('noop', [`${build}/bench/noop`], {});
  fcgi('fcgiwrap', ['/usr/sbin/fcgiwrap', '-c', String(cores)], instance.settings);
  for (const { program } of Object.values(operations)) {
    pids[program] = fcgi(`off-${program}`, ['/usr/bin/env', 'multiwatch', '-f', instance.settings.WORKERS, '--', `${instance.run}/bin/${program}`],
      { ...instance.settings, DATABASE_ROLES: 'off' });
    upstreams.push(`upstream off_${program} { server unix:SOCKETS/off-${program}.sock; keepalive 64; keepalive_time 2s; keepalive_timeout 2s; }`);
  }
  servers[rolesOff] = `include ${instance.run}/conf/todo-fcgi-params.conf; location / { fastcgi_pass off_$todo_program; }`;
  for (const folder of subjectFolders) {
    const name = path.basename(folder);
    const socket = `${sockets}/${name}.sock`;
    pids[name] = instance.spawn(`${folder}/start`, [], {
      SOCKET: socket, DATABASE_URL: instance.settings.DATABASE_URL, BETTER_AUTH_SECRET: instance.settings.BETTER_AUTH_SECRET, WORKERS: String(cores),
    });
    upstreams.push(`upstream ${name} { server unix:${socket}; keepalive 64; }`);
    servers[name] = fs.existsSync(`${folder}/nginx.conf`) ? fs.readFileSync(`${folder}/nginx.conf`, 'utf8').replaceAll('@SOCKET@', socket)
      : `location / { proxy_pass http://${name}; proxy_http_version 1.1; proxy_set_header Connection "";
         proxy_buffer_size 32k; proxy_buffers 16 32k; proxy_read_timeout 30s; }`;
  }
  const inPlace = (text) => text.replaceAll('SOCKETS', sockets);
  await instance.addServers(inPlace(upstreams.join('\n')), Object.fromEntries(Object.entries(servers).map(([name, text]) => [name, inPlace(text)])));
  return pids;
}

// --- Measuring ------------------------------------------------------------------------------------

const newSeries = () => ({ rate: [], p50: [], p99: [], errors: 0, requests: 0, cpu: { nginx: [], program: [], postgres: [] } });

function add(series, result) {
  for (const key of ['rate', 'p50', 'p99']) if (result[key] !== undefined) series[key].push(result[key]);
  series.errors += result.errors;
  series.requests += result.requests;
  for (const [part, time] of Object.entries(result.cpu ?? {})) series.cpu[part].push(time / result.requests);
}

// Its time begins before its connections are made; on a busy machine there may be nothing left of it.
async function pgbench(instance, script, time = seconds + 1) {
  const { stdout, stderr } = await run('pgbench', ['-n', '-M', 'prepared', '-c', String(connections), '-j', '2', '-T', String(time), '-f', script],
    { env: instance.database });
  const number = (pattern) => Number(pattern.exec(stdout)?.[1] ?? 0);
  const requests = number(/actually processed: (\d+)/);
  if (requests === 0 && time < 60) return pgbench(instance, script, time * 3);
  if (requests === 0) throw new Error(`pgbench: ${stdout}${stderr.slice(0, 2000)}`);
  return { rate: number(/^tps = ([\d.]+)/m), requests, errors: number(/failed transactions: (\d+)/) };
}

// What one sign-in cannot be cheaper than: as many raw hashes at once as there are cores.
async function rawHashes(duration) {
  const program = `${build}/bench/raw_scrypt`;
  const one = Number(execFileSync(program, ['1'], { encoding: 'utf8' }));
  const count = Math.max(2, Math.round(duration * 1e6 / one));
  const times = await Promise.all(Array.from({ length: cores }, async () => (await run(program, [String(count)])).stdout.trim().split('\n').map(Number)));
  return { rate: times.reduce((sum, each) => sum + each.length / each.reduce((a, b) => a + b, 0) * 1e6, 0), requests: count * cores, errors: 0 };
}

const rotated = (list, by) => list.map((_, i) => list[(i + by) % list.length]);

async function measureOperations(instance, files, hosts, pids) {
  const result = {};
  for (const name of chosen) {
    const { program, tidy } = operations[name];
    const pidOf = (host) => ({ ours: instance.pid(program), [rolesOff]: pids[program] }[host] ?? pids[host]);
    const subjects = Object.fromEntries(hosts.map((host) => [host, (options) => instance.measured(host, files[name], pidOf(host), options)]));
    subjects.pgbench = () => pgbench(instance, `${instance.folder}/${name}.sql`);
    result[name] = Object.fromEntries(Object.keys(subjects).map((subject) => [subject, newSeries()]));
    say(`${name}: warm-up`);
    for (const host of hosts) await subjects[host]({ duration: 1 });
    for (let round = 0; round < rounds; round += 1) {
      say(`${name}: round ${round + 1} of ${rounds}`);
      for (const subject of rotated(Object.keys(subjects), round)) {
        if (tidy) await instance.sql(tidy);
        add(result[name][subject], await subjects[subject]({}));
      }
    }
    if (tidy) await instance.sql(tidy);
  }
  return result;
}

async function measureLimits(instance, pids) {
  const get = instance.requestFile('plain', [['GET', '/api/health', '', '']]);
  const result = { constant: newSeries(), noop: newSeries(), library: newSeries() };
  for (let round = 0; round < rounds; round += 1) {
    say(`limits: round ${round + 1} of ${rounds}`);
    add(result.constant, await instance.measured('constant', get));
    add(result.noop, await instance.measured('noop', get, pids.noop));
    add(result.library, await instance.measured('ours', get, instance.pid('health')));
  }
  return result;
}

async function measureSignIn(instance, file) {
  const result = { ours: newSeries(), scrypt: newSeries() };
  for (let round = 0; round < rounds; round += 1) {
    say(`sign-in: round ${round + 1} of ${rounds}`);
    const turns = [
      async () => {
        // Long, because what is half done at its end does not count.
        add(result.ours, await instance.measured('ours', file, instance.pid('signin'), { duration: 2 * seconds }));
        await settled(instance.pid('signin'));
      },
      async () => add(result.scrypt, await rawHashes(seconds)),
    ];
    for (const turn of rotated(turns, round)) await turn();
  }
  return result;
}

async function measureCurve(instance, files, hosts, measuredAlready) {
  const result = {};
  for (const name of ['list', 'get'].filter((each) => chosen.includes(each))) {
    result[name] = Object.fromEntries(hosts.map((host) => {
      const { rate, p50, p99 } = measuredAlready[name][host];
      return [host, { [connections]: { rate: median(rate), p50: median(p50), p99: median(p99), errors: 0 } }];
    }));
    for (const count of quick ? [1, 512] : [1, 8, 512]) {
      say(`${name}: ${count} connections`);
      for (const host of hosts) {
        const { rate, p50, p99, errors } = await instance.wrk(host, files[name], { connections: count, duration: Math.max(1, Math.ceil(seconds / 2)) });
        result[name][host][count] = { rate, p50, p99, errors };
      }
    }
  }
  return result;
}

// Reading while 64 clients sign in, and while they do not, in turn.
async function measureStorm(instance, files) {
  const result = {};
  for (const name of ['list', 'get'].filter((each) => chosen.includes(each))) {
    result[name] = { quiet: newSeries(), storm: newSeries() };
    for (let round = 0; round < Math.min(3, rounds); round += 1) {
      say(`${name} in a storm of sign-ins: round ${round + 1}`);
      add(result[name].quiet, await instance.wrk('ours', files[name]));
      const storm = instance.wrk('ours', files.signin, { duration: seconds + 2 });
      await new Promise((resolve) => { setTimeout(resolve, 1000); });
      add(result[name].storm, await instance.wrk('ours', files[name]));
      result[name].storm.errors += (await storm).errors;
      await settled(instance.pid('signin'));
    }
  }
  return result;
}

async function measurePlainCgi(instance, files) {
  say('plain CGI through fcgiwrap');
  const health = instance.requestFile('health', [['GET', '/health', '', '']]);
  const result = {};
  for (const [name, file] of [['health', health], ['task_get', files.get]]) {
    const { rate, p50, p99, errors } = await instance.wrk('fcgiwrap', file, { connections: 2 * cores });
    result[name] = { rate, perCore: rate / cores, p50, p99, errors };
  }
  return result;
}

// What tests/figures prints, as numbers.
async function figures() {
  say('each program at rest: tests/figures');
  const { stdout } = await run(`${root}/tests/figures`, { env: { ...process.env, BUILD: build, CSV: '1' } });
  const [head, ...rows] = stdout.trim().split('\n').map((line) => line.split(','));
  return Object.fromEntries(rows.map(([program, ...values]) => [program,
    Object.fromEntries(values.map((value, i) => [head[i + 1], value === '' ? null : Number(value)]))]));
}

const connectionsOf = async (instance) => Object.fromEntries((await instance.sql(
  "SELECT application_name, count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY 1 ORDER BY 1"))
  .split('\n').filter(Boolean).map((line) => line.split('|')).map(([name, count]) => [name, Number(count)]));

// --- The run --------------------------------------------------------------------------------------

async function machine(instance) {
  const text = (file, pattern) => pattern.exec(fs.readFileSync(file, 'utf8'))?.[1] ?? 'unknown';
  return {
    cores, processor: text('/proc/cpuinfo', /^model name\s*: (.*)/m), memory: `${Math.round(os.totalmem() / 2 ** 30)} GiB`,
    system: text('/etc/os-release', /^PRETTY_NAME="?([^"\n]*)/m), kernel: os.release(), node: process.version,
    postgresql: await instance.sql('SHOW server_version'),
    nginx: (await run('nginx', ['-v'], { env: { PATH: `${process.env.PATH}:/usr/sbin` } })).stderr.trim().replace(/^.*nginx\//, ''),
  };
}

function storedHash() {
  const salt = '0123456789abcdef0123456789abcdef';
  return `${salt}:${crypto.scryptSync('password123', salt, 64, { N: 16384, r: 16, p: 1, maxmem: 64 * 2 ** 20 }).toString('hex')}`;
}

const instance = await Instance.start(process.env.WORKERS ? { WORKERS: process.env.WORKERS } : {});
const result = { date: new Date().toISOString(), settings: { rounds, seconds, connections, users, tasksPerUser, workers: Number(instance.settings.WORKERS) } };
try {
  result.machine = await machine(instance);
  say('loading data');
  await load(instance, users, tasksPerUser);
  await loadAccounts(instance, storedHash());
  const pids = await startOthers(instance);
  const hosts = ['ours', rolesOff, ...subjectFolders.map((folder) => path.basename(folder))];
  await assertSameAnswers(instance, hosts);
  say(`the same answers from ${hosts.join(', ')}`);

  for (const name of chosen) fs.writeFileSync(`${instance.folder}/${name}.sql`, pgbenchScript(operations[name]));

  const token = (user) => instance.token(user);
  const files = Object.fromEntries(Object.entries({ ...operations, signin: signIn }).map(([name, { requests }]) => [name, instance.requestFile(name, requests(token))]));
  result.operations = await measureOperations(instance, files, hosts, pids);
  result.connections = await connectionsOf(instance);
  result.limits = await measureLimits(instance, pids);
  if (only.includes('signin')) result.signIn = await measureSignIn(instance, files.signin);
  if (only.includes('curve')) result.curve = await measureCurve(instance, files, hosts.filter((host) => host !== rolesOff), result.operations);
  if (only.includes('storm')) result.storm = await measureStorm(instance, files);
  if (only.includes('rest')) result.plainCgi = await measurePlainCgi(instance, files);
} finally {
  await instance.stop();
}
if (only.includes('rest')) result.rest = await figures();

writeFiles(result, results);
printReport(result);
