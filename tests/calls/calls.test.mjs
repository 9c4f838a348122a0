// Calls that fail, one after the other (rows 85 and 86): each request for memory, and each call of OpenSSL
// and libpq that a program makes. Programs are called by plain CGI, so that every failure meets a process
// from its beginning to its end. A sample; CALLS=all (make torture-calls) is every single one.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { now, origin, randomId, sign, signUp, sql, tokenOf } from '../http/harness.mjs';
import { call } from '../faults/peer.mjs';

const bin = process.env.TODO_BIN;
const all = process.env.CALLS === 'all';
const sanitized = process.env.TODO_BUILD.endsWith('asan') && 'sanitizers have an allocator of their own';
let scratch; let someone; let memory; let wrapped; let firstTask;
let deleted = 0;

before(async () => {
  scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'todo-calls-'));
  someone = await signUp();
  sql("INSERT INTO task (user_id, title) SELECT 'u-keeper', 'x' FROM generate_series(1, 20000)");
  firstTask = Number(sql("SELECT min(id) FROM task WHERE user_id = 'u-keeper'"));
  const compile = (source, library) => execFileSync('gcc', ['-shared', '-fPIC', '-O1', '-o', library, source, '-ldl']);
  memory = path.join(scratch, 'memory.so');
  compile(path.join(process.env.TODO_ROOT, 'tests/calls/memory.c'), memory);
  wrapped = path.join(scratch, 'calls.so');
  fs.writeFileSync(path.join(scratch, 'calls.c'), wrappers());
  compile(path.join(scratch, 'calls.c'), wrapped);
});
after(() => fs.rmSync(scratch, { recursive: true }));

// What failure looks like where it is not 0 or a null pointer.
const failures = { CRYPTO_memcmp: 1, PQstatus: 1, PQresultStatus: 7, PQflush: -1, PQsetnonblocking: -1, PQsocket: -1, PQgetisnull: 1 };
// They cannot fail, or return what is no number.
const sure = /(_free|Free)$|^(OPENSSL_cleanse|OPENSSL_init|ERR_|OSSL_PARAM_construct|PQclear$|PQfinish$|PQfreemem$|PQerrorMessage$|PQftype$|PQgetvalue$)/;
let names;

// A library with a function for each that the programs take from libcrypto and libpq: the K-th call of one
// (FAIL_CALL=NAME:K) fails without being made, the others go on to the real one, with whatever arguments.
function wrappers() {
  const imported = fs.readdirSync(bin).flatMap((program) => execFileSync('nm', ['-D', '--undefined-only', path.join(bin, program)], { encoding: 'utf8' }).match(/(?<= U )[A-Za-z0-9_]+/g));
  names = [...new Set(imported)].filter((name) => /^(PQ|EVP_|EC_|ECDSA_|BN_|RAND_|HMAC|CRYPTO_|OSSL_|i2d_|d2i_|OPENSSL_)/.test(name) && !sure.test(name)).sort();
  assert.ok(names.includes('EVP_MAC_final') && names.includes('PQconnectdbParams') && names.length > 40, names.join(' '));
  const parameters = 'abcdefghijkl'.split('').map((name) => `long ${name}`).join(', ');
  const values = 'abcdefghijkl'.split('').join(', ');
  return `#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
typedef long Function(${parameters});
static int is_hit(const char *name, unsigned *count) {
  const char *wanted = getenv("FAIL_CALL");
  size_t size = strlen(name);
  ++*count;
  if (wanted == NULL || strncmp(wanted, name, size) != 0 || wanted[size] != ':' || strtoul(wanted + size + 1, NULL, 10) != *count) return 0;
  dprintf(STDERR_FILENO, "failed: %s\\n", wanted);
  return 1;
}
${names.map((name) => `long ${name}(${parameters}) {
  static Function *real;
  static unsigned count;
  if (real == NULL) real = (Function *)dlsym(RTLD_NEXT, "${name}");
  return is_hit("${name}", &count) ? ${failures[name] ?? 0} : real(${values});
}`).join('\n')}
`;
}

// As somebody who is signed in.
const callAs = (request, settings) => call(request, {
  HTTP_ORIGIN: origin, HTTP_COOKIE: someone.cookie, HTTP_AUTHORIZATION: `Bearer ${tokenOf('u-calls')}`, ...settings,
});

// Tasks are created by one user and changed by another, so that each task of the first has its key for ever.
const keeper = { HTTP_AUTHORIZATION: `Bearer ${tokenOf('u-keeper')}` };
const requests = () => [
  ['task_list', 'GET', '/api/tasks?search=a'], ['task_get', 'GET', `/api/tasks/${firstTask}`, '', keeper], ['task_create', 'POST', '/api/tasks', '{"title":"x"}', { HTTP_IDEMPOTENCY_KEY: randomId() }],
  ['task_update', 'PUT', `/api/tasks/${firstTask}`, '{"title":"x"}', keeper], ['task_complete', 'PATCH', `/api/tasks/${firstTask}/complete`, '', keeper],
  ['task_delete', 'DELETE', `/api/tasks/${firstTask + (deleted = deleted % 19999 + 1)}`, '', keeper],
  ['signup', 'POST', '/api/auth/sign-up/email', `{"name":"calls","email":"${randomId()}@example.com","password":"password123"}`],
  ['signin', 'POST', '/api/auth/sign-in/email', `{"email":"${someone.email}","password":"password123"}`],
  ['session', 'GET', '/api/auth/get-session'], ['sessions', 'GET', '/api/auth/list-sessions'], ['token', 'GET', '/api/auth/token'], ['jwks', 'GET', '/api/auth/jwks'],
  ['account', 'POST', '/api/auth/update-user', '{"name":"calls"}'], ['change_email', 'POST', '/api/auth/change-email', '{"newEmail":"x@example.com"}'],
  ['password_reset', 'POST', '/api/auth/request-password-reset', '{"email":"nobody@example.com"}'], ['verification', 'GET', '/api/auth/verify-email?token=a.b.c'],
  ['error', 'GET', '/api/auth/error'], ['fallback', 'GET', '/nowhere'], ['health', 'GET', '/ready'], ['metrics', 'GET', '/api/metrics'],
  ['delete_user', 'POST', '/api/auth/delete-user', '{"token":"x"}'], ['signout', 'POST', '/api/auth/sign-out', '{}', { HTTP_COOKIE: '' }],
];

const programs = () => requests().map(([program]) => program);
const requestOf = (program) => requests().find(([name]) => name === program);

// No signal, no hang: an answer, or an end with a status of its own.
function assertOrderly(answer, what) {
  assert.equal(answer.signal, null, `${what}: ${answer.signal} ${answer.err}`);
  assert.ok(answer.status !== 0 ? answer.status >= 200 && answer.status < 600 : answer.code !== 0, `${what}: ${answer.code} ${answer.status} ${answer.err}`);
}

// Two at once: the machine is to be busy, not late.
async function each(items, run) {
  const rest = [...items];
  await Promise.all([0, 1].map(async () => { while (rest.length > 0) await run(rest.shift()); }));
}

const dear = new Set(['signup', 'signin']);
const sample = (count, program) => {
  if (all) return Array.from({ length: count }, (_, i) => i + 1);
  const some = dear.has(program) ? 3 : 6;
  return [...new Set(Array.from({ length: some }, () => 1 + Math.floor(Math.random() * count)))];
};

function assertWhole() {
  assert.equal(sql("SELECT count(*) FROM \"user\" u WHERE name = 'calls' AND email <> :'email' AND NOT EXISTS (SELECT FROM account WHERE \"userId\" = u.id)", { email: someone.email }), '0', 'a user without an account');
  assert.equal(sql("SELECT count(*) FROM todo_idempotency i WHERE user_id = 'u-calls' AND NOT EXISTS (SELECT FROM task t WHERE t.id = task_id)"), '0', 'a key without its task');
  assert.equal(sql("SELECT (SELECT count(*) FROM task WHERE user_id = 'u-calls') - (SELECT count(*) FROM todo_idempotency WHERE user_id = 'u-calls')"), '0', 'a task without its key');
}

test('row 85: no request for memory that fails makes a program crash, hang or do half of something', { skip: sanitized }, async () => {
  const broken = [];
  let made = 0;
  for (const program of programs()) {
    const { err } = await callAs(requestOf(program), { LD_PRELOAD: memory });
    const count = Number(/requests for memory: (\d+)/.exec(err)?.[1]);
    assert.ok(count > 100, `${program}: ${err}`);
    await each(sample(count, program), async (n) => {
      const answer = await callAs(requestOf(program), { LD_PRELOAD: memory, FAIL_AT: String(n) });
      made += 1;
      try { assertOrderly(answer, `${program}, request ${n} of ${count}`); } catch (error) { broken.push(error.message); }
    });
  }
  assertWhole();
  console.log(`# ${made} failed requests for memory, ${broken.length} of them badly taken`);
  assert.deepEqual(broken, []);
});

test('row 86: no call of OpenSSL or libpq that fails makes a program accept what it should refuse', { skip: sanitized }, async () => {
  const [header, payload, signature] = tokenOf('u-calls').split('.');
  const forged = `${header}.${payload}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`;
  const cookie = someone.cookie.replace(/\.([^.]*)$/, (_, seal) => `.${seal.startsWith('A') ? 'B' : 'A'}${seal.slice(1)}`);
  const attempts = [
    ['task_list', 'GET', '/api/tasks', '', { HTTP_AUTHORIZATION: `Bearer ${forged}` }],
    ['task_list', 'GET', '/api/tasks', '', { HTTP_AUTHORIZATION: `Bearer ${sign({ sub: 'u-calls', exp: now() + 60 }, { key: 'x'.repeat(40) })}` }],
    ['sessions', 'GET', '/api/auth/list-sessions', '', { HTTP_COOKIE: cookie }],
    ['token', 'GET', '/api/auth/token', '', { HTTP_COOKIE: cookie }],
    ['verification', 'GET', `/api/auth/verify-email?token=${forged}`],
    ['signin', 'POST', '/api/auth/sign-in/email', `{"email":"${someone.email}","password":"password124"}`],
  ];
  const broken = [];
  let made = 0;
  const run = async (request, accepted) => {
    const [program] = request();
    const some = all ? names : [...names].sort(() => Math.random() - 0.5).slice(0, dear.has(program) ? 4 : 10);
    await each(some, async (name) => {
      for (let k = 1; k <= (all ? 50 : 2); ++k) {
        const answer = await callAs(request(), { LD_PRELOAD: wrapped, FAIL_CALL: `${name}:${k}` });
        if (!answer.err.includes('failed: ')) break;
        made += 1;
        const what = `${program}, ${name}:${k}`;
        try {
          assertOrderly(answer, what);
          assert.ok(accepted || answer.status === 0 || answer.status >= 400, `${what}: accepted with ${answer.status} ${answer.body}`);
        } catch (error) { broken.push(error.message); }
      }
    });
  };
  for (const request of attempts) await run(() => request, false);
  for (const program of programs()) await run(() => requestOf(program), true);
  assertWhole();
  console.log(`# ${made} failed calls, ${broken.length} of them badly taken`);
  assert.deepEqual(broken, []);
});
