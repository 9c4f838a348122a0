// Do both systems read what they need, the same secret, the same database; and do the running handlers
// use what the files say?
import path from 'node:path';
import { causeOf } from '../database.mjs';
import { byHandler, describe } from '../http.mjs';
import { fail, notAsked, pass, skip, warn } from '../outcome.mjs';
import { fingerprint, hs256, now, seal } from '../tokens.mjs';

const PUBLIC_DEFAULT = 'better-auth-secret-12345678901234567890';
const MAKE_ONE = 'make one with "openssl rand -base64 32", set it in both files and restart both systems';

const nameOf = (file) => path.basename(file.path);
const frontendNeeded = (c) => (c.frontend ? true : 'no --frontend-env was given');

// --- The files ------------------------------------------------------------------------------------

function missingIn(file) {
  return [...(file.secret ? [] : ['BETTER_AUTH_SECRET']), ...(file.values.DATABASE_URL ? [] : ['DATABASE_URL'])];
}

async function required(c) {
  const files = [['back end', c.backend], ['front end', c.frontend]].filter(([, file]) => file);
  const lacking = files.map(([system, file]) => [system, file, missingIn(file)]).filter(([, , names]) => names.length > 0);
  if (lacking.length > 0) {
    const saw = lacking.map(([system, file, names]) => `${names.join(' and ')} missing in ${nameOf(file)} (${system})`).join('; ');
    return fail(saw, lacking.map(([system, file, names]) => `set ${names.join(' and ')} in ${file.path}, to the value that the ${system === 'back end' ? 'front end' : 'back end'} has`).join('; '));
  }
  const saw = files.map(([system, file]) => `${nameOf(file)} (${system}): BETTER_AUTH_SECRET and DATABASE_URL are set`).join('; ');
  return pass(`${saw}${c.frontend ? '' : '; no file of a front end was given'}`);
}

// What the rules of one system make of a line, and those of others.
async function readings(c) {
  const differs = [];
  const compare = (file, ours, other, how) => {
    for (const name of ['BETTER_AUTH_SECRET', 'BETTER_AUTH_SECRETS', 'DATABASE_URL', 'BETTER_AUTH_URL']) {
      const [one, two] = [ours[name] ?? '', other[name] ?? ''];
      if (one !== two) differs.push(`${name} in ${nameOf(file)}: ${one.length} characters by ${how[0]}, ${two.length} by ${how[1]}`);
    }
  };
  compare(c.backend, c.backend.values, c.backend.python, ['env/settings.sh', 'python-dotenv']);
  if (c.frontend) compare(c.frontend, c.frontend.values, c.frontend.python, ['@next/env', 'python-dotenv']);
  if (differs.length > 0) return warn(differs.join('; '), `put such a value between single quotes on one line and write $ as \\$ for Next.js only; or use a secret of letters and digits`);
  return pass(c.frontend ? 'every reader finds the same values in both files' : 'every reader finds the same values in the file');
}

async function secretIdentical(c) {
  const [ours, theirs] = [c.backend.secret, c.frontend.secret];
  if (!ours || !theirs) return skip('not tried: one of the files has no secret (environment.required)');
  const sizes = `${ours.length} characters in ${nameOf(c.backend)}, ${theirs.length} in ${nameOf(c.frontend)}`;
  if (ours === theirs) return pass(`${sizes}, identical (fingerprint ${fingerprint(ours)})`);
  const bare = (text) => text.trim().replace(/^(["'])(.*)\1$/s, '$2');
  const why = bare(ours) === bare(theirs) ? 'they differ only by quotes or spaces at their ends' : ours.toLowerCase() === theirs.toLowerCase() ? 'they differ only in upper and lower case' : 'they differ';
  return fail(`${sizes}; ${why} (fingerprints ${fingerprint(ours)} and ${fingerprint(theirs)})`, `copy BETTER_AUTH_SECRET of the one file into the other, byte for byte, and restart that system: tokens and cookies of one are refused by the other`);
}

// Shannon's entropy of the characters as they are: an upper bound that finds "aaaa…" and short alphabets.
function bitsOf(text) {
  const counts = new Map();
  for (const sign of text) counts.set(sign, (counts.get(sign) ?? 0) + 1);
  const size = [...text].length;
  return [...counts.values()].reduce((sum, n) => sum - n * Math.log2(n / size), 0);
}

async function secretStrength(c) {
  if (!c.secret) return skip('not tried: there is no secret (environment.required)');
  const bits = Math.round(bitsOf(c.secret));
  const saw = `${c.secret.length} characters, at most ${bits} bits by their frequencies`;
  if (c.secret === PUBLIC_DEFAULT) return fail(`${saw}; it is Better Auth's public default`, MAKE_ONE);
  if (c.secret.length < 32) return fail(`${saw}; less than 32 characters`, MAKE_ONE);
  if (bits < 100 || /^(.{1,8})\1+.{0,8}$/s.test(c.secret)) return warn(`${saw}; easy to guess`, MAKE_ONE);
  return pass(saw);
}

// --- The databases --------------------------------------------------------------------------------

// Proves that `a` and `b` lead to one database: what is written through the one is read through the
// other. Without a row (read-only, or no table to put it into), an advisory lock is what is written.
async function isSame(c, a, b, mayWrite) {
  const id = c.subject(`probe-${Math.random().toString(36).slice(2)}`);
  const table = mayWrite && (await a.sql("SELECT to_regclass('verification') IS NOT NULL AND NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off' AS usable"))[0].usable;
  if (table) {
    c.wrote = true;
    await a.sql("INSERT INTO verification (id, identifier, value, \"expiresAt\", \"createdAt\", \"updatedAt\") VALUES ($1, $1, 'todo-verify', now() + interval '10 minutes', now(), now())", [id]);
    try {
      const seen = await b.sql("SELECT 1 FROM pg_class WHERE oid = to_regclass('verification')");
      return seen.length > 0 && (await b.sql('SELECT id FROM verification WHERE id = $1', [id])).length === 1;
    } finally {
      await a.sql('DELETE FROM verification WHERE id = $1', [id]);
    }
  }
  const [one, two] = [1, 2].map(() => Math.floor(Math.random() * 2 ** 31));
  await a.sql('SELECT pg_advisory_lock($1::int, $2::int)', [one, two]);
  try {
    return (await b.sql("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = $1::oid AND objid = $2::oid AND database = (SELECT oid FROM pg_database WHERE datname = current_database())", [one, two])).length === 1;
  } finally {
    await a.sql('SELECT pg_advisory_unlock($1::int, $2::int)', [one, two]);
  }
}

const WHO = `SELECT current_database() AS name, current_schema() AS schema, (SELECT system_identifier::text FROM pg_control_system()) AS server`;

async function sameDatabase(c) {
  const sides = [['back end', c.database, c.backend], ['front end', c.frontendDatabase, c.frontend]];
  for (const [system, database, file] of sides) {
    if (!database) return skip(`not tried: ${nameOf(file)} has no DATABASE_URL (environment.required)`);
    try {
      await database.connected();
    } catch (error) {
      const cause = causeOf(error, database.parts);
      if (database === c.database) return skip(`not tried: the back end's database gives no connection (database.${cause.check})`);
      return fail(`the ${system}'s DATABASE_URL gives no connection: ${cause.saw}`, `${nameOf(file)}: ${cause.fix}`);
    }
  }
  const [[one], [two]] = await Promise.all(sides.map(([, database]) => database.sql(WHO)));
  const mayWrite = !c.options.readOnly;
  const there = await isSame(c, c.database, c.frontendDatabase, mayWrite);
  const back = there && await isSame(c, c.frontendDatabase, c.database, mayWrite);
  if (there && back) return pass(`what was written through either URL was read through the other (database "${one.name}", schema "${one.schema}")`);
  const where = one.server !== two.server ? 'they are on different servers' : one.name !== two.name ? `they are two databases of one server: "${one.name}" and "${two.name}"` : `one database, but the schemas "${one.schema}" and "${two.schema}"`;
  return fail(`what was written through the one URL is not there through the other: ${where}`, `let DATABASE_URL in ${c.frontend.path} lead to the database of ${c.backend.path}, and restart that system`);
}

export const environment = [
  {
    id: 'environment.required', title: 'Both systems have the settings that they need', requirements: ['FR-001', 'FR-002', 'FR-007', 'SC-005'],
    did: 'read the files by the rules of the systems that read them', run: required,
  },
  {
    id: 'environment.readings', title: 'All readers understand the files alike', required: false, requirements: ['FR-007', 'SC-005'],
    did: 'read each file by the rules of env/settings.sh, python-dotenv and @next/env', run: readings,
  },
  {
    id: 'environment.secret-identical', title: 'The secret is identical in both files', requirements: ['FR-001', 'FR-007', 'SC-005'],
    did: 'compared the secrets of both files, each as its system reads it', applies: frontendNeeded, run: secretIdentical,
  },
  {
    id: 'environment.secret-strength', title: 'The secret cannot be guessed', requirements: ['FR-001'],
    did: 'counted the characters of the secret and estimated their entropy', run: secretStrength,
  },
  {
    id: 'environment.same-database', title: 'Both URLs lead to one database', requirements: ['FR-002', 'SC-002', 'FR-007', 'SC-005'],
    did: 'wrote a value through each DATABASE_URL and looked for it through the other', applies: frontendNeeded, run: sameDatabase,
  },
];

// --- What runs ------------------------------------------------------------------------------------

// A request to each task program that changes nothing, and its answer to a token that is good.
const PROBES = [
  ['task_list', 'GET', '', undefined, 200], ['task_create', 'POST', '', {}, 422], ['task_get', 'GET', '/1', undefined, 404],
  ['task_update', 'PUT', '/1', {}, 404], ['task_complete', 'PATCH', '/1/complete', undefined, 404], ['task_delete', 'DELETE', '/1', undefined, 404],
];

async function runningSecret(c) {
  if (!c.secret) return skip('not tried: the file has no secret (environment.required)');
  const sub = c.subject('secret');
  const claims = { sub, iat: now(), exp: now() + 7200 };
  const good = hs256(claims, c.secret);
  const bad = hs256(claims, `${c.secret}x`);
  const refused = [], tokenless = [], fooled = [], silent = [], odd = [];
  await Promise.all(PROBES.map(async ([program, method, rest, body, wanted]) => {
    if (c.dead.has(program)) { silent.push(program); return; }
    const [accepted, denied] = await Promise.all([good, bad].map((token) => c.http(method, `/api/${sub}/tasks${rest}`, { token, body })));
    if (!byHandler(accepted) || accepted.status === 503) silent.push(program);
    else if (accepted.status === 401) {
      refused.push(program);
      if (!/invalid_token/.test(accepted.headers['www-authenticate'] ?? '')) tokenless.push(program);
    }
    else if (accepted.status !== wanted) odd.push(`${program}: ${describe(accepted)}`);
    if (byHandler(denied) && ![401, 503].includes(denied.status)) fooled.push(program);
  }));
  if (tokenless.length > 0) return fail(`no token arrives at ${tokenless.join(', ')}`, 'the web server keeps the Authorization header to itself: let it pass it on (nginx: no fastcgi_param HTTP_AUTHORIZATION of its own; Apache: CGIPassAuth On)');
  const restart = (programs) => `restart ${programs.join(', ')} with the BETTER_AUTH_SECRET of ${c.backend.path}`;
  if (refused.length > 0) return fail(`a token signed with the file's secret is refused (401) by ${refused.join(', ')}`, `${refused.length === PROBES.length ? 'the handlers run' : `${refused.join(', ')} runs`} with another secret: ${restart(refused)}, or correct the file`);
  if (fooled.length > 0) return fail(`a token signed with another secret is accepted by ${fooled.join(', ')}`, `${fooled.join(', ')} does not verify signatures: install the released program`);
  if (silent.length > 0) return skip(`${PROBES.length - silent.length} task programs use the file's secret; not tried: ${silent.join(', ')} (see the checks of the handlers)`);
  // Whatever came after the token was accepted is the business of other checks.
  return pass(`each of ${PROBES.length} task programs accepts a token signed with the file's secret and refuses one signed with another${odd.length > 0 ? `; but ${odd.join('; ')}` : ''}`);
}

// A row that is written into the table is what each program sees, and the other way round.
async function runningDatabase(c) {
  const sub = c.subject('database');
  const token = hs256({ sub, iat: now(), exp: now() + 7200 }, c.secret);
  const base = `/api/${sub}/tasks`;
  const elsewhere = [], unwritten = [], silent = [];
  const insert = async (title) => (await c.sql('INSERT INTO task (user_id, title) VALUES ($1, $2) RETURNING id', [sub, title]))[0].id;
  const row = async (id) => (await c.sql('SELECT title, completed FROM task WHERE user_id = $1 AND id = $2', [sub, id]))[0];
  const tried = async (program, work) => {
    if (c.dead.has(program)) silent.push(program);
    else if (!await work()) elsewhere.push(program);
  };
  // A program of another database would not find the row. Does the row say what was answered?
  const wrote = async (program, answer, isWritten) => {
    if (answer.status >= 300) return false;
    if (!isWritten(await row(id))) unwritten.push(program);
    return true;
  };
  c.wrote = true;
  const id = await insert('written through the URL');
  await tried('task_list', async () => (await c.http('GET', base, { token })).json?.some?.((task) => task.id === id));
  await tried('task_get', async () => (await c.http('GET', `${base}/${id}`, { token })).json?.title === 'written through the URL');
  await tried('task_update', async () => wrote('task_update', await c.http('PUT', `${base}/${id}`, { token, body: { title: 'changed' } }), (one) => one?.title === 'changed'));
  await tried('task_complete', async () => wrote('task_complete', await c.http('PATCH', `${base}/${id}/complete`, { token, body: { completed: true } }), (one) => one?.completed === true));
  await tried('task_delete', async () => wrote('task_delete', await c.http('DELETE', `${base}/${id}`, { token }), (one) => one === undefined));
  await tried('task_create', async () => {
    const made = (await c.http('POST', base, { token, body: { title: 'written through the API' } })).json?.id;
    if (made !== undefined) c.atEnd(() => c.http('DELETE', `${base}/${made}`, { token }));
    return made !== undefined && (await row(made))?.title === 'written through the API';
  });
  if (elsewhere.length > 0) {
    const all = elsewhere.length + silent.length === PROBES.length;
    return fail(`rows of the file's database are not those of ${elsewhere.join(', ')}`, `${all ? 'the handlers run' : `${elsewhere.join(', ')} runs`} on another database: restart with the DATABASE_URL of ${c.backend.path}, or correct the file`);
  }
  if (unwritten.length > 0) return fail(`${unwritten.join(', ')} found a row of the file's database and answered that it is changed, but it is not`, `${unwritten.join(', ')} does not write what it is told: install the released program`);
  if (silent.length > 0) return skip(`${PROBES.length - silent.length} task programs use the file's database; not tried: ${silent.join(', ')} (see the checks of the handlers)`);
  return pass(`each of ${PROBES.length} task programs works on the rows that the file's DATABASE_URL shows`);
}

const isSecure = ({ AUTH_SECURE_COOKIES: forced = '', BETTER_AUTH_URL: url = '' }) => (forced === '' ? url.startsWith('https://') : /^(on|true|1|yes)$/i.test(forced));

// A session that is put into the table, with a cookie sealed by the file's secret: who takes it uses
// that secret and that database.
async function runningCookies(c) {
  const id = c.subject('cookie-user');
  const { values } = c.backend;
  const name = `${isSecure(values) ? '__Secure-' : ''}${values.AUTH_COOKIE_PREFIX || 'better-auth'}.session_token`;
  const tokens = ['one', 'two'].map((which) => c.subject(`session-${which}`));
  const [cookie, last] = tokens.map((token) => `${name}=${seal(token, c.secret)}`);
  const foreign = `${name}=${seal(tokens[0], `${c.secret}x`)}`;
  c.wrote = true;
  await c.sql('INSERT INTO "user" (id, name, email, "emailVerified", "createdAt", "updatedAt") VALUES ($1, $1, $2, true, now(), now())', [id, c.email('cookie')]);
  for (const token of tokens) await c.sql('INSERT INTO session (id, token, "userId", "expiresAt", "createdAt", "updatedAt") VALUES ($1, $1, $2, now() + interval \'1 hour\', now(), now())', [token, id]);
  const ask = (method, route, more) => c.http(method, `${c.authPath}/${route}`, { ...more, headers: method === 'GET' ? {} : { origin: c.pageOrigin() } });
  const probes = [
    ['session', async () => (await ask('GET', 'get-session', { cookie })).json?.user?.id === id],
    ['token', async () => (await ask('GET', 'token', { cookie })).status !== 401],
    ['sessions', async () => (await ask('GET', 'list-sessions', { cookie })).json?.length === 2],
    ['account', async () => (await ask('GET', 'list-accounts', { cookie })).status === 200],
    ['change_email', async () => (await ask('POST', 'change-email', { cookie, body: { newEmail: c.email('changed') } })).status !== 401],
    ['delete_user', async () => (await ask('POST', 'delete-user', { cookie, body: { password: 'not the password' } })).status !== 401],
    ['signout', async () => { await ask('POST', 'sign-out', { cookie: last, body: {} }); return (await c.sql('SELECT 1 FROM session WHERE token = $1', [tokens[1]])).length === 0; }],
  ];
  const refused = [], silent = [];
  for (const [program, accepts] of probes) {
    if (c.dead.has(program)) silent.push(program);
    else if (!await accepts()) refused.push(program);
  }
  if (refused.length > 0) return fail(`a session of the file's database, with a cookie sealed by the file's secret, is none to ${refused.join(', ')}`, `restart ${refused.join(', ')} with the BETTER_AUTH_SECRET, DATABASE_URL, BETTER_AUTH_URL and AUTH_COOKIE_PREFIX of ${c.backend.path}, or correct the file`);
  if (!c.dead.has('session') && (await ask('GET', 'get-session', { cookie: foreign })).json?.user) return fail('a cookie sealed with another secret is accepted by session', 'session does not verify cookies: install the released program');
  if (silent.length > 0) return skip(`not tried: ${silent.join(', ')} (see the checks of the handlers); the others take the cookie`);
  return pass(`${probes.length} auth programs take a cookie sealed by the file's secret; one sealed with another is refused`);
}

// The table's signing keys are sealed with the secret. One that it does not open breaks a real Better
// Auth server for everybody who is signed in (contract better-auth-wire, section 8.5).
async function signingKeys(c) {
  const keys = await c.signingKeys();
  if (keys.length === 0) return notAsked('the table jwks has no key in use yet: the first /token makes one');
  const bad = keys.filter(({ jwk }) => !jwk).map(({ id }) => id.slice(0, 6));
  if (bad.length > 0) return fail(`${bad.length} of ${keys.length} signing keys in use are not opened by the secret (ids beginning with ${bad.join(', ')})`, 'the secret was changed: give it back, or list both in BETTER_AUTH_SECRETS, or delete these rows of jwks (all access tokens of theirs end)');
  return pass(`${keys.length} signing key${keys.length > 1 ? 's' : ''} in use, opened by the file's secret`);
}

export const running = [
  {
    id: 'environment.running-secret', title: 'The running handlers use the secret of the file', requirements: ['FR-001', 'FR-003', 'FR-005', 'FR-007', 'SC-005'], needs: ['handlers.web-server'],
    did: 'sent each task program a token signed with the file\'s secret, and one signed with another', run: runningSecret,
  },
  {
    id: 'environment.running-database', title: 'The running handlers use the database of the file', requirements: ['FR-002', 'FR-009', 'FR-007', 'SC-005'], writes: true,
    needs: ['environment.running-secret', 'database.reachable', 'database.connections', 'database.schema', 'database.privileges', 'database.writable'],
    did: 'wrote through the file\'s URL and read through the API, and the other way round, with each task program', run: runningDatabase,
  },
  {
    id: 'environment.signing-keys', title: 'The signing keys open with the secret', requirements: ['FR-001', 'FR-003'],
    needs: ['environment.running-secret', 'database.reachable', 'database.connections', 'database.better-auth-schema'],
    did: 'opened the private keys of the table jwks', run: signingKeys,
  },
  {
    id: 'environment.running-cookies', title: 'The auth programs use the secret and database of the file', requirements: ['FR-001', 'FR-002', 'FR-007', 'SC-005'], writes: true,
    needs: ['environment.running-database', 'environment.signing-keys', 'database.better-auth-schema'],
    did: 'put a session into the table and showed its cookie, sealed with the file\'s secret, to each program that reads it', run: runningCookies,
  },
];
