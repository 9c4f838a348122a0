// todo-verify on deployments that are in order, and how it leaves them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { command, folder, migrateAsBetterAuth, newDatabase, secret, sql, startOurs, startReal, verify, withStatus } from './harness.mjs';

const files = folder();
let database, ours, real, handlers, frontend;
before(async () => {
  database = newDatabase();
  await migrateAsBetterAuth(database.url);
  real = await startReal(database.url, { baseURL: null });
  ours = await startOurs({ DATABASE_URL: database.url, BETTER_AUTH_TRUSTED_ORIGINS: real.origin }, (own) => ({ JWT_ISSUERS: `${own},${real.origin}`, JWT_AUDIENCES: `${own},${real.origin}` }));
  handlers = `${ours.state}/env`;
  frontend = files.write('frontend.env', { BETTER_AUTH_SECRET: secret, DATABASE_URL: database.url.replace('@/', '@localhost/'), BETTER_AUTH_URL: real.origin });
});
after(async () => {
  await Promise.all([ours?.stop(), real?.stop()]);
  database?.drop();
});

const target = () => ['--url', ours.origin, '--backend-env', handlers];
const rows = () => ['user', 'session', 'account', 'verification', 'task', 'todo_mail'].map((table) => `${table} ${sql(`SELECT count(*) FROM "${table}"`, {}, database.url)}`).join(', ');
const EMPTY = 'user 0, session 0, account 0, verification 0, task 0, todo_mail 0';

function assertReady({ status, result, stdout, stderr }) {
  assert.deepEqual(withStatus(result, 'fail'), [], stdout);
  assert.equal(result.verdict, 'ready', stdout);
  assert.equal(status, 0, stderr);
  assert.deepEqual(result.checks.filter((check) => check.required && check.status === 'skip'), []);
}

test('the embedded deployment alone is ready, after every group of checks, and nothing of them stays', async () => {
  // With a database of its own, that can be stopped.
  const whole = await startOurs();
  try {
    const done = await verify(['--embedded', whole.state, '--journeys', '5']);
    assertReady(done);
    assert.deepEqual(withStatus(done.result, 'skip'), ['environment.secret-identical', 'environment.same-database', 'authentication.sessions']);
    assert.deepEqual([...new Set(done.result.checks.map(({ group }) => group))].sort(), ['authentication', 'browser', 'database', 'environment', 'failure', 'handlers', 'isolation', 'journeys', 'persistence']);
    assert.equal(done.result.target.embedded, true);
    const again = await verify(['--embedded', whole.state, '--only', 'handlers']);
    assertReady(again);
  } finally {
    await whole.stop();
  }
});

test('beside a real Better Auth server on one database, it is ready, and users, sessions and tokens of both sides are tried', async () => {
  const done = await verify([...target(), '--frontend-env', frontend, '--frontend-url', real.origin, '--journeys', '5']);
  assertReady(done);
  for (const id of ['environment.secret-identical', 'environment.same-database', 'authentication.sign-up', 'authentication.sessions', 'authentication.token-acceptance', 'journeys.all', 'browser.journey']) assert.equal(done.check(id).status, 'pass', id);
  assert.match(done.check('authentication.sign-up').saw, /the front end/);
  assert.match(done.check('browser.journey').saw, new RegExp(real.origin));
  assert.deepEqual(done.result.token_acceptance, { tried: 20, accepted: 20 });
  assert.deepEqual(done.result.requirements.filter(({ status }) => status !== 'pass').map(({ id }) => id), ['SC-004']); // nothing is restarted
  assert.equal(rows(), EMPTY);
  // What is shown and written has no secret, no password and no token in it.
  const all = done.stdout + done.stderr + JSON.stringify(done.result);
  assert.ok(!all.includes(secret) && !all.includes(new URL(database.url.replace('@/', '@localhost/')).password));
  assert.doesNotMatch(all, /eyJ[\w-]{10}/);
});

test('--read-only writes nothing, and says what was not tried', async () => {
  const before = rows();
  const done = await verify([...target(), '--frontend-env', frontend, '--read-only']);
  assertReady(done);
  assert.equal(rows(), before);
  assert.equal(done.check('environment.same-database').status, 'pass');
  assert.equal(done.check('authentication.refuses-expired').status, 'pass');
  assert.match(done.check('journeys.all').saw, /--read-only/);
});

test('interrupted in the middle, it removes what it has made', async () => {
  for (const signal of ['SIGINT', 'SIGTERM']) {
    const run = command([...target(), '--journeys', '20', '--only', 'journeys']);
    // Wait until the journeys are under way.
    while (Number(sql('SELECT count(*) FROM "user"', {}, database.url)) < 3 && run.child.exitCode === null) await new Promise((resolve) => { setTimeout(resolve, 20); });
    run.child.kill(signal);
    const { status, stderr, result } = await run.ended;
    assert.equal(status, 2);
    assert.match(stderr, /interrupted/);
    assert.equal(result.verdict, 'could not run');
    assert.equal(rows(), EMPTY);
  }
});

test('what a killed run has left is removed by a later one, an hour on', async () => {
  const leave = (id, age) => sql(`INSERT INTO "user" (id, name, email, "emailVerified", "createdAt", "updatedAt") VALUES ('${id}', 'x', 'verify-${id}-one@example.invalid', true, now() - interval '${age}', now());
    INSERT INTO task (user_id, title) VALUES ('${id}', 'left')`, {}, database.url);
  leave('aaaaaaaaaaaa', '2 hours');
  leave('bbbbbbbbbbbb', '1 minute');
  await verify([...target(), '--only', 'database']);
  assert.equal(sql('SELECT id FROM "user"', {}, database.url), 'bbbbbbbbbbbb');
  assert.equal(sql('SELECT count(*) FROM task', {}, database.url), '1');
  sql('DELETE FROM "user"', {}, database.url);
});

test('a service that is not there: not ready, the database is looked at all the same', async () => {
  const done = await verify(['--url', 'http://127.0.0.1:1', '--backend-env', handlers]);
  assert.equal(done.status, 1);
  assert.deepEqual(withStatus(done.result, 'fail'), ['handlers.web-server']);
  assert.match(done.check('handlers.web-server').fix, /start the service/);
  assert.equal(done.check('database.writable').status, 'pass');
  assert.equal(done.check('journeys.all').status, 'skip');
});

test('wrong use is exit status 2, with one line that says what is wrong', async () => {
  for (const [words, said] of [
    [[], /--url or --embedded is needed/], [['--url', 'x', '--backend-env', '/x'], /--url must be a URL/], [['--url', 'ftp://x', '--backend-env', '/x'], /http/],
    [['--url', 'http://x'], /--backend-env is needed/], [['--url', 'http://x', '--backend-env', '/does/not/exist'], /cannot be read: ENOENT/],
    [[...target(), '--journeys', '0'], /--journeys/], [[...target(), '--only', 'everything'], /no group "everything"/], [[...target(), '--nonsense'], /nonsense/],
    [['--embedded', '/does/not/exist'], /nothing runs there/],
  ]) {
    const { status, stderr } = await verify(words);
    assert.equal(status, 2, words.join(' '));
    assert.match(stderr, said);
    assert.equal(stderr.trim().split('\n').length, 1, stderr);
  }
});
