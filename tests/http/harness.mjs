// What the tests through nginx share: requests as they are on the wire, tokens, the database.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import { appendFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { test as nodeTest } from 'node:test';

export const base = new URL(process.env.TODO_URL);
// What the handlers take for their own address; `base` may be another web server before the same handlers.
export const origin = new URL(process.env.BETTER_AUTH_URL || process.env.TODO_URL).origin;
export const secret = process.env.BETTER_AUTH_SECRET;
export const trusted = 'http://app.example.test'; // tests/run trusts it

// The tests may be aimed at another web server before the same handlers (tests/servers); what is different
// there by its nature is named in TODO_DIFFERENT, without the rows of the plan, and documented.
const different = JSON.parse(process.env.TODO_DIFFERENT ?? '[]');
const withoutRows = (name) => name.replace(/^rows? [^:]*: /, '');
export const test = (name, run) => nodeTest(name, { skip: different.includes(withoutRows(name)) && 'documented as different' }, run);

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });

// Sends a request as it is: `path` is not normalised. Resolves to {status, headers, text, json}.
export function request(method, path, { headers = {}, body, token, cookie, port = base.port } = {}) {
  const all = { ...headers };
  if (token) all.authorization = `Bearer ${token}`;
  if (cookie) all.cookie = cookie;
  const payload = body === undefined || typeof body === 'string' || Buffer.isBuffer(body)
    ? body : JSON.stringify(body);
  if (payload !== undefined) {
    if (!('content-type' in all)) all['content-type'] = 'application/json';
    if (all['content-type'] === null) delete all['content-type'];
    if (!('transfer-encoding' in all)) all['content-length'] = Buffer.byteLength(payload);
  }
  return new Promise((resolve, reject) => {
    const sent = http.request({
      hostname: base.hostname, port, agent, method, path, headers: all,
    }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        let json;
        try { json = JSON.parse(text); } catch { json = undefined; }
        // tests/run looks for secrets in it.
        if (response.statusCode >= 400 && port === base.port) appendFileSync(`${process.env.TODO_STATE_DIR}/log/error-bodies.log`, `${text}\n`);
        resolve({ status: response.statusCode, headers: response.headers, raw: response.rawHeaders, text, json });
      });
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(payload);
  });
}

// Waits until nginx, which lets a flood of dear requests (sign-in and the like) through at 50 a second,
// takes this one.
export async function patient(send) {
  for (;;) {
    const answer = await send();
    if (answer.status !== 429) return answer;
    await new Promise((resolve) => { setTimeout(resolve, 100); });
  }
}

// Sends bytes over a socket and resolves to what comes back until the server closes.
export function raw(bytes, port = base.port, localAddress = undefined) {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ port: Number(port), host: base.hostname, localAddress }, () => socket.write(bytes));
    const chunks = [];
    socket.setTimeout(8000, () => socket.destroy());
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('close', () => resolve(Buffer.concat(chunks).toString('latin1')));
    socket.on('error', reject);
  });
}

export const b64 = (value) => Buffer.from(value).toString('base64url');
export const now = () => Math.floor(Date.now() / 1000);

// An HS256 token. `header` and `payload` are objects, or texts used as they are.
export function sign(payload, { key = secret, header = { alg: 'HS256', typ: 'JWT' } } = {}) {
  const text = (part) => (typeof part === 'string' ? part : JSON.stringify(part));
  const input = `${b64(text(header))}.${b64(text(payload))}`;
  return `${input}.${crypto.createHmac('sha256', key).update(input).digest('base64url')}`;
}

export const randomId = () => crypto.randomBytes(12).toString('hex');
export const randomEmail = () => `${randomId()}@example.com`;
export const tokenOf = (sub) => sign({ sub, exp: now() + 600 });

// A user of the task service: nobody needs to be signed up for a token to work.
export function someone(id = `u-${randomId()}`) {
  const token = tokenOf(id);
  const tasks = `/api/${encodeURIComponent(id)}/tasks`;
  return {
    id, token, tasks,
    send: (method, path, options = {}) => request(method, path, { token, ...options }),
    create: async (body = { title: 'a task' }) => {
      const answer = await request('POST', tasks, { token, body });
      if (answer.status !== 201) throw new Error(`create: ${answer.status} ${answer.text}`);
      return answer.json;
    },
  };
}

// Is `answer` an error as tasks-api 2.4 and 2.5 describe it?
export function assertError(answer, status, code, why) {
  assert.equal(answer.status, status, `${why}: ${answer.text}`);
  assert.match(answer.headers['content-type'], /^application\/json/, why);
  const { error, message, detail, details, ...others } = answer.json;
  assert.equal(error, code, why);
  assert.ok(typeof message === 'string' && message.length > 0, why);
  assert.equal(detail, message, why);
  assert.deepEqual(others, {}, why);
  if (status >= 500) return assert.deepEqual(details, { request_id: answer.headers['x-request-id'] }, why);
  if (status !== 422) return assert.ok(!('details' in answer.json), why);
  assert.ok(details.errors.length > 0, why);
  assert.deepEqual([details.field, details.constraint], [details.errors[0].field, details.errors[0].constraint], why);
  for (const fault of details.errors) assert.equal(typeof details[fault.field], 'string', why);
  return undefined;
}

// Runs SQL; returns its rows as text, columns separated by '|'. :'name' is a value.
export function sql(text, values = {}, url = process.env.DATABASE_URL) {
  const settings = Object.entries(values).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
  return execFileSync('psql', ['--no-psqlrc', '--quiet', '--no-align', '--tuples-only', '--set', 'ON_ERROR_STOP=1',
    ...settings, url], { input: text, encoding: 'utf8' }).trim();
}

// Calls a program (of the instance, or one with its path) by plain CGI with other settings than the instance's. Resolves like request().
export function cgi(program, method, uri, { settings = {}, headers = {}, body } = {}) {
  const environment = {
    ...process.env, REQUEST_METHOD: method, REQUEST_URI: uri, AUTH_RATE_LIMIT: 'off', ...settings,
  };
  for (const [name, value] of Object.entries(headers)) {
    const variable = name.toUpperCase().replaceAll('-', '_');
    environment[variable.startsWith('CONTENT_') && variable !== 'CONTENT_ENCODING' ? variable : `HTTP_${variable}`] = value;
  }
  const input = body === undefined ? '' : typeof body === 'string' ? body : JSON.stringify(body);
  if (body !== undefined) {
    environment.CONTENT_TYPE ??= 'application/json';
    environment.CONTENT_LENGTH = String(Buffer.byteLength(input));
  }
  const output = execFileSync(path.resolve(process.env.TODO_BIN, program), {
    env: environment, input, encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'], maxBuffer: 2 ** 28,
  });
  const end = output.indexOf('\r\n\r\n');
  const lines = output.slice(0, end).split('\r\n').map((line) => line.split(/: (.*)/s));
  const find = (name) => lines.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
  const text = output.slice(end + 4);
  let json;
  try { json = JSON.parse(text); } catch { json = undefined; }
  return { status: Number.parseInt(find('status')[0], 10), find, text, json };
}

// A signed-up user of the auth routes, with the cookie of its session.
export const cookieOf = (answer) => (answer.headers['set-cookie'] ?? []).map((line) => line.split(';')[0]).filter((pair) => !pair.endsWith('=')).join('; ');

export async function signUp(more = {}, port = base.port) {
  const user = { name: 'Zoë', email: randomEmail(), password: 'password123', ...more };
  const answer = await patient(() => request('POST', '/api/auth/sign-up/email', { body: user, headers: { origin }, port }));
  if (answer.status !== 200) throw new Error(`sign-up: ${answer.status} ${answer.text}`);
  const session = (made) => ({
    cookie: cookieOf(made), token: made.json.token,
    get: (route) => request('GET', `/api/auth/${route}`, { cookie: cookieOf(made) }),
    post: (route, body, headers = {}) => request('POST', `/api/auth/${route}`, { cookie: cookieOf(made), body, headers: { origin, ...headers } }),
  });
  return {
    ...user, answer, id: answer.json.user.id, ...session(answer),
    signIn: async (body = {}) => session(await request('POST', '/api/auth/sign-in/email', { body: { email: user.email, password: user.password, ...body } })),
  };
}

// A value signed as Better Auth signs cookies.
export const seal = (value, key = secret) => encodeURIComponent(`${value}.${crypto.createHmac('sha256', key).update(value).digest('base64')}`);
