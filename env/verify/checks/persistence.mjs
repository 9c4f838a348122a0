// Is what was written there afterwards: in the table as in the API, and after a restart?
import { setTimeout } from 'node:timers/promises';
import { fail, pass } from '../outcome.mjs';
import { until } from '../deployment.mjs';
import { someone } from '../people.mjs';

// Times as the API writes them: UTC, three decimals, cut off.
const ROWS = `SELECT id, title, description, completed, user_id,
    to_char(date_trunc('milliseconds', created_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS created_at,
    to_char(date_trunc('milliseconds', updated_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS updated_at
  FROM task WHERE user_id = $1 ORDER BY created_at DESC, id DESC`;
const FIELDS = ['id', 'title', 'description', 'completed', 'user_id', 'created_at', 'updated_at'];

function difference(tasks, rows) {
  if (tasks.length !== rows.length) return `${tasks.length} tasks in the API, ${rows.length} rows in the table`;
  for (const [index, row] of rows.entries()) {
    const field = FIELDS.find((name) => tasks[index][name] !== row[name]);
    if (field) return `"${field}" of a task is ${JSON.stringify(tasks[index][field])} in the API and ${JSON.stringify(row[field])} in the table`;
  }
  return undefined;
}

// Somebody with tasks of every kind, each written in another way.
async function keeper(c) {
  const person = await someone(c, 'keeper');
  if (person.ready) return person;
  const make = (body) => person.must(201, 'POST', '', body);
  await make({ title: 'plain' });
  await make({ title: 'Ünï 日本 😀 <b>&amp;', description: 'two\nlines' });
  await make({ title: 'empty description', description: '' });
  const changed = await make({ title: 'before', description: 'goes' });
  // So that the two times of a task differ in the three decimals that the API shows.
  await setTimeout(5);
  await person.must(200, 'PUT', `/${changed.id}`, { title: 'after', description: null });
  const done = await make({ title: 'done' });
  await person.must(200, 'PATCH', `/${done.id}/complete`);
  const gone = await make({ title: 'gone' });
  await person.must(204, 'DELETE', `/${gone.id}`);
  person.ready = true;
  return person;
}

async function look(c, person) {
  const tasks = await person.must(200, 'GET', '');
  const rows = await c.sql(ROWS, [person.id]);
  const single = await Promise.all(rows.map(({ id }) => person.must(200, 'GET', `/${id}`)));
  return { tasks, difference: difference(tasks, rows) ?? difference(single, rows) };
}

async function apiEqualsTable(c) {
  const person = await keeper(c);
  const { tasks, difference: found } = await look(c, person);
  if (found) return fail(found, 'the API does not read the table that DATABASE_URL shows, or changes what it reads: look for a cache in between, and install the released programs');
  const titles = tasks.map(({ title, completed, description }) => [title, completed, description]);
  const wanted = [['done', true, null], ['after', false, null], ['empty description', false, ''], ['Ünï 日本 😀 <b>&amp;', false, 'two\nlines'], ['plain', false, null]];
  if (JSON.stringify(titles) !== JSON.stringify(wanted)) return fail(`API and table agree on something else than what was written: ${JSON.stringify(titles)}`, 'a program writes something else than it is told: install the released programs');
  return pass(`${tasks.length} tasks, created, updated, toggled and deleted through the API: ${FIELDS.length} fields of each are equal in the table`);
}

// Lets `restart` happen; then everything must be as before, in the API and in the table.
async function survives(c, restart) {
  const person = await keeper(c);
  const before = JSON.stringify((await look(c, person)).tasks);
  const what = await restart();
  await until(async () => (await person.task('GET').catch(() => ({}))).status === 200, 'an answer after the restart', 30);
  const { tasks, difference: found } = await look(c, person);
  if (found) return fail(found, 'see the log of the database');
  if (JSON.stringify(tasks) !== before) return fail(`other tasks than before ${what}`, 'the database does not keep what it has confirmed: check fsync, synchronous_commit and its disk');
  return pass(`${tasks.length} tasks are there after ${what}, with the same fields in the API and in the table`);
}

const handlersRestarted = (c) => survives(c, async () => {
  const programs = c.deployment.programs();
  const old = new Map();
  for (const name of programs) old.set(name, await c.deployment.stop(name));
  for (const [name, pid] of old) await c.deployment.back(name, pid);
  return `a restart of ${programs.length} programs`;
});

const databaseRestarted = (c) => survives(c, async () => {
  const pid = await c.deployment.stop('postgres', 'SIGINT');
  await c.deployment.back('postgres', pid);
  return 'a restart of the database';
});

const embedded = (c) => (c.deployment ? true : 'not the embedded deployment: its parts cannot be restarted from here');
const NEEDS = ['authentication.token-acceptance', ...['task_create', 'task_list', 'task_update', 'task_complete', 'task_delete'].map((name) => `handlers.${name}`)];

export const persistence = [
  { id: 'persistence.api-equals-table', title: 'The API shows what the table holds', requirements: ['FR-009'], writes: true, needs: NEEDS, did: 'wrote tasks in every way through the API and compared each field with its row', run: apiEqualsTable },
  { id: 'persistence.handlers-restarted', title: 'Tasks are there after the handlers are restarted', requirements: ['SC-004', 'FR-009'], writes: true, needs: NEEDS, applies: embedded, did: 'ended every program, waited until all ran again, and compared', run: handlersRestarted },
  { id: 'persistence.database-restarted', title: 'Tasks are there after the database is restarted', requirements: ['SC-004', 'FR-009'], writes: true, needs: NEEDS, applies: (c) => (embedded(c) !== true ? embedded(c) : c.deployment.ownsDatabase ? true : 'the embedded deployment runs on a database of others'), did: 'ended the database, waited until it ran again, and compared', run: databaseRestarted },
];
