// /openapi.json says what the programs do: it names the same routes, and what they answer is as it says.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { before, describe } from 'node:test';
import Ajv from 'ajv/dist/2020.js';
import pg from 'pg';
import { cgi, now, origin, randomId, request, sign, signUp, someone, sql, test } from './harness.mjs';

const document = JSON.parse(readFileSync(path.join(process.env.TODO_ROOT, 'nginx/pages/static/openapi.json'), 'utf8'));
const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options', 'trace'];

const ajv = new Ajv({ strict: true, strictRequired: false, strictTypes: false, allErrors: true, validateFormats: false });
ajv.addVocabulary(Object.keys(document));
ajv.addSchema(document, 'openapi');

// What a reference leads to, as {pointer, value}; `pointer` is where schemas are found by ajv.
function follow(pointer) {
  const keys = pointer.split('/').slice(1).map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
  const value = keys.reduce((at, key) => at?.[key], document);
  assert.ok(value !== undefined, `nothing at ${pointer}`);
  return typeof value.$ref === 'string' ? follow(value.$ref.slice(1)) : { pointer, value };
}
const below = ({ pointer }, ...keys) => follow([pointer, ...keys.map((key) => key.replaceAll('~', '~0').replaceAll('/', '~1'))].join('/'));
const escaped = (pointer) => pointer.split('/').map(encodeURIComponent).join('/');

// "GET /path" -> the operation.
const operations = new Map();
for (const name of Object.keys(document.paths)) {
  const item = below({ pointer: '/paths' }, name);
  for (const method of METHODS) if (item.value[method]) operations.set(`${method.toUpperCase()} ${name}`, below(item, method));
}

// (a|b) and (a|b)? as all that they can mean.
function alternatives(pattern) {
  const group = pattern.match(/\(([^()]*)\)(\??)/);
  if (!group) return [pattern];
  const choices = group[1].split('|').concat(group[2] ? [''] : []);
  return choices.flatMap((choice) => alternatives(pattern.replace(group[0], choice)));
}

const tried = new Set();

// Is `answer` one of those that the document lists for the operation?
function conforms(name, answer, status) {
  const what = `${name}: ${answer.status} ${answer.text}`;
  assert.equal(answer.status, status, what);
  const operation = operations.get(name);
  assert.ok(operation, `no operation ${name}`);
  assert.ok(operation.value.responses[status], `not listed: ${what}`);
  const response = below(operation, 'responses', String(status));
  const header = (wanted) => (answer.find ? answer.find(wanted.toLowerCase())[0] : [answer.headers[wanted.toLowerCase()]].flat()[0]);
  for (const wanted of Object.keys(response.value.headers ?? {})) {
    const { value, pointer } = below(response, 'headers', wanted);
    const sent = header(wanted);
    if (value.required) assert.ok(sent !== undefined, `no ${wanted}: ${what}`);
    if (sent !== undefined) valid(`${pointer}/schema`, sent, `${wanted}: ${what}`);
  }
  tried.add(`${name} ${status}`);
  if (!response.value.content || answer.text === '' && status === 404) return assert.equal(answer.text, '', what);
  const [type] = (header('content-type') ?? '').split(';');
  assert.ok(response.value.content[type], `${type}: ${what}`);
  const schema = below(response, 'content', type);
  return valid(`${schema.pointer}/schema`, type === 'application/json' ? answer.json : answer.text, what);
}

function valid(pointer, value, why) {
  const check = ajv.getSchema(`openapi#${escaped(pointer)}`);
  assert.ok(check, `no schema at ${pointer}`);
  assert.ok(check(value), `${ajv.errorsText(check.errors)}: ${why}`);
}

describe('the document', () => {
  test('it is served at the root of the site', async () => {
    const answer = await request('GET', '/openapi.json');
    assert.equal(answer.status, 200);
    assert.match(answer.headers['content-type'], /^application\/json/);
    assert.deepEqual(answer.json, document);
  });

  test('every route of the programs is an operation, and every operation a route', () => {
    const routes = readFileSync(path.join(process.env.TODO_BUILD, 'routes.tsv'), 'utf8').trim().split('\n')
      .map((line) => line.split('\t'))
      .flatMap(([, methods, pattern]) => alternatives(pattern.replace('{auth}', '/api/auth'))
        .flatMap((name) => methods.split(',').map((method) => `${method} ${name}`)));
    assert.deepEqual([...operations.keys()].sort(), routes.sort());
  });

  test('every reference leads somewhere, and every parameter of a path is declared', () => {
    (function walk(at) {
      if (at === null || typeof at !== 'object') return;
      if (typeof at.$ref === 'string') follow(at.$ref.slice(1));
      Object.values(at).forEach(walk);
    })(document);
    for (const [name, operation] of operations) {
      const item = document.paths[name.split(' ')[1]];
      const declared = [...(item.parameters ?? []), ...(operation.value.parameters ?? [])]
        .map((parameter) => (parameter.$ref ? follow(parameter.$ref.slice(1)).value : parameter))
        .filter((parameter) => parameter.in === 'path').map((parameter) => parameter.name);
      assert.deepEqual(declared, [...name.matchAll(/{(\w+)}/g)].map((match) => match[1]), name);
    }
  });
});

describe('the task routes answer as the document says', () => {
  const LIST = '/api/{user_id}/tasks';
  const user = someone();
  const at = (template, id) => template.replace('{user_id}', user.id).replace('{id}', id);
  const ofTasks = (test) => [...operations.keys()].map((name) => name.split(' ')).filter(([, name]) => name.startsWith(LIST) && test(name));

  test('what succeeds, in all four forms of a path', async () => {
    for (const base of ['/api/{user_id}', '/api/users/{user_id}', '/api', '/api/v1']) {
      const send = async (method, end, status, options = {}, id = 0) => {
        const answer = await user.send(method, `${at(base, 0)}/tasks${end.replace('{id}', id)}${options.query ?? ''}`, options);
        conforms(`${method} ${base}/tasks${end}`, answer, status);
        return answer;
      };
      const made = await send('POST', '', 201, { body: { title: 'ä'.repeat(200), description: null }, headers: { 'idempotency-key': randomId() } });
      const id = made.json.id;
      for (const method of ['GET', 'HEAD']) {
        for (const query of ['', '?limit=1&page=1', '?envelope=tasks', '?envelope=items', '?envelope=data&limit=1', '?status=completed'])
          await send(method, '', 200, { query });
        const list = await send(method, '', 200);
        await send(method, '', 304, { headers: { 'if-none-match': list.headers.etag } });
        await send(method, '/{id}', 200, {}, id);
        await send(method, '/{id}', 304, { headers: { 'if-none-match': made.headers.etag } }, id);
      }
      for (const method of ['PUT', 'PATCH']) await send(method, '/{id}', 200, { body: { title: 'b', completed: true } }, id);
      for (const method of ['PATCH', 'PUT', 'POST'])
        for (const end of ['complete', 'toggle']) await send(method, `/{id}/${end}`, 200, {}, id);
      await send('DELETE', '/{id}', 204, {}, id);
    }
  });

  test('each error, wherever the document lists it', async () => {
    const { id } = await user.create();
    const body = { title: 'a', completed: false };
    const has = (method) => ['POST', 'PUT', 'PATCH'].includes(method);
    const errors = {
      400: (method, name) => user.send(method, at(name, id).replace(user.id, '%ff'), { body: has(method) ? body : undefined }),
      401: (method, name) => request(method, at(name, id)),
      404: (method, name) => user.send(method, at(name, 0), { body: has(method) ? body : undefined }),
      405: (method, name) => user.send('PROPFIND', at(name, id)),
      412: (method, name) => user.send(method, at(name, id), { body: has(method) ? body : undefined, headers: { 'if-match': 'W/"1-1"' } }),
      413: (method, name) => user.send(method, at(name, id), { body: ' '.repeat(131073) }),
      415: (method, name) => user.send(method, at(name, id), { body: 'title=a', headers: { 'content-type': 'text/plain' } }),
      422: (method, name) => (name === LIST && method !== 'POST'
        ? user.send(method, `${at(name, id)}?limit=0`)
        : user.send(method, at(name, 'one'), { body: has(method) ? { title: 1, completed: 1 } : undefined })),
    };
    for (const [method, name] of ofTasks(() => true)) {
      for (const [status, send] of Object.entries(errors)) {
        if (!operations.get(`${method} ${name}`).value.responses[status]) continue;
        const answer = await send(method, name);
        // The answer to another method has a body, whatever this method is.
        conforms(status === '405' && method === 'HEAD' ? `GET ${name}` : `${method} ${name}`, answer, Number(status));
      }
    }
  });

  test('a request whose Idempotency-Key is in use', async () => {
    const key = randomId();
    const other = new pg.Client({ connectionString: process.env.DATABASE_URL });
    await other.connect();
    try {
      await other.query('SELECT pg_advisory_lock(hashtextextended($1, 0))', [`${user.id}\n${key}`]);
      const answer = await user.send('POST', user.tasks, { body: { title: 'a' }, headers: { 'idempotency-key': key } });
      conforms(`POST ${LIST}`, answer, 409);
    } finally {
      await other.end();
    }
  });

  test('a database that is away', () => {
    const settings = { DATABASE_URL: 'postgresql://nobody@127.0.0.1:1/none' };
    const headers = { authorization: `Bearer ${user.token}` };
    conforms(`GET ${LIST}`, cgi('task_list', 'GET', user.tasks, { headers, settings }), 503);
    conforms('GET /ready', cgi('health', 'GET', '/ready', { settings }), 503);
    const body = { email: 'a@example.com', password: 'password123' };
    conforms('POST /api/auth/sign-in/email', cgi('signin', 'POST', '/api/auth/sign-in/email', { body, settings }), 503);
  });
});

describe('the service routes answer as the document says', () => {
  test('health and readiness', async () => {
    for (const route of ['/health', '/api/health', '/ready', '/api/ready', '/api/metrics'])
      for (const method of ['GET', 'HEAD']) conforms(`${method} ${route}`, await request(method, route), 200);
    conforms('GET /api/metrics', cgi('metrics', 'GET', '/api/metrics', { settings: { REMOTE_ADDR: '192.0.2.1' } }), 404);
    conforms('GET /health', await request('POST', '/health'), 405);
    conforms('GET /api/health', await request('GET', '/api/health', { body: 'x'.repeat(131073) }), 413);
  });
});

describe('the auth routes answer as the document says', () => {
  const AUTH = '/api/auth';
  const mail = { SMTP_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'todo@example.com', AUTH_DELETE_USER: 'on', AUTH_CHANGE_EMAIL: 'on' };
  let user;
  before(async () => { user = await signUp(); });
  const get = async (name, status, by = user) => conforms(`GET ${AUTH}/${name}`, await by.get(name), status);
  const post = async (name, body, status, by = user) => {
    const answer = await by.post(name, body);
    conforms(`POST ${AUTH}/${name}`, answer, status);
    return answer;
  };
  // Routes that need settings which the running instance does not have.
  const call = (program, method, name, status, { query = '', cookie, ...options } = {}) => {
    const template = `${method} ${AUTH}/${name}`;
    const uri = `${AUTH}/${options.path ?? name}${query}`;
    const headers = cookie ? { cookie, origin } : {};
    const answer = cgi(program, method, uri, { settings: mail, headers, ...options });
    conforms(template, answer, status);
    return answer;
  };

  test('signing up, in and out', async () => {
    conforms(`POST ${AUTH}/sign-up/email`, user.answer, 200);
    const { email, password } = user;
    await post('sign-up/email', { name: 'b', email, password }, 422);
    await post('sign-up/email', { name: 'b', email: 'no', password }, 400);
    const signedIn = await post('sign-in/email', { email, password, callbackURL: '/' }, 200);
    assert.equal(signedIn.json.url, '/');
    await post('sign-in/email', { email, password: 'wrong password' }, 401);
    await post('sign-in/email', { email, password, callbackURL: 'https://evil.example' }, 403);
    conforms(`POST ${AUTH}/sign-in/email`, await user.post('sign-in/email', 'a', { 'content-type': 'text/plain' }), 415);
    conforms(`POST ${AUTH}/sign-in/email`, await user.post('sign-in/email', ' '.repeat(131073)), 413);
    await post('sign-out', {}, 200, await user.signIn());
    await post('sign-out', [], 400);
  });

  test('the limit', () => {
    const settings = { AUTH_RATE_LIMIT: 'on', AUTH_RATE_LIMIT_EXEMPT: '' };
    const headers = { 'x-forwarded-for': `2001:db8:${randomId().slice(0, 4)}:${randomId().slice(0, 4)}::1` };
    const signIn = () => cgi('signin', 'POST', `${AUTH}/sign-in/email`, { settings, headers, body: {} });
    for (let count = 0; count < 3; ++count) conforms(`POST ${AUTH}/sign-in/email`, signIn(), 400);
    conforms(`POST ${AUTH}/sign-in/email`, signIn(), 429);
  });

  test('sessions', async () => {
    await get('get-session', 200);
    conforms(`GET ${AUTH}/get-session`, await request('GET', `${AUTH}/get-session`), 200);
    await post('get-session', {}, 405);
    await get('list-sessions', 200);
    await post('update-session', {}, 400);
    const other = await user.signIn();
    await post('revoke-session', { token: other.token }, 200);
    await post('revoke-other-sessions', {}, 200);
    await post('revoke-sessions', {}, 200, await (await signUp()).signIn());
    await get('token', 200);
    await get('jwks', process.env.JWT_ALGORITHM === 'HS256' ? 404 : 200);
    const eddsa = call('jwks', 'GET', 'jwks', 200, { settings: { JWT_ALGORITHM: 'EdDSA' } });
    assert.ok(eddsa.json.keys.length > 0);
    call('jwks', 'GET', 'jwks', 404, { settings: { JWT_ALGORITHM: 'HS256' } });
  });

  test('the account', async () => {
    await post('update-user', { name: 'c', image: null }, 200);
    await post('verify-password', { password: user.password }, 200);
    await post('verify-password', { password: 'wrong password' }, 400);
    await post('change-password', { currentPassword: user.password, newPassword: 'password456' }, 200);
    await get('list-accounts', 200);
    await post('unlink-account', { accountId: 'x' }, 400);
    sql(`INSERT INTO account (id, "accountId", "providerId", "userId", "updatedAt") VALUES (:'id', :'id', 'other', :'user', now())`,
      { id: randomId(), user: user.id });
    const { json } = await user.get('list-accounts');
    await post('unlink-account', { accountId: json.find((each) => each.providerId === 'other').id }, 200);
  });

  test('no session', async () => {
    for (const [name, { value }] of operations) {
      if (!value.security?.some((each) => 'session' in each) || !value.responses[401]) continue;
      const [method, route] = name.split(' ');
      const body = { token: 'a', password: 'a', newPassword: 'a', currentPassword: 'a', accountId: 'a', newEmail: 'a@example.com' };
      conforms(name, await request(method, route, { body: method === 'POST' ? body : undefined }), 401);
    }
  });

  test('mail: reset, verification, change of address', async () => {
    const { email } = user;
    const link = (extra = {}) => sign({ email, ...extra, userId: user.id, iat: now(), exp: now() + 60 }, { header: { alg: 'HS256' } });
    call('password_reset', 'POST', 'request-password-reset', 200, { body: { email, redirectTo: '/' } });
    const token = sql(`SELECT substr(identifier, 16) FROM verification WHERE value = :'user' AND identifier LIKE 'reset-password:%'`, { user: user.id });
    call('password_reset', 'GET', 'reset-password/{token}', 302, { path: `reset-password/${token}`, query: '?callbackURL=/' });
    call('password_reset', 'GET', 'reset-password/{token}', 400, { path: `reset-password/${token}` });
    call('password_reset', 'POST', 'reset-password', 200, { body: { newPassword: 'password789', token } });
    call('password_reset', 'POST', 'reset-password', 400, { body: { newPassword: 'password789', token } });
    call('verification', 'POST', 'send-verification-email', 200, { body: { email } });
    call('verification', 'GET', 'verify-email', 200, { query: `?token=${link()}` });
    call('verification', 'GET', 'verify-email', 302, { query: `?token=${link()}&callbackURL=/` });
    call('verification', 'GET', 'verify-email', 401, { query: '?token=a' });
    const newEmail = `${randomId()}@example.com`;
    call('change_email', 'POST', 'change-email', 200, { cookie: user.cookie, body: { newEmail } });
    const changed = call('verification', 'GET', 'verify-email', 200, {
      query: `?token=${link({ updateTo: newEmail, requestType: 'change-email-verification' })}`,
    });
    assert.equal(changed.json.user.email, newEmail);
  });

  test('deleting', async () => {
    call('delete_user', 'POST', 'delete-user', 404, { cookie: user.cookie, body: {}, settings: { AUTH_DELETE_USER: 'off' } });
    const [one, two, three] = [await signUp(), await signUp(), await signUp()];
    const settings = { ...mail, AUTH_DELETE_USER: 'confirm' };
    call('delete_user', 'POST', 'delete-user', 200, { cookie: one.cookie, body: { password: one.password } });
    for (const [by, query, status] of [[two, '', 200], [three, '&callbackURL=/', 302]]) {
      call('delete_user', 'POST', 'delete-user', 200, { cookie: by.cookie, body: {}, settings });
      const token = sql(`SELECT substr(identifier, 16) FROM verification WHERE value = :'user'`, { user: by.id });
      call('delete_user', 'GET', 'delete-user/callback', 404, { cookie: by.cookie, query: `?token=a${query}`, settings });
      call('delete_user', 'GET', 'delete-user/callback', status, { cookie: by.cookie, query: `?token=${token}${query}`, settings });
    }
  });

  test('the service', async () => {
    await get('ok', 200);
    await get('error', 200);
  });

  test('every success and every redirect of every operation was seen above', () => {
    const promised = [...operations].flatMap(([name, { value }]) => Object.keys(value.responses)
      .filter((status) => status < 400).map((status) => `${name} ${status}`));
    assert.deepEqual(promised.filter((each) => !tried.has(each)), []);
  });
});
