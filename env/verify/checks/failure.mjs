// What happens when a part is away, or has another secret? Only where the parts are ours to stop.
import { byHandler, describe } from '../http.mjs';
import { isAlive, until } from '../deployment.mjs';
import { fail, pass } from '../outcome.mjs';
import { someone } from '../people.mjs';
import { hs256, now } from '../tokens.mjs';

const MOST_LOST = 4;
const WITHIN = 5000; // ms; tasks-api, section 10: 503 within 5 s

const isUnavailable = (answer) => answer.status === 503 && answer.json?.error === 'unavailable' && answer.headers['retry-after'] !== undefined;

async function databaseStopped(c) {
  const person = await someone(c, 'patient');
  const { deployment } = c;
  const requests = [['GET', ''], ['POST', '', { title: 'meanwhile' }], ['GET', '/1'], ['PUT', '/1', {}], ['PATCH', '/1/complete'], ['DELETE', '/1']];
  let slowest = 0;
  const old = await deployment.unattended(async () => {
    const pid = await deployment.stop('postgres', 'SIGINT');
    const seen = await Promise.all(requests.map(async ([method, rest, body]) => ({ name: `${method} tasks${rest}`, answer: await person.task(method, rest, body) })));
    const health = await c.http('GET', '/health');
    if (health.status !== 200) seen.push({ name: 'GET /health', answer: health });
    const bad = seen.find(({ answer }) => !isUnavailable(answer) || answer.ms > WITHIN);
    slowest = Math.max(...seen.map(({ answer }) => answer.ms));
    if (bad) c.failure = fail(`${bad.name}: ${describe(bad.answer)} after ${Math.round(bad.answer.ms)} ms`, 'without the database a task route must answer 503 with Retry-After within 5 s: install the released programs');
    return pid;
  });
  await deployment.back('postgres', old);
  const begin = performance.now();
  await until(async () => (await person.task('GET').catch(() => ({}))).status === 200, 'recovery', 30);
  for (const [method, rest, body, status] of [['POST', '', { title: 'afterwards' }, 201], ['GET', '', undefined, 200]]) {
    const answer = await person.task(method, rest, body);
    if (answer.status !== status) return fail(`after the return of the database: ${method} tasks: ${describe(answer)}`, 'a program keeps a dead connection: install the released programs');
  }
  const meanwhile = await c.sql("SELECT count(*)::int AS n FROM task WHERE user_id = $1 AND title = 'meanwhile'", [person.id]);
  if (c.failure) return c.failure;
  if (meanwhile[0].n !== 0) return fail('a task whose creation was answered 503 was created', 'install the released programs');
  return pass(`503 with Retry-After on ${requests.length} routes within ${Math.round(slowest)} ms, /health goes on; recovered by itself ${Math.round(performance.now() - begin)} ms after the database was back`);
}

// One program, started with another secret in the place of the right one: what it is shown is refused.
async function secretChanged(c) {
  const person = await someone(c, 'patient');
  const { deployment } = c;
  const token = hs256({ sub: person.id, iat: now(), exp: now() + 7200 }, c.secret);
  const list = () => c.http('GET', person.tasks, { token });
  const session = () => c.http('GET', `${c.authPath}/get-session`, { cookie: person.cookie });
  if ((await list()).status !== 200 || (await session()).json === null) return fail('before the change: the token or the session is not accepted', 'see environment.running-secret');
  const programs = ['task_list', 'session'];
  const seen = await deployment.unattended(async () => {
    for (const name of programs) await deployment.stop(name);
    try {
      for (const name of programs) await deployment.startWith(name, { ...c.backend.values, BETTER_AUTH_SECRET: `${c.secret}-changed`, BETTER_AUTH_SECRETS: '' });
      return [await list(), await session()];
    } finally {
      for (const name of programs) await deployment.stop(name);
    }
  });
  for (const name of programs) await until(() => deployment.pid(name), `the return of ${name}`, 30);
  await until(async () => (await list().catch(() => ({}))).status === 200 && (await session().catch(() => ({}))).json !== null, 'recovery', 30);
  const [listed, remembered] = seen;
  if (listed.status !== 401 || listed.json?.error !== 'unauthorized') return fail(`a token of the old secret: ${describe(listed)} instead of 401`, 'install the released programs');
  if (remembered.status !== 200 || remembered.json !== null) return fail(`a cookie of the old secret: ${describe(remembered)} instead of no session`, 'install the released programs');
  return pass(`with another secret, a token gets 401 "${listed.json.message}", a cookie is no session; with the right one both are accepted again`);
}

async function handlerKilled(c) {
  const person = await someone(c, 'patient');
  const { deployment } = c;
  // A worker: its like go on, and another takes its place.
  const workers = deployment.workers('task_list');
  if (workers.length === 0) return fail('no worker of task_list runs', 'start task_list, and look at its log');
  process.kill(workers[0], 'SIGKILL');
  await until(() => !isAlive(workers[0]), 'the end of a killed worker', 5);
  // What nginx sends over a link that it kept to the dead one is lost, once for each link: it must not
  // send a request twice. After that nothing may be.
  let lost = 0;
  for (let good = 0; good < 20;) {
    const answer = await person.task('GET');
    if (answer.status === 200) good += 1;
    else if (isUnavailable(answer) && ++lost <= MOST_LOST) good = 0;
    else return fail(`after one of ${workers.length} workers was killed: ${describe(answer)}${lost > 1 ? `, ${lost} times` : ''}`, 'start more than one worker for each program (WORKERS), and a supervisor that starts them again');
  }
  await until(() => deployment.workers('task_list').length === workers.length, 'a new worker', 20);
  // The whole program: its routes say so, the others go on, it comes back.
  const [gone, other, old] = await deployment.unattended(async () => {
    const pid = await deployment.stop('task_list');
    const answers = [await person.task('GET'), await person.task('POST', '', { title: 'goes on' })];
    return [...answers, pid];
  });
  await deployment.back('task_list', old);
  await until(async () => (await person.task('GET').catch(() => ({}))).status === 200, 'recovery', 30);
  if (!isUnavailable(gone)) return fail(`while task_list is away: ${describe(gone)}${byHandler(gone) ? '' : ' from the web server'} instead of 503 in JSON`, 'include todo-fcgi-api.conf of this release: it turns 502 into this answer');
  if (other.status !== 201) return fail(`while task_list is away, task_create: ${describe(other)}`, 'every program must run by itself: use one socket for each');
  return pass(`a killed worker of ${workers.length} cost ${lost === 0 ? 'no request' : `${lost} request${lost > 1 ? 's' : ''}, answered 503`}; with the program away its routes answer 503, the others go on; it came back by itself`);
}

const embedded = (c) => (c.deployment ? true : 'only against the embedded deployment');
const NEEDS = ['authentication.token-acceptance', ...['task_create', 'task_list', 'task_get', 'task_update', 'task_complete', 'task_delete', 'session', 'health'].map((name) => `handlers.${name}`)];
const check = (name, title, requirements, did, run, applies = embedded) => ({ id: `failure.${name}`, title, requirements, writes: true, needs: NEEDS, applies, did, run });

export const failure = [
  check('database-stopped', 'Without the database: 503, then recovery', ['SC-004'], 'stopped the database, asked every task route, and waited for its return', databaseStopped, (c) => (embedded(c) !== true ? embedded(c) : c.deployment.ownsDatabase ? true : 'the embedded deployment runs on a database of others')),
  check('secret-changed', 'With another secret: a clear refusal', ['FR-007', 'SC-005'], 'started two programs with another secret and showed them a token and a cookie of the old one', secretChanged),
  check('handler-killed', 'A killed handler comes back, the others go on', ['FR-006'], 'killed a worker, then a whole program, and asked meanwhile', handlerKilled),
];
