// The faults, in the order in which they strike. Each has
//   name, what     as the table prints them; `what` names the rows of the test plan that it shows
//   strike         does it, and returns when it is over; may return { note, skipped: why, more: streams beside }
//   stream         how the steady stream is (ledger.mjs, Stream); `also`: statuses that clients must expect
//   none           no request may fail
//   short          belongs to the short form, in `make test`
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Stream } from './ledger.mjs';
import { children, isAlive, kill, root } from './place.mjs';
import { until } from '../common.mjs';

const pick = (list) => list[Math.floor(Math.random() * list.length)];

async function repeat(times, action) {
  for (let n = 0; n < times; n += 1) await action(n);
}

// The proxy strikes every n-th statement that writes, so often.
async function cutLinks(place, mode, times, every = 20) {
  const before = place.struck;
  place.fault(mode, { every });
  await until(`${times} links are cut`, () => place.struck >= before + times);
  place.fault();
}

// Whenever a statement that writes has come to this point, the workers of its program are killed.
async function killWhenHeld(place, mode, times) {
  let killed = 0;
  const listener = ({ held }) => {
    if (!held) return;
    killed += 1;
    for (const pid of place.workers(held.replace('todo ', ''))) kill(pid, 'SIGKILL');
  };
  place.proxy.on('message', listener);
  place.fault(mode, { every: 40 });
  await until('workers are killed', () => killed >= times);
  place.fault();
  place.proxy.off('message', listener);
}

// A raw connection to nginx.
function connect(place) {
  const socket = net.connect(place.port, '127.0.0.1');
  socket.on('error', () => {});
  return socket;
}

const head = (place, method, target, token, more = '') => `${method} ${target} HTTP/1.1\r\nHost: 127.0.0.1:${place.port}\r\nAuthorization: Bearer ${token}\r\n${more}\r\n`;
const createHead = (place, token, length) => head(place, 'POST', '/api/tasks', token, `Content-Type: application/json\r\nContent-Length: ${length}\r\n`);

const nginxWorkers = (place) => children(place.pid('nginx'));

// Files for as many bytes as there is room.
function fill(folder) {
  const file = fs.openSync(path.join(folder, 'filler'), 'w');
  for (let size = 1 << 20; size >= 512; size /= 2) {
    const bytes = Buffer.alloc(size);
    try { for (;;) if (fs.writeSync(file, bytes) < size) break; } catch (error) { if (error.code !== 'ENOSPC') throw error; }
  }
  fs.closeSync(file);
}

const mount = (folder, size) => {
  fs.mkdirSync(folder, { recursive: true });
  try { execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', folder], { stdio: 'ignore' }); return true; } catch { return false; }
};

// A session of PostgreSQL that holds something until it is told to end.
async function holding(place, statement, action) {
  const held = place.postgres.sql(`SET lock_timeout = 0; SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET application_name = 'holder'; BEGIN; ${statement}; SELECT pg_sleep(60); COMMIT;`).catch(() => {});
  await until('it is held', async () => await place.postgres.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'holder' AND wait_event = 'PgSleep'") === '1');
  const note = await action();
  await place.postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holder'");
  await held;
  return note;
}

// The soft limit of a process, set by its own user. It may have ended by now.
function limit(pid, what) {
  try {
    const { uid, gid } = fs.statSync(`/proc/${pid}`);
    execFileSync('prlimit', ['--pid', pid, what], { uid, gid, stdio: 'pipe' });
  } catch (error) {
    if (isAlive(pid)) throw error;
  }
}

// So many clients for so long, beside the steady stream or instead of it.
async function crowd(place, clients, seconds, options = {}) {
  const stream = new Stream(place, { clients, users: Math.min(clients, 64), pace: 0, ...options });
  await sleep(seconds * 1000);
  await stream.end();
  return stream;
}

export const FAULTS = [
  { name: 'none', what: 'no fault, for comparison', none: true, strike: () => sleep(3000) },

  // --- The programs -------------------------------------------------------------------------------
  {
    name: 'handler-kill', short: true,
    what: 'row 5: kill -9 of handlers, at any moment',
    strike: (place) => repeat(30, async () => {
      const pid = pick(place.workers(pick(place.taskPrograms)));
      if (pid) kill(pid, 'SIGKILL');
      await sleep(60);
    }),
  },
  { name: 'handler-kill-before', what: 'row 5: kill -9 of a handler with a statement written, but not sent', strike: (place) => killWhenHeld(place, 'hold-statement', 12) },
  { name: 'handler-kill-after', what: 'rows 5, 62: kill -9 of a handler with its work committed, but not answered', strike: (place) => killWhenHeld(place, 'hold-commit', 12) },
  {
    name: 'handler-kill-answer', what: 'row 5: kill -9 of a handler while the answer is on its way',
    strike: async (place) => {
      await place.postgres.sql("INSERT INTO task (user_id, title, description) SELECT 'large', 'large', repeat('x', 5000) FROM generate_series(1, 600)");
      await repeat(10, async () => {
        const socket = connect(place);
        socket.write(head(place, 'GET', '/api/tasks', place.token('large')));
        await new Promise((resolve) => { socket.once('data', resolve).once('close', resolve); });
        socket.pause();
        for (const pid of place.workers('task_list')) kill(pid, 'SIGKILL');
        socket.destroy();
        await sleep(100);
      });
    },
  },
  {
    name: 'program-gone', what: 'row 5: kill -9 of who watches over a program, alone and with its workers',
    strike: (place) => repeat(6, async (n) => {
      const program = place.taskPrograms[n];
      const [watcher, workers] = [place.pid(program), place.workers(program)];
      for (const pid of n % 2 === 0 ? [watcher] : [watcher, ...workers]) kill(pid, 'SIGKILL');
      await until('others do its work', () => place.pid(program) !== watcher && place.workers(program).length > 0 && !workers.some(isAlive));
    }),
  },
  {
    name: 'deploy', short: true, none: true, what: 'row 4: all programs replaced by new binaries under load, twice',
    strike: async (place) => {
      await repeat(2, (round) => Promise.all(place.taskPrograms.map(async (program) => {
        // As a new build: other bytes, the same program.
        place.replace(program, Buffer.concat([fs.readFileSync(path.join(place.build, 'handlers', program)), Buffer.from(`build ${round}`)]));
        await place.restartWorkers(program);
      })));
    },
  },
  {
    name: 'secret', what: 'row 90: the secret replaced while running, workers with the old and the new one meanwhile',
    stream: { also: [401] },
    strike: async (place, stream) => {
      const [before, after] = [place.secret, `${place.secret}-replaced`];
      for (const program of place.taskPrograms) {
        place.wrap(program, { BETTER_AUTH_SECRET: after });
        await place.restartWorkers(program);
        await sleep(100);
      }
      for (const client of stream.clients) client.token = place.token(client.user, after);
      await sleep(1000);
      const old = await ask(place, 'GET', '/api/tasks', place.token('somebody', before));
      if (old.status !== 401) stream.wrong(`a token of the old secret: ${old.status}`);
      for (const program of place.taskPrograms) {
        place.unwrap(program);
        await place.restartWorkers(program);
      }
      for (const client of stream.clients) client.token = place.token(client.user, before);
    },
  },
  {
    name: 'clock', none: true, what: 'row 50: the clocks of the programs an hour forward and back, not alike',
    strike: async (place) => {
      const library = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu'].map((folder) => `${folder}/faketime/libfaketimeMT.so.1`).find((file) => fs.existsSync(file));
      if (!library) return { skipped: 'libfaketime is not installed' };
      const file = `${place.folder}/clock`;
      fs.writeFileSync(file, '+0');
      for (const program of place.taskPrograms) {
        place.wrap(program, { LD_PRELOAD: library, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_NO_CACHE: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1', DONT_FAKE_MONOTONIC: '1' });
        await place.restartWorkers(program);
      }
      for (const step of ['+3600', '-3600', '+7200', '-60', '+0']) {
        fs.writeFileSync(file, step);
        await sleep(500);
      }
      for (const program of place.taskPrograms) {
        place.unwrap(program);
        await place.restartWorkers(program);
      }
      const odd = await place.postgres.sql("SELECT count(*) FROM task WHERE updated_at < created_at OR created_at > clock_timestamp() OR created_at < clock_timestamp() - interval '30 minutes'");
      if (odd !== '0') throw new Error(`${odd} tasks have times of a wrong clock`);
      return undefined;
    },
  },
  {
    name: 'descriptors', what: 'row 87: no descriptors left in any program (RLIMIT_NOFILE), 64 more clients',
    strike: async (place) => {
      const all = place.taskPrograms.flatMap((program) => place.workers(program));
      for (const pid of all) limit(pid, '--nofile=24:');
      const more = await crowd(place, 64, 4);
      for (const pid of all) limit(pid, '--nofile=1024:');
      return { more };
    },
  },
  {
    name: 'memory', what: 'row 85: no memory left in any program (RLIMIT_AS), 64 more clients',
    stream: { also: [500] },
    strike: async (place) => {
      const limited = place.taskPrograms.flatMap((program) => place.workers(program));
      for (const [n, pid] of limited.entries()) {
        const pages = Number(fs.readFileSync(`/proc/${pid}/statm`, 'latin1').split(' ')[0]);
        limit(pid, `--as=${pages * 4096 + (n % 4) * 65536}:`);
      }
      const more = await crowd(place, 64, 4, { also: [500] });
      const ended = limited.filter((pid) => !isAlive(pid)).length;
      for (const pid of limited) limit(pid, '--as=unlimited:');
      return { more, note: `${ended} of ${limited.length} processes ended` };
    },
  },

  // --- The database -------------------------------------------------------------------------------
  {
    name: 'postgres-kill', short: true, what: 'rows 73, 76: kill -9 of PostgreSQL, crash recovery',
    strike: async ({ postgres }) => { await postgres.stop('SIGKILL'); await sleep(500); await postgres.start(); },
  },
  {
    name: 'backend-kill', what: 'row 74: kill -9 of one backend: the server takes all of them down',
    strike: ({ postgres }) => repeat(3, async () => { kill(pick(postgres.backends()), 'SIGKILL'); await sleep(1000); await until('it is back', () => postgres.isReady()); }),
  },
  {
    name: 'backend-terminate', what: 'row 74: sessions ended by an operator, in mid-statement and idle',
    strike: ({ postgres }) => repeat(20, async () => { await postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'todo'"); await sleep(50); }),
  },
  {
    name: 'postgres-fast', what: 'row 76: fast shutdown of PostgreSQL and restart', strike: ({ postgres }) => repeat(2, async () => { await postgres.stop('SIGINT'); await postgres.start(); await sleep(500); }),
  },
  {
    name: 'postgres-immediate', what: 'rows 73, 76: immediate shutdown, 3 s away, restart',
    strike: async ({ postgres }) => { await postgres.stop('SIGQUIT'); await sleep(3000); await postgres.start(); },
  },
  { name: 'cut-before', what: 'row 74: links cut when half of a statement was sent', strike: (place) => cutLinks(place, 'before', 20) },
  { name: 'cut-mid', what: 'row 74: links cut between statement and commit', strike: (place) => cutLinks(place, 'mid', 20) },
  { name: 'cut-sent', what: 'row 74: links cut when a statement was sent', strike: (place) => cutLinks(place, 'sent', 20) },
  { name: 'cut-committed', short: true, what: 'rows 62, 74: links cut between commit and answer', strike: (place) => cutLinks(place, 'committed', 20) },
  { name: 'cut-torn', what: 'row 74: links cut in the middle of an answer', strike: (place) => cutLinks(place, 'torn', 20) },
  {
    name: 'link-silent', what: 'row 78: half-open links: nothing gets through, nobody says so, 6 s',
    strike: async (place) => { place.fault('silent'); await sleep(6000); place.fault(); },
  },
  {
    name: 'link-slow', what: 'row 78: 300 ms on each way to the database', none: true,
    strike: async (place) => { place.fault('delay', { ms: 300 }); await sleep(4000); place.fault(); },
  },
  {
    name: 'database-frozen', what: 'row 75: SIGSTOP of all of PostgreSQL for 6 s',
    strike: async ({ postgres }) => {
      const all = postgres.processes();
      for (const pid of all) kill(pid, 'SIGSTOP');
      await sleep(6000);
      for (const pid of all) kill(pid, 'SIGCONT');
    },
  },
  {
    name: 'postmaster-frozen', what: 'row 75: SIGSTOP of the postmaster, all sessions ended: who connects hears nothing',
    strike: async ({ postgres }) => {
      const { pid } = postgres;
      const sessions = postgres.backends();
      kill(pid, 'SIGSTOP');
      for (const session of sessions) kill(session, 'SIGTERM');
      await sleep(6000);
      kill(pid, 'SIGCONT');
    },
  },
  {
    name: 'locked-table', what: 'row 82: a lock on all tasks for 6 s',
    strike: (place) => holding(place, 'LOCK TABLE task IN EXCLUSIVE MODE', () => sleep(6000)),
  },
  {
    name: 'locked-rows', what: 'row 82: locks on some rows for 10 s: others go on',
    strike: (place, stream) => {
      const ids = stream.clients.slice(0, 4).map((client) => client.tasks.map((task) => task.id)).flat();
      return holding(place, `SELECT FROM task WHERE id = ANY ('{${ids}}') FOR UPDATE`, () => sleep(10000));
    },
  },
  {
    name: 'statement-timeout', what: 'row 83: statement_timeout of 100 ms, and statements that take longer',
    strike: async (place) => {
      await place.postgres.set('statement_timeout', '100ms');
      await holding(place, 'LOCK TABLE task IN EXCLUSIVE MODE', () => sleep(3000));
      await place.postgres.set('statement_timeout');
    },
  },
  {
    name: 'read-only', what: 'row 77: the database is read-only for 3 s',
    strike: async (place) => {
      await place.postgres.set('default_transaction_read_only', 'on');
      await sleep(3000);
      await place.postgres.set('default_transaction_read_only');
    },
  },
  {
    name: 'out-of-connections', what: 'row 73: others have taken all connections of the server, 4 s',
    strike: async ({ postgres }) => {
      await postgres.sql('DROP ROLE IF EXISTS crowd; CREATE ROLE crowd LOGIN');
      const taken = [];
      const filler = setInterval(() => {
        for (let i = 0; i < 20; i += 1) {
          const socket = net.connect(`${postgres.sockets}/.s.PGSQL.5432`);
          const text = Buffer.from('\0\0\0\0\0\x03\0\0user\0crowd\0database\0todo\0\0', 'latin1');
          text.writeUInt32BE(text.length);
          socket.on('error', () => {}).write(text);
          taken.push(socket);
        }
      }, 50);
      await sleep(300);
      await repeat(3, async () => { for (const pid of postgres.backends()) kill(pid, 'SIGTERM'); await sleep(1300); });
      clearInterval(filler);
      for (const socket of taken) socket.destroy();
    },
  },
  {
    name: 'disk-full', what: 'row 83: no room for tables (a tmpfs of 24 MiB), 4 s',
    strike: async (place) => {
      const folder = `${place.folder}/small`;
      if (!mount(folder, '24m')) return { skipped: 'mounting a tmpfs is not permitted here' };
      try {
        fs.chownSync(folder, place.postgres.identity.uid, place.postgres.identity.gid);
        const { postgres } = place;
        await postgres.sql(`CREATE TABLESPACE small LOCATION '${folder}'`);
        const move = (space) => postgres.sql(`SET lock_timeout = 0; ALTER TABLE task SET TABLESPACE ${space}; ALTER INDEX task_pkey SET TABLESPACE ${space}; ALTER INDEX task_by_creation SET TABLESPACE ${space};
          ALTER TABLE todo_idempotency SET TABLESPACE ${space}; ALTER TABLE torture.change SET TABLESPACE ${space};`);
        await move('small');
        fill(folder);
        await sleep(4000);
        fs.rmSync(`${folder}/filler`);
        await move('pg_default');
        await postgres.sql('CHECKPOINT; DROP TABLESPACE small');
      } finally {
        execFileSync('umount', ['--lazy', folder]);
      }
      return undefined;
    },
  },
  {
    name: 'wal-full', what: 'row 83: no room for the write-ahead log: the server panics; room again, restart',
    strike: async (place) => {
      const folder = `${place.folder}/wal`;
      const { postgres } = place;
      if (!mount(folder, '128m')) return { skipped: 'mounting a tmpfs is not permitted here' };
      const wal = `${postgres.data}/pg_wal`;
      try {
        await postgres.set('max_wal_size', '64MB');
        await postgres.set('min_wal_size', '32MB');
        await postgres.stop();
        execFileSync('cp', ['-a', `${wal}/.`, folder]);
        fs.chownSync(folder, postgres.identity.uid, postgres.identity.gid);
        fs.renameSync(wal, `${wal}.kept`);
        fs.symlinkSync(folder, wal);
        await postgres.start();
        await sleep(1000);
        fill(folder);
        // What is left of the segments made in advance is soon used up.
        await postgres.sql("INSERT INTO torture.change (what, text) SELECT 'filler', repeat('x', 1000) FROM generate_series(1, 100000)").catch(() => {});
        await sleep(2000);
      } finally {
        fs.rmSync(`${folder}/filler`, { force: true });
        await postgres.stop('SIGQUIT');
        if (fs.existsSync(`${wal}.kept`)) {
          fs.unlinkSync(wal);
          fs.mkdirSync(wal);
          execFileSync('cp', ['-a', `${folder}/.`, wal]);
        }
        execFileSync('umount', ['--lazy', folder]);
      }
      await postgres.start();
      return undefined;
    },
  },
  {
    name: 'schema-ahead', none: true, what: 'row 73: the schema one migration ahead of the programs',
    strike: async (place) => {
      await place.postgres.sql("SET ROLE todo; BEGIN; ALTER TABLE task ADD COLUMN torture_new text NOT NULL DEFAULT 'new'; CREATE INDEX torture_new ON task (user_id, torture_new); INSERT INTO todo_migration VALUES ('9999_torture', 'none'); COMMIT;");
      await sleep(2000);
      await place.postgres.sql("SET ROLE todo; BEGIN; ALTER TABLE task DROP COLUMN torture_new; DELETE FROM todo_migration WHERE name = '9999_torture'; COMMIT;");
    },
  },
  {
    name: 'schema-behind', what: 'row 73: the schema one migration behind: its newest migration undone, then made again',
    stream: { also: [500] },
    strike: async (place) => {
      await place.postgres.sql(`SET ROLE todo; BEGIN; ALTER TABLE todo_idempotency RENAME TO torture_away; ALTER TABLE task DISABLE ROW LEVEL SECURITY; DROP POLICY todo_owner ON task;
        DELETE FROM todo_migration WHERE name LIKE '0005%'; COMMIT;`);
      await sleep(2000);
      await place.postgres.sql('SET ROLE todo; ALTER TABLE torture_away RENAME TO todo_idempotency');
      execFileSync(path.join(root, 'sql/migrate'), { env: { PATH: process.env.PATH, DATABASE_URL: `postgresql://todo@/todo?host=${place.postgres.sockets}` } });
    },
  },

  // --- The web server and its clients -------------------------------------------------------------
  {
    name: 'nginx-reload', short: true, none: true, what: 'nginx reloads its configuration, 5 times',
    strike: (place) => repeat(5, async () => {
      const before = nginxWorkers(place);
      kill(place.pid('nginx'), 'SIGHUP');
      await until('it has new workers only', () => nginxWorkers(place).length > 0 && !nginxWorkers(place).some((pid) => before.includes(pid)));
    }),
  },
  {
    name: 'nginx-kill', what: 'kill -9 of nginx: of a worker, then of all',
    strike: async (place) => {
      kill(pick(nginxWorkers(place)), 'SIGKILL');
      await sleep(1000);
      const all = [place.pid('nginx'), ...nginxWorkers(place)];
      for (const pid of all) kill(pid, 'SIGKILL');
      await until('it is started again', () => nginxWorkers(place).length > 0 && !all.includes(place.pid('nginx')));
    },
  },
  {
    name: 'nginx-master-kill', what: 'kill -9 of nginx, but its workers live on',
    strike: async (place) => {
      const [master, workers] = [place.pid('nginx'), nginxWorkers(place)];
      kill(master, 'SIGKILL');
      await until('another one serves', () => ![0, master].includes(place.pid('nginx')) && isAlive(place.pid('nginx')) && !workers.some(isAlive));
    },
  },
  {
    name: 'clients-gone', none: true, what: 'row 103: 600 clients go away in mid-body, before the answer and in mid-answer',
    strike: async (place, stream) => {
      await place.postgres.sql("INSERT INTO task (user_id, title, description) SELECT 'gone', 'large', repeat('x', 5000) FROM generate_series(1, 300)");
      const token = place.token('gone');
      await repeat(200, async (n) => {
        const body = JSON.stringify({ title: `gone ${n}` });
        const inBody = connect(place);
        inBody.write(createHead(place, token, body.length) + body.slice(0, 9), () => inBody.destroy());
        const beforeAnswer = connect(place);
        beforeAnswer.write(createHead(place, token, body.length) + body, () => setTimeout(() => beforeAnswer.destroy(), n % 10));
        const inAnswer = connect(place);
        inAnswer.once('data', () => inAnswer.destroy());
        inAnswer.write(head(place, 'GET', '/api/tasks', token));
        await sleep(10);
      });
      await sleep(500);
      // Then the client repeats what it gave up: with a key that is the same task.
      const counts = await place.postgres.sql("SELECT coalesce(max(n), 0) FROM (SELECT count(*) AS n FROM torture.change WHERE user_id = 'gone' AND title LIKE 'gone %' GROUP BY title) t");
      if (Number(counts) > 1) stream.wrong('what a client gave up was done twice');
      await repeat(50, async (n) => {
        const body = JSON.stringify({ title: `given up ${n}` });
        const key = `Idempotency-Key: given-up-${n}\r\n`;
        const socket = connect(place);
        socket.write(head(place, 'POST', '/api/tasks', token, `${key}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n`) + body, () => setTimeout(() => socket.destroy(), n % 8));
        await sleep(12);
        let answer;
        do answer = await ask(place, 'POST', '/api/tasks', token, { body, headers: { 'idempotency-key': `given-up-${n}` } }); while (answer.status === 409);
        if (answer.status !== 201) stream.wrong(`the repeat: ${answer.status}`);
      });
      if (await place.postgres.sql("SELECT count(*) || ' ' || count(DISTINCT title) FROM torture.change WHERE title LIKE 'given up %'") !== '50 50') stream.wrong('what was given up and sent again is there other than once');
      await place.postgres.sql("DELETE FROM task WHERE user_id = 'gone'");
    },
  },
  {
    name: 'slow-clients', none: true, what: 'row 102: 200 clients that send or take a byte now and then',
    strike: async (place) => {
      await place.postgres.sql("INSERT INTO task (user_id, title, description) SELECT 'slow', 'large', repeat('x', 5000) FROM generate_series(1, 300)");
      const token = place.token('slow');
      const slow = Array.from({ length: 200 }, (_, n) => {
        const socket = connect(place);
        if (n % 3 === 0) socket.write(createHead(place, token, 100000));
        else if (n % 3 === 1) socket.write(head(place, 'GET', '/api/tasks', token), () => socket.pause());
        else socket.write('GET /api/tasks HTTP/1.1\r\nHost: ');
        return socket;
      });
      const drip = setInterval(() => {
        for (const [n, socket] of slow.entries()) {
          if (n % 3 === 1) socket.read(1);
          else if (socket.writable) socket.write('x');
        }
      }, 500);
      await sleep(5000);
      clearInterval(drip);
      for (const socket of slow) socket.destroy();
      await place.postgres.sql("DELETE FROM task WHERE user_id = 'slow'");
    },
  },
  { name: 'clients-1', none: true, what: '1 client without a pause', strike: async (place) => ({ more: await crowd(place, 1, 3) }) },
  { name: 'clients-8', none: true, what: '8 clients', strike: async (place) => ({ more: await crowd(place, 8, 3) }) },
  { name: 'clients-64', none: true, what: '64 clients', strike: async (place) => ({ more: await crowd(place, 64, 3) }) },
  { name: 'clients-512', what: '512 clients', strike: async (place) => ({ more: await crowd(place, 512, 5) }) },
  {
    name: 'overload', what: '512 clients, and a database that answers no write for 8 s: 503, then all is well',
    strike: (place) => holding(place, 'LOCK TABLE task IN EXCLUSIVE MODE', async () => ({ more: await crowd(place, 512, 8) })),
  },
];

// One request outside the ledger.
export function ask(place, method, target, token, { body, headers = {} } = {}) {
  return new Promise((resolve) => {
    const all = { ...headers, authorization: `Bearer ${token}`, ...(body ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } : {}) };
    http.request({ host: '127.0.0.1', port: place.port, method, path: target, headers: all, agent: false }, (response) => {
      response.resume().on('end', () => resolve({ status: response.statusCode }));
    }).on('error', () => resolve({ status: 0 })).end(body);
  });
}
