// Do users and tokens of either side work at the other, and is everything else refused?
import crypto from 'node:crypto';
import { describe } from '../http.mjs';
import { fail, notAsked, pass, skip } from '../outcome.mjs';
import { Person, sidesOf } from '../people.mjs';
import { expectedRoutes, pathsOf } from '../routes.mjs';
import { decoded, eddsa, hs256, now, seal, unsigned, withOtherClaims, withOtherSignature } from '../tokens.mjs';

const TOKENS_OF_A_PERSON = 10;
const SHORTEST = 60, LONGEST = 86400; // seconds that an access token should live
const CLOCK_LIMIT = 30;

const nameOf = (c) => c.backend.path;
const hint = (c, error) => {
  if (error.status === 403) return `the origin ${c.pageOrigin()} is not trusted: let BETTER_AUTH_URL be the address that clients use, or add it to BETTER_AUTH_TRUSTED_ORIGINS`;
  if (error.status === 429) return 'the rate limit does not let this machine through: add its address to AUTH_RATE_LIMIT_EXEMPT while testing';
  return 'see the answer, and the log of the handlers (or of the front end)';
};
const refused = (c, error) => { if (error.step === undefined) throw error; return fail(error.message, hint(c, error)); };

// --- Users ----------------------------------------------------------------------------------------

// What a sign-up or sign-in must have left behind: rows in the file's database, a cookie under its secret.
async function tracesOf(c, person) {
  const [row] = await c.sql('SELECT id FROM "user" WHERE email = $1', [person.user.email]);
  if (row?.id !== person.id) return [`no row of this user in the file's database (made at ${person.side.name})`, `${person.side.name} works on another database: let its DATABASE_URL be that of ${nameOf(c)}`];
  const [name, value] = [...person.jar].find(([one]) => one.endsWith('session_token')) ?? [];
  if (!name) return undefined; // no session is opened by sign-up
  const token = decodeURIComponent(value).split('.').slice(0, -1).join('.');
  if (value !== seal(token, c.secret)) return [`the cookie of ${person.side.name} is not sealed with the file's secret`, `${person.side.name} runs with another BETTER_AUTH_SECRET: restart it with that of ${nameOf(c)}`];
  if ((await c.sql('SELECT 1 FROM session WHERE token = $1 AND "userId" = $2', [token, person.id])).length !== 1) return ['no row of this session in the file\'s database', `let DATABASE_URL of ${person.side.name} be that of ${nameOf(c)}`];
  return undefined;
}

async function signUp(c) {
  const sides = sidesOf(c);
  for (const [n, side] of sides.entries()) {
    const person = new Person(c, `signup-${n}`, side);
    try {
      const { user } = await person.signUp();
      if (user.email !== person.user.email) return fail(`sign-up at ${side.name} answered with another address`, 'see the log of the handlers');
    } catch (error) { return refused(c, error); }
    const fault = await tracesOf(c, person);
    if (fault) return fail(...fault);
    c.signedUp ??= [];
    c.signedUp.push(person);
  }
  return pass(`at ${sides.map(({ name }) => name).join(' and at ')}: user and session are in the file's database, the cookie is under its secret`);
}

async function signIn(c) {
  const sides = sidesOf(c);
  for (const person of c.signedUp) {
    for (const side of sides) {
      const again = new Person(c, person.user.email.replace(/^verify-[0-9a-f]+-|@.*$/g, ''), side);
      try {
        await again.signIn();
        const session = await again.session();
        if (session?.user?.id !== person.id) return fail(`the session that sign-in at ${side.name} opened is none to get-session`, 'signin and session run with different settings: restart all programs with the same file');
      } catch (error) { return refused(c, error); }
      const fault = await tracesOf(c, again);
      if (fault) return fail(...fault);
      const wrong = await c.send(side.url, 'POST', `${side.path}/sign-in/email`, { headers: { origin: side.mine ? c.pageOrigin() : side.url.origin }, body: { email: person.user.email, password: 'not the password' } });
      if (wrong.status !== 401) return fail(`a wrong password at ${side.name}: ${describe(wrong)} instead of 401`, `sign-in of ${side.name} does not compare passwords: install the released program`);
    }
    person.at(person.side);
  }
  return pass(`${c.signedUp.length * sides.length} sign-ins${sides.length > 1 ? ', users of each side at both sides' : ''}; wrong passwords are refused`);
}

// A session cookie of one side shown to the other.
async function sessions(c) {
  const [ours, theirs] = sidesOf(c);
  for (const [from, to] of [[ours, theirs], [theirs, ours]]) {
    const person = new Person(c, from.mine ? 'signup-0' : 'signup-1', from);
    try {
      await person.signIn();
      const seen = await person.at(to).session();
      if (seen?.user?.id !== person.id) return fail(`a session of ${from.name} is none at ${to.name}`, 'both must have the same BETTER_AUTH_SECRET, cookie prefix and scheme (http or https) of BETTER_AUTH_URL');
      await person.signOut();
      if (await person.at(from).session()) return fail(`a session that was ended at ${to.name} lives on at ${from.name}`, `switch the cookie cache off at ${from.name}, or give it a short life`);
    } catch (error) { return refused(c, error); }
  }
  return pass('sessions of each side are sessions at the other, and end at both');
}

// --- Tokens that must be accepted -----------------------------------------------------------------

async function tokenLifetime(c) {
  for (const side of sidesOf(c)) {
    const person = new Person(c, side.mine ? 'signup-0' : 'signup-1', side);
    let token;
    try {
      await person.signIn();
      token = await person.token();
    } catch (error) { return refused(c, error); }
    const claims = decoded(token, 1);
    const lifetime = claims?.exp - claims?.iat;
    const saw = `tokens of ${side.name} live ${lifetime} s`;
    if (!(lifetime >= SHORTEST)) return fail(saw, `an access token must live at least ${SHORTEST} s (900 is usual): set the expiration of the jwt plugin, or install the released program`);
    if (lifetime > LONGEST) return fail(saw, `a stolen token would be good for ${Math.round(lifetime / 3600)} hours: shorten the expiration of the jwt plugin`);
    if (claims.sub !== person.id) return fail(`the subject of a token of ${side.name} is not the user's id`, 'let the jwt plugin put the user\'s id into "sub", as it does by default');
    const off = claims.iat - Date.now() / 1000;
    if (Math.abs(off) > CLOCK_LIMIT) return fail(`"iat" of a token of ${side.name} is ${Math.round(Math.abs(off))} s ${off > 0 ? 'ahead of' : 'behind'} this machine's clock`, `set the clock of the machine of ${side.name} (or of this one) by NTP`);
    c.lifetime = lifetime;
  }
  return pass(`an access token lives ${c.lifetime} s, its subject is the user, its time is this machine's`);
}

async function tokenAcceptance(c) {
  const sides = sidesOf(c);
  const per = Math.max(TOKENS_OF_A_PERSON, Math.ceil(c.options.journeys / sides.length));
  const bad = [];
  for (const side of sides) {
    const person = new Person(c, side.mine ? 'signup-0' : 'signup-1', side);
    try {
      await person.signIn();
      for (let n = 0; n < per; n++) {
        const token = await person.token();
        const answer = await person.task('GET');
        c.tokens.tried += 1;
        if (answer.status === 200) c.tokens.accepted += 1;
        else bad.push({ side, answer, token });
      }
    } catch (error) { return refused(c, error); }
  }
  const saw = `${c.tokens.accepted} of ${c.tokens.tried} tokens accepted${sides.length > 1 ? `, half of them of ${sides[1].name}` : ''}`;
  if (bad.length === 0) return pass(saw);
  const [{ side, answer, token }] = bad;
  const [head, claims] = [decoded(token, 0), decoded(token, 1)];
  return fail(`${saw}; ${side.name}: alg ${head?.alg}, iss ${claims?.iss}: ${describe(answer)}`, side.mine
    ? `the handlers refuse their own tokens: give all of them the same file, and BETTER_AUTH_URL the address that clients use (${c.url.origin})`
    : `add ${claims?.iss} to JWT_ISSUERS and ${[claims?.aud].flat().join(',')} to JWT_AUDIENCES of the handlers (with their own address), and let both systems share the table jwks`);
}

// --- Tokens that must be refused ------------------------------------------------------------------

// Every request to a task route: {program, method, path, body}.
function taskRequests(c, subject) {
  return expectedRoutes().filter(({ pattern }) => pattern.includes('/tasks')).flatMap(({ program, methods, pattern }) => pathsOf(pattern, { user_id: subject, id: '1' })
    .flatMap((path) => methods.map((method) => ({ program, method, path, body: ['POST', 'PUT'].includes(method) || (method === 'PATCH' && program === 'task_update') ? {} : undefined }))));
}

const isRefusal = (answer, method) => answer.status === 401 && /^bearer/i.test(answer.headers['www-authenticate'] ?? '')
  && (method === 'HEAD' || (answer.json?.error === 'unauthorized' && typeof answer.json.message === 'string'));

// Sends every bad token, each `[what, token or headers]`, to every task route, and the good one of the
// same make first: without that, a refusal would prove nothing.
function refusing(make) {
  return async (c) => {
    const subject = c.subject('refused');
    const kit = { c, subject, claims: { sub: subject, iat: now(), exp: now() + 7200 }, good: undefined };
    c.signingKey ??= (await c.signingKeys().catch(() => [])).find(({ jwk }) => jwk?.crv === 'Ed25519');
    const { bad, controls = [] } = make(kit);
    const requests = taskRequests(c, subject);
    const alive = requests.filter(({ program }) => !c.dead.has(program));
    for (const [what, token] of controls) {
      const answer = await c.http('GET', `/api/${subject}/tasks`, { token });
      if (answer.status !== 200) return skip(`not tried: ${what}, which differs from the bad ones only in being right, is not accepted either: ${describe(answer)}`);
    }
    const fooled = [], odd = [];
    let tried = 0;
    await Promise.all(bad.flatMap(([what, token]) => alive.map(async ({ program, method, path, body }) => {
      const answer = await c.http(method, path, { body, ...(typeof token === 'string' ? { token } : { headers: token ?? {} }) });
      tried += 1;
      if (isRefusal(answer, method)) return;
      (answer.status === 401 ? odd : fooled).push({ what, program, saw: `${what} at ${method} ${path}: ${describe(answer)}` });
    })));
    const programs = (list) => [...new Set(list.map(({ program }) => program))].join(', ');
    const more = (list) => (list.length > 1 ? ` (and ${list.length - 1} more of ${tried}, at ${programs(list)})` : '');
    if (fooled.length > 0) return fail(`not refused: ${fooled[0].saw}${more(fooled)}`, `${programs(fooled)} must answer 401: install the released program, and let nothing in between add or drop the Authorization header`);
    if (odd.length > 0) return fail(`401, but not as the contract says: ${odd[0].saw}${more(odd)}`, 'the body must be the handler\'s ({"error":"unauthorized",…}, WWW-Authenticate: Bearer): let the web server pass it on as it is');
    if (alive.length < requests.length) return skip(`${tried} requests refused with 401; not tried: ${[...new Set(requests.filter(({ program }) => c.dead.has(program)).map(({ program }) => program))].join(', ')} (see the checks of the handlers)`);
    return pass(`${tried} requests (${bad.map(([what]) => what).join(', ')}; ${alive.length} on each) refused with 401 and the contract's body`);
  };
}

const shared = ({ c, claims }, change = {}, header = undefined) => hs256({ ...claims, ...change }, c.secret, header);
const CONTROL = (kit) => [['a good token under the shared secret', shared(kit)]];

// A token under the table's key, where it can be made: by the private key that the secret opens.
function table(kit, change = {}) {
  const { c } = kit;
  if (!c.signingKey) return undefined;
  c.tableKey ??= crypto.createPrivateKey({ key: c.signingKey.jwk, format: 'jwk' });
  const origin = new URL(c.backend.values.BETTER_AUTH_URL ?? c.url).origin;
  const [iss] = (c.backend.values.JWT_ISSUERS ?? '').split(',').filter(Boolean);
  const [aud] = (c.backend.values.JWT_AUDIENCES ?? '').split(',').filter(Boolean);
  return eddsa({ ...kit.claims, iss: iss ?? origin, aud: aud ?? origin, ...change }, c.tableKey, c.signingKey.id);
}
const both = (kit, name, change) => [[`${name}, HS256`, shared(kit, change)], ...(kit.c.signingKey ? [[`${name}, EdDSA`, table(kit, change)]] : [])];
const controls = (kit) => [...CONTROL(kit), ...(kit.c.signingKey ? [['a good token under the key of the table', table(kit)]] : [])];

const KINDS = {
  missing: ['without a token', () => ({ bad: [['no header', {}], ['an empty header', { authorization: '' }], ['another scheme', { authorization: 'Basic dXNlcjpwYXNz' }], ['no token behind Bearer', { authorization: 'Bearer' }], ['a cookie instead', { cookie: 'better-auth.session_token=x' }]] })],
  malformed: ['with what is no token', (kit) => {
    const good = shared(kit);
    const [head, claims, signature] = good.split('.');
    return { controls: CONTROL(kit), bad: [['a word', 'word'], ['two parts', `${head}.${claims}`], ['four parts', `${good}.x`], ['no signature', `${head}.${claims}.`], ['two tokens', { authorization: `Bearer ${good} ${good}` }], ['claims that are no JSON', hs256('{', kit.c.secret)], ['a header that is no JSON', hs256(kit.claims, kit.c.secret, '{')], ['9 kB', `${head}.${claims}.${signature}${'A'.repeat(6000)}`]] };
  }],
  expired: ['with expired tokens', (kit) => ({ controls: controls(kit), bad: [...both(kit, 'ended an hour ago', { iat: now() - 7200, exp: now() - 3600 }), ...both(kit, 'ended a day ago', { iat: now() - 2 * 86400, exp: now() - 86400 }), ['without exp', shared(kit, { exp: undefined })]] })],
  'not-yet-valid': ['with tokens of the future', (kit) => ({ controls: [...controls(kit), ['a token with nbf in the past', shared(kit, { nbf: now() - 3600 })]], bad: both(kit, 'valid in an hour', { nbf: now() + 3600 }) })],
  tampered: ['with tampered tokens', (kit) => {
    const good = [['HS256', shared(kit)], ...(kit.c.signingKey ? [['EdDSA', table(kit)]] : [])];
    return { controls: controls(kit), bad: good.flatMap(([name, token]) => [[`another signature, ${name}`, withOtherSignature(token)], [`other claims, ${name}`, withOtherClaims(token, { exp: now() + 9000 })]]) };
  }],
  none: ['with unsigned tokens', (kit) => ({ controls: CONTROL(kit), bad: ['none', 'None', 'NONE', ''].map((alg) => [`alg "${alg}"`, unsigned(kit.claims, alg)]) })],
  'wrong-family': ['with other tokens of the same secret', (kit) => ({
    controls: CONTROL(kit),
    bad: [['an e-mail token', shared(kit, { sub: undefined, email: kit.c.email('refused'), userId: kit.subject }, { alg: 'HS256' })], ['a cached session', shared(kit, { session: { session: {}, user: { id: kit.subject } } })], ['a session cookie', seal('a'.repeat(32), kit.c.secret)], ['a token without subject', shared(kit, { sub: undefined })]],
  })],
  'wrong-key': ['with tokens under other keys', (kit) => {
    const { privateKey } = crypto.generateKeyPairSync('ed25519');
    const own = kit.c.signingKey;
    return {
      controls: controls(kit),
      bad: [['another secret', hs256(kit.claims, `${kit.c.secret}x`)], ['an empty secret', hs256(kit.claims, '')], ['an unknown key', eddsa(kit.claims, privateKey, 'no-such-key')], ['HS256 with the id of a key', hs256(kit.claims, kit.c.secret, { alg: 'HS256', kid: own?.id ?? 'no-such-key' })],
        ['its own key in the header', eddsa(kit.claims, privateKey, undefined, { alg: 'EdDSA', jwk: privateKey.export({ format: 'jwk' }) })],
        ...(own ? [['a stranger\'s signature with the id of a key', eddsa({ ...kit.claims, iss: decoded(table(kit), 1).iss, aud: decoded(table(kit), 1).aud }, privateKey, own.id)], ['the public key as secret', hs256(kit.claims, Buffer.from(own.jwk.x, 'base64url'), { alg: 'HS256', kid: own.id })]] : [])],
    };
  }],
  'wrong-issuer': ['with tokens of another issuer', (kit) => ({ controls: controls(kit), bad: [...both(kit, 'another iss', { iss: 'https://issuer.example.invalid' }), ...both(kit, 'another aud', { aud: 'https://audience.example.invalid' })] })],
};

// Each machine may have a clock of its own, so each program is asked: is a token good until its end, and
// no longer? Who takes one that ended a day ago has no wrong clock: that is found by refuses-expired.
async function programClocks(c) {
  const subject = c.subject('clock');
  const [ended, ends, old] = [-2 * CLOCK_LIMIT, 2 * CLOCK_LIMIT, -86400].map((seconds) => hs256({ sub: subject, exp: now() + seconds }, c.secret));
  const ahead = [], behind = [], tried = new Set();
  for (const { program, method, path, body } of taskRequests(c, subject).filter(({ program }) => !c.dead.has(program))) {
    if (tried.has(program)) continue;
    tried.add(program);
    const isRefused = async (token) => (await c.http(method, path, { token, body: body && { title: '' } })).status === 401;
    if (await isRefused(ends)) ahead.push(program);
    else if (!await isRefused(ended) && await isRefused(old)) behind.push(program);
  }
  const fix = (list, what) => `set the clock of the machine of ${list.join(', ')} by NTP: it is ${what}`;
  if (ahead.length > 0) return fail(`a token that is good for ${2 * CLOCK_LIMIT} s more is expired to ${ahead.join(', ')}`, fix(ahead, 'ahead'));
  if (behind.length > 0) return fail(`a token that ended ${2 * CLOCK_LIMIT} s ago is good to ${behind.join(', ')}`, fix(behind, 'behind'));
  return pass(`to ${tried.size} task programs a token is good until its end, and no longer`);
}

// --- Browsers on other origins --------------------------------------------------------------------

async function cors(c) {
  const frontend = c.frontendUrl?.origin ?? originOf(c.frontend?.values.BETTER_AUTH_URL);
  const own = originOf(c.backend.values.BETTER_AUTH_URL);
  const trusted = [...new Set([frontend, ...c.trustedOrigins().filter((one) => !/[*?]/.test(one)).map(originOf), own].filter(Boolean))];
  if (trusted.length === 0) return notAsked('no origin is known that should be trusted (BETTER_AUTH_URL, BETTER_AUTH_TRUSTED_ORIGINS)');
  const ask = async (origin) => {
    const preflight = await c.http('OPTIONS', '/api/tasks', { headers: { origin, 'access-control-request-method': 'POST', 'access-control-request-headers': 'authorization,content-type' } });
    const actual = await c.http('GET', '/api/tasks', { headers: { origin } });
    return [preflight, actual].map(({ headers }) => headers['access-control-allow-origin']).concat(preflight.headers['access-control-allow-headers'] ?? '', actual.headers['access-control-allow-credentials']);
  };
  for (const origin of trusted) {
    const [preflight, actual, headers, credentials] = await ask(origin);
    if (preflight !== origin || actual !== origin) {
      const why = origin === frontend ? 'the front end\'s' : 'a trusted';
      return fail(`no Access-Control-Allow-Origin for ${origin}, ${why} origin`, `browsers there cannot call the API: add ${origin} to BETTER_AUTH_TRUSTED_ORIGINS in ${nameOf(c)} and restart the handlers (and let the web server pass Origin on)`);
    }
    if (!/authorization/i.test(headers) || credentials !== 'true') return fail(`the answer to a preflight of ${origin} does not allow Authorization and credentials`, 'let the web server pass on the CORS headers of the handlers as they are');
  }
  const [one, two] = await ask('https://stranger.example.invalid');
  if (one || two) return fail(`Access-Control-Allow-Origin: ${one ?? two} for an origin that nobody trusts`, 'take the wildcard out of BETTER_AUTH_TRUSTED_ORIGINS, and let the web server add no CORS headers of its own');
  return pass(`allowed: ${trusted.join(', ')}; a stranger's origin is not`);
}

const originOf = (text) => { try { return new URL(text).origin; } catch { return undefined; } };

const WRITING = ['environment.running-database', 'database.better-auth-schema', 'database.writable', 'database.privileges'];
const programs = (...names) => names.map((name) => `handlers.${name}`);

export const authentication = [
  { id: 'authentication.sign-up', title: 'People can sign up at each side', requirements: ['FR-006', 'FR-001', 'FR-002'], writes: true, needs: [...WRITING, ...programs('signup')], did: 'signed up by the official better-auth client, and looked for the rows and at the cookie', run: signUp },
  { id: 'authentication.sign-in', title: 'People can sign in at each side', requirements: ['FR-006', 'FR-001', 'FR-002'], writes: true, needs: ['authentication.sign-up', ...programs('signin', 'session')], did: 'signed in users of each side at each side, and with a wrong password', run: signIn },
  { id: 'authentication.sessions', title: 'Sessions of each side are sessions at the other', requirements: ['FR-006', 'FR-001'], writes: true, needs: ['authentication.sign-in', ...programs('signout')], applies: (c) => (c.frontendUrl ? true : 'no --frontend-url was given'), did: 'showed the session cookie of each side to the other', run: sessions },
  { id: 'authentication.token-lifetime', title: 'Access tokens live as long as they should', requirements: ['FR-003'], writes: true, needs: ['authentication.sign-in', ...programs('token')], did: 'read "iat", "exp" and "sub" of a fresh token of each side', run: tokenLifetime },
  { id: 'authentication.token-acceptance', title: 'Tokens of each side are accepted', requirements: ['FR-003', 'SC-003', 'FR-005'], writes: true, needs: ['authentication.token-lifetime', ...programs('task_list')], did: 'fetched tokens at each side and listed tasks with each', run: tokenAcceptance },
  { id: 'authentication.program-clocks', title: 'The programs have the right time', requirements: ['FR-003'], needs: ['environment.running-secret'], applies: () => (expectedRoutes() ? true : 'the list of routes is not beside todo-verify'), did: `sent each task program a token that ends in ${2 * CLOCK_LIMIT} s, and one that ended so long ago`, run: programClocks },
  ...Object.entries(KINDS).map(([kind, [words, make]]) => ({
    id: `authentication.refuses-${kind}`, title: `Requests ${words} are refused`, requirements: ['FR-005', ...(kind === 'missing' ? [] : ['FR-003'])], needs: kind === 'missing' ? ['handlers.web-server'] : ['environment.running-secret'],
    applies: () => (expectedRoutes() ? true : 'the list of routes is not beside todo-verify'), did: `sent every task route requests ${words}, and good ones that differ in this only`, run: refusing(make),
  })),
  { id: 'authentication.cors', title: 'Pages on trusted origins can call, others cannot', requirements: ['FR-006'], needs: programs('task_list', 'fallback'), did: 'sent preflights and requests of trusted origins and of a stranger\'s', run: cors },
];
