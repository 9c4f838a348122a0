// Contract better-auth-wire, sections 2.1, 2.2, 4.6, 5.1 and 6.1: nobody learns from an answer, or from
// its time, whether an address has an account.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { cgi, origin, randomEmail, request, signUp, sql } from './harness.mjs';

const mail = { SMTP_URL: 'smtp://localhost:1', MAIL_FROM: 'todo@example.com' };
// All that a client sees of a plain CGI answer, but for the id that every request has.
const seen = (answer) => JSON.stringify([answer.status, answer.text, ['content-type', 'content-length', 'set-cookie', 'cache-control', 'location', 'vary'].map(answer.find)]);
const call = (program, route, body, { settings = mail, headers = {} } = {}) => cgi(program, 'POST', `/api/auth/${route}`, { settings, headers, body });

async function people() {
  const known = await signUp();
  const bare = await signUp();
  sql("DELETE FROM account WHERE \"userId\" = :'id'", { id: bare.id });
  const verified = await signUp();
  sql("UPDATE \"user\" SET \"emailVerified\" = true WHERE id = :'id'", { id: verified.id });
  return [known, bare, verified].map((user) => user.email).concat(randomEmail());
}

test('sign-in: known, unknown, without password', async () => {
  const answers = [];
  for (const email of await people()) {
    const answer = await request('POST', '/api/auth/sign-in/email', { body: { email, password: 'wrong-password' } });
    const headers = { ...answer.headers };
    for (const name of ['date', 'x-request-id']) delete headers[name];
    answers.push(JSON.stringify([answer.status, answer.text, headers]));
  }
  assert.equal(new Set(answers).size, 1, answers.join('\n'));
  assert.match(answers[0], /^\[401,/);
});

test('sign-in: an address must be confirmed only for who knows the password', async () => {
  const user = await signUp();
  const settings = { AUTH_REQUIRE_EMAIL_VERIFICATION: 'on' };
  const [wrong, unknown] = [user.email, randomEmail()].map((email) => call('signin', 'sign-in/email', { email, password: 'wrong-password' }, { settings }));
  assert.equal(seen(wrong), seen(unknown));
  assert.equal(call('signin', 'sign-in/email', { email: user.email, password: user.password }, { settings }).json.code, 'EMAIL_NOT_VERIFIED');
});

test('a request to reset a password: known and unknown, with one mail for the known', async () => {
  const emails = await people();
  const answers = emails.map((email) => seen(call('password_reset', 'request-password-reset', { email, redirectTo: '/new' })));
  assert.equal(new Set(answers).size, 1, answers.join('\n'));
  assert.match(answers[0], /"\{\\"status\\":true,\\"message\\":\\"If this email exists in our system, check your email for the reset link\\"\}"/);
  const queued = (email) => sql("SELECT string_agg(template, ',') FROM todo_mail WHERE recipient = :'email' AND template <> 'none'", { email });
  assert.deepEqual(emails.map(queued), ['reset-password', 'reset-password', 'reset-password', '']);
  for (const email of emails) sql("DELETE FROM todo_mail WHERE recipient = :'email'", { email });
});

test('a request to confirm an address: known, verified and unknown, not before half a second', async () => {
  const emails = await people();
  const answers = emails.map((email) => {
    const begin = performance.now();
    const answer = call('verification', 'send-verification-email', { email });
    assert.ok(performance.now() - begin >= 500);
    return seen(answer);
  });
  assert.equal(new Set(answers).size, 1, answers.join('\n'));
  assert.match(answers[0], /^\[200,"\{\\"status\\":true\}"/);
  const queued = (email) => sql("SELECT count(*) FROM todo_mail WHERE recipient = :'email'", { email });
  assert.deepEqual(emails.map(queued), ['1', '1', '0', '0']);
  for (const email of emails) sql("DELETE FROM todo_mail WHERE recipient = :'email'", { email });
});

test('a change of address: taken and free', async () => {
  const user = await signUp();
  const taken = (await signUp()).email;
  const free = randomEmail();
  const headers = { cookie: user.cookie, origin };
  const settings = { ...mail, AUTH_CHANGE_EMAIL: 'on' };
  const answers = [taken, free].map((newEmail) => seen(call('change_email', 'change-email', { newEmail }, { settings, headers })));
  assert.equal(answers[0], answers[1]);
  assert.match(answers[0], /^\[200,"\{\\"status\\":true\}"/);
  assert.equal(sql("SELECT string_agg(template, ',' ORDER BY template) FROM todo_mail WHERE recipient IN (:'taken', :'free')", { taken, free }), 'change-email,none');
  sql("DELETE FROM todo_mail WHERE recipient IN (:'taken', :'free')", { taken, free });
});

test('sign-up that does not sign in: taken and free', async () => {
  const user = await signUp();
  const input = { name: 'A', password: 'password123', image: 'http://x/y' };
  for (const settings of [{ AUTH_AUTO_SIGN_IN: 'off' }, { ...mail, AUTH_REQUIRE_EMAIL_VERIFICATION: 'on' }]) {
    const free = randomEmail();
    const shapes = [user.email, free].map((email) => {
      const answer = call('signup', 'sign-up/email', { ...input, email: email.toUpperCase() }, { settings });
      assert.match(answer.json.user.id, /^[a-zA-Z0-9]{32}$/);
      assert.ok(Math.abs(Date.parse(answer.json.user.createdAt) - Date.now()) < 60000);
      assert.equal(answer.json.user.createdAt, answer.json.user.updatedAt);
      assert.equal(answer.json.user.email, email);
      return seen(answer).replaceAll(email, 'EMAIL').replaceAll(answer.json.user.id, 'ID').replaceAll(answer.json.user.createdAt, 'NOW').replace(/\["\d+"\]/, 'LENGTH');
    });
    assert.equal(shapes[0], shapes[1]);
    assert.match(shapes[0], /\\"token\\":null/);
    assert.equal(sql("SELECT count(*) FROM \"user\" WHERE email = :'email'", { email: user.email }), '1');
    sql("DELETE FROM todo_mail WHERE recipient IN (:'free', :'taken')", { free, taken: user.email });
  }
});

test('an unknown address costs a password hash, as a known one does', async () => {
  const { email } = await signUp();
  const settings = { AUTH_AUTO_SIGN_IN: 'off' };
  // The processor's time of all programs that have run for this test (proc(5): cutime and cstime, in
  // hundredths of a second): other work on the machine does not add to it, as it does to the clock's.
  const spent = () => readFileSync('/proc/self/stat', 'utf8').split(') ')[1].split(' ').slice(13, 15).reduce((sum, ticks) => sum + Number(ticks), 0);
  const cost = (program, route, body) => {
    const begin = spent();
    for (let i = 0; i < 5; ++i) call(program, route, body(), { settings });
    return spent() - begin;
  };
  const nothing = cost('signin', 'sign-in/email', () => ({ email: 'nobody', password: 'x' }));
  const login = [() => email, randomEmail].map((address) => cost('signin', 'sign-in/email', () => ({ email: address(), password: 'wrong-password' })));
  const made = [() => email, randomEmail].map((address) => cost('signup', 'sign-up/email', () => ({ name: 'x', email: address(), password: 'password123' })));
  for (const [one, other] of [login, made]) {
    assert.ok(Math.min(one, other) > nothing * 2, `${one} and ${other}, ${nothing} without a hash`);
    assert.ok(Math.max(one, other) < Math.min(one, other) * 1.5, `${one} and ${other}`);
  }
});
