// Contract better-auth-wire, section 1.9: rate limits. The instance under test exempts this machine, so
// the programs are called as plain CGI, each time as another client.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import crypto from 'node:crypto';
import { test } from 'node:test';
import { cgi, origin, signUp, sql } from './harness.mjs';

const client = () => `10.${[...crypto.randomBytes(3)].join('.')}`;
const settings = { AUTH_RATE_LIMIT: 'on', AUTH_RATE_LIMIT_EXEMPT: '' };
const send = (program, method, route, from, { body, ...headers } = {}) => cgi(program, method, `/api/auth${route}`, {
  settings, body, headers: { ...(from === undefined ? {} : { 'x-forwarded-for': from }), ...headers },
});
const signIn = (from) => send('signin', 'POST', '/sign-in/email', from, { body: { email: 'nobody', password: 'x' } });
const counter = (from, route) => sql("SELECT count FROM \"rateLimit\" WHERE key = :'key'", { key: `${from}|${route}` });
const earlier = (from, route, ms) => sql(`UPDATE "rateLimit" SET "lastRequest" = "lastRequest" - ${ms} WHERE key = :'key'`, { key: `${from}|${route}` });
const wait = (answer) => Number(answer.find('x-retry-after')[0]);

test('the refusal is the contract\'s, to the byte', () => {
  const from = client();
  for (let n = 0; n < 3; n += 1) assert.equal(signIn(from).json.code, 'INVALID_EMAIL');
  const refused = signIn(from);
  assert.equal(refused.status, 429);
  assert.equal(refused.text, '{"message":"Too many requests. Please try again later."}');
  assert.deepEqual(refused.find('content-type'), ['application/json']);
  assert.deepEqual(refused.find('retry-after'), []);
  assert.match(refused.find('x-retry-after')[0], /^(9|10)$/);
});

test('every allowed request restarts the window, a refused one does not', () => {
  const from = client();
  const route = '/sign-in/email';
  for (let n = 0; n < 3; n += 1) {
    assert.equal(signIn(from).status, 400);
    earlier(from, route, 6000); // sign-ins at 0, 6 and 12 s are allowed
  }
  const refused = signIn(from); // at 18 s
  assert.equal(refused.status, 429);
  assert.ok([4, 5].includes(wait(refused)), `${wait(refused)} s`);
  earlier(from, route, 3000);
  assert.ok([1, 2].includes(wait(signIn(from))));
  earlier(from, route, 1500); // more than a whole window after the last that was allowed
  assert.equal(signIn(from).status, 400);
  assert.equal(counter(from, route), '1');
});

test('row 63: of many requests at once exactly as many get through as may', async () => {
  const from = client();
  const statuses = await Promise.all(Array.from({ length: 12 }, () => new Promise((resolve, reject) => {
    const child = spawn(`${process.env.TODO_BIN}/signin`, {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: { ...process.env, ...settings, REQUEST_METHOD: 'POST', REQUEST_URI: '/api/auth/sign-in/email', CONTENT_TYPE: 'application/json', HTTP_X_FORWARDED_FOR: from },
    });
    let text = '';
    child.stdout.on('data', (chunk) => { text += chunk; });
    child.on('error', reject);
    child.on('close', () => resolve(/^Status: (\d+)/.exec(text)?.[1]));
    child.stdin.end('{"email":"nobody","password":"x"}');
  })));
  assert.deepEqual(statuses.sort(), [...Array(3).fill('400'), ...Array(9).fill('429')]);
});

test('each path has its own counter and limit', () => {
  const from = client();
  const body = {};
  for (const [program, route, most, window] of [['signup', '/sign-up/email', 3, 10], ['account', '/change-password', 3, 10], ['change_email', '/change-email', 3, 10], ['fallback', '/sign-in/social', 3, 10], ['fallback', '/sign-up', 3, 10],
    ['password_reset', '/request-password-reset', 3, 60], ['verification', '/send-verification-email', 3, 60], ['fallback', '/forget-password/x', 3, 60], ['account', '/verify-password', 100, 10], ['password_reset', '/reset-password', 100, 10], ['fallback', '/nothing', 100, 10]]) {
    assert.notEqual(send(program, 'POST', route, from, { body }).status, 429, route);
    sql(`UPDATE "rateLimit" SET count = ${most - 1} WHERE key = :'key'`, { key: `${from}|${route}` });
    assert.notEqual(send(program, 'POST', route, from, { body }).status, 429, route);
    const refused = send(program, 'POST', route, from, { body });
    assert.equal(refused.status, 429, route);
    assert.ok(wait(refused) <= window && wait(refused) >= window - 1, `${route}: ${wait(refused)}`);
  }
  assert.notEqual(send('session', 'GET', '/get-session', from).status, 429);
});

test('what succeeds counts as what fails, and so does what never reaches a handler', async () => {
  const user = await signUp();
  const from = client();
  const body = { email: user.email, password: user.password };
  const statuses = [send('signin', 'POST', '/sign-in/email', from, { body }), send('signin', 'POST', '/sign-in/email', from, { body: '{' }), send('signin', 'POST', '/sign-in/email', from, { body, origin: 'http://evil.example' }), send('signin', 'POST', '/sign-in/email', from, { body })].map((answer) => answer.status);
  assert.deepEqual(statuses, [200, 400, 403, 429]);
  assert.equal(send('signin', 'POST', '/sign-in/email', client(), { body }).status, 200);
});

test('the limit comes before routing: other methods, a slash at the end and unknown routes', () => {
  const from = client();
  for (const [program, method, route] of [['signin', 'GET', '/sign-in/email'], ['fallback', 'POST', '/sign-in/email/'], ['fallback', 'PUT', '/sign-in/email']]) assert.equal(send(program, method, route, from).status, 404);
  assert.equal(counter(from, '/sign-in/email'), '3');
  assert.equal(signIn(from).status, 429);
});

test('row 63: clients count by their address: an IPv6 network as one, a mapped IPv4 as IPv4, who has none together', () => {
  const network = `2001:db8:${crypto.randomBytes(2).toString('hex')}:${crypto.randomBytes(2).toString('hex')}`;
  for (const from of [`${network}::1`, `${network}:0:0:0:2`, `${network.toUpperCase()}:ffff::3`]) assert.equal(signIn(from).status, 400, from);
  assert.equal(signIn(`${network}:1:2:3:4`).status, 429);
  const four = client();
  for (const from of [four, `::ffff:${four}`, four]) assert.equal(signIn(from).status, 400);
  assert.equal(signIn(`::ffff:${four}`).status, 429);
  const key = 'no-trusted-ip|/sign-in/email';
  sql("DELETE FROM \"rateLimit\" WHERE key = :'key'", { key });
  for (const from of [undefined, '1.2.3.4, 5.6.7.8', 'nonsense']) assert.equal(signIn(from).status, 400);
  for (const from of [undefined, '9.9.9.9:80', '8.8.8.8, 7.7.7.7']) assert.equal(signIn(from).status, 429);
  sql("DELETE FROM \"rateLimit\" WHERE key = :'key'", { key });
});

test('row 63: no header of a client moves it into another counter where proxies are trusted', () => {
  const from = client();
  const proxied = { ...settings, AUTH_TRUSTED_PROXIES: '192.0.2.0/24' };
  const call = (list) => cgi('signin', 'POST', '/api/auth/sign-in/email', { settings: proxied, headers: { 'x-forwarded-for': list }, body: { email: 'no', password: 'x' } }).status;
  assert.deepEqual([call(`1.1.1.1, ${from}, 192.0.2.7`), call(`2.2.2.2, ${from}, 192.0.2.8`), call(`${from}, 192.0.2.7`), call(`3.3.3.3, ${from}, 192.0.2.9`)], [400, 400, 400, 429]);
});

test('a limited client still has its session, and one that is exempt or where limits are off is not counted', async () => {
  const user = await signUp();
  const from = client();
  for (let n = 0; n < 4; n += 1) signIn(from);
  assert.equal(send('session', 'GET', '/get-session', from, { cookie: user.cookie }).json.user.id, user.id);
  for (const more of [{ AUTH_RATE_LIMIT: 'off' }, { AUTH_RATE_LIMIT_EXEMPT: `${from}/32` }]) assert.equal(cgi('signin', 'POST', '/api/auth/sign-in/email', { settings: { ...settings, ...more }, headers: { 'x-forwarded-for': from, origin }, body: { email: 'no', password: 'x' } }).status, 400);
});
