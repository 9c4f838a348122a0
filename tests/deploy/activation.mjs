// What clients see of a program that is started when it is asked: through its socket, as a web server asks.
//   node activation.mjs cold PID SOCKET LOG COUNT     each request finds no process; milliseconds, one a line
//   node activation.mjs idle LOG EXITS SOCKET…        requests about when the process ends from idleness
//   node activation.mjs load PID LOG RESTARTS SOCKET  eight clients while the workers are started anew
//   node activation.mjs ask SOCKET COUNT              so many requests, one after the other
// PID is socket-unit's, LOG what it writes. REQUEST_URI and HTTP_AUTHORIZATION come from the environment. Ends
// with status 1 if an answer is missing, cut or not 200; prints "requests N, lost N".
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';

const LIMIT_MS = 20000;

function record(type, content) {
  const head = Buffer.from([1, type, 0, 1, content.length >> 8, content.length & 255, 0, 0]);
  return Buffer.concat([head, content]);
}

function pair(name, value) {
  const size = (text) => { const n = Buffer.byteLength(text); return n < 128 ? Buffer.from([n]) : Buffer.from([(n >>> 24) | 128, n >>> 16, n >>> 8, n]); };
  return Buffer.concat([size(name), size(value), Buffer.from(name), Buffer.from(value)]);
}

const PARAMETERS = Buffer.concat(Object.entries({
  REQUEST_METHOD: 'GET', REQUEST_URI: process.env.REQUEST_URI ?? '/health', SERVER_PROTOCOL: 'HTTP/1.1', HTTP_HOST: 'localhost',
  ...(process.env.HTTP_AUTHORIZATION ? { HTTP_AUTHORIZATION: process.env.HTTP_AUTHORIZATION } : {}),
}).map(([name, value]) => pair(name, value)));
const REQUEST = Buffer.concat([record(1, Buffer.from([0, 1, 0, 0, 0, 0, 0, 0])), record(4, PARAMETERS), record(4, Buffer.alloc(0)), record(5, Buffer.alloc(0))]);

// Resolves to the whole answer, or rejects: no connection, cut, too late.
function ask(path) {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0);
    let text = '';
    let ended = false;
    const socket = net.connect(path, () => socket.write(REQUEST));
    socket.setTimeout(LIMIT_MS, () => socket.destroy(new Error('no answer in time')));
    socket.on('error', reject);
    socket.on('close', () => {
      if (!ended) return reject(new Error('the answer was cut'));
      const [head, body] = [text.slice(0, text.indexOf('\r\n\r\n')), text.slice(text.indexOf('\r\n\r\n') + 4)];
      const length = /^Content-Length: (\d+)$/m.exec(head.replaceAll('\r', ''));
      if (!/^Status: 200\b/m.test(head)) return reject(new Error(`answered ${head.split('\r\n')[0]}`));
      if (length && Number(length[1]) !== Buffer.byteLength(body)) return reject(new Error('the body was cut'));
      return resolve(body);
    });
    socket.on('data', (chunk) => {
      bytes = Buffer.concat([bytes, chunk]);
      while (bytes.length >= 8) {
        const size = 8 + bytes.readUInt16BE(4) + bytes[6];
        if (bytes.length < size) break;
        if (bytes[1] === 6) text += bytes.subarray(8, 8 + bytes.readUInt16BE(4)).toString();
        if (bytes[1] === 3) { ended = true; socket.end(); }
        bytes = bytes.subarray(size);
      }
    });
  });
}

let requests = 0;
let lost = 0;
async function counted(path) {
  requests += 1;
  try {
    await ask(path);
  } catch (error) {
    lost += 1;
    console.error(`lost: ${error.message}`);
  }
}

const lines = (log, word) => readFileSync(log, 'utf8').split('\n').filter((line) => line.startsWith(`${word} `)).length;
async function until(condition) {
  const end = Date.now() + LIMIT_MS;
  while (!condition()) {
    if (Date.now() > end) throw new Error('waited too long');
    await pause(2);
  }
}

async function cold(pid, path, log, count) {
  for (let round = 0; round < Number(count); round += 1) {
    process.kill(pid, 'SIGUSR1');
    await until(() => lines(log, 'started') === lines(log, 'ended'));
    const begin = process.hrtime.bigint();
    await counted(path);
    console.log((Number(process.hrtime.bigint() - begin) / 1e6).toFixed(2));
  }
}

// Each client asks again a second after its answer, a little earlier or later each time: IDLE_EXIT_SECONDS=1.
async function idle(log, exits, ...paths) {
  await Promise.all(paths.map(async (path, client) => {
    for (let round = 0; lines(log, 'ended') < Number(exits); round += 1) {
      await counted(path);
      await pause(990 + ((client * 7 + round * 13) % 40));
    }
  }));
}

async function load(pid, log, restarts, path) {
  let done = false;
  const clients = Array.from({ length: 8 }, async () => { while (!done) await counted(path); });
  await until(() => requests > 50);
  for (let round = 0; round < Number(restarts); round += 1) {
    const before = requests;
    const [ended, started] = [lines(log, 'ended'), lines(log, 'started')];
    process.kill(pid, 'SIGHUP');
    await until(() => lines(log, 'ended') > ended && lines(log, 'started') > started && requests > before + 20);
  }
  done = true;
  await Promise.all(clients);
}

async function asks(path, count) {
  for (let round = 0; round < Number(count); round += 1) await counted(path);
}

const [mode, ...words] = process.argv.slice(2);
const modes = { cold: () => cold(Number(words[0]), ...words.slice(1)), idle: () => idle(...words), load: () => load(Number(words[0]), ...words.slice(1)), ask: () => asks(...words) };
await modes[mode]();
console.error(`requests ${requests}, lost ${lost}`);
process.exit(lost === 0 && requests > 0 ? 0 : 1);
