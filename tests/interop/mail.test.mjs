// Mail, from the request to the link that is followed: our programs, the mailer and msmtp, and a real
// SMTP server that takes what they send.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { simpleParser } from 'mailparser';
import { SMTPServer } from 'smtp-server';
import { cgi, now, origin, randomEmail, request, seal, sign, signUp, sql } from '../http/harness.mjs';

const inbox = [];
let server;
let settings;

const smtpServer = (more) => new SMTPServer({
  logger: false, ...more,
  onAuth: ({ username, password }, _, done) => done(username === 'us@er' && password === 'p:w' ? null : new Error('no'), { user: username }),
  onData: (stream, session, done) => {
    simpleParser(stream).then((mail) => { inbox.push({ mail, session }); done(); }, done);
  },
});

before(async () => {
  server = smtpServer({ authOptional: true, disabledCommands: ['STARTTLS'] });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  settings = {
    SMTP_URL: `smtp://127.0.0.1:${server.server.address().port}`, MAIL_FROM: 'Todo <todo@example.com>',
    MAIL_TEMPLATES: `${process.env.TODO_ROOT}/env/mail`, AUTH_CHANGE_EMAIL: 'on', AUTH_DELETE_USER: 'confirm',
  };
});
after(() => new Promise((resolve) => { server.close(resolve); }));

const call = (program, method, route, more = {}) => cgi(program, method, route.startsWith('/') ? route : `/api/auth/${route}`, {
  ...more, settings: { ...settings, ...more.settings }, headers: { origin, ...more.headers },
});
const as = (user) => ({ cookie: user.cookie });

// Sends what is queued; resolves to the mails for an address, oldest first.
async function mailFor(address, extra = {}) {
  await new Promise((resolve) => {
    spawn(`${process.env.TODO_BIN}/mailer`, ['--once'], { env: { ...process.env, ...settings, ...extra }, stdio: 'ignore' }).on('exit', resolve);
  });
  return inbox.filter(({ mail }) => mail.to.text === address).map(({ mail }) => mail);
}

// The link in a mail, as path and query; the same in both of its parts.
function linkOf(mail) {
  const link = /http\S+/.exec(mail.text)[0];
  assert.ok(mail.html.includes(link.replaceAll('&', '&amp;')), 'the HTML part has the same link');
  assert.ok(link.startsWith(`${origin}/api/auth/`), link);
  return link.slice(origin.length);
}

test('a reset link leads to the page, and its token resets the password exactly once', async () => {
  const user = await signUp();
  const asked = call('password_reset', 'POST', 'request-password-reset', { body: { email: user.email.toUpperCase(), redirectTo: '/reset?x=1' } });
  assert.deepEqual([asked.status, asked.json.status], [200, true]);
  const [mail] = await mailFor(user.email);
  assert.equal(mail.subject, 'Reset your password');
  assert.equal(mail.from.text, '"Todo" <todo@example.com>');
  assert.match(mail.text, /Zoë/);
  const followed = await request('GET', linkOf(mail));
  assert.equal(followed.status, 302);
  const target = new URL(followed.headers.location);
  assert.deepEqual([target.origin, target.pathname, target.searchParams.get('x')], [origin, '/reset', '1']);
  const token = target.searchParams.get('token');
  assert.match(token, /^[a-zA-Z0-9]{24}$/);

  const reset = (newPassword) => request('POST', '/api/auth/reset-password', { body: { newPassword, token } });
  assert.equal((await reset('short')).json.code, 'PASSWORD_TOO_SHORT');
  const answers = await Promise.all(Array.from({ length: 10 }, () => reset('new-password')));
  assert.equal(answers.filter((answer) => answer.status === 200).length, 1);
  assert.ok(answers.every((answer) => answer.status === 200 || answer.json.code === 'INVALID_TOKEN'));
  const signIn = async (password) => (await request('POST', '/api/auth/sign-in/email', { body: { email: user.email, password } })).status;
  assert.deepEqual([await signIn('new-password'), await signIn(user.password)], [200, 401]);
  assert.notEqual((await user.get('get-session')).text, 'null', 'sessions stay');
  const late = await request('GET', linkOf(mail));
  assert.equal(late.headers.location, `${origin}/reset?x=1&error=INVALID_TOKEN`);
});

test('an address that nobody has answers the same and gets no mail', async () => {
  const user = await signUp();
  const nobody = randomEmail();
  const [known, unknown] = [user.email, nobody].map((email) => call('password_reset', 'POST', 'request-password-reset', { body: { email } }));
  assert.deepEqual([known.status, known.text], [unknown.status, unknown.text]);
  assert.equal((await mailFor(user.email)).length, 1);
  assert.equal((await mailFor(nobody)).length, 0);
  assert.equal(sql("SELECT count(*) FROM todo_mail"), '0');
});

test('a verification link confirms the address, and can be opened again', async () => {
  const user = await signUp();
  assert.equal(call('verification', 'POST', 'send-verification-email', { headers: as(user), body: { email: randomEmail() } }).json.code, 'EMAIL_MISMATCH');
  assert.equal(call('verification', 'POST', 'send-verification-email', { headers: as(user), body: { email: user.email, callbackURL: '/welcome' } }).status, 200);
  const [mail] = await mailFor(user.email);
  for (let n = 0; n < 2; n += 1) {
    const followed = await request('GET', linkOf(mail));
    assert.deepEqual([followed.status, followed.headers.location], [302, '/welcome']);
  }
  assert.equal((await user.get('get-session')).json.user.emailVerified, true);
  assert.equal(call('verification', 'POST', 'send-verification-email', { headers: as(user), body: { email: user.email } }).json.code, 'EMAIL_ALREADY_VERIFIED');
  const begin = Date.now();
  assert.equal(call('verification', 'POST', 'send-verification-email', { body: { email: randomEmail() } }).status, 200);
  assert.ok(Date.now() - begin >= 500);
});

test('where addresses must be confirmed, sign-up sends the mail, and sign-in waits for it', async () => {
  const user = { name: '<b>&', email: randomEmail(), password: 'password123' };
  const must = { settings: { AUTH_REQUIRE_EMAIL_VERIFICATION: 'on' } };
  const made = call('signup', 'POST', 'sign-up/email', { ...must, body: { ...user, callbackURL: '/tasks' } });
  assert.deepEqual([made.status, made.json.token], [200, null]);
  assert.equal(call('signin', 'POST', 'sign-in/email', { ...must, body: user }).json.code, 'EMAIL_NOT_VERIFIED');
  const [mail] = await mailFor(user.email);
  assert.match(mail.html, /&lt;b&gt;&amp;/);
  assert.equal((await request('GET', linkOf(mail))).headers.location, '/tasks');
  assert.equal(call('signin', 'POST', 'sign-in/email', { ...must, body: user }).status, 200);
  // A taken address looks the same and gets nothing.
  assert.equal(call('signup', 'POST', 'sign-up/email', { ...must, body: user }).status, 200);
  assert.equal((await mailFor(user.email)).length, 1);
});

test('a link to change the address works once, from the new mailbox', async () => {
  const user = await signUp();
  const taken = await signUp();
  const next = randomEmail();
  const ask = (newEmail, more = {}) => call('change_email', 'POST', 'change-email', { headers: as(user), body: { newEmail, callbackURL: '/settings' }, ...more });
  assert.equal(ask(user.email).text, '{"message":"Email is the same"}');
  assert.deepEqual([ask(taken.email).text, ask(next).text], ['{"status":true}', '{"status":true}']);
  const [mail] = await mailFor(next);
  assert.equal((await mailFor(taken.email)).length, 0);
  assert.equal((await request('GET', linkOf(mail), { cookie: taken.cookie })).headers.location, '/settings?error=INVALID_USER');
  const changed = await request('GET', linkOf(mail), { cookie: user.cookie });
  assert.equal(changed.headers.location, '/settings');
  assert.equal(changed.headers['set-cookie'][0], `better-auth.session_token=${seal(user.token)}; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax`);
  const changedUser = (await user.get('get-session')).json.user;
  assert.deepEqual([changedUser.email, changedUser.emailVerified], [next, false]);
  assert.equal((await request('GET', linkOf(mail))).headers.location, '/settings?error=INVALID_TOKEN');
});

test('a verified user is asked at the old address first, where the deployment wants that', async () => {
  const user = await signUp();
  sql("UPDATE \"user\" SET \"emailVerified\" = true WHERE id = :'id'", { id: user.id });
  const next = randomEmail();
  call('change_email', 'POST', 'change-email', { settings: { AUTH_CHANGE_EMAIL: 'confirm' }, headers: as(user), body: { newEmail: next } });
  const [asked] = await mailFor(user.email);
  assert.equal((await mailFor(next)).length, 0);
  assert.equal((await request('GET', linkOf(asked), { cookie: user.cookie })).status, 302);
  assert.equal((await user.get('get-session')).json.user.email, user.email, 'not yet');
  const [confirm] = await mailFor(next);
  await request('GET', linkOf(confirm), { cookie: user.cookie });
  assert.equal((await user.get('get-session')).json.user.email, next);
});

test('an account is deleted by the link in the mail, in the session that asked', async () => {
  const user = await signUp();
  const stranger = await signUp();
  const asked = call('delete_user', 'POST', 'delete-user', { headers: as(user), body: { callbackURL: '/bye' } });
  assert.equal(asked.text, '{"success":true,"message":"Verification email sent"}');
  const [mail] = await mailFor(user.email);
  const none = await request('GET', linkOf(mail));
  assert.deepEqual([none.status, none.json.code], [404, 'FAILED_TO_GET_USER_INFO']);
  assert.equal((await request('GET', linkOf(mail), { cookie: stranger.cookie })).json.code, 'INVALID_TOKEN');
  const gone = await request('GET', linkOf(mail), { cookie: user.cookie });
  assert.deepEqual([gone.status, gone.headers.location, gone.headers['set-cookie'].length], [302, '/bye', 3]);
  assert.equal(sql("SELECT count(*) FROM \"user\" WHERE id = :'id'", { id: user.id }), '0');
});

test('expired and altered links say so', async () => {
  const user = await signUp();
  const verify = (token, more = '') => request('GET', `/api/auth/verify-email?token=${token}${more}`);
  const header = { alg: 'HS256' };
  const expired = await verify(sign({ email: user.email, userId: user.id, iat: now() - 7200, exp: now() - 3600 }, { header }));
  assert.deepEqual([expired.status, expired.json.code], [401, 'TOKEN_EXPIRED']);
  for (const [claims, code] of [[{ email: randomEmail() }, 'USER_NOT_FOUND'], [{ email: user.email, userId: 'other' }, 'INVALID_TOKEN'], [{ userId: user.id }, 'INVALID_TOKEN'], [{ email: user.email, updateTo: 'x@example.com' }, 'INVALID_TOKEN'], [{ email: user.email, updateTo: 'x@example.com', userId: 'gone' }, 'INVALID_TOKEN'],
    [{ email: randomEmail(), updateTo: 'x@example.com', userId: 'gone' }, 'USER_NOT_FOUND']]) {
    const answer = await verify(sign({ ...claims, exp: now() + 600 }, { header }));
    assert.deepEqual([answer.status, answer.json.code], [401, code], JSON.stringify(claims));
  }
  assert.equal((await verify('x', '&callbackURL=/x%3Fy%3D1%23h')).headers.location, '/x?y=1&error=INVALID_TOKEN#h');
});

test('a mail server that is away loses nothing: the mail goes out later', async () => {
  const user = await signUp();
  call('password_reset', 'POST', 'request-password-reset', { body: { email: user.email } });
  assert.equal((await mailFor(user.email, { SMTP_URL: 'smtp://127.0.0.1:1' })).length, 0);
  assert.equal(sql("SELECT attempts FROM todo_mail WHERE recipient = :'email'", { email: user.email }), '1');
  sql("UPDATE todo_mail SET next_try = now() WHERE recipient = :'email'", { email: user.email });
  assert.equal((await mailFor(user.email)).length, 1);
});

test('a mail server that wants TLS, a name and a password gets them, if its certificate is right', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'todo-mail-'));
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(folder, name));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert, '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'], { stdio: 'ignore' });
  const secure = smtpServer({ secure: true, authOptional: false, key: readFileSync(key), cert: readFileSync(cert) });
  await new Promise((resolve) => { secure.listen(0, '127.0.0.1', resolve); });
  try {
    const user = await signUp();
    call('password_reset', 'POST', 'request-password-reset', { body: { email: user.email } });
    const url = (login, ca) => `smtps://${login}@localhost:${secure.server.address().port}?ca=${ca}`;
    const again = () => sql("UPDATE todo_mail SET next_try = now() WHERE recipient = :'email'", { email: user.email });
    assert.equal((await mailFor(user.email, { SMTP_URL: url('us%40er:wrong', cert) })).length, 0);
    again();
    assert.equal((await mailFor(user.email, { SMTP_URL: url('us%40er:p%3Aw', '/etc/ssl/certs/ca-certificates.crt') })).length, 0);
    again();
    assert.equal((await mailFor(user.email, { SMTP_URL: url('us%40er:p%3Aw', cert) })).length, 1);
    assert.deepEqual([inbox.at(-1).session.user, inbox.at(-1).session.secure], ['us@er', true]);
  } finally {
    await new Promise((resolve) => { secure.close(resolve); });
    rmSync(folder, { recursive: true });
  }
});

test('the instance\'s log has no token, address or link of all this', () => {
  const log = execFileSync('cat', [`${process.env.TODO_STATE_DIR}/log/handlers.log`], { encoding: 'utf8', maxBuffer: 1 << 28 });
  assert.doesNotMatch(log, /@example\.com|token=|eyJ|password123/);
  assert.ok(log.length > 0);
});
