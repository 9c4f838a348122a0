// What is measured: the five operations, as requests, as the statement that our handler runs, and as
// an answer that every subject must give alike.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { build, userId } from './instance.mjs';

export const users = 1000;
export const tasksPerUser = 20;
// Users 1 ... 1000 have 20 tasks each, always; those of this second set are created into.
const creators = 2;

const everyUser = Array.from({ length: users }, (_, i) => i + 1);
const everyTask = Array.from({ length: users * tasksPerUser }, (_, i) => i + 1);
const ownerOf = (id) => ((id - 1) % users) + 1;
const newTask = '{"title":"A task of the usual length","description":"What there is to say about it"}';

const oneUser = (set) => `\\set n random(1, ${users})\n\\set user ${userId(0, set)} + :n\n`;
const oneTask = `\\set id random(1, ${users * tasksPerUser})\n\\set user ${userId(1)} + (:id - 1) % ${users}\n`;

// `statement` finds the one that our program runs for it in the program's file; `values` are what
// pgbench puts in the place of $1, $2, ... (NULL after them); `tidy` restores the data after a round.
export const operations = {
  list: {
    program: 'task_list',
    requests: (token) => everyUser.map((n) => ['GET', `/api/${userId(n)}/tasks`, token(userId(n)), '']),
    statement: /(?<=\0)SELECT id, [a-z_, ]* FROM task WHERE user_id = \$1 ORDER BY created_at DESC, id DESC\0/g,
    variables: oneUser(1), values: [':user'],
  },
  get: {
    program: 'task_get',
    requests: (token) => everyTask.map((id) => ['GET', `/api/${userId(ownerOf(id))}/tasks/${id}`, token(userId(ownerOf(id))), '']),
    statement: /(?<=\0)SELECT id, [a-z_, ]* FROM task WHERE user_id = \$1 AND id = \$2[^\0]*\0/g,
    variables: oneTask, values: [':user', ':id'],
  },
  create: {
    program: 'task_create',
    requests: (token) => everyUser.map((n) => ['POST', `/api/${userId(n, creators)}/tasks`, token(userId(n, creators)), newTask]),
    statement: /(?<=\0)INSERT INTO task [^\0]* VALUES [^\0]*\0/g,
    variables: oneUser(creators), values: [':user', "'A task of the usual length'", "'What there is to say about it'"],
    tidy: `DELETE FROM task WHERE user_id LIKE '${creators}%'; VACUUM task;`,
  },
  toggle: {
    program: 'task_complete',
    requests: (token) => everyTask.map((id) => ['PATCH', `/api/${userId(ownerOf(id))}/tasks/${id}/complete`, token(userId(ownerOf(id))), '']),
    statement: /(?<=\0)UPDATE task SET completed = [^\0]*\0/g,
    variables: oneTask, values: [':user', ':id'],
    tidy: 'VACUUM task;',
  },
};

export const signIn = {
  program: 'signin',
  requests: () => everyUser.map((n) => ['POST', '/api/auth/sign-in/email', '', JSON.stringify({ email: `user${n}@example.com`, password: 'password123' })]),
};

// The accounts for signing in: one salt and one hash for all of them cost the same as many.
export async function loadAccounts(instance, hash) {
  await instance.sql(`
    INSERT INTO "user" ("id", "name", "email", "emailVerified")
      SELECT ${userId(0)} + n, 'User ' || n, 'user' || n || '@example.com', true FROM generate_series(1, ${users}) n;
    INSERT INTO "account" ("id", "accountId", "providerId", "userId", "password", "updatedAt")
      SELECT "id", "id", 'credential', "id", '${hash}', now() FROM "user";
    VACUUM (ANALYZE);`);
}

// The script with which pgbench runs the very statement of our program.
export function pgbenchScript({ program, statement, variables, values }) {
  const found = fs.readFileSync(`${build}/handlers/${program}`, 'latin1').match(statement) ?? [];
  if (found.length !== 1) throw new Error(`${program} has ${found.length} statements like ${statement}`);
  return `${variables}${found[0].slice(0, -1).replace(/\$(\d+)/g, (_, n) => values[n - 1] ?? 'NULL')};\n`;
}

// --- Do all subjects give the same answers? ---------------------------------------------------------

const time = (text) => {
  assert.match(text, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)$/);
  return Math.floor(Date.parse(text));
};
const comparable = ({ created_at: created, updated_at: updated, ...rest }) => ({ ...rest, created: time(created), updated: time(updated) });
// What differs from one write to the next: when it was, and under which number.
const written = (task) => {
  const { updated, ...rest } = comparable(task);
  assert.ok(updated >= rest.created);
  return rest;
};
const created = (task) => {
  const { id, created: _, ...rest } = written(task);
  assert.ok(Number.isSafeInteger(id));
  return rest;
};

async function answersOf(instance, host) {
  const send = async (method, path, options) => {
    const { status, headers, text } = await instance.request(host, method, path, options);
    assert.match(headers['content-type'], /^application\/json/, `${host}: ${status} ${text}`);
    return { status, json: JSON.parse(text) };
  };
  const token = (user) => instance.token(user);
  const of = (answer, form) => {
    assert.ok(answer.status < 300, `${host}: ${answer.status} ${JSON.stringify(answer.json)}`);
    return { status: answer.status, json: form(answer.json) };
  };
  const answers = {};
  for (const n of [1, 500, users]) {
    const user = userId(n);
    const tasks = `/api/${user}/tasks`;
    const options = { token: token(user) };
    answers[`list ${n}`] = of(await send('GET', tasks, options), (list) => list.map(comparable));
    assert.equal(answers[`list ${n}`].json.length, tasksPerUser);
    answers[`get ${n}`] = of(await send('GET', `${tasks}/${n}`, options), comparable);
    answers[`toggle ${n}`] = of(await send('PATCH', `${tasks}/${n}/complete`, options), written);
    answers[`toggle again ${n}`] = of(await send('PATCH', `${tasks}/${n}/complete`, options), written);
    const creator = userId(n, creators);
    answers[`create ${n}`] = of(await send('POST', `/api/${creator}/tasks`, { token: token(creator), body: newTask }), created);
  }
  const path = `/api/${userId(1)}/tasks/1`;
  const status = async (...request) => (await send(...request)).status;
  answers.refused = {
    'no token': await status('GET', path),
    'forged token': await status('GET', path, { token: instance.token(userId(1), 'another secret, 32 characters long') }),
    "another user's token": await status('GET', path, { token: token(userId(2)) }),
    "another user's task": await status('GET', `/api/${userId(1)}/tasks/2`, { token: token(userId(1)) }),
    'no such task': await status('PATCH', `/api/${userId(1)}/tasks/999999999/complete`, { token: token(userId(1)) }),
    'title too long': await status('POST', `/api/${userId(1)}/tasks`, { token: token(userId(1)), body: JSON.stringify({ title: 'x'.repeat(201) }) }),
  };
  await instance.sql(`UPDATE task SET updated_at = created_at WHERE updated_at <> created_at; ${operations.create.tidy}`);
  return answers;
}

// Throws unless every host answers like the first one.
export async function assertSameAnswers(instance, hosts) {
  const expected = await answersOf(instance, hosts[0]);
  assert.deepEqual(expected.refused, {
    'no token': 401, 'forged token': 401, "another user's token": 401, "another user's task": 404, 'no such task': 404, 'title too long': 422,
  });
  for (const host of hosts.slice(1)) assert.deepEqual(await answersOf(instance, host), expected, `${host} answers otherwise than ${hosts[0]}`);
}
