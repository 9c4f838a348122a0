// What todo-verify leaves behind: nothing, whether it comes to its end or not; and with --read-only it
// does not write in the first place.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Deployment } from './deployment.mjs';
import { command } from './harness.mjs';
import { until } from '../common.mjs';

let d;
before(async () => { d = await Deployment.start(); });
after(() => d?.stop());

const TABLES = ['"user"', 'session', 'account', 'verification', 'task', 'todo_mail'];
const rows = () => d.sql(TABLES.map((table) => `SELECT '${table}', count(*) FROM ${table}`).join(' UNION ALL ')).split('\n').filter((line) => !line.endsWith('|0'));
const count = (table) => Number(d.sql(`SELECT count(*) FROM ${table}`));

// Every row that any session has written, also if it was removed or rolled back.
async function written() {
  d.dropLinks(); // a session reports what it did at its end
  await until('the end of all sessions', () => d.sql('SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = \'client backend\'') === '0');
  return d.sql('SELECT sum(n_tup_ins), sum(n_tup_upd), sum(n_tup_del) FROM pg_stat_user_tables');
}

const ALL_BUT_PARTS = 'environment,database,handlers,authentication,journeys,isolation,persistence';

test('a run that comes to its end leaves no row', async () => {
  const before_ = await written();
  const { status, stdout, stderr } = await d.verify({ only: ALL_BUT_PARTS });
  assert.equal(status, 0, stdout + stderr);
  assert.deepEqual(rows(), []);
  assert.notEqual(await written(), before_, 'it has written meanwhile, and this test would see it');
});

test('with --read-only nothing is written, and what cannot be known then is not said', async () => {
  const before_ = await written();
  const { status, result, stdout, stderr } = await d.verify({ only: ALL_BUT_PARTS, frontend: d.frontendEnv, more: ['--read-only'] });
  assert.equal(status, 0, stdout + stderr);
  assert.equal(await written(), before_);
  for (const id of ['journeys.all', 'isolation.by-id', 'persistence.api-equals-table']) assert.equal(result.checks.find((check) => check.id === id).status, 'skip', id);
});

// Interrupted when users and tasks are there: each way in which a terminal or an operator does it.
for (const signals of [['SIGINT'], ['SIGTERM'], ['SIGINT', 'SIGINT']]) {
  test(`interrupted by ${signals.join(' and ')}, no user and no task stays`, async () => {
    const running = command(d.words({ only: 'journeys', journeys: 12 }));
    await until('users and tasks', () => count('"user"') > 2 && count('task') > 2, 60);
    for (const signal of signals) running.child.kill(signal);
    const { status, stderr, result } = await running.ended;
    assert.deepEqual(rows(), []);
    assert.equal(status, 2, stderr);
    assert.match(stderr, /interrupted; what was made has been removed/);
    assert.ok(!result || result.verdict === 'could not run');
  });
}
