// What a program can reach once it looks at requests: rows 92 and 93. Each is called by plain CGI, as its
// own process; strace tells what it opened, and an intruder (intruder.c) tries what it should not.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { cgi, now, origin, sign, signUp, sql, tokenOf } from '../http/harness.mjs';
import { call, worker } from './peer.mjs';

const sanitized = process.env.TODO_BUILD.endsWith('asan') && 'built with sanitizers: lib/sandbox.h';
const database = new URL(process.env.DATABASE_URL.replace(/^postgresql:/, 'http:').replace('@/', '@socket/'));
const socketFolder = database.searchParams.get('host');

let scratch; let intruder; let proxy; let someone;
before(async () => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'todo-sandbox-'));
  intruder = path.join(scratch, 'intruder.so');
  execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-Wall', '-Werror', '-o', intruder, path.join(process.env.TODO_ROOT, 'tests/faults/intruder.c'), '-ldl']);
  // The database by TCP, as far as a program can tell.
  proxy = net.createServer((client) => {
    const server = net.connect(`${socketFolder}/.s.PGSQL.5432`);
    for (const [from, to] of [[client, server], [server, client]]) from.pipe(to).on('error', () => from.destroy());
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  someone = await signUp();
});
after(() => {
  proxy.close();
  fs.rmSync(scratch, { recursive: true });
});

const byTcp = (host = '127.0.0.1') => `postgresql://todo:${database.password}@${host}:${proxy.address().port}/todo`;

// As somebody who is signed in, in a home of their own.
const callAs = (request, settings, through) => call(request, {
  HOME: scratch, HTTP_ORIGIN: origin, HTTP_COOKIE: someone.cookie, HTTP_AUTHORIZATION: `Bearer ${tokenOf('u-sandbox')}`, ...settings,
}, through);

// A request to each program that gets as far as it can: with a hash, a signature, the database.
const requests = () => [
  ['task_list', 'GET', '/api/tasks'], ['task_get', 'GET', '/api/tasks/1'], ['task_create', 'POST', '/api/tasks', '{"title":"x"}'],
  ['task_update', 'PUT', '/api/tasks/1', '{"title":"x"}'], ['task_complete', 'PATCH', '/api/tasks/1/complete'], ['task_delete', 'DELETE', '/api/tasks/1'],
  ['signup', 'POST', '/api/auth/sign-up/email', `{"name":"n","email":"${someone.id.toLowerCase()}2@example.com","password":"password123"}`],
  ['signin', 'POST', '/api/auth/sign-in/email', `{"email":"${someone.email}","password":"password123"}`],
  ['session', 'GET', '/api/auth/get-session'], ['sessions', 'GET', '/api/auth/list-sessions'], ['token', 'GET', '/api/auth/token'],
  ['jwks', 'GET', '/api/auth/jwks'], ['account', 'POST', '/api/auth/verify-password', '{"password":"password123"}'],
  ['change_email', 'POST', '/api/auth/change-email', '{"newEmail":"x@example.com"}'],
  ['password_reset', 'POST', '/api/auth/request-password-reset', '{"email":"nobody@example.com"}'],
  ['verification', 'GET', '/api/auth/verify-email?token=a.b.c'], ['error', 'GET', '/api/auth/error'], ['fallback', 'GET', '/nowhere'],
  ['health', 'GET', '/ready'], ['metrics', 'GET', '/api/metrics'], ['delete_user', 'POST', '/api/auth/delete-user', '{"password":"wrong"}'],
  ['signout', 'POST', '/api/auth/sign-out', '{}'],
];

test('row 92: every program is among those that are looked at', () => {
  const programs = new Set(fs.readFileSync(path.join(process.env.TODO_BUILD, 'routes.tsv'), 'utf8').trim().split('\n').map((line) => line.split('\t')[0]));
  assert.deepEqual(requests().map(([program]) => program).sort(), [...programs, 'fallback'].sort());
});

// What the loader, libc, libpq and OpenSSL read.
const readable = [/^\/(usr\/)?lib(32|64)?\//, /^\/etc\/ld\.so\.(cache|preload)$/, /^\/(usr\/lib|etc)\/ssl\/openssl\.cnf$/, /^\/etc\/(passwd|nsswitch\.conf)$/];
const readableForTcp = [...readable, /^\/etc\/(hosts|host\.conf|resolv\.conf|gai\.conf|services|localtime)$/, /^\/etc\/ssl\//];

async function traced(request, settings) {
  const log = path.join(scratch, 'trace');
  fs.rmSync(log, { force: true });
  const answer = await callAs(request, settings, ['strace', '-f', '-qq', '-o', log, '-e', 'trace=open,openat,openat2,creat,execve,execveat,connect,bind,unlink,unlinkat,rename,renameat2,mkdir,mkdirat,fork,vfork,clone,clone3']);
  const lines = fs.readFileSync(log, 'utf8').split('\n').filter((line) => line && !/(exited with|resumed>)/.test(line));
  return { ...answer, lines };
}

for (const [kind, settings, files] of [['by a socket', () => ({}), readable], ['by TCP', () => ({ DATABASE_URL: byTcp() }), readableForTcp]])
  test(`row 92: with its database ${kind}, a program opens only what is listed, and starts nothing`, { skip: sanitized }, async () => {
    for (const request of requests()) {
      const { lines, status, err } = await traced(request, settings());
      assert.ok(status >= 200 && status < 500 && status !== 429, `${request[0]}: ${status} ${err}`);
      const started = lines.filter((line) => /execve/.test(line));
      assert.equal(started.length, 1, started.join('\n'));
      for (const line of lines) {
        if (line.includes(`"${process.env.TODO_METRICS}`) || line.includes('.counts1"')) continue; // its own counts; `metrics` reads all
        assert.doesNotMatch(line, /O_WRONLY|O_RDWR|O_CREAT|O_TRUNC|unlink|rename|mkdir|\bfork|vfork|bind\(/, request[0]);
        if (/clone3?\(/.test(line) && !/ENOSYS/.test(line)) assert.match(line, /CLONE_THREAD/, request[0]);
        const file = /open(?:at)?\([^"]*"([^"]+)"/.exec(line)?.[1];
        if (file && !/ = -1 (ENOENT|EACCES)|O_PATH/.test(line)) assert.ok(files.some((known) => known.test(file)), `${request[0]} opens ${line}`);
        if (file) assert.ok(!file.startsWith(scratch), `${request[0]} looks at ${line}`);
        if (!/connect\(/.test(line) || line.includes('/var/run/nscd/socket')) continue; // libc asks its cache, if there is one
        assert.match(line, kind === 'by a socket' ? /AF_UNIX, sun_path="[^"]*\/\.s\.PGSQL\.5432"/ : new RegExp(`AF_INET, sin_port=htons\\(${proxy.address().port}\\), sin_addr=inet_addr\\("127.0.0.1"\\)`), request[0]);
      }
    }
  });

test('row 93: an intruder in a program gets nothing of what it tries, and the request is answered', { skip: sanitized }, async () => {
  const own = path.join(scratch, 'own');
  for (const [program, ...rest] of requests()) {
    fs.writeFileSync(own, 'x');
    const settings = { LD_PRELOAD: intruder, INTRUDER_FILE: own };
    const { err, status } = await callAs([program, ...rest], settings);
    const tried = err.match(/^intruder: .*/gm);
    assert.ok(tried?.length > 30, `${program}: ${err}`);
    assert.deepEqual(tried.filter((line) => !line.endsWith(' refused')), [], program);
    assert.equal(fs.readFileSync(own, 'utf8'), 'x');
    assert.ok(status >= 200 && status < 500, `${program}: ${status} ${err}`);
  }
  assert.ok(!fs.existsSync('/tmp/intruder') && !fs.existsSync('/tmp/intruder.d') && !fs.existsSync('/dev/shm/intruder'));
});

test('row 93: with a database by TCP, no other port is reached and no port opened; by name and by address it is reached', { skip: sanitized }, async () => {
  const elsewhere = net.createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
  await once(elsewhere, 'listening');
  for (const host of ['127.0.0.1', 'localhost']) {
    const settings = { LD_PRELOAD: intruder, INTRUDER_PORT: String(elsewhere.address().port), DATABASE_URL: byTcp(host) };
    const { err, status } = await callAs(['health', 'GET', '/ready'], settings);
    const done = err.match(/^intruder: .* done$/gm);
    assert.deepEqual(done, ['intruder: open an internet socket done'], host);
    assert.equal(status, 200, err);
  }
  elsewhere.close();
});

test('the intruder does get in where the sandbox is off', { skip: sanitized }, async () => {
  const own = path.join(scratch, 'own');
  fs.writeFileSync(own, 'x');
  const { err } = await callAs(['health', 'GET', '/health'], { LD_PRELOAD: intruder, INTRUDER_FILE: own, TODO_SANDBOX: 'off' });
  // It ends in another program there, so what comes after that is not tried.
  for (const what of ['read /etc/hostname', 'read a file of its user', 'write a file of its user', 'make a file in memory', 'fork', 'start a program'])
    assert.match(err, new RegExp(`^intruder: ${what} done$`, 'm'));
  assert.doesNotMatch(err, /become a program/);
  fs.rmSync('/tmp/intruder', { force: true });
  fs.rmSync('/tmp/intruder.d', { force: true, recursive: true });
  fs.rmSync('/tmp/intruder.l', { force: true });
  fs.rmSync('/dev/shm/intruder', { force: true });
});

test('what is refused is named in the log where that is asked for', { skip: sanitized }, async () => {
  const { err, status } = await callAs(['health', 'GET', '/ready'], { LD_PRELOAD: intruder, INTRUDER_SPAWNS: 'no', TODO_SANDBOX: 'debug' });
  assert.equal(status, 200);
  for (const name of ['execve', 'ptrace', 'memfd_create', 'socket', 'prctl']) assert.match(err, new RegExp(`"the sandbox refused the system call ${name} \\(\\d+\\)"`));
  for (const program of ['health', 'task_list', 'signin'])
    assert.equal(cgi(program, 'GET', '/ready', { settings: { TODO_SANDBOX: 'debug' } }).status < 500, true);
});

test('no program makes a call that is refused', { skip: sanitized }, async () => {
  for (const DATABASE_URL of [process.env.DATABASE_URL, byTcp('localhost')])
    for (const request of requests()) {
      const { err } = await callAs(request, { TODO_SANDBOX: 'debug', DATABASE_URL });
      // Name resolution asks by netlink which addresses there are, and does without an answer.
      assert.deepEqual(err.match(/^.*refused the system call.*$/gm)?.filter((line) => DATABASE_URL === process.env.DATABASE_URL || !/socket/.test(line)) ?? [], [], request[0]);
    }
});

test('row 93: a worker in its sandbox connects again when its connections were severed', { skip: sanitized }, async () => {
  const it = await worker('task_list', { TODO_SANDBOX: 'debug', DATABASE_URL: `${process.env.DATABASE_URL}&application_name=severed` });
  const token = sign({ sub: 'u-sandbox', exp: now() + 600 });
  assert.equal((await it.ask('GET', '/api/tasks', { token })).status, 200);
  const links = "FROM pg_stat_activity WHERE application_name = 'severed'";
  sql(`SELECT pg_terminate_backend(pid) ${links}`);
  while (sql(`SELECT count(*) ${links}`) !== '0') await new Promise((resolve) => { setTimeout(resolve, 20); });
  assert.equal((await it.ask('GET', '/api/tasks', { token })).status, 200);
  // No core, no tracer, no new privileges, both walls.
  const about = fs.readFileSync(`/proc/${it.pid}/status`, 'utf8');
  assert.match(about, /^NoNewPrivs:\t1$/m);
  assert.match(about, /^Seccomp:\t2$/m);
  assert.match(fs.readFileSync(`/proc/${it.pid}/limits`, 'utf8'), /^Max core file size +0 +0 /m);
  // Secrets that the environment had are not there any more.
  const environ = fs.readFileSync(`/proc/${it.pid}/environ`, 'latin1');
  assert.ok(environ.includes('BETTER_AUTH_SECRET=') && !environ.includes(process.env.BETTER_AUTH_SECRET) && !environ.includes(database.password));
  it.kill();
  assert.equal(await it.ended, 0);
  assert.doesNotMatch(it.log(), /refused the system call/);
});

test('a program that cannot connect, and whose files were replaced, ends for the next one to read the new', { skip: sanitized }, async () => {
  const file = path.join(scratch, 'passwords');
  const write = (password) => {
    fs.writeFileSync(`${file}.new`, `*:*:*:*:${password}\n`, { mode: 0o600 });
    fs.renameSync(`${file}.new`, file);
  };
  write('wrong');
  const settings = { DATABASE_URL: `postgresql://todo@/todo?host=${socketFolder}&passfile=${file}` };
  const first = await worker('health', settings);
  assert.equal((await first.ask('GET', '/ready')).status, 503);
  assert.equal((await first.ask('GET', '/ready')).status, 503, 'it goes on while its files are the ones it knows');
  write(decodeURIComponent(database.password));
  await first.ask('GET', '/ready');
  assert.equal(await first.ended, 0);
  const next = await worker('health', settings);
  assert.equal((await next.ask('GET', '/ready')).status, 200);
  next.kill();
  assert.equal(await next.ended, 0);
});
