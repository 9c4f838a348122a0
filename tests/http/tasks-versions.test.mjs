// Contract tasks-api, section 9: versions. Numbers in names are rows of the reliability plan.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { assertError, base, cgi, someone, sql, trusted } from './harness.mjs';

const at = (task) => `/api/tasks/${task.id}`;
const opaque = (answer) => answer.headers.etag.replace(/^W\//, '');

// The statuses of answers, each with how often it came.
const tally = (answers) => answers.reduce((all, { status }) => ({ ...all, [status]: (all[status] ?? 0) + 1 }), {});
const times = (count, make) => Promise.all(Array.from({ length: count }, (_, number) => make(number)));

test('every answer that shows a task names its version, and every write makes a new one', async () => {
  const user = someone();
  const created = await user.send('POST', user.tasks, { body: { title: 'a' } });
  const path = at(created.json);
  const seen = new Set([created.headers.etag]);
  assert.match(created.headers.etag, /^W\/"[\x21\x23-\x7e]+"$/);
  for (const [method, where, body] of [['PUT', path, { title: 'b' }], ['PATCH', path, {}], ['PUT', path, { title: 'b' }], ['PATCH', `${path}/complete`],
    ['POST', `${path}/toggle`, { completed: false }], ['PUT', `${path}/complete`, { completed: false }]]) {
    const changed = await user.send(method, where, { body });
    assert.equal(changed.status, 200);
    assert.ok(!seen.has(changed.headers.etag), `${method} ${where}`);
    seen.add(changed.headers.etag);
    for (const read of ['GET', 'HEAD'])
      assert.equal((await user.send(read, path)).headers.etag, changed.headers.etag);
  }
  assert.equal((await user.send('DELETE', path)).headers.etag, undefined);
  for (const answer of [await user.send('GET', path), await user.send('PUT', path, { body: { title: '' } })])
    assert.equal(answer.headers.etag, undefined);
});

test('two tasks never share a version, not even when they are made at one moment', async () => {
  const user = someone();
  sql("INSERT INTO task (user_id, title) SELECT :'user', 'x' FROM generate_series(1, 5)", { user: user.id });
  const tasks = (await user.send('GET', user.tasks)).json;
  const tags = await Promise.all(tasks.map(async (task) => (await user.send('GET', at(task))).headers.etag));
  assert.equal(new Set(tags).size, 5);
  assert.equal((await user.send('GET', at(tasks[0]), { headers: { 'if-none-match': tags[1] } })).status, 200);
  assert.equal((await user.send('PUT', at(tasks[0]), { headers: { 'if-match': tags[1] }, body: {} })).status, 412);
});

test('who has the version gets 304: the tag and how to keep it, no body', async () => {
  const user = someone();
  const path = at(await user.create());
  const full = await user.send('GET', path, { headers: { origin: trusted } });
  const tag = full.headers.etag;
  for (const method of ['GET', 'HEAD']) {
    for (const known of [tag, opaque(full), '*', `"x", ${tag}`, `"x",,${opaque(full)} , W/"y"`]) {
      const answer = await user.send(method, path, { headers: { origin: trusted, 'if-none-match': known } });
      assert.equal(answer.status, 304, known);
      assert.equal(answer.text, '');
      for (const name of ['etag', 'vary', 'cache-control', 'access-control-allow-origin', 'access-control-expose-headers'])
        assert.equal(answer.headers[name], full.headers[name], name);
      assert.equal(answer.headers['cache-control'], 'private, no-cache');
      assert.match(answer.headers.vary, /Origin/);
      for (const name of ['content-length', 'content-type', 'transfer-encoding'])
        assert.equal(answer.headers[name], undefined, name);
    }
  }
  for (const other of ['"x"', tag.slice(2).slice(1, -1), `${tag} ${tag}`, 'W/', '**', '""', `w/${tag.slice(2)}`, '"']) {
    const answer = await user.send('GET', path, { headers: { 'if-none-match': other } });
    assert.equal(answer.status, 200, other);
    assert.deepEqual(answer.json, full.json);
  }
  await user.send('PATCH', `${path}/complete`);
  assert.equal((await user.send('GET', path, { headers: { 'if-none-match': tag } })).status, 200);
});

test('a reader may insist on a version, and that comes before If-None-Match', async () => {
  const user = someone();
  const path = at(await user.create());
  const { etag } = (await user.send('GET', path)).headers;
  assertError(await user.send('GET', path, { headers: { 'if-match': '"other"' } }), 412, 'precondition_failed');
  assertError(await user.send('GET', path, { headers: { 'if-match': '"other"', 'if-none-match': etag } }), 412, 'precondition_failed');
  assert.equal((await user.send('GET', path, { headers: { 'if-match': etag } })).status, 200);
  assert.equal((await user.send('GET', path, { headers: { 'if-match': etag, 'if-none-match': etag } })).status, 304);
});

const writes = [
  ['PUT', '', { title: 'new' }], ['PATCH', '', { completed: true }], ['DELETE', ''], ['PATCH', '/complete'], ['POST', '/complete', { completed: true }],
  ['PUT', '/complete?completed=true'], ['PATCH', '/toggle'], ['POST', '/toggle'], ['PUT', '/toggle'],
];

for (const [method, suffix, body] of writes) {
  test(`${method} {id}${suffix}: another version is 412 and leaves the task, the right one goes through`, async () => {
    const user = someone();
    const task = await user.create({ title: 'old', description: 'text' });
    const first = (await user.send('GET', at(task))).headers.etag;
    const { headers: { etag } } = await user.send('PUT', at(task), { body: {} });
    const before = sql('SELECT * FROM task WHERE id = :id', { id: task.id });
    const attempt = (headers) => user.send(method, at(task) + suffix, { body, headers });

    for (const headers of [{ 'if-match': first }, { 'if-match': first.slice(2) }, { 'if-match': '"other"' }, { 'if-match': `"x", ${first}` }, { 'if-match': etag.slice(3, -1) },
      { 'if-match': 'nonsense' }, { 'if-match': '' }, { 'if-match': `${etag.slice(0, -1)}0"` }, { 'if-none-match': etag }, { 'if-none-match': etag.slice(2) }, { 'if-none-match': `"x", ${etag}` }, { 'if-none-match': '*' },
      { 'if-match': etag, 'if-none-match': etag }, { 'if-match': '*', 'if-none-match': '*' }]) {
      assertError(await attempt(headers), 412, 'precondition_failed', JSON.stringify(headers));
      assert.equal(sql('SELECT * FROM task WHERE id = :id', { id: task.id }), before);
    }
    const done = await attempt({ 'if-match': `"x", ${etag.slice(2)}`, 'if-none-match': `"y", ${first}` });
    assert.equal(done.status, method === 'DELETE' ? 204 : 200);
    if (method !== 'DELETE') assert.equal(done.headers.etag, (await user.send('GET', at(task))).headers.etag);
  });

  test(`${method} {id}${suffix}: "*" means that the task must be there; one that is not stays 404`, async () => {
    const user = someone();
    const stranger = await someone().create();
    const gone = await user.create();
    await user.send('DELETE', at(gone));
    for (const task of [stranger, gone, { id: '9223372036854775807' }, { id: 0 }])
      for (const headers of [{ 'if-match': '*' }, { 'if-match': '"x"' }, { 'if-none-match': '*' }, { 'if-none-match': '"x"' }])
        assertError(await user.send(method, at(task) + suffix, { body, headers }), 404, 'not_found');
    const task = await user.create();
    assert.ok((await user.send(method, at(task) + suffix, { body, headers: { 'if-match': '*' } })).status < 300);
  });
}

test('what would be refused anyway is refused for its own reason', async () => {
  const user = someone();
  const task = await user.create();
  const headers = { 'if-match': '"other"', 'if-none-match': '*' };
  assert.equal((await user.send('PUT', at(task), { headers, body: { title: '' } })).status, 422);
  assert.equal((await user.send('PUT', at(task), { headers, body: '{' })).status, 400);
  assert.equal((await user.send('PUT', at(task), { headers, token: null, body: {} })).status, 401);
  assert.equal((await user.send('PUT', '/api/tasks/abc', { headers, body: {} })).status, 422);
  assert.equal((await user.send('GET', '/api/tasks/999999999', { headers })).status, 404);
});

test('without a condition the last write wins', async () => {
  const user = someone();
  const task = await user.create();
  const answers = await times(10, (number) => user.send('PUT', at(task), { body: { title: `t${number}` } }));
  assert.deepEqual(tally(answers), { 200: 10 });
  assert.equal(new Set(answers.map(({ headers }) => headers.etag)).size, 10);
});

test('61: of 50 writes at once that ask for one version, exactly one is done', async () => {
  const user = someone();
  for (const [method, suffix, body] of [['PUT', '', (number) => ({ title: `t${number}` })], ['PATCH', '/complete', () => undefined]]) {
    const task = await user.create();
    const { etag } = (await user.send('GET', at(task))).headers;
    const answers = await times(50, (number) => user.send(method, at(task) + suffix, { body: body(number), headers: { 'if-match': etag } }));
    assert.deepEqual(tally(answers), { 200: 1, 412: 49 });
    const [winner] = answers.filter(({ status }) => status === 200);
    assert.deepEqual((await user.send('GET', at(task))).json, winner.json);
  }
});

test('61: PUT and DELETE at once that ask for one version: one is done, and nothing is revived', async () => {
  for (let round = 0; round < 5; ++round) {
    const user = someone();
    const task = await user.create();
    const { etag } = (await user.send('GET', at(task))).headers;
    const headers = { 'if-match': etag };
    const [removed, ...changed] = await times(20, (number) => number === 0
      ? user.send('DELETE', at(task), { headers }) : user.send('PUT', at(task), { headers, body: { title: 'new' } }));
    const won = tally(changed)[200] ?? 0;
    assert.equal((removed.status === 204) + won, 1, JSON.stringify(tally(changed)));
    assert.equal((await user.send('GET', at(task))).status, won ? 200 : 404);
  }
});

test('61: 50 flips at once, and 50 PUT against a DELETE', async () => {
  const user = someone();
  const task = await user.create();
  assert.deepEqual(tally(await times(50, () => user.send('PATCH', `${at(task)}/complete`))), { 200: 50 });
  assert.equal((await user.send('GET', at(task))).json.completed, false);

  const [removed, ...changed] = await times(51, (number) => number === 0
    ? user.send('DELETE', at(task)) : user.send('PUT', at(task), { body: { title: `t${number}` } }));
  assert.equal(removed.status, 204);
  for (const { status } of changed) assert.ok(status === 200 || status === 404, status);
  assert.equal((await user.send('GET', at(task))).status, 404);
});

test('a task that a service with more members shows has another version', async () => {
  const user = someone();
  const task = await user.create();
  const { etag } = (await user.send('GET', at(task))).headers;
  const authorization = `Bearer ${user.token}`;
  const settings = { TODO_CAMEL_CASE: 'on' };
  const answer = cgi('task_get', 'GET', at(task), { settings, headers: { authorization, 'if-none-match': etag } });
  assert.equal(answer.status, 200);
  assert.ok('createdAt' in answer.json);
  const [other] = answer.find('etag');
  assert.notEqual(other, etag);
  assert.equal(cgi('task_get', 'GET', at(task), { settings, headers: { authorization, 'if-none-match': other } }).status, 304);
  assert.equal(cgi('task_update', 'PUT', at(task), { settings, headers: { authorization, 'if-match': other }, body: {} }).status, 200);
});

const envelopes = ['', 'envelope=array', 'envelope=tasks', 'envelope=items', 'envelope=data'];
const lists = [...envelopes, 'limit=2', 'limit=2&offset=1', 'page=2', 'limit=3&offset=50', 'offset=1', 'status=pending', 'status=completed', 'completed=0', 'search=a', 'search=nowhere', 'sort=title', 'sort=-title',
  'sort=id:asc', 'sort=updated', 'sort=completed&limit=2', 'updated_since=2020-01-01T00:00:00Z', 'updated_since=2999-01-01T00:00:00Z', 'envelope=tasks&limit=2', 'envelope=items&limit=2&status=pending', 'envelope=data&sort=title', '_=1'];

test('a list names its version, and who has it gets 304, however the list is asked for', async () => {
  const user = someone();
  for (let round = 0; round < 2; ++round) {
    for (const query of lists) {
      const path = `${user.tasks}?${query}`;
      const full = await user.send('GET', path, { headers: { origin: trusted } });
      assert.equal(full.status, 200, query);
      assert.match(full.headers.etag, /^W\/"[0-9a-f]{32}"$/);
      for (const [method, known] of [['GET', full.headers.etag], ['HEAD', opaque(full)], ['GET', '*'], ['GET', `"x", "${'0'.repeat(32)}", ${full.headers.etag}`], ['GET', `${full.headers.etag}, W/"${'f'.repeat(32)}"`]]) {
        const answer = await user.send(method, path, { headers: { origin: trusted, 'if-none-match': known } });
        assert.equal(answer.status, 304, `${query} ${known}`);
        assert.equal(answer.text, '');
        for (const name of ['etag', 'vary', 'cache-control', 'access-control-allow-origin'])
          assert.equal(answer.headers[name], full.headers[name], name);
        for (const name of ['content-length', 'content-type', 'x-total-count', 'link']) assert.equal(answer.headers[name], undefined, name);
      }
      for (const other of ['"x"', `"${'0'.repeat(32)}"`, full.headers.etag.slice(3, -1), `${full.headers.etag} "x"`]) {
        const answer = await user.send('GET', path, { headers: { 'if-none-match': other } });
        assert.equal(answer.status, 200, other);
        assert.equal(answer.text, full.text);
        for (const name of ['etag', 'x-total-count', 'link']) assert.equal(answer.headers[name], full.headers[name], name);
      }
      assert.equal((await user.send('GET', path, { headers: { 'if-match': '"x"' } })).status, 412);
      assert.equal((await user.send('GET', path, { headers: { 'if-match': full.headers.etag } })).status, 200);
    }
    for (const title of ['a', 'b', 'A', 'c']) await user.create({ title });
    await user.send('PATCH', `${at((await user.send('GET', user.tasks)).json[0])}/complete`);
  }
});

test('every way to ask has versions of its own, and so has every user', async () => {
  const user = someone();
  for (const tasks of [0, 3]) {
    while ((await user.send('GET', user.tasks)).json.length < tasks) await user.create();
    const tags = await Promise.all(lists.map(async (query) => (await user.send('GET', `${user.tasks}?${query}`)).headers.etag));
    assert.equal(new Set(tags).size, lists.length);
  }
  const [nobody, noone] = [someone(), someone()];
  const { etag } = (await nobody.send('GET', '/api/tasks')).headers;
  assert.equal((await noone.send('GET', '/api/tasks', { headers: { 'if-none-match': etag } })).status, 200);
  for (const path of [nobody.tasks, '/api/tasks/', '/api/v1/tasks', `/api/users/${nobody.id}/tasks`])
    assert.equal((await nobody.send('GET', path, { headers: { 'if-none-match': etag } })).status, 304, path);

  const headers = { authorization: `Bearer ${nobody.token}`, 'if-none-match': etag };
  for (const settings of [{ TODO_CAMEL_CASE: 'on' }, { TODO_LIST_ENVELOPE: 'items' }])
    assert.equal(cgi('task_list', 'GET', '/api/tasks', { settings, headers }).status, 200, JSON.stringify(settings));
});

test('a list has another version after every change of a task in it', async () => {
  const user = someone();
  const first = await user.create({ title: 'a1' });
  const second = await user.create({ title: 'a2' });
  const known = new Map();
  const changes = [
    () => user.create({ title: 'a3' }),
    () => user.send('PUT', at(first), { body: { title: 'a4' } }),
    () => user.send('PUT', at(first), { body: {} }),
    () => user.send('PATCH', `${at(second)}/complete`),
    () => user.send('PATCH', `${at(second)}/complete`),
    () => user.send('PATCH', `${at(first)}/complete`, { body: { completed: false } }),
    async () => { await user.send('DELETE', at(first)); await user.create({ title: 'a1' }); },
    async () => { for (const task of (await user.send('GET', user.tasks)).json) await user.send('DELETE', at(task)); },
  ];
  for (const [number, change] of changes.entries()) {
    for (const query of [...envelopes, 'search=a', 'sort=title', 'limit=500', 'updated_since=2020-01-01T00:00:00Z'])
      known.set(query, (await user.send('GET', `${user.tasks}?${query}`)).headers.etag);
    await change();
    for (const [query, etag] of known) {
      const answer = await user.send('GET', `${user.tasks}?${query}`, { headers: { 'if-none-match': etag } });
      assert.equal(answer.status, 200, `${query} after change ${number}`);
      assert.notEqual(answer.headers.etag, etag);
    }
  }
});

test('a page has another version when only its counts change', async () => {
  const user = someone();
  const [hidden, shown] = [await user.create(), await user.create()];
  for (const [query, change, status] of [
    ['limit=1&envelope=tasks', () => user.send('PATCH', `${at(hidden)}/complete`), 200],
    ['limit=1', () => user.send('PATCH', `${at(hidden)}/complete`), 304],
    ['limit=1&sort=id', () => user.send('DELETE', at(hidden)), 200],
    ['limit=1', () => sql("INSERT INTO task (user_id, title, created_at) VALUES (:'user', 'old', '2020-01-01')", { user: user.id }), 200],
    ['limit=1&offset=5', () => user.create(), 200],
  ]) {
    const { etag } = (await user.send('GET', `${user.tasks}?${query}`)).headers;
    await change();
    assert.equal((await user.send('GET', `${user.tasks}?${query}`, { headers: { 'if-none-match': etag } })).status, status, query);
  }
  assert.equal((await user.send('GET', at(shown))).status, 200);
});

test('a change that is committed late, with an older time than the list has already, is seen', async () => {
  const user = someone();
  const [early, late] = [await user.create({ title: 'early' }), await user.create({ title: 'late' })];
  const psql = spawn('psql', ['--no-psqlrc', '--quiet', '--no-align', '--tuples-only', process.env.DATABASE_URL], { stdio: ['pipe', 'pipe', 'inherit'] });
  psql.stdin.write(`BEGIN; UPDATE task SET title = 'changed', updated_at = now() WHERE id = ${early.id} RETURNING 'done';\n`);
  await once(psql.stdout, 'data');
  await user.send('PUT', at(late), { body: { title: 'later' } });
  const lists = ['', 'limit=10', 'sort=title'];
  const tags = await Promise.all(lists.map(async (query) => (await user.send('GET', `${user.tasks}?${query}`)).headers.etag));
  psql.stdin.end('COMMIT;\n');
  await once(psql, 'close');
  for (const [number, query] of lists.entries()) {
    const answer = await user.send('GET', `${user.tasks}?${query}`, { headers: { 'if-none-match': tags[number] } });
    assert.equal(answer.status, 200, query);
    assert.match(answer.text, /changed/);
  }
});

test('the version stays the same when a web server compresses the answer on its way', async (t) => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'todo-gzip-'));
  t.after(() => fs.rmSync(folder, { recursive: true, force: true }));
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  fs.writeFileSync(path.join(folder, 'nginx.conf'), `daemon off; master_process off; pid ${folder}/pid; error_log stderr crit;
    events { }
    http {
      access_log off;
      client_body_temp_path ${folder}; proxy_temp_path ${folder}; fastcgi_temp_path ${folder}; uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
      gzip on; gzip_types application/json; gzip_proxied any; gzip_min_length 1;
      server { listen 127.0.0.1:${port}; location / { proxy_pass http://${base.host}; proxy_set_header Host $http_host; } }
    }`);
  const nginx = spawn('nginx', ['-p', folder, '-c', path.join(folder, 'nginx.conf')], { stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } });
  t.after(async () => { nginx.kill(); await once(nginx, 'exit'); });
  const user = someone();
  const task = await user.create({ title: 'x'.repeat(200) });
  const send = (method, where, headers, body) => user.send(method, where, { port, headers: { 'accept-encoding': 'gzip', ...headers }, body });
  for (let tries = 0; ; ++tries) {
    try { await send('GET', user.tasks, {}); break; } catch (failure) {
      if (tries === 200 || nginx.exitCode !== null) throw failure;
      await new Promise((resolve) => { setTimeout(resolve, 25); });
    }
  }
  for (const where of [at(task), user.tasks]) {
    const packed = await send('GET', where, {});
    assert.equal(packed.headers['content-encoding'], 'gzip');
    assert.equal(packed.headers.etag, (await user.send('GET', where)).headers.etag);
    assert.equal((await send('GET', where, { 'if-none-match': packed.headers.etag })).status, 304);
    if (where === user.tasks) continue;
    assert.equal((await send('PUT', where, { 'if-match': packed.headers.etag }, {})).status, 200);
    assert.equal((await send('PUT', where, { 'if-match': packed.headers.etag }, {})).status, 412);
  }
});
