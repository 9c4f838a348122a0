// Apache without any process of ours: every program by plain CGI (mod_cgid), and as mod_fcgid starts them.
import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { assertError, cookieOf, origin, randomEmail, request, someone } from '../http/harness.mjs';
import { apacheSites, assertUntouched, makeGround, ownFolder, renderSnippets, start } from './support.mjs';
import { freePort, settingNames } from '../common.mjs';

let ground, snippets, port, fcgid, alone;

const settings = () => settingNames.filter((name) => process.env[name] && !['PORT', 'BIND', 'STATE_DIR', 'WORKERS', 'MAIL_TEMPLATES'].includes(name));

async function startApache(name, lines, modules = [], more = '') {
  const at = await freePort();
  await writeFile(`${ground.folder}/${name}.conf`, apacheSites(ground, name, at, lines, modules) + more);
  await start(ground, name, ['apache2', '-D', 'FOREGROUND', '-f', `${ground.folder}/${name}.conf`], [at]);
  return at;
}

before(async () => {
  ground = await makeGround();
  const environment = `${ground.folder}/apache-env.conf`;
  await writeFile(environment, settings().map((name) => `SetEnv ${name} "${process.env[name]}"\n`).join(''));
  await chmod(environment, 0o600);
  snippets = await renderSnippets(ground, { ENVIRONMENT: environment });
  port = await startApache('apache-cgi', `Include ${snippets}/apache/todo-fcgi-cgi.conf`, ['cgid', 'actions'], `ScriptSock ${ground.folder}/cgid.sock\n`);
  await writeFile(environment, settings().map((name) => `FcgidInitialEnv ${name} "${process.env[name]}"\n`).join(''));
  fcgid = await startApache('apache-fcgid', `Include ${snippets}/apache/todo-fcgi-fcgid.conf`, ['fcgid', 'actions'], `FcgidIPCDir ${await ownFolder(ground, 'fcgid')}\nFcgidProcessTableFile ${ground.folder}/fcgid-table\n`);
  alone = await startApache('apache-cgi-alone', '');
});
after(() => ground.clear());

// One request to each program that is its own: not one answers as another would.
async function journey(port) {
  const auth = (method, path, options = {}) => request(method, `/api/auth${path}`, { port, ...options, headers: { origin, ...options.headers } });
  const is = (answer, status, why) => assert.equal(answer.status, status, `${why}: ${answer.text}`);
  const user = { name: 'Zoë', email: randomEmail(), password: 'password123' };
  is(await auth('POST', '/sign-up/email', { body: user }), 200, 'signup');
  const signedIn = await auth('POST', '/sign-in/email', { body: user });
  is(signedIn, 200, 'signin');
  const cookie = cookieOf(signedIn);
  const session = await auth('GET', '/get-session', { cookie });
  is(session, 200, 'session');
  assert.equal(session.json.user.email, user.email);
  assert.equal(session.json.session.ipAddress, '127.0.0.1');
  assert.equal((await auth('GET', '/list-sessions', { cookie })).json.length, 2);
  is(await auth('POST', '/update-user', { cookie, body: { name: 'Zoe' } }), 200, 'account');
  is(await auth('POST', '/change-email', { cookie, body: { newEmail: randomEmail() } }), 400, 'change_email, which is off');
  is(await auth('POST', '/request-password-reset', { body: { email: user.email } }), 400, 'password_reset, without mail');
  is(await auth('POST', '/send-verification-email', { body: { email: user.email } }), 400, 'verification, without mail');
  is(await auth('GET', '/error?error=x'), 200, 'error');
  assert.ok((await auth('GET', '/jwks')).json.keys.length > 0);
  const { token } = (await auth('GET', '/token', { cookie })).json;

  const task = (method, path, body) => request(method, `/api/tasks${path}`, { port, token, body });
  const made = await task('POST', '', { title: 'by CGI' });
  is(made, 201, 'task_create');
  assert.equal((await task('PUT', `/${made.json.id}`, { title: 'changed' })).json.title, 'changed');
  assert.equal((await task('PATCH', `/${made.json.id}/complete`)).json.completed, true);
  assert.equal((await task('GET', `/${made.json.id}`)).json.title, 'changed');
  assert.deepEqual((await task('GET', '?status=done')).json.map(({ id }) => id), [made.json.id]);
  is(await task('DELETE', `/${made.json.id}`), 204, 'task_delete');
  is(await task('DELETE', ''), 405, 'fallback');
  const head = await request('HEAD', '/health', { port });
  assert.deepEqual([head.status, head.headers['content-length']], [200, '20'], 'health');
  const out = await auth('POST', '/sign-out', { cookie });
  is(out, 200, 'signout');
  assert.equal(out.headers['set-cookie'].length, 3);
  is(await auth('POST', '/delete-user', { cookie, body: {} }), 401, 'delete_user');
}

test('the whole life of a user and a task, through every program', () => journey(port));
test('the same by mod_fcgid', async () => {
  await journey(fcgid);
  const user = someone();
  for (const size of [131073, 900000]) assert.equal((await user.send('POST', '/api/tasks', { port: fcgid, body: 'x'.repeat(size) })).status, 413, `${size}`);
  assertError(await request('GET', '/api/nothing', { port: fcgid }), 404, 'not_found', 'unknown');
});

test('an answer with a Location is an order to Apache', async () => {
  const body = { name: 'Zoë', email: randomEmail(), password: 'password123' };
  await request('POST', '/api/auth/sign-up/email', { port, body, headers: { origin } });
  const answer = await request('POST', '/api/auth/sign-in/email', { port, body: { ...body, callbackURL: '/docs/page.html' }, headers: { origin } });
  assert.match(answer.text, /a page of site/);
});

test('programs cannot be called by their names', async () => {
  for (const path of ['/todo-fcgi-program/task_list', '/todo-fcgi-program/fallback', '/todo-fcgi-program/maintenance', '/todo-fcgi-program/']) {
    assert.ok([403, 404].includes((await request('GET', path, { port })).status), path);
  }
});

test('a body over the limit is 413, and an unknown path 404, as everywhere', async () => {
  const user = someone();
  for (const size of [131073, 3000000]) {
    for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
      const answer = await user.send('POST', '/api/tasks', { port, headers, body: 'x'.repeat(size) });
      assertError(answer, 413, 'payload_too_large', `${size}`);
    }
  }
  assertError(await user.send('GET', '/api/nothing', { port }), 404, 'not_found', 'unknown');
  assertError(await request('GET', '/api/tasks', { port }), 401, 'unauthorized', 'no token');
});

test('the other site is untouched', async () => {
  await assertUntouched(port, alone);
  await assertUntouched(fcgid, alone);
});
