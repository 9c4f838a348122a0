// Results as todo-verify writes them, for the tests of the report.

const REQUIREMENTS = [
  ['FR-001', 'Both systems are given the identical secret', ['environment.secret-identical', 'environment.running-secret']],
  ['FR-002', 'Both systems use the same database', ['environment.same-database', 'environment.running-database']],
  ['FR-003', 'Tokens of the one system are accepted by the other', ['authentication.accepts']],
  ['FR-004', 'Nobody reaches the tasks of somebody else', ['isolation.by-id', 'isolation.by-user']],
  ['FR-005', 'Access tokens travel in the Authorization header', ['authentication.refuses-none', 'authentication.refuses-expired']],
  ['FR-006', 'The flows work from end to end', ['journeys.succeed']],
  ['FR-007', 'A mismatch is reported clearly', ['environment.secret-identical', 'environment.same-database']],
  ['FR-008', 'Connections to the database are encrypted', ['database.encryption']],
  ['FR-009', 'What is written is what is read', ['persistence.api-equals-table']],
  ['SC-001', 'Every journey succeeds', ['journeys.succeed']],
  ['SC-002', 'DATABASE_URL leads to one database from both sides', ['environment.same-database']],
  ['SC-003', 'At least 99 % of tokens are accepted', ['authentication.accepts']],
  ['SC-004', 'Tasks outlive a restart', ['persistence.restart']],
  ['SC-005', 'Each mismatch is reported with its remedy', ['environment.secret-identical']],
  ['SC-006', 'Isolation holds under load', ['isolation.in-parallel']],
];

const CHECKS = [
  ['environment.variables', 'Both files have what they need', 'read both files with the rules of the two systems', 'BETTER_AUTH_SECRET, DATABASE_URL and BETTER_AUTH_URL are set in both'],
  ['environment.secret-identical', 'Both files have the same secret', 'compared the two values', '44 characters in both, the same'],
  ['environment.secret-strength', 'The secret is hard to guess', 'counted characters and estimated entropy', '44 characters, about 251 bits'],
  ['environment.same-database', 'Both files lead to one database', 'wrote a value through the one URL and read it through the other', 'the value arrived, in both directions'],
  ['environment.running-secret', 'The running handlers use the secret of the file', 'sent a token signed with it, and one signed with another', '200 and 401'],
  ['environment.running-database', 'The running handlers use the database of the file', 'created a task and read its row through the URL of the file', 'the row is there'],
  ['database.migrations', 'Every migration is applied, and none was changed', 'compared todo_migration with the files', '0001_auth, 0002_task, 0003_limits_and_mail, 0004_idempotency'],
  ['database.encryption', 'Connections are encrypted', 'asked pg_stat_ssl', 'a Unix socket: nothing crosses a network'],
  ['database.clock', 'The clocks agree', 'compared now() with this machine', '0.01 s apart'],
  ['handlers.task_list', 'task_list answers', 'GET /api/tasks', '200, and 405 to POST /api/tasks/1'],
  ['handlers.task_complete', 'task_complete answers', 'PATCH /api/tasks/1/complete', '404, as for a task that is not there'],
  ['authentication.accepts', 'Tokens of each side are accepted', 'sent 100 tokens of each side', '200 of 200'],
  ['authentication.refuses-none', 'Tokens without a signature are refused', 'sent alg none to 6 routes', '401 from 6'],
  ['authentication.refuses-expired', 'Expired tokens are refused', 'sent tokens that ended a minute ago to 6 routes', '401 from 6'],
  ['journeys.succeed', 'Every journey succeeds', '50 journeys of 9 steps, 8 at a time', '50 of 50'],
  ['isolation.by-id', 'A task of somebody else is a missing one', 'six operations of B on the tasks of A', '404 six times, and the rows are unchanged'],
  ['isolation.by-user', 'The address of somebody else is refused', 'six operations of B below the address of A', '401 six times'],
  ['isolation.in-parallel', 'Isolation holds while both write', '200 writes each', 'no row changed hands'],
  ['persistence.api-equals-table', 'The API says what the table says', 'compared 7 fields of 20 tasks', 'equal'],
  ['persistence.restart', 'Tasks outlive a restart', 'restarted handlers and database', '20 of 20 tasks are there'],
  ['failure.database-stopped', 'A stopped database is a 503', 'stopped it for 3 s', '503 with Retry-After, then 200 by itself'],
  ['browser.journey', 'A journey in a browser', 'headless Chromium, 1280 px', 'signed up, added a task, signed out'],
];

const STEPS = ['sign up', 'sign in', 'token', 'create', 'list', 'update', 'toggle', 'sign out', 'sign in again'];

export function sample() {
  const checks = CHECKS.map(([id, title, did, saw], index) => ({
    id, group: id.split('.')[0], title, required: !/strength|browser/.test(id),
    requirements: REQUIREMENTS.filter(([, , ids]) => ids.includes(id)).map(([name]) => name),
    status: 'pass', did, saw, fix: '', ms: 3.2 + index ** 3,
  }));
  return {
    schema: 'todo-verify/1', version: '1.0.0',
    started: '2026-11-21T09:14:03.120Z', finished: '2026-11-21T09:14:41.870Z',
    target: { url: 'http://127.0.0.1:8080', frontend_url: 'http://127.0.0.1:3000', embedded: true },
    verdict: 'ready',
    counts: { pass: checks.length, fail: 0, warn: 0, skip: 0 },
    checks,
    latencies: STEPS.map((step, index) => {
      const dear = /sign (up|in)/.test(step) ? 70 : 4 + index;
      return { step, count: 50, p50: dear, p95: dear * 1.7, p99: dear * 2.2, max: dear * 2.4, limit_ms: dear < 70 ? 200 : null };
    }),
    token_acceptance: { tried: 200, accepted: 200 },
    requirements: REQUIREMENTS.map(([id, text, ids]) => ({ id, text, status: 'pass', checks: ids })),
  };
}

// The same deployment with another secret at the front end, one handler that is slow, and one stopped.
export function failing() {
  const result = sample();
  const change = (id, status, saw, fix) => Object.assign(result.checks.find((check) => check.id === id), { status, saw, fix });
  change('environment.secret-identical', 'fail', 'the two values differ: both have 44 characters',
    'give BETTER_AUTH_SECRET of frontend.env the value that backend.env has, and restart the front end');
  change('environment.secret-strength', 'warn', '32 characters, about 60 bits', 'make one with "openssl rand -base64 32"');
  change('handlers.task_complete', 'fail', '503 from nginx: connect() to unix:/run/todo-fcgi/sockets/task_complete.sock failed (111: Connection refused)',
    'start the program task_complete: systemctl start todo-task_complete.socket');
  change('authentication.accepts', 'fail', '197 of 200; 3 times 401', 'see environment.secret-identical');
  change('browser.journey', 'fail', 'no Chromium window after 20 s', 'install chromium');
  change('persistence.restart', 'skip', 'not run: --read-only', '');
  Object.assign(result.latencies[4], { p50: 90, p95: 268, p99: 430, max: 612.5 });
  Object.assign(result, {
    verdict: 'not ready', token_acceptance: { tried: 200, accepted: 197 },
    counts: { pass: result.checks.length - 6, fail: 4, warn: 1, skip: 1 },
  });
  const state = new Map(result.checks.map((check) => [check.id, check.status]));
  for (const one of result.requirements) one.status = ['fail', 'skip'].find((each) => one.checks.some((id) => state.get(id) === each)) ?? 'pass';
  return result;
}
