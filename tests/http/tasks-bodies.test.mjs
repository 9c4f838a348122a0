// Contract tasks-api, sections 4 and 5: what a body may be, and which texts are kept.
import assert from 'node:assert/strict';
import { assertError, raw, base, request, someone, test } from './harness.mjs';

const user = someone();
const create = (body, headers = {}) => user.send('POST', '/api/tasks', { body, headers });

async function stored(title, more = {}) {
  const answer = await create({ title, ...more });
  assert.equal(answer.status, 201, `${JSON.stringify(title).slice(0, 80)}: ${answer.text.slice(0, 200)}`);
  assert.equal(answer.json.title, title);
  const read = await user.send('GET', `/api/tasks/${answer.json.id}`);
  assert.equal(read.json.title, title);
  return read.json;
}

async function refused(body, status, expected = {}, headers = {}) {
  const answer = await create(body, headers);
  assert.equal(answer.status, status, `${String(body).slice(0, 60)}: ${answer.text.slice(0, 200)}`);
  if (status === 422) {
    for (const [name, value] of Object.entries(expected)) assert.equal(answer.json.details[name], value);
  } else {
    assert.equal(answer.json.details, undefined);
  }
  return answer;
}

test('row 26: JSON is read under every spelling of its type', async () => {
  for (const type of ['application/json', 'Application/JSON', 'application/json; charset=UTF-8', 'application/json;charset="utf-8"',
    'application/merge-patch+json', 'application/json; odd=1']) {
    assert.equal((await create('{"title":"x"}', { 'content-type': type })).status, 201, type);
  }
});

test('a body of JSON without a type is read', async () => {
  assert.equal((await create('{"title":"x"}', { 'content-type': null })).status, 201);
});

test('rows 26, 27: another type, charset or encoding is 415 and says what is accepted', async () => {
  for (const type of ['text/plain', 'multipart/form-data; boundary=x', 'application/x-www-form-urlencoded', 'application/jsonp',
    'application/json; charset=utf-16', 'application/json; charset=latin1', 'json', 'text/json']) {
    const answer = await refused('{"title":"x"}', 415, {}, { 'content-type': type });
    assert.equal(answer.json.error, 'unsupported_media_type');
    assert.equal(answer.headers.accept, 'application/json');
  }
  for (const encoding of ['gzip', 'br', 'deflate', 'gzip, gzip']) await refused('{"title":"x"}', 415, {}, { 'content-encoding': encoding });
  assert.equal((await create('{"title":"x"}', { 'content-encoding': 'identity' })).status, 201);
  await refused('[]', 415, {}, { 'content-type': null });
});

test('an empty body is 422 where one is needed', async () => {
  await refused('', 422, { field: 'body' });
  const answer = await user.send('POST', '/api/tasks');
  assert.equal(answer.status, 422);
  assert.equal(answer.json.details.field, 'body');
  const task = await user.create();
  assert.equal((await user.send('PUT', `/api/tasks/${task.id}`)).status, 422);
});

test('a body on GET, HEAD and DELETE is ignored, whatever it is, up to the limit', async () => {
  const task = await user.create();
  for (const method of ['GET', 'HEAD', 'DELETE']) {
    const answer = await user.send(method, `/api/tasks/${task.id}`, { body: '{not json', headers: { 'content-type': 'text/plain' } });
    assert.ok([200, 204].includes(answer.status), `${method} ${answer.status}`);
  }
  for (const method of ['GET', 'DELETE']) assertError(await user.send(method, `/api/tasks/${task.id}`, { body: 'x'.repeat(131073) }), 413, 'payload_too_large', method);
});

test('row 28: a body of the limit is read, one byte more is 413 in JSON, by length and while reading', async () => {
  const filled = (size) => { const head = '{"title":"x","ignored":"'; return `${head}${'y'.repeat(size - head.length - 2)}"}`; };
  assert.equal((await create(filled(131072))).status, 201);
  for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
    const answer = await create(filled(131073), headers);
    assert.equal(answer.status, 413);
    assert.equal(answer.json.error, 'payload_too_large');
  }
  assert.equal((await create(filled(131072), { 'transfer-encoding': 'chunked' })).status, 201);
});

test('what is JSON but no object is 422', async () => {
  for (const body of ['[]', 'null', 'true', '1', '"text"', '[{"title":"x"}]']) await refused(body, 422, { field: 'body', constraint: 'type=object' });
});

test('row 32: what is not JSON is 400', async () => {
  for (const body of ['{', '{"title":"x"', '{"title":"x"} x', '{"title":"x"}{}', '{"title":"x",}', "{'title':'x'}", '{title:"x"}', '// c\n{"title":"x"}',
    '{"title":NaN}', '{"a":Infinity,"title":"x"}', '   ', '\n', '\uFEFF{"title":"x"}', '{"title":"x"}\u0000', '{"title":"a\nb"}', '{"title":"\\x41"}', '{"a":01,"title":"x"}']) {
    const answer = await refused(body, 400);
    assert.equal(answer.json.error, 'validation_error');
  }
});

test('row 34: bytes that are not UTF-8 are 400', async () => {
  for (const bytes of [[0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xe2, 0x82], [0xff], [0x80]]) {
    await refused(Buffer.concat([Buffer.from('{"title":"'), Buffer.from(bytes), Buffer.from('"}')]), 400);
  }
});

test('row 32: 32 levels are read, 33 and 100,000 are 400', async () => {
  const nested = (levels) => `{"title":"x","ignored":${'['.repeat(levels - 1)}${']'.repeat(levels - 1)}}`;
  assert.equal((await create(nested(32))).status, 201);
  await refused(nested(33), 400);
  await refused(nested(60000), 400);
});

test('the last of two members counts, and unknown members are ignored with their numbers', async () => {
  assert.equal((await create('{"title":"a","title":"b"}')).json.title, 'b');
  assert.equal((await create('{"title":"a","x":1.5e3,"y":{"z":[1,2]},"priority":"high","due_date":null,"tags":[]}')).status, 201);
  await refused('{"title":"a","x":1e400}', 400);
});

test('row 34: length is counted in code points: 200 emoji are a title, 201 letters are not', async () => {
  await stored('😀'.repeat(200));
  await stored('é'.repeat(200));
  await stored('e\u0301'.repeat(100));
  for (const title of ['x'.repeat(201), '😀'.repeat(201), 'e\u0301'.repeat(101)]) await refused({ title }, 422, { field: 'title', constraint: 'min_length=1, max_length=200' });
  const long = await create({ title: 'x', description: '😀'.repeat(5000) });
  assert.equal(long.status, 201);
  assert.equal([...long.json.description].length, 5000);
  await refused({ title: 'x', description: 'y'.repeat(5001) }, 422, { field: 'description', constraint: 'max_length=5000' });
  assert.equal((await create(`{"title":"x","description":"${'\\ud83d\\ude00'.repeat(5000)}"}`)).status, 201);
});

test('row 36: a blank title is 422 whatever its white space is', async () => {
  for (const title of ['', ' ', '\t\n', '\u00a0', '\u1680', '\u2000\u200a', '\u2028', '\u2029', '\u202f', '\u205f', '\u3000', '\u0085', ' \u3000 ']) await refused({ title }, 422, { field: 'title' });
  await stored('\u200b');
});

test('texts come back as they were sent', async () => {
  for (const title of ['  around  ', 'a\nb\tc', '<script>alert(1)</script>', "'; DROP TABLE task; --", '100% _ \\ /', '\u202eabc', 'a\u2028\u2029', '</script>', 'e\u0301', '\u00e9', '👨‍👩‍👧', '\u0001\u001f\u007f', 'İıſ']) {
    await stored(title, { description: title });
  }
  assert.equal((await create('{"title":"\\ud83d\\ude00 \\u00e9 \\/ \\u2028"}')).json.title, '😀 é / \u2028');
});

test('row 35: U+0000 is 422 no_nul, half of a surrogate pair is 422 well_formed_unicode', async () => {
  for (const field of ['title', 'description']) {
    const body = (text) => (field === 'title' ? `{"title":"${text}"}` : `{"title":"x","description":"${text}"}`);
    await refused(body('a\\u0000b'), 422, { field, constraint: 'no_nul' });
    for (const half of ['\\ud800', '\\udc00', 'a\\ud800b', '\\ud83dx', '\\ude00\\ud83d']) await refused(body(half), 422, { field, constraint: 'well_formed_unicode' });
  }
});

test('a body is refused by update and completion as by creation, and changes nothing', async () => {
  const owner = someone();
  const task = await owner.create();
  const routes = [['POST', '/api/tasks'], ...['PUT', 'PATCH'].map((method) => [method, `/api/tasks/${task.id}`]),
    ...['PATCH', 'POST', 'PUT'].flatMap((method) => ['complete', 'toggle'].map((action) => [method, `/api/tasks/${task.id}/${action}`]))];
  const good = '{"title":"new","completed":true}';
  for (const [method, path] of routes) {
    for (const [body, headers, status, code] of [[good, { 'content-type': 'text/plain' }, 415, 'unsupported_media_type'], [good, { 'content-type': 'application/json; charset=utf-16' }, 415, 'unsupported_media_type'],
      [good, { 'content-encoding': 'gzip' }, 415, 'unsupported_media_type'], [good.padEnd(131073), {}, 413, 'payload_too_large'], ['{', {}, 400, 'validation_error'],
      [Buffer.from('7b2261223a22ff227d', 'hex'), {}, 400, 'validation_error'], [`{"a":${'['.repeat(32)}${']'.repeat(32)}}`, {}, 400, 'validation_error'],
      ['{"a":1e400}', {}, 400, 'validation_error'], ['   ', {}, 400, 'validation_error'], ['[]', {}, 422, 'validation_error'], ['null', {}, 422, 'validation_error']]) {
      assertError(await owner.send(method, path, { body, headers }), status, code, `${method} ${path} ${String(body).slice(0, 40)}`);
    }
  }
  assert.deepEqual((await owner.send('GET', '/api/tasks')).json, [task]);
});

test('the rules for texts hold for an update as for a creation', async () => {
  const task = await user.create({ title: 'old', description: 'old' });
  const update = (body) => user.send('PUT', `/api/tasks/${task.id}`, { body });
  for (const [body, field, constraint] of [[{ title: ' \u3000' }, 'title', 'min_length=1, max_length=200'], [{ title: 'x'.repeat(201) }, 'title', 'min_length=1, max_length=200'],
    [{ title: 'a\u0000' }, 'title', 'no_nul'], ['{"title":"\\ud800"}', 'title', 'well_formed_unicode'], [{ description: 'x'.repeat(5001) }, 'description', 'max_length=5000'],
    [{ description: '\u0000' }, 'description', 'no_nul'], ['{"description":"\\udfff"}', 'description', 'well_formed_unicode']]) {
    const answer = await update(body);
    assertError(answer, 422, 'validation_error', JSON.stringify(body).slice(0, 60));
    assert.deepEqual([answer.json.details.field, answer.json.details.constraint], [field, constraint]);
  }
  assert.deepEqual((await user.send('GET', `/api/tasks/${task.id}`)).json, task);
  const kept = { title: '😀'.repeat(200), description: `  ${'é'.repeat(4996)}  ` };
  assert.equal((await update(kept)).status, 200);
  const { title, description } = (await user.send('GET', `/api/tasks/${task.id}`)).json;
  assert.deepEqual({ title, description }, kept);
});

test('row 29: two Content-Length headers, or one beside chunks, never reach a handler as a body', async () => {
  const head = `POST /api/tasks HTTP/1.1\r\nHost: ${base.host}\r\nAuthorization: Bearer ${user.token}\r\nContent-Type: application/json\r\nConnection: close\r\n`;
  const count = async () => Number((await user.send('GET', '/api/tasks?limit=1')).headers['x-total-count']);
  const before = await count();
  for (const shape of ['Content-Length: 13\r\nContent-Length: 14\r\n\r\n{"title":"x"}', 'Content-Length: 13\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{"title":"x"}',
    'Content-Length : 13\r\n\r\n{"title":"x"}', 'Content-Length: -1\r\n\r\n{"title":"x"}', 'Content-Length: 1e1\r\n\r\n{"title":"x"}', 'Transfer-Encoding: xchunked\r\n\r\n{"title":"x"}']) {
    const answer = await raw(head + shape);
    assert.match(answer, /^HTTP\/1\.1 (4\d\d|501)/, shape);
  }
  assert.equal(await count(), before);
});

test('row 28: Expect: 100-continue is answered, and the body read', async () => {
  const body = '{"title":"expected"}';
  const answer = await raw(`POST /api/tasks HTTP/1.1\r\nHost: ${base.host}\r\nAuthorization: Bearer ${user.token}\r\nContent-Type: application/json\r\n`
    + `Content-Length: ${body.length}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n${body}`);
  assert.match(answer, /HTTP\/1\.1 201/);
  assert.equal((await request('GET', '/health')).status, 200);
});
