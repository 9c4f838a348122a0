// What people come for, from sign-up to the same tasks after the next sign-in: many at once, all of
// which must succeed, and alone, for the times.
import os from 'node:os';
import { describe, request } from '../http.mjs';
import { fail, pass, warn } from '../outcome.mjs';
import { Person, Refused, sidesOf } from '../people.mjs';

// The specification: 95 % of task requests within 200 ms in normal use. Normal use is one person after
// the other; what all of them take at once is shown, but depends on the number asked for. Sign-up and
// sign-in spend their time on a password hash, on purpose: they have no limit.
const LIMIT = 200;
const ALONE = 25; // rounds
const STEPS = ['create', 'list', 'update', 'toggle'];
// The machine is loaded, and the times say little, if a route that asks nothing of anybody takes this
// long, or more processes want to run than there are processors (where both are the same machine).
const SLOW_HEALTH = 50;

// The load for each processor, where the deployment is on this machine.
const loadOf = (c) => (['localhost', '127.0.0.1', '[::1]'].includes(c.url.hostname) ? os.loadavg()[0] / os.cpus().length : 0);
const TOO_BUSY = 1.5;

const expect = (condition, step, saw) => { if (!condition) throw new Refused(step, saw); };

// One whole life; `note(step, ms)` is told the time of each request.
async function journey(c, name, side, note) {
  const person = new Person(c, name, side);
  const timed = async (step, work) => { const value = await work(); note(step, person.last?.ms ?? 0); return value; };
  await timed('sign-up', () => person.signUp());
  await timed('sign-in', () => person.signIn());
  await timed('token', () => person.token());
  const task = async (step, status, method, rest, body) => {
    const answer = await person.task(method, rest, body);
    note(step, answer.ms);
    expect(answer.status === status, step, `${describe(answer)} instead of ${status}`);
    return answer.json;
  };
  const title = `Task of ${name} – 日本 😀 <b>'"`;
  const made = [];
  for (let n = 0; n < 2; n++) made.push(await task('create', 201, 'POST', '', { title: `${title} ${n}`, description: n ? null : 'two\nlines' }));
  expect(made.every((one, n) => one.title === `${title} ${n}` && one.completed === false && one.user_id === person.id), 'create', 'the answer is not the task that was sent');
  const ids = (list) => list.map(({ id }) => id).sort((a, b) => a - b).join();
  const seen = await task('list', 200, 'GET');
  expect(ids(seen) === ids(made), 'list', `${seen.length} tasks instead of the 2 that were made`);
  const updated = await task('update', 200, 'PUT', `/${made[0].id}`, { title: 'Renamed', description: 'new' });
  expect(updated.title === 'Renamed' && updated.description === 'new' && updated.completed === false, 'update', 'the answer is not what was sent');
  const toggled = await task('toggle', 200, 'PATCH', `/${made[1].id}/complete`);
  expect(toggled.completed === true, 'toggle', 'the answer is not completed');
  const before = await task('list', 200, 'GET');
  const { cookie } = person;
  await timed('sign-out', () => person.signOut());
  expect(await person.session() === null, 'sign-out', 'the session is still there');
  // The cookie is gone from the jar; somebody who has a copy must not get in with it.
  const copy = await c.send(side.url, 'GET', `${side.path}/get-session`, { cookie });
  expect(copy.status === 200 && copy.json === null, 'sign-out', 'the session lives on for whoever kept its cookie');
  await timed('sign-in', () => person.signIn());
  await timed('token', () => person.token());
  const after = await task('list', 200, 'GET');
  expect(JSON.stringify(after) === JSON.stringify(before), 'list after the next sign-in', 'other tasks than before');
  const wanted = { [made[0].id]: ['Renamed', false], [made[1].id]: [`${title} 1`, true] };
  for (const one of after) {
    const [name2, done] = wanted[one.id] ?? [];
    expect(one.title === name2 && one.completed === done, 'list after the next sign-in', `task ${one.title === name2 ? `"completed" is ${one.completed} instead of ${done}` : 'title is not the one that was written'}`);
  }
}

async function all(c) {
  const { journeys } = c.options;
  const sides = sidesOf(c);
  const waits = request.waits;
  const begin = performance.now();
  const outcomes = await Promise.allSettled(Array.from({ length: journeys }, (_, n) => journey(c, `journey-${n}`, sides[n % sides.length], (step, ms) => c.measure(`${step} (${journeys} at once)`, ms))));
  const lost = outcomes.filter(({ status }) => status === 'rejected').map(({ reason }) => reason);
  const limited = request.waits > waits ? `; ${request.waits - waits} times a rate limit made it wait` : '';
  const saw = `${journeys - lost.length} of ${journeys} succeeded (${Math.floor((100 * (journeys - lost.length)) / journeys)} %), in ${((performance.now() - begin) / 1000).toFixed(1)} s${sides.length > 1 ? ', half of them signing up and in at the front end' : ''}${limited}`;
  if (lost.length === 0) return pass(saw);
  const kinds = new Map();
  for (const { message } of lost) kinds.set(message, (kinds.get(message) ?? 0) + 1);
  const told = [...kinds].sort((a, b) => b[1] - a[1]).slice(0, 3).map(([message, count]) => `${count} × ${message}`).join('; ');
  const step = lost[0].step ?? 'a request';
  const load = loadOf(c);
  const isCapacity = lost.some(({ status }) => status === 503 || status === 502);
  if (isCapacity && load > TOO_BUSY) return fail(`${saw}; ${told}; the load is ${load.toFixed(1)} for each processor`, 'this machine is loaded: try again when it is not, or with fewer journeys (--journeys)');
  return fail(`${saw}; ${told}`, isCapacity ? 'too little capacity: raise WORKERS, and max_connections of the database with it, or try fewer at once (--journeys)'
    : `the step "${step}" does not do what it says: see the answer, and the log of its program`);
}

const quantile = (values, share) => [...values].sort((a, b) => a - b)[Math.ceil(share * values.length) - 1];

async function latency(c) {
  const health = [];
  const person = new Person(c, 'alone');
  const note = (step, ms) => c.measure(step, ms, STEPS.includes(step) ? LIMIT : null);
  const timed = async (step, work) => { const value = await work(); note(step, (person.last ?? value).ms); return value; };
  try {
    await timed('sign-up', () => person.signUp());
    for (let n = 0; n < ALONE; n++) {
      // Few of what costs a password hash and is limited.
      if (n % 10 === 0) await timed('sign-in', () => person.signIn());
      await timed('token', () => person.token());
      const steps = [['create', 201, 'POST', () => '', { title: `Task ${n}` }], ['list', 200, 'GET', () => ''], ['update', 200, 'PUT', (id) => `/${id}`, { title: `Renamed ${n}` }], ['toggle', 200, 'PATCH', (id) => `/${id}/complete`]];
      let id;
      for (const [step, status, method, rest, body] of steps) {
        const answer = await person.task(method, rest(id), body);
        if (answer.status !== status) throw new Refused(step, `${describe(answer)} instead of ${status}`);
        note(step, answer.ms);
        if (step === 'create') id = answer.json.id;
      }
      health.push((await c.http('GET', '/health')).ms);
    }
    await timed('sign-out', () => person.signOut());
  } catch (error) {
    if (error.step === undefined) throw error;
    return fail(error.message, 'see the log of the handlers');
  }
  const times = c.latencies().filter(({ step }) => STEPS.includes(step));
  const saw = `p95 alone: ${times.map(({ step, p95 }) => `${step} ${p95} ms`).join(', ')}; limit ${LIMIT} ms`;
  const over = times.filter(({ p95 }) => p95 > LIMIT);
  if (over.length === 0) return pass(saw);
  const idle = quantile(health, 0.95);
  const load = loadOf(c);
  if (idle > SLOW_HEALTH || load > TOO_BUSY) return warn(`${saw}; but GET /health alone takes ${Math.round(idle)} ms (p95)${load > 0 ? `, and the load is ${load.toFixed(1)} for each processor` : ''}`, 'the machine or the network is loaded: measure again when it is not');
  return fail(saw, `${over.map(({ step }) => step).join(', ')} too slow: look at the database (the index task_by_creation, its distance, a pooler) first`);
}

const USED = ['signup', 'signin', 'signout', 'session', 'token', 'task_create', 'task_list', 'task_update', 'task_complete'].map((name) => `handlers.${name}`);

export const journeys = [
  { id: 'journeys.all', title: 'Every journey succeeds', requirements: ['FR-006', 'SC-001', 'FR-009'], writes: true, needs: ['authentication.token-acceptance', ...USED], did: 'sign up, sign in, token, create, list, update, toggle, sign out, sign in again, the same tasks: all in parallel', run: all },
  { id: 'journeys.latency', title: 'Task requests take less than 200 ms', requirements: ['FR-006'], writes: true, needs: ['authentication.token-acceptance', ...USED], did: `${ALONE} rounds of one person alone, each request timed; GET /health for comparison`, run: latency },
];
