// Clients that write down what they were told, and the comparison of that with the database.
//
// Each client has tasks of its own, and sends one request at a time. So the ledger knows what each task
// must be. A request that was not answered, or with 503, may have been done, whole, or not at all, then or
// a little later: its task is left alone from then on, and is looked at in the end. A create with an
// Idempotency-Key is sent again until it is answered, as a client would.
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const LIMIT_MS = 12000; // a client that waits longer was forgotten
const IN_A_ROW = 50;

let marks = 0;

// Time during which this machine, or this process, stood still is nobody's fault.
let stoodStill = 0;
let lastBeat = Date.now();
const waiting = new Set();
setInterval(() => {
  const now = Date.now();
  if (now - lastBeat > 1500) stoodStill += now - lastBeat - 200;
  lastBeat = now;
  for (const each of waiting) if (now - stoodStill > each.limit) each.giveUp();
}, 200).unref();
const activeTime = () => Date.now() - stoodStill;

const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });

// Resolves to { status, headers, json, ms }; status 0 if there was no whole answer: `why` says why.
// `safe`: may go out on a kept connection, and once more if that turns out to have been closed.
function request(port, method, path, { token, headers = {}, body, safe = false } = {}, again = false) {
  const begin = activeTime();
  return new Promise((resolve) => {
    const entry = { limit: begin + LIMIT_MS };
    const end = (answer) => {
      waiting.delete(entry);
      resolve({ ...answer, ms: activeTime() - begin });
    };
    const all = { ...headers, authorization: `Bearer ${token}` };
    if (body !== undefined) Object.assign(all, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    const sent = http.request({ host: '127.0.0.1', port, method, path, headers: all, agent: safe && !again ? agent : false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => { text += chunk; });
      response.on('error', () => end({ status: 0, why: 'cut' }));
      response.on('end', () => {
        let json;
        try { json = JSON.parse(text); } catch { json = undefined; }
        end({ status: response.statusCode, headers: response.headers, json, text });
      });
    });
    entry.giveUp = () => { end({ status: 0, why: 'hung' }); sent.destroy(); };
    waiting.add(entry);
    sent.on('error', (error) => {
      if (safe && sent.reusedSocket && !again && ['ECONNRESET', 'EPIPE'].includes(error.code)) {
        waiting.delete(entry);
        resolve(request(port, method, path, { token, headers, body, safe }, true));
      } else {
        end({ status: 0, why: error.code ?? 'cut' });
      }
    });
    sent.end(body);
  });
}

// One client.
class Client {
  tasks = []; // live, and known exactly
  made = 0;

  constructor(stream, number) {
    this.stream = stream;
    this.number = number;
    this.user = `${stream.mark}-${number % stream.users}`;
    this.token = stream.place.token(this.user);
  }

  async send(kind, method, path, options, good) {
    const begin = Date.now();
    const answer = await request(this.stream.place.port, method, path, { token: this.token, ...options });
    this.stream.note(kind, answer, good.includes(answer.status), begin);
    return answer;
  }

  // One request after the other, until the stream ends.
  async work() {
    while (!this.stream.ending) {
      const before = this.stream.failures;
      await this.step();
      // Who was refused waits a little.
      if (this.stream.failures > before) await sleep(20 + Math.random() * 30);
      else if (this.stream.pace > 0) await sleep(this.stream.pace);
    }
  }

  async step() {
    const chance = Math.random();
    const task = this.tasks[Math.floor(Math.random() * this.tasks.length)];
    if (!task || this.tasks.length < 3 || chance < 0.2) return this.create();
    if (chance < 0.4) return this.get(task);
    if (chance < 0.5) return this.list();
    if (chance < 0.7) return this.update(task);
    if (chance < 0.85) return this.toggle(task);
    return this.tasks.length > 6 ? this.remove(task) : this.get(task);
  }

  async create() {
    const n = this.made += 1;
    const title = `${this.stream.mark} ${this.number} ${n}`;
    const text = `made by ${title} ${'é'.repeat(n % 40)}`;
    const body = JSON.stringify({ title, description: text });
    const entry = { client: this, title, text, completed: false, texts: [], flips: 0, doubts: { texts: [], flips: 0 } };
    this.stream.entries.push(entry);
    const key = n % 2 === 0 ? `key-${this.stream.mark}-${this.number}-${n}` : undefined;
    let answer;
    do {
      if (answer) await sleep(50 + Math.random() * 100);
      answer = await this.send('create', 'POST', '/api/tasks', { body, safe: key !== undefined, headers: key ? { 'idempotency-key': key } : {} }, [201]);
    } while (key && [0, 409, 429, 503].includes(answer.status) && !this.stream.givenUp);
    if (answer.status === 201) {
      entry.id = answer.json?.id;
      entry.acknowledged = true;
      this.compare('create', answer.json, { ...entry, text });
      this.tasks.push(entry);
    } else {
      entry.created = this.surelyNot(answer) ? 'no' : 'perhaps';
    }
  }

  // The answer says that nothing was done.
  surelyNot(answer) {
    return answer.status >= 400 && answer.status < 500;
  }

  doubtful(task, answer) {
    if (this.surelyNot(answer)) return false;
    this.tasks.splice(this.tasks.indexOf(task), 1);
    return true;
  }

  async get(task) {
    const answer = await this.send('get', 'GET', `/api/tasks/${task.id}`, { safe: true }, [200]);
    if (answer.status === 200) this.compare('get', answer.json, task);
  }

  async list() {
    const answer = await this.send('list', 'GET', '/api/tasks', { safe: true }, [200]);
    if (answer.status !== 200) return;
    if (!Array.isArray(answer.json)) return this.stream.wrong('list: not a list');
    const seen = new Map(answer.json.map((task) => [task.id, task]));
    for (const task of answer.json) if (task.user_id !== this.user) this.stream.wrong("list: another user's task");
    for (const task of this.tasks) {
      if (seen.has(task.id)) this.compare('list', seen.get(task.id), task);
      else this.stream.wrong(`list: "${task.title}" is missing`);
    }
  }

  async update(task) {
    const text = `${task.title} text ${task.texts.length + task.doubts.texts.length + 1}`;
    const answer = await this.send('update', 'PUT', `/api/tasks/${task.id}`, { body: JSON.stringify({ description: text }) }, [200]);
    if (answer.status === 200) {
      task.text = text;
      task.texts.push(text);
      this.compare('update', answer.json, task);
    } else if (this.doubtful(task, answer)) {
      task.doubts.texts.push(text);
    }
  }

  async toggle(task) {
    const answer = await this.send('toggle', 'PATCH', `/api/tasks/${task.id}/complete`, {}, [200]);
    if (answer.status === 200) {
      task.completed = !task.completed;
      task.flips += 1;
      this.compare('toggle', answer.json, task);
    } else if (this.doubtful(task, answer)) {
      task.doubts.flips += 1;
    }
  }

  async remove(task) {
    const answer = await this.send('delete', 'DELETE', `/api/tasks/${task.id}`, {}, [204]);
    if (answer.status === 204) {
      task.deleted = 'yes';
      this.tasks.splice(this.tasks.indexOf(task), 1);
    } else if (this.doubtful(task, answer)) {
      task.deleted = 'perhaps';
    }
  }

  compare(where, seen, { id, title, text, completed }) {
    const wanted = { id, title, description: text, completed, user_id: this.user };
    for (const [name, value] of Object.entries(wanted))
      if (seen?.[name] !== value) this.stream.wrong(`${where}: ${name} of "${title}" is ${JSON.stringify(seen?.[name])}, not ${JSON.stringify(value)}`);
  }
}

export class Stream {
  entries = []; // one for each create that was sent
  answers = []; // { at, good } in the order of arrival
  wrongs = [];
  failed = new Map(); // what a client saw -> how often
  failures = 0;
  slowest = 0;
  ending = false;
  givenUp = false;

  // `also`: statuses besides 503 and 429 that a client must expect now.
  constructor(place, { clients = 16, users = 8, pace = 8, also = [] } = {}) {
    Object.assign(this, { place, users, pace, also });
    this.mark = `s${process.pid}-${marks += 1}`;
    this.clients = Array.from({ length: clients }, (_, number) => new Client(this, number));
    this.stoodStillBefore = stoodStill;
    this.running = Promise.all(this.clients.map((client) => client.work()));
  }

  note(kind, answer, good, begin) {
    this.answers.push({ at: Date.now(), begin, good });
    this.slowest = Math.max(this.slowest, answer.ms);
    if (good) return;
    this.failures += 1;
    const what = answer.status || answer.why;
    this.failed.set(what, (this.failed.get(what) ?? 0) + 1);
    if (answer.status === 0 || this.also.includes(answer.status)) return;
    const isRefusal = [429, 503].includes(answer.status) && ['unavailable', 'rate_limited'].includes(answer.json?.error) && answer.headers['retry-after'] !== undefined;
    // A repeat may meet the request that it repeats.
    if (!isRefusal && !(kind === 'create' && answer.status === 409)) this.wrong(`${kind}: ${answer.status} ${answer.text?.slice(0, 200)}`);
  }

  wrong(what) { this.wrongs.push(what); }

  // The first of 50 good answers in a row that came after `from`: what lies before it, in seconds; undefined if there are none yet.
  recovered(from) {
    let last = from;
    let row = 0;
    for (let i = this.answers.findLastIndex(({ at }) => at < from) + 1; i < this.answers.length; i += 1) {
      const { at, good } = this.answers[i];
      row = good ? row + 1 : 0;
      if (!good) last = at;
      if (row === IN_A_ROW) return (last - from) / 1000;
    }
    return undefined;
  }

  async untilRecovered(from, seconds = 40) {
    const end = activeTime() + seconds * 1000;
    while (this.recovered(from) === undefined && activeTime() < end) await sleep(20);
    return this.recovered(from);
  }

  async end() {
    this.ending = true;
    const patience = setTimeout(() => { this.givenUp = true; }, 40000);
    await this.running;
    clearTimeout(patience);
  }

  get hung() { return this.failed.get('hung') ?? 0; }
  get stoodStill() { return stoodStill - this.stoodStillBefore; }
  share() { return this.answers.length === 0 ? 0 : this.failures / this.answers.length; }

  // The ledger against the database: { writes, doubtful, lost, twice, torn } and what is behind the last three.
  async judge() {
    await this.place.settle();
    const like = `LIKE '${this.mark}-%'`;
    const rows = async (query) => JSON.parse(await this.place.postgres.sql(`SELECT coalesce(json_agg(r), '[]') FROM (${query}) r`));
    const stored = new Map((await rows(`SELECT id, user_id, title, description, completed FROM task WHERE user_id ${like}`)).map((row) => [row.id, row]));
    const changes = new Map();
    for (const change of await rows(`SELECT * FROM torture.change WHERE user_id ${like}`))
      changes.set(change.title, [...(changes.get(change.title) ?? []), change]);
    const verdict = { writes: 0, doubtful: 0, lost: [], twice: [], torn: [] };
    for (const entry of this.entries) this.judgeEntry(entry, changes.get(entry.title) ?? [], stored, verdict);
    const known = new Set(this.entries.map(({ title }) => title));
    for (const title of changes.keys()) if (!known.has(title)) verdict.torn.push(`"${title}" was sent by nobody`);
    return verdict;
  }

  judgeEntry(entry, changes, stored, verdict) {
    const { title, client: { user }, texts, flips, doubts } = entry;
    const of = (what) => changes.filter((change) => change.what === what);
    // `sure` of them were acknowledged, `more` may have been done.
    const count = (what, times, sure, more = 0) => {
      verdict.writes += sure;
      verdict.doubtful += more;
      for (let i = times; i < sure; i += 1) verdict.lost.push(`${what} of "${title}"`);
      for (let i = sure + more; i < times; i += 1) verdict.twice.push(`${what} of "${title}"`);
    };
    const made = of('INSERT');
    count('create', made.length, entry.acknowledged ? 1 : 0, entry.created === 'perhaps' ? 1 : 0);
    const first = `made by ${title} ${'é'.repeat(Number(title.split(' ')[2]) % 40)}`;
    for (const each of made) if (each.user_id !== user || each.text !== first) verdict.torn.push(`create of "${title}"`);
    if (!entry.acknowledged) {
      // Nobody knows its number, so nothing but its creation can have been done to it.
      if (changes.length > made.length) verdict.twice.push(`changes of "${title}"`);
      return;
    }
    const updates = of('UPDATE');
    for (const text of texts) count('update', updates.filter((update) => update.text === text).length, 1);
    for (const text of doubts.texts) count('update', updates.filter((update) => update.text === text).length, 0, 1);
    count('toggle', updates.filter((update) => update.flipped).length, flips, doubts.flips);
    // An update that is done twice changes nothing the second time.
    if (updates.some((update) => update.text === null && !update.flipped)) verdict.twice.push(`update of "${title}"`);
    count('delete', of('DELETE').length, entry.deleted === 'yes' ? 1 : 0, entry.deleted === 'perhaps' ? 1 : 0);
    const row = stored.get(entry.id);
    if (!row !== of('DELETE').length > 0) verdict.lost.push(`row of "${title}"`);
    if (!row) return;
    const is = (name, ...possible) => { if (!possible.includes(row[name])) verdict.lost.push(`${name} of "${title}" is ${JSON.stringify(row[name])}`); };
    is('title', title);
    is('user_id', user);
    is('description', entry.text, ...doubts.texts);
    is('completed', entry.completed, ...(doubts.flips > 0 ? [!entry.completed] : []));
  }
}
