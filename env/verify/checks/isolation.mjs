// Can somebody reach the tasks of somebody else? What counts are A's rows in the database, before and
// after, read there and not through the API.
import { describe } from '../http.mjs';
import { end, fail, pass, skip } from '../outcome.mjs';
import { someone } from '../people.mjs';

const SPELLINGS = (id) => [`/api/${id}/tasks`, `/api/users/${id}/tasks`];
// Every operation on a list and on a task, as [method, rest of the path, body].
const ON_LIST = [['GET', ''], ['HEAD', ''], ['POST', '', { title: 'by B' }]];
const ON_TASK = (id) => [['GET', `/${id}`], ['HEAD', `/${id}`], ['PUT', `/${id}`, { title: 'by B', completed: true }], ['PATCH', `/${id}`, { description: 'by B' }],
  ['PATCH', `/${id}/complete`], ['PATCH', `/${id}/complete`, { completed: true }], ['POST', `/${id}/complete`], ['PUT', `/${id}/complete`], ['PATCH', `/${id}/toggle`], ['DELETE', `/${id}`]];

const rowsOf = (c, person) => c.sql('SELECT id, user_id, title, description, completed, created_at, updated_at, xmin::text FROM task WHERE user_id = $1 ORDER BY id', [person.id]);

// A with tasks, B with tasks of their own.
async function both(c) {
  const [a, b] = await Promise.all([someone(c, 'owner'), someone(c, 'stranger')]);
  for (const person of [a, b]) {
    if (person.made) continue;
    person.made = [];
    for (let n = 0; n < 3; n++) person.made.push((await person.must(201, 'POST', '', { title: `secret of ${person.user.name} ${n}`, description: 'private' })).id);
  }
  const before = await rowsOf(c, a);
  // Without seeing the rows, "unchanged" would prove nothing.
  if (before.length !== a.made.length) end(skip(`not tried: the file's user sees ${before.length} of A's ${a.made.length} rows (row-level security?): use the DATABASE_URL of the tables' owner`));
  return { a, b, before: JSON.stringify(before) };
}

async function afterwards(c, a, before, what) {
  if (JSON.stringify(await rowsOf(c, a)) !== before) end(fail(`the rows of A were changed by ${what}`, 'a task program does not compare the owner: install the released programs'));
}

const leaks = (a, answer) => answer.text.includes(`secret of ${a.user.name}`) || a.made.some((id) => answer.json?.id === id);

async function byPath(c) {
  const { a, b, before } = await both(c);
  let tried = 0;
  const bad = [];
  for (const base of SPELLINGS(a.id)) {
    for (const [method, rest, body] of [...ON_LIST, ...a.made.flatMap((id) => ON_TASK(id))]) {
      const answer = await c.http(method, `${base}${rest}`, { token: b.bearer, body });
      tried += 1;
      if (answer.status !== 401 || leaks(a, answer)) bad.push(`${method} ${base.replace(a.id, '{A}')}${rest.replace(/\d+/, '{id}')}: ${describe(answer)}`);
    }
  }
  await afterwards(c, a, before, bad[0] ?? 'requests below A\'s path');
  if (bad.length > 0) return fail(`${bad[0]} instead of 401${bad.length > 1 ? ` (and ${bad.length - 1} more of ${tried})` : ''}`, 'the program of this route does not compare the path\'s user with the token\'s: install the released programs');
  return pass(`${tried} requests of B below A's path: all 401; A's ${a.made.length} rows are unchanged`);
}

async function byId(c) {
  const { a, b, before } = await both(c);
  const nobody = '9007199254740993'; // a task that does not exist
  let tried = 0;
  const bad = [];
  for (const base of [`/api/${b.id}/tasks`, '/api/tasks', '/api/v1/tasks', `/api/users/${b.id}/tasks`]) {
    for (const id of a.made) {
      for (const [index, [method, rest, body]] of ON_TASK(id).entries()) {
        const answer = await c.http(method, `${base}${rest}`, { token: b.bearer, body });
        const missing = await c.http(method, `${base}${ON_TASK(nobody)[index][1]}`, { token: b.bearer, body });
        tried += 1;
        if (answer.status !== 404 || answer.text !== missing.text || leaks(a, answer)) bad.push(`${method} ${base.replace(b.id, '{B}')}${rest.replace(/\d+/, '{id of A}')}: ${describe(answer)}`);
      }
    }
    // Nor in a list, however it is asked for.
    for (const query of ['', '?search=secret+of', `?user_id=${a.id}`, '?limit=500&status=all', '?envelope=tasks']) {
      const answer = await c.http('GET', `${base}${query}`, { token: b.bearer });
      tried += 1;
      if (answer.status !== 200 || leaks(a, answer) || a.made.some((id) => new RegExp(`"id":${id}\\b`).test(answer.text))) bad.push(`GET ${base.replace(b.id, '{B}')}${query.replace(a.id, '{A}')}: ${answer.status === 200 ? 'shows tasks of A' : describe(answer)}`);
    }
  }
  await afterwards(c, a, before, bad[0] ?? 'requests with A\'s task ids');
  if (bad.length > 0) return fail(`${bad[0]}${bad.length > 1 ? ` (and ${bad.length - 1} more of ${tried})` : ''}`, 'the program of this route does not name the owner in its statement: install the released programs');
  return pass(`${tried} requests of B with the ids of A's tasks: 404, as for tasks that do not exist; no list shows them; A's rows are unchanged`);
}

// The same while both write: B attacks, A works, and A's rows are what A wrote last.
async function parallel(c) {
  const { a, b } = await both(c);
  const idsOf = async (person) => (await c.sql('SELECT id FROM task WHERE user_id = $1 ORDER BY id', [person.id])).map(({ id }) => id).join();
  const there = new Map([[a, await idsOf(a)], [b, await idsOf(b)]]);
  const wanted = new Map();
  const bad = [];
  let attacks = 0, writes = 0;
  const work = async (person, own) => {
    for (let n = 0; n < 12; n++) {
      for (const id of person.made) {
        const title = `${own} ${n}`;
        const answer = await person.task('PUT', `/${id}`, { title, completed: n % 2 === 0 });
        writes += 1;
        if (answer.status === 200) wanted.set(`${person.id}/${id}`, [title, n % 2 === 0]);
        else bad.push(`PUT of ${own} on an own task: ${describe(answer)}`);
      }
    }
  };
  const attack = async (from, to) => {
    for (let n = 0; n < 4; n++) {
      await Promise.all(to.made.flatMap((id) => [`/api/${from.id}/tasks`, `/api/${to.id}/tasks`].flatMap((base) => [['PUT', `/${id}`, { title: 'stolen' }], ['PATCH', `/${id}/complete`], ['DELETE', `/${id}`], ['GET', `/${id}`]].map(async ([method, rest, body]) => {
        const answer = await c.http(method, base + rest, { token: from.bearer, body });
        attacks += 1;
        if (![401, 404].includes(answer.status)) bad.push(`${method} on the other's task: ${describe(answer)}`);
      }))));
    }
  };
  await Promise.all([work(a, 'A'), work(b, 'B'), attack(b, a), attack(a, b)]);
  for (const person of [a, b]) {
    const rows = await c.sql('SELECT id, title, completed FROM task WHERE user_id = $1 ORDER BY id', [person.id]);
    for (const id of person.made) {
      const row = rows.find((one) => one.id === id);
      const [title, completed] = wanted.get(`${person.id}/${id}`) ?? [];
      if (!row || row.title !== title || row.completed !== completed) bad.push(`a row is ${row ? `"${row.title}", ${row.completed}` : 'gone'} instead of "${title}", ${completed}`);
    }
    if (rows.map(({ id }) => id).join() !== there.get(person)) bad.push(`${rows.length} rows, and not those that were there`);
  }
  if (bad.length > 0) return fail(`${bad[0]}${bad.length > 1 ? ` (and ${bad.length - 1} more)` : ''}`, 'requests of one person have reached another\'s tasks: install the released programs, and put no cache before the API');
  return pass(`${attacks} attacks while both made ${writes} writes: all refused, and every row is what its owner wrote last`);
}

const NEEDS = ['authentication.token-acceptance', ...['task_create', 'task_list', 'task_get', 'task_update', 'task_complete', 'task_delete'].map((name) => `handlers.${name}`)];
const check = (name, title, did, run) => ({ id: `isolation.${name}`, title, requirements: ['FR-004', 'SC-006'], writes: true, needs: NEEDS, did, run });

export const isolation = [
  check('by-path', 'Nobody reaches tasks by another\'s path', 'every task operation of B below A\'s path, then read A\'s rows in the database', byPath),
  check('by-id', 'Nobody reaches tasks by another\'s task ids', 'every task operation of B with A\'s task ids below B\'s own paths, then read A\'s rows in the database', byId),
  check('parallel', 'Isolation holds while both write', 'A and B wrote and attacked each other at once, then read both\'s rows in the database', parallel),
];
