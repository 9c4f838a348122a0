// Every route that the build knows is asked as a client asks it, so each program must be alive, and
// nginx must lead to it. The answers that a program gives to somebody unknown tell it from the one that
// answers for unknown routes (fallback), and from the web server alone.
import { byHandler, describe } from '../http.mjs';
import { fail, notAsked, pass, skip } from '../outcome.mjs';
import { expectedRoutes, pathsOf, programFor, routesInUse } from '../routes.mjs';

// The status that a request without cookie, token and body members gets.
const WANTED = {
  'POST {auth}/update-user': [401], 'POST {auth}/change-password': [400], 'POST {auth}/verify-password': [400], 'GET {auth}/list-accounts': [401],
  'POST {auth}/unlink-account': [400], 'POST {auth}/change-email': [400], 'POST {auth}/delete-user': [401, 404], 'GET {auth}/delete-user/callback': [400, 404],
  'GET {auth}/error': [200, 302], 'GET {auth}/ok': [200], 'GET {auth}/jwks': [200], 'POST {auth}/request-password-reset': [400], 'POST {auth}/reset-password': [400],
  'GET {auth}/get-session': [200], 'POST {auth}/get-session': [405], 'GET {auth}/list-sessions': [401], 'POST {auth}/revoke-session': [400],
  'POST {auth}/revoke-other-sessions': [401], 'POST {auth}/revoke-sessions': [401], 'POST {auth}/update-session': [401], 'POST {auth}/sign-in/email': [400],
  'POST {auth}/sign-out': [200], 'POST {auth}/sign-up/email': [400], 'GET {auth}/token': [401], 'POST {auth}/send-verification-email': [400],
  'GET {auth}/verify-email': [400], 'GET {auth}/reset-password/{token}': [400],
};
const isTask = ({ pattern }) => pattern.includes('/tasks');
const isAuth = ({ pattern }) => pattern.startsWith('{auth}');
const isReady = ({ pattern }) => pattern.endsWith('/ready');
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];

const isFallback = (route, answer) => (isAuth(route) ? answer.status === 404 && answer.text === '' : ['not_found', 'method_not_allowed'].includes(answer.json?.error));

// Every request by which a route is tried: {route, method, path}.
function requestsOf(c, route) {
  const values = { auth: c.authPath, user_id: c.subject('nobody'), id: '1', token: 'x' };
  return pathsOf(route.pattern, values).flatMap((path) => route.methods.map((method) => ({ route, method, path })));
}

export const routesFile = (c) => c.options.routes ?? c.deployment?.routesFile;

async function webServer(c) {
  const answer = await c.http('GET', '/health');
  return pass(`${answer.status} from ${answer.headers.server ?? 'a web server'}`);
}

// The include file that nginx runs by, beside the routes of the build.
async function routeList(c) {
  const file = routesFile(c);
  const expected = expectedRoutes();
  if (!expected) return skip('the list of routes (routes.tsv) is not beside todo-verify: install it there, or build');
  if (!file) return notAsked('no --routes was given: every route is asked all the same');
  const map = routesInUse(file);
  const missing = new Set(), wrong = new Set();
  for (const route of expected) {
    for (const { method, path } of requestsOf(c, route)) {
      const program = programFor(map, method, path);
      if (!program) missing.add(`${method} ${route.pattern} (${route.program})`);
      else if (program !== route.program) wrong.add(`${method} ${route.pattern} leads to ${program}, not ${route.program}`);
      if (program !== route.program) c.unrouted.add(`${method} ${path}`);
    }
  }
  if (missing.size + wrong.size > 0) return fail([...(missing.size ? [`not in the map: ${[...missing].join(', ')}`] : []), ...wrong].join('; '), `make the include files anew with nginx/render (routes.tsv of this release), and reload nginx`);
  return pass(`${map.length} entries lead all ${expected.length} routes to their programs`);
}

// What is wrong with the answer to one request; undefined if nothing is.
function faultOf({ route, method }, answer, databaseIsThere) {
  if (isReady(route) && (answer.status === 404 || answer.json?.checks)) return undefined; // shown to this machine only
  if (!byHandler(answer)) return { dead: true, saw: `${describe(answer)} from the web server` };
  // fallback speaks for a program that does not; a task route needs no database to ask for a token.
  if (answer.status === 503) return { [isTask(route) || databaseIsThere ? 'dead' : 'busy']: true, saw: describe(answer) };
  if (isFallback(route, answer)) return { unrouted: true, saw: `${describe(answer)} from fallback` };
  const wanted = isTask(route) ? [401] : (WANTED[`${method} ${route.pattern}`] ?? (isAuth(route) ? undefined : [200]));
  if (wanted ? wanted.includes(answer.status) : answer.status < 500) {
    if (isTask(route) && !/^bearer/i.test(answer.headers['www-authenticate'] ?? '')) return { saw: `${answer.status} without WWW-Authenticate: Bearer` };
    return undefined;
  }
  return { saw: `${describe(answer)} instead of ${wanted?.join(' or ')}` };
}

// A program that is stopped and one that does not reach its database are both answered for by 503. So
// it is the program's own fault where the database is there.
async function databaseIsThere(c) {
  try {
    await c.database?.connected();
    return c.database !== undefined;
  } catch {
    return false;
  }
}

async function alive(c, program, routes) {
  const all = routes.flatMap((route) => requestsOf(c, route)).filter(({ method, path }) => !c.unrouted.has(`${method} ${path}`));
  const left = routes.flatMap((route) => requestsOf(c, route)).length - all.length;
  const faults = [];
  await Promise.all(all.map(async (one) => {
    // The first request for the keys makes one.
    if (c.options.readOnly && one.route.pattern === '{auth}/jwks') return;
    const answer = await c.http(one.method, one.path, { body: ['GET', 'HEAD', 'DELETE'].includes(one.method) ? undefined : {} });
    const fault = faultOf(one, answer, c.link !== undefined && !c.link.check);
    if (fault) faults.push({ ...fault, name: `${one.method} ${one.path}` });
  }));
  if (faults.some(({ busy }) => busy) && await databaseIsThere(c)) for (const fault of faults) fault.dead ||= fault.busy;
  if (all.length === 0 || faults.some((fault) => fault.dead || fault.busy) || left > 0) c.dead.add(program);
  const first = faults.find((fault) => fault.dead) ?? faults.find((fault) => !fault.busy) ?? faults[0];
  const others = faults.length > 1 ? ` (and ${faults.length - 1} more of ${all.length})` : '';
  if (first?.dead) return fail(`${first.name}: ${first.saw}${others}`, `${program} does not run, or nginx does not reach its socket, or it runs with another DATABASE_URL: start it, and look at its log and at nginx's error log`);
  if (first?.busy) return skip(`alive, but unavailable: ${first.name}: ${first.saw}${others}: see the checks of the database`);
  if (first?.unrouted) return fail(`${first.name}: ${first.saw}${others}`, `nginx does not lead this route to ${program}: make the include files anew with nginx/render, and reload nginx`);
  if (first) return fail(`${first.name}: ${first.saw}${others}`, `see the log of ${program}`);
  if (left > 0) return skip(`${all.length} requests answered rightly; not tried: ${left} that nginx does not lead here (handlers.route-list)`);
  return pass(`${all.length} request${all.length > 1 ? 's' : ''} on ${routes.length} route${routes.length > 1 ? 's' : ''} answered rightly`);
}

async function fallback(c) {
  const [api, auth] = await Promise.all([c.http('GET', '/api/no-such-thing/at/all'), c.http('GET', `${c.authPath}/no-such-route`)]);
  for (const answer of [api, auth]) {
    if (!byHandler(answer) || answer.status === 503) {
      c.dead.add('fallback');
      return fail(`${describe(answer)} from the web server`, 'fallback does not run, or nginx does not reach its socket: start it');
    }
  }
  if (api.status !== 404 || api.json?.error !== 'not_found') return fail(`GET of an unknown API path: ${describe(api)}`, 'nginx must lead every path below /api/ to a handler: include todo-fcgi-api.conf before the pages');
  if (auth.status !== 404 || auth.text !== '') return fail(`GET of an unknown auth route: ${describe(auth)}`, 'nginx must lead every path below the auth base path to a handler: include todo-fcgi-api.conf');
  return pass('unknown paths get 404: in JSON below /api/, empty below the auth base path');
}

// The wrong methods of every known path.
async function methods(c) {
  const byPath = new Map();
  for (const route of expectedRoutes()) {
    for (const { method, path } of requestsOf(c, route)) {
      if (!byPath.has(path)) byPath.set(path, { route, allowed: new Set() });
      byPath.get(path).allowed.add(method);
    }
  }
  const bad = [];
  let tried = 0;
  await Promise.all([...byPath].filter(([, { route }]) => !isReady(route)).flatMap(([path, { route, allowed }]) => METHODS.filter((method) => !allowed.has(method)).map(async (method) => {
    const answer = await c.http(method, path, { body: ['GET', 'DELETE'].includes(method) ? undefined : {} });
    tried += 1;
    if (isAuth(route)) {
      if (answer.status !== 404 || answer.text !== '') bad.push(`${method} ${path}: ${describe(answer)} instead of an empty 404`);
      return;
    }
    const said = (answer.headers.allow ?? '').split(/, */).filter((name) => name !== 'OPTIONS').sort().join(',');
    if (answer.status !== 405 || said !== [...allowed].sort().join(',')) bad.push(`${method} ${path}: ${describe(answer)}, Allow: ${answer.headers.allow ?? 'none'}`);
  })));
  if (bad.length > 0) return fail(`${bad[0]}${bad.length > 1 ? ` (and ${bad.length - 1} more of ${tried})` : ''}`, 'fallback is of another release than the other programs: install all programs of one release');
  return pass(`${tried} wrong methods refused: 405 with the right Allow on the task routes, 404 on the auth routes`);
}

export function handlers(c) {
  c.unrouted = new Set();
  const routes = expectedRoutes();
  const programs = [...new Set((routes ?? []).map(({ program }) => program))].sort();
  const needs = ['handlers.web-server'];
  return [
    { id: 'handlers.web-server', title: 'The service answers', requirements: ['FR-006'], did: 'GET /health', run: webServer },
    { id: 'handlers.route-list', title: 'nginx leads every route to its program', requirements: ['FR-006'], did: 'read the include file in use and compared it with the routes of the build', run: routeList },
    ...programs.map((program) => ({
      id: `handlers.${program}`, title: `${program} answers`, requirements: ['FR-006', ...(program.startsWith('task_') ? ['FR-009'] : [])], needs,
      did: `sent ${program}'s routes, every spelling and method, requests of somebody unknown`, run: (context) => alive(context, program, routes.filter((route) => route.program === program)),
    })),
    { id: 'handlers.fallback', title: 'fallback answers for unknown paths', needs, did: 'asked for an unknown API path and an unknown auth route', run: fallback },
    { id: 'handlers.methods', title: 'Wrong methods are refused', needs: [...needs, 'handlers.fallback', ...(routes ? [] : ['handlers.route-list'])], did: 'sent every path the methods that it does not have', run: methods },
  ];
}
