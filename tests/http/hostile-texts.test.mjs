// What is stored and shown comes back as it was sent and breaks neither a header nor a line of the log;
// and no secret is in any log or error (rows 33, 71 and 72 of the plan).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { base, origin, patient, randomEmail, randomId, raw, request, signUp, someone, sql, tokenOf } from './harness.mjs';

const root = process.env.TODO_ROOT;
const naughty = JSON.parse(readFileSync(`${root}/tests/vectors/naughty-strings/blns.json`, 'utf8'));
const log = (name) => readFileSync(`${process.env.TODO_STATE_DIR}/log/${name}`, 'utf8');
const wellFormed = (text) => Buffer.from(text).toString();

test('row 33: every naughty string is a name and an image as it was sent', async () => {
  const user = await signUp();
  for (let at = 0; at < naughty.length; at += 16) {
    // One after the other: each write is read by the next request.
    for (const text of naughty.slice(at, at + 16)) {
      const answer = await user.post('update-user', { name: text, image: text });
      if (text.includes('\0')) { assert.equal(answer.status, 400, JSON.stringify(text)); continue; }
      assert.equal(answer.status, 200, `${JSON.stringify(text)}: ${answer.text}`);
      const { name, image } = (await user.get('get-session')).json.user;
      assert.deepEqual([name, image], [wellFormed(text), wellFormed(text)]);
    }
  }
});

test('row 33: every naughty string is refused as an address or a wrong password, and never a 5xx', async () => {
  for (const [i, text] of naughty.entries()) {
    if (i % 4 !== 0) continue;
    const answer = await patient(() => request('POST', '/api/auth/sign-in/email', { body: { email: text, password: text } }));
    assert.ok([400, 401].includes(answer.status), `${JSON.stringify(text)}: ${answer.status}`);
    for (const [method, path] of [['GET', `/api/auth/verify-email?token=${encodeURIComponent(text)}`], ['GET', `/api/auth/reset-password/${encodeURIComponent(text)}?callbackURL=/x`], ['GET', `/api/auth/error?error=${encodeURIComponent(text)}`], ['GET', `/api/tasks/${encodeURIComponent(text)}`]]) {
      const other = await patient(() => request(method, path));
      assert.ok(other.status < 500, `${method} ${path}: ${other.status}`);
    }
  }
});

test('row 33: naughty strings in a User-Agent are stored as they are, or 400 where they are no header', async () => {
  const user = await signUp();
  const agents = naughty.map((text) => Buffer.from(text)).filter((bytes) => bytes.length > 0 && !bytes.some((byte) => byte < 0x20 || byte === 0x7f));
  assert.ok(agents.length > 450);
  for (const bytes of agents.filter((_, i) => i % 10 === 0)) {
    const head = `POST /api/auth/sign-in/email HTTP/1.1\r\nHost: ${base.host}\r\nContent-Type: application/json\r\nOrigin: ${origin}\r\nConnection: close\r\nUser-Agent: `;
    const body = JSON.stringify({ email: user.email, password: user.password });
    const answer = await raw(Buffer.concat([Buffer.from(head), bytes, Buffer.from(`\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)]));
    assert.match(answer, /^HTTP\/1\.1 (200|429) /, `${bytes}`);
    if (answer.startsWith('HTTP/1.1 429')) continue;
    const stored = sql('SELECT "userAgent" FROM session WHERE "userId" = :\'id\' ORDER BY "createdAt" DESC LIMIT 1', { id: user.id });
    assert.equal(stored, bytes.toString().trim(), `${bytes}`);
  }
});

const breaks = ['a\r\nSet-Cookie: evil=1', 'a\nInjected: evil', 'a\r\n\r\n<html>evil', 'a\u2028evil', 'a\u0085evil', '","level":"evil","x":"', '\\u000aevil', '%0d%0aSet-Cookie:%20evil=1', '\x1b[2Jevil', `evil${'x'.repeat(8000)}`];

test('row 71: a line break in anything that is sent makes no header and no line of the log', async () => {
  const before = log('handlers.log').length;
  const answers = [];
  const user = await signUp();
  const caller = someone();
  for (const text of breaks) {
    answers.push(await user.post('update-user', { name: text, image: text }));
    answers.push(await user.get('get-session'));
    answers.push(await user.get('token'));
    answers.push(await request('POST', '/api/auth/sign-up/email', { headers: { origin }, body: { name: text, email: randomEmail(), password: 'password123', callbackURL: text } }));
    answers.push(await request('POST', '/api/auth/sign-in/email', { body: { email: text, password: text, callbackURL: text } }));
    answers.push(await request('GET', `/api/auth/error?error=${encodeURIComponent(text)}&error_description=${encodeURIComponent(text)}`));
    answers.push(await request('GET', `/api/auth/verify-email?token=${encodeURIComponent(text)}&callbackURL=${encodeURIComponent(`/${text}`)}`));
    answers.push(await request('GET', `/api/auth/reset-password/${encodeURIComponent(text)}?callbackURL=${encodeURIComponent(`/${text}`)}`));
    answers.push(await caller.send('POST', '/api/tasks', { body: { title: text.slice(0, 200), description: text.slice(0, 5000) } }));
    answers.push(await caller.send('GET', `/api/tasks?limit=1&search=${encodeURIComponent(text.slice(0, 150))}&x=${encodeURIComponent(text.slice(0, 900))}`));
    answers.push(await request('GET', `/api/${encodeURIComponent(text.slice(0, 2000))}/tasks`, { token: tokenOf(text.slice(0, 2000)) }));
    answers.push(await request('POST', `/api/${encodeURIComponent(text.slice(0, 2000))}/tasks`, { token: tokenOf(text.slice(0, 2000)), body: { title: 'x' } }));
    answers.push(await request('GET', `/${encodeURIComponent(text)}`));
    // What can be in a header at all.
    const value = text.replace(/[^\t -~]/g, '');
    for (const name of ['x-request-id', 'user-agent', 'x-forwarded-for', 'x-forwarded-host', 'referer', 'idempotency-key', 'if-none-match', 'accept-language']) answers.push(await request('GET', '/api/auth/get-session', { headers: { [name]: value } }));
    answers.push(await request('POST', '/api/auth/sign-in/email', { headers: { 'content-type': value }, body: '{}' }));
    answers.push(await request('OPTIONS', '/api/tasks', { headers: { origin: value, 'access-control-request-method': value, 'access-control-request-headers': value } }));
  }
  for (const answer of answers) {
    assert.ok(answer.status < 500, `${answer.status} ${answer.text}`);
    assert.equal(answer.headers.injected, undefined);
    assert.doesNotMatch(String(answer.headers['set-cookie'] ?? ''), /evil/);
    assert.match(answer.headers['x-request-id'] ?? '0', /^[A-Za-z0-9._-]{1,64}$/);
    // A page of the service may hold what was sent only as text.
    if (/html/.test(answer.headers['content-type'] ?? '')) assert.doesNotMatch(answer.text, /<html>evil/);
  }
  const lines = log('handlers.log').slice(before).split('\n').filter(Boolean);
  assert.ok(lines.length >= breaks.length * 10);
  for (const line of lines.filter((each) => each.startsWith('{'))) {
    const entry = JSON.parse(line);
    assert.notEqual(entry.level, 'evil');
    assert.ok(['info', 'warn', 'error', 'debug'].includes(entry.level), line);
    assert.ok(line.length < 2000, line.slice(0, 100));
  }
  assert.equal(lines.filter((line) => /^(Injected|Set-Cookie|<html>)/.test(line)).length, 0);
});

test('row 72: what people entrust to the service is in no log and in no error', async () => {
  const mark = randomId();
  const password = `hunter-${mark}`;
  const member = await signUp({ name: `name-${mark}`, email: `mail-${mark}@example.com`, password });
  const token = (await member.get('token')).json.token;
  const caller = someone(`subject-${mark}`);
  const task = await caller.create({ title: `title-${mark}`, description: `description-${mark}` });
  const answers = [];
  const send = async (...parts) => answers.push(await patient(() => request(...parts)));
  for (const body of [{ email: member.email, password: `wrong-${password}` }, { email: member.email, password: 5 }, { email: `x ${member.email}`, password }, `{"password":"${password}"`, `{"password":"${password}\\u12"}`, `{"password":"${password}","x":1e999}`, `"${password}"`, [password]]) {
    for (const route of ['sign-in/email', 'sign-up/email', 'change-password', 'verify-password', 'reset-password', 'delete-user', 'change-email', 'request-password-reset', 'send-verification-email']) await send('POST', `/api/auth/${route}`, { body, cookie: member.cookie, headers: { origin } });
  }
  await send('POST', '/api/auth/sign-up/email', { body: { name: 'x', email: member.email, password }, headers: { origin } });
  for (const cookie of [`${member.cookie}x`, `better-auth.session_token=${member.token}`]) await send('POST', '/api/auth/update-user', { cookie, body: { name: `name-${mark}` }, headers: { origin } });
  for (const bad of [`${token}x`, token.slice(0, -5), `secret-${mark}`]) await send('GET', '/api/tasks', { token: bad });
  await send('GET', `/api/auth/reset-password/secret-${mark}`);
  await send('GET', `/api/auth/verify-email?token=secret-${mark}`);
  await send('GET', `/api/subject-${mark}-other/tasks`, { token: caller.token });
  await send('GET', `/api/tasks?search=title-${mark}&limit=0`, { token: caller.token });
  for (const body of [{ title: `title-${mark}`.repeat(20) }, { title: 5, description: `description-${mark}` }, `{"title":"title-${mark}"`, { title: `title-${mark}\0` }]) await send('PUT', `/api/tasks/${task.id}`, { token: caller.token, body });
  // A row of another server that cannot be read is the database's error, and has the user's address in it.
  await send('POST', '/api/auth/change-email', { cookie: member.cookie, body: { newEmail: member.email }, headers: { origin } });
  const refused = answers.filter((answer) => answer.status >= 400);
  assert.ok(refused.length > 60, `${refused.length}`);
  for (const { text } of refused) assert.ok(!text.includes(mark) && !text.includes(member.token) && !text.includes(token.split('.')[2]), text);
  for (const name of ['handlers.log', 'nginx-access.log', 'nginx-error.log', 'supervisor.log', 'postgres.log']) {
    const text = log(name);
    for (const [what, secret] of Object.entries({ mark, session: member.token, token: token.split('.')[2], secret: process.env.BETTER_AUTH_SECRET, database: new URL(process.env.DATABASE_URL.replace('@/', '@x/')).password })) {
      const at = text.indexOf(secret);
      assert.ok(at < 0, `${what} in ${name}: ${text.slice(Math.max(0, at - 200), at + 40)}`);
    }
  }
});
