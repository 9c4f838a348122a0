// A web server's side of FastCGI, byte by byte, and programs on sockets of their own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { until } from '../common.mjs';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'todo-peer-'));
process.on('exit', () => fs.rmSync(folder, { recursive: true, force: true }));
let count = 0;
// What a test that fails leaves behind: node does not wait for it.
const children = new Set();
process.on('exit', () => { for (const child of children) child.kill('SIGKILL'); });

export function record(type, content = '', id = 1) {
  const body = Buffer.from(content);
  return Buffer.concat([Buffer.from([1, type, id >> 8, id & 255, body.length >> 8, body.length & 255, 0, 0]), body]);
}

function size(text) {
  const length = Buffer.byteLength(text);
  if (length < 128) return Buffer.from([length]);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(length + 0x80000000);
  return bytes;
}

export const parameters = (all) => Buffer.concat(Object.entries(all).flatMap(([name, value]) => [size(name), size(value), Buffer.from(name), Buffer.from(value)]));

// The beginning of a request, up to its body.
export function head(method, uri, { token, length, keep = 0, more = {} } = {}) {
  const all = { REQUEST_METHOD: method, REQUEST_URI: uri, ...more };
  if (token) all.HTTP_AUTHORIZATION = `Bearer ${token}`;
  if (length !== undefined) Object.assign(all, { CONTENT_LENGTH: String(length), CONTENT_TYPE: 'application/json' });
  return Buffer.concat([record(1, Buffer.from([0, 1, keep, 0, 0, 0, 0, 0])), record(4, parameters(all)), record(4)]);
}

export const whole = (method, uri, { body = '', ...more } = {}) => Buffer.concat([head(method, uri, { length: body ? Buffer.byteLength(body) : undefined, ...more }), ...(body ? [record(5, body)] : []), record(5)]);

// One worker of a program, on a socket of its own. `ended` resolves to its exit status. `through`: a command
// that starts the program, given to it as further words.
export async function worker(program, settings = {}, through = []) {
  const socket = path.join(folder, `${count++}.sock`);
  const child = spawn('spawn-fcgi', ['-s', socket, '-n', '--', ...(through.length > 0 ? ['/usr/bin/env', ...through] : []), path.resolve(process.env.TODO_BIN, program)], {
    env: { ...process.env, AUTH_RATE_LIMIT: 'off', ...settings }, stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.unref();
  children.add(child);
  child.stderr.unref();
  child.on('exit', () => children.delete(child));
  const log = [];
  child.stderr.on('data', (data) => log.push(data));
  const ended = new Promise((resolve) => { child.on('exit', (status, signal) => resolve(signal ?? status)); });
  // The socket is there a moment before anybody listens at it (proc_pid_net(5): flag __SO_ACCEPTCON).
  const listens = new RegExp(`^\\S+ \\S+ \\S+ 00010000 .* ${socket}$`, 'm');
  await until(`${program} listens`, () => listens.test(fs.readFileSync('/proc/net/unix', 'utf8')));
  return {
    socket, get ended() { child.ref(); return ended; }, pid: child.pid, kill: (signal = 'SIGTERM') => child.kill(signal), log: () => Buffer.concat(log).toString(),
    connect: () => connect(socket), ask: (...request) => ask(socket, whole(...request)),
  };
}

// A request by plain CGI that does not stop this process, as cgi() of the harness does: it may be the program's
// way to the database. `variables` are its environment's; `through`, a command that starts the program.
export async function call([program, method, target, body = '', more = {}], variables = {}, through = []) {
  const [first, ...rest] = [...through, path.resolve(process.env.TODO_BIN, program)];
  const child = spawn(first, rest, {
    timeout: 60000, killSignal: 'SIGKILL',
    env: {
      ...process.env, REQUEST_METHOD: method, REQUEST_URI: target, AUTH_RATE_LIMIT: 'off',
      CONTENT_TYPE: 'application/json', CONTENT_LENGTH: String(Buffer.byteLength(body)), ...variables, ...more,
    },
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (data) => { out += data; });
  child.stderr.on('data', (data) => { err += data; });
  child.stdin.on('error', () => {});
  child.stdin.end(body);
  const [code, signal] = await once(child, 'close');
  return { status: Number(/^Status: (\d+)/m.exec(out)?.[1] ?? 0), body: out.slice(out.indexOf('\r\n\r\n') + 4), err, code, signal };
}

// Takes FastCGI records from pieces of a stream; calls `take` with the type and content of each that is whole.
export function records(take) {
  let bytes = Buffer.alloc(0);
  return (piece) => {
    bytes = Buffer.concat([bytes, piece]);
    while (bytes.length >= 8) {
      const length = bytes.readUInt16BE(4);
      const total = 8 + length + bytes[6];
      if (bytes.length < total) break;
      take(bytes[1], bytes.subarray(8, 8 + length));
      bytes = bytes.subarray(total);
    }
  };
}

// What has come back on a connection: the CGI response, whether END_REQUEST was there, and whether
// the other side has closed.
export function connect(socket) {
  const link = net.connect(socket);
  let wake = () => {};
  const state = { output: '', ends: 0, closed: false };
  const take = records((type, content) => {
    if (type === 6) state.output += content.toString('latin1');
    if (type === 3) state.ends += 1;
  });
  link.on('data', (data) => { take(data); wake(); });
  link.on('error', () => {});
  link.on('close', () => { state.closed = true; wake(); });
  const reached = async (condition) => {
    while (!condition(state)) await new Promise((resolve) => { wake = resolve; });
    return state;
  };
  return { link, state, until: reached, send: (data) => link.write(data), answer: async () => parsed(await reached((now) => now.ends > 0 || now.closed)) };
}

function parsed({ output, ends, closed }) {
  const end = output.indexOf('\r\n\r\n');
  return { status: Number(/^Status: (\d+)/.exec(output)?.[1] ?? 0), body: end < 0 ? '' : output.slice(end + 4), length: Number(/Content-Length: (\d+)/.exec(output)?.[1]), whole: ends === 1, closed };
}

export async function ask(socket, bytes) {
  const connection = connect(socket);
  connection.send(bytes);
  const answer = await connection.answer();
  connection.link.destroy();
  return answer;
}
