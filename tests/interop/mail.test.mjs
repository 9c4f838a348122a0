// Mail, from the request to the link that is followed: our programs, the mailer and msmtp, and a real
// SMTP server that takes what they send.
import '../../env/verify/node18.mjs';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { simpleParser } from 'mailparser';
import pg from 'pg';
import { SMTPServer } from 'smtp-server';
import * as harness from '../http/harness.mjs';
import { cookieOf, now, randomEmail, seal, sign } from '../http/harness.mjs';
import { newDatabase, startOurs } from './instance.mjs';
import { startReal } from './real.mjs';

const inbox = [];
const realInbox = []; // what the real server has sent: it hands its links to a function
let database;
let pool;
let server;
let smtpPort;
let settings;
let ours;
let real;

const smtpServer = (more) => new SMTPServer({
  logger: false, ...more,
  onAuth: ({ username, password }, _, done) => done(username === 'us@er' && password === 'p:w' ? null : new Error('no'), { user: username }),
  onData: (stream, session, done) => {
    simpleParser(stream).then((mail) => { inbox.push({ mail, session }); done(); }, done);
  },
});

// The mail server of the instance; after the first time on the same port.
async function openMailServer() {
  server = smtpServer({ authOptional: true, disabledCommands: ['STARTTLS'] });
  await new Promise((resolve) => { server.listen(smtpPort ?? 0, '127.0.0.1', resolve); });
  smtpPort = server.server.address().port;
}
const closeMailServer = () => new Promise((resolve) => { server.close(resolve); });

const keep = ({ user, url }) => { realInbox.push({ to: user.email, url }); };

before(async () => {
  await openMailServer();
  database = newDatabase();
  pool = new pg.Pool({ connectionString: database.url, max: 2 });
  settings = {
    DATABASE_URL: database.url, SMTP_URL: `smtp://127.0.0.1:${smtpPort}`, MAIL_FROM: 'Todo <todo@example.com>',
    AUTH_CHANGE_EMAIL: 'on', AUTH_DELETE_USER: 'confirm',
  };
  ours = await startOurs(settings);
  real = await startReal(database.url, {
    baseURL: ours.origin,
    emailAndPassword: { enabled: true, sendResetPassword: async (mail) => keep(mail) },
    emailVerification: { sendVerificationEmail: async (mail) => keep(mail) },
    user: { changeEmail: { enabled: true }, deleteUser: { enabled: true, sendDeleteAccountVerification: async (mail) => keep(mail) } },
  });
});
after(async () => {
  await Promise.all([ours?.stop(), real?.stop(), closeMailServer(), pool?.end()]);
  database?.drop();
});

const sql = (text, values) => harness.sql(text, values, database.url);
const follow = (uri, more) => ours.send('GET', uri, more);

// Calls a program by itself, with other settings than the instance's, on its database.
const call = (program, method, route, more = {}) => harness.cgi(program, method, `/api/auth/${route}`, {
  ...more, settings: { ...settings, BETTER_AUTH_URL: ours.origin, ...more.settings }, headers: { origin: ours.origin, ...more.headers },
});

async function signUp(side = ours) {
  const user = { name: 'Zoë', email: randomEmail(), password: 'password123' };
  const answer = await side.post('sign-up/email', user);
  assert.equal(answer.status, 200, answer.text);
  return {
    ...user, id: answer.json.user.id, token: answer.json.token, cookie: cookieOf(answer),
    get: (route) => side.get(route, cookieOf(answer)),
    post: (route, body) => side.post(route, body, cookieOf(answer)),
  };
}

async function eventually(what, holds) {
  for (let tries = 0; tries < 200; tries += 1) {
    if (await holds()) return;
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  assert.fail(`${what} did not happen within 10 s`);
}

// The mails for an address, oldest first, once everything that was queued has gone out.
async function mailFor(address) {
  await eventually('the queue is empty', async () => (await pool.query('SELECT FROM todo_mail')).rowCount === 0);
  return inbox.filter(({ mail }) => mail.to.text === address).map(({ mail }) => mail);
}

// The link in a mail, as path and query; the same in both of its parts.
function linkOf(mail) {
  const link = /http\S+/.exec(mail.text)[0];
  assert.ok(mail.html.includes(link.replaceAll('&', '&amp;')), 'the HTML part has the same link');
  assert.ok(link.startsWith(`${ours.origin}/api/auth/`), link);
  return link.slice(ours.origin.length);
}

test('a reset link leads to the page, and its token resets the password exactly once', async () => {
  const user = await signUp();
  const asked = await ours.post('request-password-reset', { email: user.email.toUpperCase(), redirectTo: '/reset?x=1' });
  assert.deepEqual([asked.status, asked.json.status], [200, true]);
  const [mail] = await mailFor(user.email);
  assert.equal(mail.subject, 'Reset your password');
  assert.equal(mail.from.text, '"Todo" <todo@example.com>');
  assert.match(mail.text, /Zoë/);
  const followed = await follow(linkOf(mail));
  assert.equal(followed.status, 302);
  const target = new URL(followed.headers.location);
  assert.deepEqual([target.origin, target.pathname, target.searchParams.get('x')], [ours.origin, '/reset', '1']);
  const token = target.searchParams.get('token');
  assert.match(token, /^[a-zA-Z0-9]{24}$/);

  const reset = (newPassword) => ours.post('reset-password', { newPassword, token });
  assert.equal((await reset('short')).json.code, 'PASSWORD_TOO_SHORT');
  const answers = await Promise.all(Array.from({ length: 50 }, () => reset('new-password')));
  assert.equal(answers.filter((answer) => answer.status === 200).length, 1);
  assert.ok(answers.every((answer) => answer.status === 200 || answer.json.code === 'INVALID_TOKEN'));
  const signIn = async (password) => (await ours.post('sign-in/email', { email: user.email, password })).status;
  assert.deepEqual([await signIn('new-password'), await signIn(user.password)], [200, 401]);
  assert.notEqual((await user.get('get-session')).text, 'null', 'sessions stay');
  const late = await follow(linkOf(mail));
  assert.equal(late.headers.location, `${ours.origin}/reset?x=1&error=INVALID_TOKEN`);
});

test('an address that nobody has answers the same and gets no mail', async () => {
  const user = await signUp();
  const nobody = randomEmail();
  for (const [n, route] of ['request-password-reset', 'send-verification-email'].entries()) {
    const [known, unknown] = [await ours.post(route, { email: user.email }), await ours.post(route, { email: nobody })];
    const seen = ({ status, text, headers }) => ({ status, text, names: Object.keys(headers).sort() });
    assert.deepEqual(seen(known), seen(unknown));
    assert.equal(known.status, 200);
    assert.equal((await mailFor(user.email)).length, n + 1);
    assert.equal((await mailFor(nobody)).length, 0);
  }
});

test('a verification link confirms the address, and can be opened again', async () => {
  const user = await signUp();
  assert.equal((await user.post('send-verification-email', { email: randomEmail() })).json.code, 'EMAIL_MISMATCH');
  assert.equal((await user.post('send-verification-email', { email: user.email, callbackURL: '/welcome' })).status, 200);
  const [mail] = await mailFor(user.email);
  for (let n = 0; n < 2; n += 1) {
    const followed = await follow(linkOf(mail));
    assert.deepEqual([followed.status, followed.headers.location], [302, '/welcome']);
  }
  assert.equal((await user.get('get-session')).json.user.emailVerified, true);
  assert.equal((await user.post('send-verification-email', { email: user.email })).json.code, 'EMAIL_ALREADY_VERIFIED');
  const begin = Date.now();
  assert.equal((await ours.post('send-verification-email', { email: randomEmail() })).status, 200);
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
  assert.equal((await follow(linkOf(mail))).headers.location, '/tasks');
  assert.equal(call('signin', 'POST', 'sign-in/email', { ...must, body: user }).status, 200);
  // A taken address looks the same and gets nothing.
  assert.equal(call('signup', 'POST', 'sign-up/email', { ...must, body: user }).status, 200);
  assert.equal((await mailFor(user.email)).length, 1);
});

test('a link to change the address works once, from the new mailbox', async () => {
  const user = await signUp();
  const taken = await signUp();
  const next = randomEmail();
  const ask = async (newEmail) => (await user.post('change-email', { newEmail, callbackURL: '/settings' })).text;
  assert.equal(await ask(user.email), '{"message":"Email is the same"}');
  assert.deepEqual([await ask(taken.email), await ask(next)], ['{"status":true}', '{"status":true}']);
  const [mail] = await mailFor(next);
  assert.equal((await mailFor(taken.email)).length, 0);
  assert.equal((await follow(linkOf(mail), { cookie: taken.cookie })).headers.location, '/settings?error=INVALID_USER');
  const changed = await follow(linkOf(mail), { cookie: user.cookie });
  assert.equal(changed.headers.location, '/settings');
  assert.equal(changed.headers['set-cookie'][0], `better-auth.session_token=${seal(user.token)}; Max-Age=604800; Path=/; HttpOnly; SameSite=Lax`);
  const changedUser = (await user.get('get-session')).json.user;
  assert.deepEqual([changedUser.email, changedUser.emailVerified], [next, false]);
  assert.equal((await follow(linkOf(mail))).headers.location, '/settings?error=INVALID_TOKEN');
});

test('a verified user is asked at the old address first, where the deployment wants that', async () => {
  const user = await signUp();
  sql("UPDATE \"user\" SET \"emailVerified\" = true WHERE id = :'id'", { id: user.id });
  const next = randomEmail();
  call('change_email', 'POST', 'change-email', { settings: { AUTH_CHANGE_EMAIL: 'confirm' }, headers: { cookie: user.cookie }, body: { newEmail: next } });
  const [asked] = await mailFor(user.email);
  assert.equal((await mailFor(next)).length, 0);
  assert.equal((await follow(linkOf(asked), { cookie: user.cookie })).status, 302);
  assert.equal((await user.get('get-session')).json.user.email, user.email, 'not yet');
  const [confirm] = await mailFor(next);
  await follow(linkOf(confirm), { cookie: user.cookie });
  assert.equal((await user.get('get-session')).json.user.email, next);
});

test('an account is deleted by the link in the mail, in the session that asked', async () => {
  const user = await signUp();
  const stranger = await signUp();
  const asked = await user.post('delete-user', { callbackURL: '/bye' });
  assert.equal(asked.text, '{"success":true,"message":"Verification email sent"}');
  const [mail] = await mailFor(user.email);
  const none = await follow(linkOf(mail));
  assert.deepEqual([none.status, none.json.code], [404, 'FAILED_TO_GET_USER_INFO']);
  assert.equal((await follow(linkOf(mail), { cookie: stranger.cookie })).json.code, 'INVALID_TOKEN');
  const gone = await follow(linkOf(mail), { cookie: user.cookie });
  assert.deepEqual([gone.status, gone.headers.location, gone.headers['set-cookie'].length], [302, '/bye', 3]);
  assert.equal(sql("SELECT count(*) FROM \"user\" WHERE id = :'id'", { id: user.id }), '0');
});

test('expired and altered links say so', async () => {
  const user = await signUp();
  const verify = (token, more = '') => follow(`/api/auth/verify-email?token=${token}${more}`);
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
  await closeMailServer();
  assert.equal((await ours.post('request-password-reset', { email: user.email })).status, 200);
  await eventually('a failed attempt', async () => (await pool.query('SELECT FROM todo_mail WHERE recipient = $1 AND attempts = 1', [user.email])).rowCount === 1);
  await openMailServer();
  assert.equal(inbox.filter(({ mail }) => mail.to.text === user.email).length, 0);
  sql("UPDATE todo_mail SET next_try = now() WHERE recipient = :'email'", { email: user.email });
  assert.equal((await mailFor(user.email)).length, 1);
});

for (const [from, to, sides] of [['ours', 'the real one', () => [ours, real]], ['the real one', 'ours', () => [real, ours]]]) {
  // The newest link that `from` has sent to an address.
  const linkFor = async (address) => {
    if (from === 'ours') return linkOf((await mailFor(address)).at(-1));
    await eventually('a mail', () => realInbox.some((mail) => mail.to === address));
    return realInbox.filter((mail) => mail.to === address).at(-1).url.slice(ours.origin.length);
  };

  test(`a reset link of ${from} is one at ${to}, and its token is spent for both`, async () => {
    const [a, b] = sides();
    const user = await signUp(a);
    assert.equal((await a.post('request-password-reset', { email: user.email, redirectTo: '/reset' })).status, 200);
    const followed = await b.send('GET', await linkFor(user.email));
    const token = new URL(followed.headers.location).searchParams.get('token');
    const reset = (side) => side.post('reset-password', { newPassword: 'new-password', token });
    assert.equal((await reset(b)).text, '{"status":true}');
    assert.equal((await reset(a)).json.code, 'INVALID_TOKEN');
    assert.equal((await a.post('sign-in/email', { email: user.email, password: 'new-password' })).status, 200);
  });

  test(`a link of ${from} confirms an address at ${to}, and another one changes it`, async () => {
    const [a, b] = sides();
    const user = await signUp(a);
    assert.equal((await user.post('send-verification-email', { email: user.email })).status, 200);
    assert.equal((await b.send('GET', await linkFor(user.email))).headers.location, '/');
    assert.equal((await user.get('get-session')).json.user.emailVerified, true);
    const next = randomEmail();
    assert.equal((await user.post('change-email', { newEmail: next })).text, '{"status":true}');
    const link = await linkFor(next);
    assert.equal((await b.send('GET', link, { cookie: user.cookie })).headers.location, '/');
    assert.equal((await user.get('get-session')).json.user.email, next);
    assert.equal((await a.send('GET', link, { cookie: user.cookie })).headers.location, '/?error=INVALID_TOKEN');
  });

  test(`a link of ${from} deletes the account at ${to}`, async () => {
    const [a, b] = sides();
    const user = await signUp(a);
    assert.equal((await user.post('delete-user', {})).text, '{"success":true,"message":"Verification email sent"}');
    assert.equal((await b.send('GET', await linkFor(user.email), { cookie: user.cookie })).status, 302);
    assert.equal((await user.get('get-session')).text, 'null');
    assert.equal(sql("SELECT count(*) FROM \"user\" WHERE id = :'id'", { id: user.id }), '0');
  });
}

test('a mail server that wants TLS, a name and a password gets them, if its certificate is right', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'todo-mail-'));
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(folder, name));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert, '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'], { stdio: 'ignore' });
  const secure = smtpServer({ secure: true, authOptional: false, key: readFileSync(key), cert: readFileSync(cert) });
  await new Promise((resolve) => { secure.listen(0, '127.0.0.1', resolve); });
  // On the database of the instance under test, which has no mailer that would be quicker.
  const mailer = async (url) => {
    await new Promise((resolve) => {
      spawn(`${process.env.TODO_BIN}/mailer`, ['--once'], { env: { ...process.env, MAIL_FROM: settings.MAIL_FROM, MAIL_TEMPLATES: `${process.env.TODO_ROOT}/env/mail`, SMTP_URL: url }, stdio: 'ignore' }).on('exit', resolve);
    });
    return inbox.filter(({ mail }) => mail.to.text === user.email).length;
  };
  const user = await harness.signUp();
  try {
    harness.cgi('password_reset', 'POST', '/api/auth/request-password-reset', { settings: { SMTP_URL: settings.SMTP_URL, MAIL_FROM: settings.MAIL_FROM }, body: { email: user.email } });
    const url = (login, ca) => `smtps://${login}@localhost:${secure.server.address().port}?ca=${ca}`;
    const again = () => harness.sql("UPDATE todo_mail SET next_try = now() WHERE recipient = :'email'", { email: user.email });
    assert.equal(await mailer(url('us%40er:wrong', cert)), 0);
    again();
    assert.equal(await mailer(url('us%40er:p%3Aw', '/etc/ssl/certs/ca-certificates.crt')), 0);
    again();
    assert.equal(await mailer(url('us%40er:p%3Aw', cert)), 1);
    assert.deepEqual([inbox.at(-1).session.user, inbox.at(-1).session.secure], ['us@er', true]);
  } finally {
    await new Promise((resolve) => { secure.close(resolve); });
    rmSync(folder, { recursive: true });
  }
});

test('the instance\'s log has no token, address or link of all this', () => {
  const log = execFileSync('cat', [`${ours.state}/log/handlers.log`], { encoding: 'utf8', maxBuffer: 1 << 28 });
  assert.doesNotMatch(log, /@example\.com|token=|eyJ|password123|new-password/);
  assert.match(log, /"route":"mailer"/);
});
