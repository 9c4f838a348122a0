// The handlers on three hosts, each a network namespace with an address of its own, behind one nginx over
// FastCGI/TCP: one host dies by the kill of all that runs on it, another by the loss of its link. The include
// files are made by the command of env/SCALING.md.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import { chmod, copyFile, mkdir, readdir, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { build, Cluster, figure, isLong, Load, makeGround, root, runDocumented, sender } from './support.mjs';
import { freePort, until } from '../common.mjs';

const name = `todo-${randomBytes(3).toString('hex')}`;
const front = `${name}-front`;
const hosts = [1, 2, 3].map((n) => ({ n, namespace: `${name}-${n}`, address: `10.213.${n}.2`, gateway: `10.213.${n}.1`, link: `host${n}` }));
const isRoot = process.getuid() === 0;
const ip = (...words) => execFileSync('ip', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

// The network is made of namespaces only: nothing of this machine's own changes.
function whyNot() {
  if (!isRoot) return 'network namespaces are made by root only';
  try {
    ip('netns', 'add', front);
    for (const { namespace, address, gateway, link } of hosts) {
      ip('netns', 'add', namespace);
      ip('-n', front, 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
      ip('-n', front, 'address', 'add', `${gateway}/30`, 'dev', link);
      ip('-n', namespace, 'address', 'add', `${address}/30`, 'dev', 'eth0');
      ip('-n', front, 'link', 'set', link, 'up');
      ip('-n', namespace, 'link', 'set', 'eth0', 'up');
      ip('-n', namespace, 'link', 'set', 'lo', 'up');
    }
    ip('-n', front, 'link', 'set', 'lo', 'up');
    return false;
  } catch (error) {
    return `no network namespaces here: ${String(error.stderr ?? error.message).trim()}`;
  }
}
const reason = whyNot();
const secret = randomBytes(32).toString('base64');
let ground;
let cluster;
let socket;
let programs;

const ports = () => readFileSync(`${ground.folder}/ports`, 'utf8').trim().split('\n').map((line) => line.split(' '));

// What todo-fcgi.target does on a host, with spawn-fcgi and multiwatch.
async function startHost(host) {
  host.processes = ports().map(([program, port]) => ground.spawn(`${host.link}-${program}`, [
    'spawn-fcgi', '-n', '-a', host.address, '-p', port, '-b', '1024', '-u', 'www-data', '-g', 'www-data', '--', '/usr/bin/multiwatch', '-f', '1', '-r', '20', '-t', '1000', '--', `${programs}/${program}`,
  ], {
    namespace: host.namespace, isPlain: true,
    env: { BETTER_AUTH_SECRET: secret, BETTER_AUTH_URL: 'http://todo.example.test', DATABASE_URL: cluster.url('', { host: host.gateway }), AUTH_RATE_LIMIT: 'off' },
  }));
  await until(`${host.link} listens`, () => ip('netns', 'exec', host.namespace, 'ss', '-Hltn').split('\n').filter(Boolean).length === ports().length);
}

const pidsOf = (host) => ip('netns', 'pids', host.namespace).split('\n').filter(Boolean).map(Number);
async function killHost(host) {
  for (const pid of pidsOf(host)) { try { process.kill(pid, 'SIGKILL'); } catch { /* ended with its parent */ } }
  await until(`nothing runs on ${host.link}`, () => pidsOf(host).length === 0);
}

// nginx with the include files of env/render-snippets for these hosts, on a unix socket.
async function startFront(name_, addresses, portsFile) {
  const run = `${ground.folder}/${name_}`;
  for (const folder of ['', '/tmp', '/log', '/www']) mkdirSync(`${run}${folder}`);
  await chmod(run, 0o755);
  if (isRoot) execFileSync('chown', ['www-data', `${run}/tmp`]);
  const out = `${run}/snippets`;
  await runDocumented('upstreams', { ...process.env, OUT: out, CONF: `${out}/nginx`, WWW: `${run}/www`, AUTH_PATH: '/api/auth', HOSTS: addresses.join(' '), PORTS: portsFile });
  const at = `${run}/nginx.sock`;
  const template = readFileSync(`${root}/nginx/nginx.conf.in`, 'utf8');
  const settings = { USER: isRoot ? 'user www-data;' : '', RUN: run, LOG: `${run}/log`, CONF: `${out}/nginx` };
  await writeFile(`${run}/nginx.conf`, `daemon off;\n${Object.entries(settings).reduce((text, [key, value]) => text.replaceAll(`@${key}@`, value), template).replace('listen @BIND@:@PORT@', `listen unix:${at}`)}`);
  return {
    socket: at,
    start: async (options) => {
      const nginx = ground.spawn(name_, ['nginx', '-p', run, '-e', 'stderr', '-c', `${run}/nginx.conf`], { ...options, isPlain: true });
      ground.endings.push(() => nginx.stop('SIGTERM'));
      await until('nginx listens', () => { assert.ok(nginx.isAlive(), nginx.log()); return existsSync(at); });
    },
  };
}

before(async () => {
  ground = await makeGround();
  if (reason) return;
  cluster = await Cluster.make(ground, 'cluster', { namespace: front, host: '*', hba: 'host all all 10.213.0.0/16 scram-sha-256' });
  execFileSync(`${root}/sql/migrate`, { env: { ...process.env, DATABASE_URL: `postgresql://todo:${new URL(cluster.url('', { host: 'x' })).password}@/todo?host=${cluster.folder}&port=${cluster.port}` } });
  // Where www-data may read them.
  programs = `${ground.folder}/bin`;
  await mkdir(programs);
  for (const program of await readdir(`${build}/handlers`)) await copyFile(`${build}/handlers/${program}`, `${programs}/${program}`);

  const nginx = await startFront('nginx', hosts.map(({ address }) => address), `${ground.folder}/ports`);
  socket = nginx.socket;
  for (const host of hosts) await startHost(host);
  await nginx.start({ namespace: front });
  const send = sender({ socketPath: socket });
  await until('nginx answers', () => send('GET', '/health').then(({ status }) => status === 200, () => false));
});

after(async () => {
  if (!reason) for (const host of hosts) await killHost(host);
  await ground.clear();
  for (const { namespace } of [...hosts, { namespace: front }]) { try { ip('netns', 'delete', namespace); } catch { /* was not made */ } }
});

test('one of three hosts is lost under load: only requests in flight fail, nothing acknowledged is lost', { skip: reason, timeout: 300000 }, async () => {
  const [first, second, third] = hosts;
  const clients = 16;
  const load = new Load(sender({ socketPath: socket }), secret, clients);
  const amount = isLong ? 5000 : 800;
  await load.more(amount);
  assert.deepEqual(load.failed(), [], 'all hosts there');
  // All of them take part.
  for (const host of hosts) assert.notEqual(cluster.sql(`SELECT count(*) FROM pg_stat_activity WHERE client_addr = '${host.address}'`), '0');

  // `kept`: for how long nginx may still send requests over connections that it has kept: until it has heard that
  // they are closed, or, if nobody says so, for its keepalive_time.
  const lose = async (what, action, kept = 200) => {
    const begin = Date.now();
    const before_ = load.samples.length;
    await action();
    const gone = Date.now();
    await load.more(amount);
    // Whoever waits for a host that is silent has heard of it by then.
    await until('every request that was in flight has ended', () => Date.now() - begin > (kept > 1000 ? 11000 : 0));
    const failed = load.samples.slice(before_).filter(({ ok }) => !ok);
    assert.ok(failed.length <= clients, `${what}: ${failed.length} failed, with ${clients} in flight: ${failed.map((sample) => sample.what)}`);
    for (const sample of failed) assert.ok(sample.at <= gone + kept, `${what}: ${sample.what}, sent ${sample.at - gone} ms later`);
    const total = load.samples.length - before_;
    const last = Math.max(begin, ...failed.map(({ at, ms }) => at + ms)) - begin;
    const slowest = Math.max(...load.samples.slice(before_).filter(({ ok }) => ok).map(({ ms }) => ms));
    figure(`a host is lost (${what}): requests failed; last failure after; slowest success`, `${failed.length} of ${total} (${(100 * failed.length / total).toFixed(2)} %); ${last} ms; ${slowest} ms`);
  };

  await lose('killed', () => killHost(third));
  await lose('link', () => { ip('-n', front, 'link', 'set', second.link, 'down'); }, 2500);

  // The one that comes back takes part again: without it there would be none.
  await startHost(third);
  await until('the third host is used again', () => cluster.sql(`SELECT count(*) FROM pg_stat_activity WHERE client_addr = '${third.address}'`) !== '0');
  await lose('the other one, killed', () => killHost(first));
  await load.stop();

  assert.deepEqual(load.faults, []);
  for (const status of load.statuses.keys()) assert.ok([200, 201, 204, 503].includes(status), `${status}`);
  assert.deepEqual(load.lost((text) => cluster.sql(text)), []);
  figure('hosts lost: acknowledged writes; lost', `${load.acknowledged}; 0`);
});

// Hosts that take a request and die before they answer, and hosts that are not there.
test('what may have been carried out is not sent again, and what was not delivered is', { timeout: 300000 }, async () => {
  const requests = [['GET', '/api/tasks/1'], ['GET', '/api/tasks'], ['POST', '/api/tasks', { title: 'x' }], ['PUT', '/api/tasks/1', { title: 'x' }], ['PATCH', '/api/tasks/1/complete'], ['DELETE', '/api/tasks/1']];
  const programs_ = [...new Set(readFileSync(`${build}/routes.tsv`, 'utf8').split('\n').map((line) => line.split('\t')[0]).filter(Boolean)), 'fallback'];
  let taken = 0;
  const take = (socket_) => socket_.once('data', (bytes) => {
    // The handler that answers for nginx is down, too.
    taken += bytes.includes('/todo-fcgi') || bytes.includes('REDIRECT_STATUS') ? 0 : 1;
    socket_.destroy();
  }).on('error', () => {});
  const servers = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, server: net.createServer(take) }));
  const port = await freePort();
  for (const { address, server } of servers) await new Promise((resolve) => { server.listen(port, address, resolve); });
  const file = `${ground.folder}/one-port`;
  await writeFile(file, programs_.map((program) => `${program} ${port}\n`).join(''));
  for (const [name_, addresses, expected] of [
    ['dying', ['127.0.0.1', '127.0.0.2'], { GET: 2, other: 1 }], ['absent', ['127.0.0.3', '127.0.0.4', '127.0.0.1'], { GET: 1, other: 1 }],
  ]) {
    const nginx = await startFront(name_, addresses, file);
    await nginx.start();
    const send = sender({ socketPath: nginx.socket });
    for (const [method, path, body] of requests) {
      taken = 0;
      const answer = await send(method, path, { body });
      assert.equal(answer.status, 503, `${name_} ${method}`);
      assert.equal(taken, expected[method] ?? expected.other, `${name_} ${method} ${path}`);
    }
  }
  for (const { server } of servers) server.close();
});

test('no host left: 503 in JSON, and all is well when one is back', { skip: reason, timeout: 300000 }, async () => {
  const send = sender({ socketPath: socket });
  await killHost(hosts[2]);
  const answer = await send('GET', '/api/tasks');
  assert.deepEqual([answer.status, answer.json.error], [503, 'unavailable']);
  await startHost(hosts[0]);
  await until('it serves', async () => (await send('GET', '/health')).status === 200);
});

test('a host\'s sockets listen on the ports that nginx knows', { skip: reason }, async () => {
  const units = `${ground.folder}/units`;
  await runDocumented('sockets', { ...process.env, UNITS: units, ADDRESS: '10.0.0.11', PORTS: `${ground.folder}/ports` });
  for (const [program, port] of ports()) assert.equal(readFileSync(`${units}/todo-${program}.socket.d/tcp.conf`, 'utf8'), `[Socket]\nListenStream=10.0.0.11:${port}\nFreeBind=yes\n`);
});

test('a program that is new gets a port of its own, and no other moves', { skip: reason }, async () => {
  const before_ = ports();
  await writeFile(`${ground.folder}/routes.tsv`, `archive\tGET\t/api/archive\n${readFileSync(`${build}/routes.tsv`, 'utf8')}`);
  await mkdir(`${ground.folder}/again`);
  execFileSync(`${root}/nginx/render`, [`${ground.folder}/again`, `${ground.folder}/routes.tsv`, '/nowhere', '/nowhere', '/api/auth'], { env: { ...process.env, HOSTS: '10.0.0.1', PORTS: `${ground.folder}/ports` } });
  assert.deepEqual(ports(), [...before_, ['archive', String(Math.max(...before_.map(([, port]) => Number(port))) + 1)]]);
});
