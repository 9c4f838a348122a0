// Contract tasks-api, section 7: the list and its parameters.
import assert from 'node:assert/strict';
import { before } from 'node:test';
import { assertError, someone, sql, test } from './harness.mjs';

const user = someone();
const titles = ['Banana', 'apple', 'Éclair', 'cherry %', 'über_weg', 'back\\slash', 'zebra'];

// n-th task: created at minute n; every second one is done; changed in the opposite order.
before(() => {
  titles.forEach((title, n) => sql(`INSERT INTO task (user_id, title, description, completed, created_at, updated_at)
    VALUES (:'user', :'title', :'about', ${n % 2 === 1}, timestamptz '2026-01-01T00:00:00Z' + ${n} * interval '1 minute',
            timestamptz '2026-02-01T00:00:00Z' - ${n} * interval '1 minute')`, { user: user.id, title, about: `about ${n} ÄÖ` }));
});

async function list(query = '') {
  const answer = await user.send('GET', `/api/tasks${query}`);
  assert.equal(answer.status, 200, `${query}: ${answer.text}`);
  return answer;
}
const names = async (query) => (await list(query)).json.map((task) => task.title);
const newest = [...titles].reverse();

test('without parameters all tasks come, newest first, as an array with its total', async () => {
  const answer = await list();
  assert.deepEqual(answer.json.map((task) => task.title), newest);
  assert.equal(answer.headers['x-total-count'], '7');
  assert.equal(answer.headers.link, undefined);
  const none = await someone().send('GET', '/api/tasks');
  assert.equal(none.text, '[]');
  assert.equal(none.headers['x-total-count'], '0');
});

test('status and completed filter, under each of their names and values', async () => {
  const done = newest.filter((_, n) => (titles.length - 1 - n) % 2 === 1);
  const open = newest.filter((title) => !done.includes(title));
  for (const name of ['status', 'status_filter', 'filter']) {
    for (const value of ['completed', 'complete', 'done']) assert.deepEqual(await names(`?${name}=${value}`), done);
    for (const value of ['pending', 'active', 'incomplete', 'open', 'todo']) assert.deepEqual(await names(`?${name}=${value}`), open);
    assert.deepEqual(await names(`?${name}=all`), newest);
  }
  for (const name of ['completed', 'is_completed']) {
    for (const value of ['true', '1']) assert.deepEqual(await names(`?${name}=${value}`), done);
    for (const value of ['false', '0']) assert.deepEqual(await names(`?${name}=${value}`), open);
  }
  assert.deepEqual(await names('?status=done&completed=false'), []);
});

test('search finds a substring of title or description, in any case, and takes nothing for a pattern', async () => {
  assert.deepEqual(await names('?search=APPLE'), ['apple']);
  assert.deepEqual(await names('?q=%20apple%20'), ['apple']);
  assert.deepEqual(await names('?search=%C3%A9clair'), ['Éclair']);
  assert.deepEqual(await names('?search=%C3%9CBER'), ['über_weg']);
  assert.deepEqual(await names('?search=%25'), ['cherry %']);
  assert.deepEqual(await names('?search=_'), ['über_weg']);
  assert.deepEqual(await names('?search=%5C'), ['back\\slash']);
  assert.deepEqual(await names('?search=about+3'), ['cherry %']);
  assert.deepEqual(await names('?search=%C3%A4%C3%B6'), newest);
  assert.deepEqual(await names('?search='), newest);
  assert.deepEqual(await names("?search='%20OR%201=1%20--"), []);
});

test('every sort order, under each of its names', async () => {
  const byTitle = await names('?sort=title');
  assert.deepEqual(byTitle, [...titles].sort((a, b) => a.toLowerCase().localeCompare(b.toLowerCase(), 'en')));
  for (const value of ['alphabetical', 'name', 'title:asc', 'title&order=ASC']) assert.deepEqual(await names(`?sort=${value}`), byTitle);
  for (const value of ['-title', 'title:desc', 'title:DESC', 'title&order=desc', 'name&sort_order=desc', 'name&direction=DESC']) {
    assert.deepEqual(await names(`?sort=${value}`), [...byTitle].reverse(), value);
  }
  for (const value of ['created', 'created_at', 'createdAt', 'created_date', 'date', 'id', 'due_date', 'dueDate', 'priority', '-created']) {
    assert.deepEqual(await names(`?sort_by=${value}`), newest, value);
  }
  for (const value of ['created&order=asc', 'id:asc']) assert.deepEqual(await names(`?sort=${value}`), titles);
  for (const value of ['updated', 'updated_at', 'updatedAt']) assert.deepEqual(await names(`?sort=${value}`), titles, value);
  const byDone = await names('?sort=completed');
  assert.deepEqual(byDone, [...newest.filter((t) => titles.indexOf(t) % 2 === 0), ...newest.filter((t) => titles.indexOf(t) % 2 === 1)]);
  assert.deepEqual(await names('?sort=status'), byDone);
});

test('limit, offset and page cut the list, and Link leads through it', async () => {
  for (const [limit, offset] of [['limit', 'offset'], ['page_size', 'skip'], ['per_page', 'offset']]) {
    assert.deepEqual(await names(`?${limit}=3&${offset}=2`), newest.slice(2, 5));
  }
  assert.deepEqual(await names('?offset=5'), newest.slice(5));
  assert.deepEqual(await names('?page=2&limit=3'), newest.slice(3, 6));
  assert.deepEqual(await names('?page=1'), newest);
  const beyond = await list('?limit=3&offset=100');
  assert.equal(beyond.text, '[]');
  assert.equal(beyond.headers['x-total-count'], '7');
  let path = '/api/tasks?limit=3&search=about&page=1';
  const seen = [];
  while (path) {
    const answer = await user.send('GET', path);
    assert.equal(answer.headers['x-total-count'], '7');
    seen.push(...answer.json.map((task) => task.title));
    path = /<([^>]+)>; rel="next"/.exec(answer.headers.link)?.[1];
    assert.match(answer.headers.link, /rel="first".*rel="last"/);
  }
  assert.deepEqual(seen, newest);
});

test('Link names first, prev, next and last as far as they exist, with the parameters kept', async () => {
  const links = async (query) => Object.fromEntries([...(await list(query)).headers.link.matchAll(/<([^>]*)>; rel="(\w+)"/g)].map(([, target, relation]) => [relation, target]));
  const path = (place) => `/api/tasks?limit=2&search=about+&status=all&x=%26&${place}`;
  const query = '?limit=2&search=about%20&status=all&x=%26';
  assert.deepEqual(await links(query), { first: path('offset=0'), next: path('offset=2'), last: path('offset=6') });
  assert.deepEqual(await links(`${query}&offset=2`), { first: path('offset=0'), prev: path('offset=0'), next: path('offset=4'), last: path('offset=6') });
  assert.deepEqual(await links(`${query}&page=4`), { first: path('page=1'), prev: path('page=3'), last: path('page=4') });
  assert.equal((await list('?offset=2')).headers.link, undefined);
});

test('a filter and a search count their matches, not what is shown', async () => {
  for (const [query, total] of [['status=done', 3], ['completed=0&limit=1', 4], ['search=about&limit=2&offset=1', 7], ['search=nothing', 0], ['status=done&completed=false', 0]]) {
    assert.equal((await list(`?${query}`)).headers['x-total-count'], String(total), query);
  }
});

test('a search has at most 200 characters, counted without the white space around it', async () => {
  const long = '😀'.repeat(200);
  const finder = someone();
  const task = await finder.create({ title: long });
  for (const text of [long, ` ${long} `]) assert.deepEqual((await finder.send('GET', `/api/tasks?search=${encodeURIComponent(text)}`)).json, [task]);
  assertError(await finder.send('GET', `/api/tasks?q=${encodeURIComponent(`${long}x`)}`), 422, 'validation_error', '201');
});

test('a search for white space alone, of whatever kind, is no filter', async () => {
  assert.equal((await list('?search=%20%09%0a')).json.length, newest.length);
});

test('updated_since takes an RFC 3339 time', async () => {
  assert.deepEqual(await names('?updated_since=2026-01-31T23:58:00Z'), newest.slice(4));
  assert.deepEqual(await names('?updated_since=2026-02-01T04:58:00%2B05:00'), newest.slice(4));
  assert.equal((await user.send('GET', '/api/tasks?updated_since=yesterday')).status, 422);
  // Each is a time by RFC 3339 that PostgreSQL would not take as it is written.
  for (const early of ['0000-01-01T00:00:00Z', '2026-01-01T00:00:00%2B16:00', `2026-01-01T00:00:00.${'1'.repeat(150)}Z`])
    assert.deepEqual(await names(`?updated_since=${early}`), newest, early);
  assert.deepEqual(await names('?updated_since=9999-12-31T23:59:59Z'), []);
});

test('each envelope has its members', async () => {
  const keys = async (query) => Object.entries((await list(query)).json).map(([key, value]) => [key, Array.isArray(value) ? value.length : value]);
  assert.deepEqual(await keys('?envelope=tasks&limit=3&offset=1'), [['tasks', 3], ['total', 7], ['count', 3], ['limit', 3], ['offset', 1], ['completed_count', 3], ['pending_count', 4]]);
  assert.deepEqual(await keys('?envelope=tasks'), [['tasks', 7], ['total', 7], ['count', 7], ['limit', null], ['offset', 0], ['completed_count', 3], ['pending_count', 4]]);
  assert.deepEqual(await keys('?envelope=items&limit=3&page=2'), [['items', 3], ['total', 7], ['page', 2], ['limit', 3], ['skip', 3], ['total_pages', 3], ['has_more', true]]);
  assert.deepEqual(await keys('?envelope=data'), [['data', 7], ['total', 7], ['limit', null], ['offset', 0]]);
  assert.ok(Array.isArray((await list('?envelope=array')).json));
});

test('row 22: unknown parameters are ignored, the last of two counts, an empty one is none', async () => {
  assert.deepEqual(await names('?user_id=other&priority=1&tags=x&_=1&category'), newest);
  assert.deepEqual(await names('?limit=1&limit=2'), newest.slice(0, 2));
  assert.deepEqual(await names('?limit=&status=&sort='), newest);
});

test('a value that is not listed is 422 and names the parameter as it was sent', async () => {
  for (const [query, field, constraint] of [['status=x', 'status'], ['filter=DONE', 'filter'], ['completed=yes', 'completed'], ['sort=x', 'sort'], ['sort_by=title:up', 'sort_by'],
    ['order=down', 'order'], ['limit=0', 'limit', 'min=1, max=500'], ['limit=501', 'limit', 'min=1, max=500'], ['per_page=x', 'per_page'], ['limit=1.5', 'limit'],
    ['offset=-1', 'offset'], ['skip=2147483648', 'skip'], ['page=0', 'page'], ['page=1&offset=1', 'page'], ['envelope=x', 'envelope'], [`search=${'x'.repeat(201)}`, 'search', 'max_length=200']]) {
    const answer = await user.send('GET', `/api/tasks?${query}`);
    assertError(answer, 422, 'validation_error', query);
    assert.equal(answer.json.details.field, field, query);
    if (constraint) assert.equal(answer.json.details.constraint, constraint);
  }
  for (const query of ['search=%zz', 'search=%', 'x=%ff', 'search=%00']) assert.equal((await user.send('GET', `/api/tasks?${query}`)).status, 400, query);
});

test('1000 tasks of one moment come in one order, whole and by pages', async () => {
  const many = someone();
  sql("INSERT INTO task (user_id, title, created_at, updated_at) SELECT :'user', 't' || n, '2026-01-01', '2026-01-01' FROM generate_series(1, 1000) n", { user: many.id });
  const whole = (await many.send('GET', '/api/tasks')).json.map((task) => task.id);
  assert.equal(whole.length, 1000);
  assert.deepEqual(whole, [...whole].sort((a, b) => b - a));
  for (const sort of ['created', 'updated', 'completed', 'created:asc', '-completed']) {
    const paged = [];
    for (let page = 1; page <= 4; page += 1) paged.push(...(await many.send('GET', `/api/tasks?limit=250&page=${page}&sort=${sort}`)).json.map((task) => task.id));
    assert.deepEqual(paged, whole, `ties in ${sort} go by id, newest first`);
  }
  const byTitle = (await many.send('GET', '/api/tasks?sort=title')).json.map((task) => task.id);
  assert.equal(new Set(byTitle).size, 1000);
  const pages = await Promise.all([0, 400, 800].map((offset) => many.send('GET', `/api/tasks?sort=title&limit=400&offset=${offset}`)));
  assert.deepEqual(pages.flatMap((page) => page.json.map((task) => task.id)), byTitle);
  assert.equal((await many.send('GET', '/api/tasks?limit=500')).json.length, 500);
  assert.deepEqual((await many.send('GET', '/api/tasks?page=3')).json.map((task) => task.id), whole.slice(100, 150), 'a page has 50 without a limit');
  assert.equal((await many.send('GET', '/api/tasks?page=2147483647&limit=500')).text, '[]');
});
