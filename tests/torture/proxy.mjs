// Stands between the programs and PostgreSQL, knows where one statement ends and the next begins, and
// fails in the way that it is told to. A process of its own, so that it slows nothing else down.
//   child = fork('proxy.mjs', [LISTEN, TARGET])      two unix sockets
//   child.send({ mode, every, ms })                  what happens to every n-th statement that writes
// Modes that cut both sides: `before` half of the statement has gone on; `mid` all of it but what commits
// it; `sent` all of it; `committed` the server has said that it is done, and its answer is withheld; `torn`
// the same, but half of the answer gets through. Modes that hold, and tell the parent: `hold-statement`,
// `hold-commit`. Modes for all links: `delay` by `ms`, `silent` (nothing gets through), `refuse`.
import fs from 'node:fs';
import net from 'node:net';

const [listen, target] = process.argv.slice(2);
let mode = { mode: 'none' };
let writes = 0;
const links = new Set();
const STRIKES = ['before', 'mid', 'sent', 'committed', 'torn', 'hold-statement', 'hold-commit'];

const isWrite = (sql) => /\b(INSERT|UPDATE|DELETE)\b/.test(sql);
const text = (bytes, from) => bytes.toString('utf8', from, bytes.indexOf(0, from));

// Calls back with each whole message; the first one of a client has no type.
function messages(onMessage, { startup = false } = {}) {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk;
    for (;;) {
      const head = startup ? 0 : 1;
      if (rest.length < head + 4) return;
      const end = head + rest.readUInt32BE(head);
      if (rest.length < end) return;
      const message = rest.subarray(0, end);
      rest = rest.subarray(end);
      const type = startup ? 'startup' : String.fromCharCode(message[0]);
      startup = false;
      onMessage(type, message);
    }
  };
}

// In the order in which it came, also when the delay ends.
function later(queue, action) {
  if (mode.mode !== 'delay' && queue.length === 0) return action();
  queue.push(action);
  return setTimeout(() => queue.shift()(), mode.ms);
}

class Link {
  constructor(client) {
    this.client = client;
    this.server = net.connect(target);
    this.writing = new Map(); // prepared statement -> does it write?
    this.segment = [];
    this.segmentWrites = false;
    this.segments = []; // sent, not answered
    this.carried = '';
    this.withheld = [];
    links.add(this);
    for (const side of [this.client, this.server]) {
      side.on('error', () => {});
      side.on('close', () => this.cut());
    }
    const up = messages((type, message) => this.fromClient(type, message), { startup: true });
    const down = messages((type, message) => this.fromServer(type, message));
    const [upwards, downwards] = [[], []];
    this.client.on('data', (chunk) => later(upwards, () => up(chunk)));
    this.server.on('data', (chunk) => later(downwards, () => down(chunk)));
    if (mode.mode === 'silent') this.pause();
  }

  pause() { this.client.pause(); this.server.pause(); }
  resume() { this.client.resume(); this.server.resume(); }

  cut() {
    links.delete(this);
    this.client.destroy();
    this.server.destroy();
  }

  fromClient(type, message) {
    if (type === 'startup') this.application = /application_name\0([^\0]*)/.exec(message.toString('latin1'))?.[1] ?? '';
    if (type === 'P') {
      const name = text(message, 5);
      this.writing.set(name, isWrite(text(message, 5 + Buffer.byteLength(name) + 1)));
    }
    if (type === 'B') {
      const portal = text(message, 5);
      this.segmentWrites ||= this.writing.get(text(message, 5 + Buffer.byteLength(portal) + 1)) ?? false;
    }
    if (type === 'Q') this.segmentWrites ||= isWrite(text(message, 5));
    if (!'PBDECSQ'.includes(type)) {
      this.server.write(Buffer.concat([...this.segment, message]));
      this.segment = [];
      return;
    }
    this.segment.push(message);
    if (type === 'S' || type === 'Q') this.endSegment();
  }

  endSegment() {
    const all = Buffer.concat(this.segment);
    const withoutSync = Buffer.concat(this.segment.slice(0, -1));
    const strike = this.segmentWrites && STRIKES.includes(mode.mode) && ++writes % mode.every === 0 ? mode.mode : '';
    this.segment = [];
    this.segmentWrites = false;
    if (strike) process.send({ struck: true });
    if (strike === 'hold-statement') process.send({ held: this.application });
    else if (strike === 'before') this.server.end(all.subarray(0, all.length / 2));
    else if (strike === 'mid') this.server.end(withoutSync);
    else if (strike === 'sent') this.server.end(all);
    else {
      this.segments.push({ strike: strike || this.carried });
      this.carried = '';
      this.server.write(all);
    }
    if (['before', 'mid', 'sent'].includes(strike)) this.client.destroy();
  }

  fromServer(type, message) {
    const { strike } = this.segments[0] ?? {};
    if (!strike) {
      if (type === 'Z') this.segments.shift();
      this.client.write(message);
      return;
    }
    this.withheld.push(message);
    if (type !== 'Z') return;
    this.segments.shift();
    if (message[5] !== 73) { // not 'I': a transaction that is open over several of them
      if (this.segments.length > 0) this.segments[0].strike = strike;
      else this.carried = strike;
    } else if (strike === 'hold-commit') {
      process.send({ held: this.application });
    } else {
      const bytes = Buffer.concat(this.withheld);
      if (strike === 'torn') this.client.write(bytes.subarray(0, bytes.length / 2), () => this.cut());
      else this.cut();
    }
  }
}

process.on('message', (wanted) => {
  const before = mode;
  mode = wanted;
  writes = 0;
  for (const link of links) {
    if (wanted.mode === 'silent') link.pause();
    else if (before.mode === 'silent') link.resume();
    if (wanted.mode === 'refuse') link.cut();
  }
});
process.on('disconnect', () => process.exit());

net.createServer((client) => (mode.mode === 'refuse' ? client.destroy() : new Link(client))).listen(listen, () => {
  fs.chmodSync(listen, 0o777);
  process.send({ ready: true });
});
