// Is the database there, as both systems need it, and fit for use?
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { causeOf, isLocal } from '../database.mjs';
import { fail, pass, skip, warn } from '../outcome.mjs';
import { shipped } from '../routes.mjs';

const OLDEST = 13; // the oldest release that the statements of the handlers are known to run on
const CLOCK_LIMIT = 30; // seconds; "exp" of a token has no leeway, its lifetime is 15 minutes
const FEW_CONNECTIONS = 20;
const BASIC = ['database.reachable', 'database.encryption', 'database.connections'];

// --- The link -------------------------------------------------------------------------------------

// The outcome of connecting, asked for once; each cause belongs to one check.
async function link(c) {
  if (!c.database) return { check: 'reachable', none: true };
  try {
    await c.database.connected();
    return {};
  } catch (error) {
    return causeOf(error, c.database.parts);
  }
}

async function asked(c, name) {
  if (!c.database) return skip(`not tried: ${c.backend.path} has no DATABASE_URL (environment.required)`);
  c.link ??= await link(c);
  if (!c.link.check) return undefined;
  return c.link.check === name ? fail(c.link.saw, c.link.fix) : skip(`not tried: there is no connection (database.${c.link.check})`);
}

const where = ({ parts, client }) => {
  const host = client.place;
  return host.startsWith('/') ? 'a socket on this machine' : `${host}:${parts.hosts.find((one) => one.host === host)?.port}`;
};

async function reachable(c) {
  const problem = await asked(c, 'reachable');
  if (problem) return problem;
  const begin = performance.now();
  const [{ name, user }] = await c.sql('SELECT current_database() AS name, current_user AS user');
  const ms = performance.now() - begin;
  const left = c.options.readOnly ? 0 : await c.removeLeftovers().catch(() => 0);
  return pass(`connected to ${where(c.database)}, database "${name}" as "${user}"; a statement takes ${ms.toFixed(1)} ms${left ? `; removed what ${left} interrupted run(s) had left` : ''}`);
}

async function encryption(c) {
  const problem = await asked(c, 'encryption');
  if (problem) return problem;
  const [own] = await c.sql('SELECT ssl, version, cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()');
  // Of the handlers' connections only those can be seen that belong to the same user.
  const plain = await c.sql(`SELECT a.application_name AS name FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
    WHERE NOT s.ssl AND a.client_addr IS NOT NULL AND NOT a.client_addr <<= '127.0.0.0/8' AND a.client_addr <> '::1' AND a.datname = current_database() AND a.application_name LIKE 'todo %'`);
  if (isLocal(c.database.client.place)) {
    if (plain.length > 0) return fail(`${plain.length} connections of handlers on other machines are not encrypted`, 'add sslmode=require, better verify-full, to the DATABASE_URL of those handlers');
    return pass(`${where(c.database)}: nothing crosses a network${own?.ssl ? `, and it is encrypted (${own.version})` : ''}`);
  }
  if (!own) return skip('pg_stat_ssl shows nothing (a pooler in between?): ask the provider how it connects');
  if (!own.ssl || plain.length > 0) {
    return fail(own.ssl ? `${plain.length} connections of handlers are not encrypted` : `the connection to ${where(c.database)} crosses a network and is not encrypted`, 'switch TLS on at the server ("ssl = on" with a certificate) and add sslmode=verify-full, at least require, to DATABASE_URL');
  }
  const { sslmode } = c.database.parts;
  const saw = `${own.version}, ${own.cipher}; sslmode=${sslmode}`;
  if (sslmode === 'prefer') return warn(`${saw}: without encryption, or with a stranger's certificate, the handlers would connect as well`, 'add sslmode=verify-full with sslrootcert (or system) to DATABASE_URL');
  return pass(saw);
}

async function connections(c) {
  const problem = await asked(c, 'connections');
  if (problem) return problem;
  const [{ most, used, of_role: ofRole, role_limit: roleLimit, of_database: ofDatabase, database_limit: databaseLimit, super: isSuper }] = await c.sql(`
    SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS most,
           (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend') AS used,
           (SELECT count(*) FROM pg_stat_activity WHERE usename = current_user) AS of_role, r.rolconnlimit AS role_limit,
           (SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()) AS of_database, d.datconnlimit AS database_limit, r.rolsuper AS super
      FROM pg_roles r, pg_database d WHERE r.rolname = current_user AND d.datname = current_database()`);
  const limits = [['the server', most - used], ...(roleLimit >= 0 && !isSuper ? [['this user', roleLimit - ofRole]] : []), ...(databaseLimit >= 0 && !isSuper ? [['this database', databaseLimit - ofDatabase]] : [])];
  const [whose, left] = limits.reduce((least, one) => (one[1] < least[1] ? one : least));
  const saw = `${left} of ${most} left (limit of ${whose}); ${used} in use`;
  const fix = 'raise max_connections (or the limit of the user or database), run fewer workers (WORKERS), or put a pooler in between';
  if (left < 1) return fail(saw, fix);
  if (left < FEW_CONNECTIONS) return warn(saw, fix);
  return pass(saw);
}

// --- The server -----------------------------------------------------------------------------------

async function version(c) {
  const [{ number, text, encoding }] = await c.sql("SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS text, current_setting('server_encoding') AS encoding");
  const saw = `PostgreSQL ${text}, ${encoding}`;
  if (number < OLDEST * 10000) return fail(saw, `PostgreSQL ${OLDEST} or later is needed: upgrade the server`);
  if (encoding !== 'UTF8') return fail(saw, 'create the database with ENCODING UTF8: other encodings cannot hold every text');
  return pass(saw);
}

// A pooler in transaction mode gives every transaction another server connection, or may.
async function pooler(c) {
  const [{ port, pid }] = await c.sql('SELECT inet_server_port() AS port, pg_backend_pid() AS pid');
  const asked = c.database.parts.hosts.find(({ host }) => host === c.database.client.place)?.port;
  const pids = new Set([pid]);
  for (let n = 0; n < 5; n++) pids.add((await c.sql('SELECT pg_backend_pid() AS pid'))[0].pid);
  const own = c.database.client.processID;
  const remote = port !== null && port !== asked;
  const foreign = own !== undefined && own !== null && own !== pid;
  if (pids.size > 1) return pass(`a pooler in transaction mode: ${pids.size} server connections served one client. The handlers notice and do without prepared statements`);
  if (remote || foreign) return pass('a pooler or proxy stands in between (the server that answers is not the one that was called); it kept one server connection for one client');
  return pass('none: the server itself answers');
}

async function clock(c) {
  const measure = async (ask) => {
    const before = Date.now();
    const theirs = await ask();
    return { off: (theirs - (before + Date.now()) / 2) / 1000 };
  };
  const database = await measure(async () => (await c.sql('SELECT extract(epoch FROM clock_timestamp()) * 1000 AS ms'))[0].ms * 1);
  const clocks = [['the database', database.off]];
  const answer = await c.http('GET', '/health').catch(() => undefined);
  if (answer?.headers.date) clocks.push(['the web server', (Date.parse(answer.headers.date) + 500 - Date.now()) / 1000]);
  const say = (off) => `${off >= 0 ? '+' : '-'}${Math.abs(off) < 10 ? Math.abs(off).toFixed(1) : Math.round(Math.abs(off))} s`;
  const saw = clocks.map(([name, off]) => `${name} ${say(off)}`).join(', ');
  const wrong = clocks.filter(([, off]) => Math.abs(off) > CLOCK_LIMIT);
  if (wrong.length > 0) return fail(`against this machine: ${saw}`, `set the clock of ${wrong.map(([name]) => name).join(' and ')} (or of this machine) by NTP: tokens would be taken as expired, or live on`);
  return pass(`against this machine: ${saw}`);
}

// --- The schema -----------------------------------------------------------------------------------

function migrationFiles() {
  const first = shipped('sql/0001_auth.sql', '../../sql/0001_auth.sql');
  if (!first) return undefined;
  const folder = path.dirname(first);
  return readdirSync(folder).filter((name) => /^\d{4}_.*\.sql$/.test(name)).sort().map((name) => ({ name: name.slice(0, -4), checksum: createHash('sha256').update(readFileSync(path.join(folder, name))).digest('hex') }));
}

async function migrations(c) {
  const files = migrationFiles();
  if (!files) return skip('the migrations of this release are not beside todo-verify: install them there (sql/)');
  const [{ known }] = await c.sql("SELECT to_regclass('todo_migration') IS NOT NULL AS known");
  const applied = new Map(known ? (await c.sql('SELECT name, checksum FROM todo_migration')).map(({ name, checksum }) => [name, checksum]) : []);
  const missing = files.filter(({ name }) => !applied.has(name)).map(({ name }) => name);
  const changed = files.filter(({ name, checksum }) => applied.has(name) && applied.get(name) !== checksum).map(({ name }) => name);
  const unknown = [...applied.keys()].filter((name) => !files.some((file) => file.name === name));
  c.missingMigrations = missing;
  if (missing.length > 0) return fail(`not applied: ${missing.join(', ')}`, 'run sql/migrate (make migrate) with the DATABASE_URL of the handlers');
  if (changed.length > 0) return fail(`changed after it was applied, or not the file of this release: ${changed.join(', ')}`, 'restore these files, or check what was applied against them by hand');
  if (unknown.length > 0) return warn(`${files.length} applied and unmodified; this release does not know ${unknown.join(', ')}`, 'the database was migrated by a newer release: use that release everywhere');
  return pass(`${files.length} applied and unmodified: ${files.map(({ name }) => name).join(', ')}`);
}

const TS = 'timestamp with time zone';
// What the handlers read and write: [column, type]; of Better Auth's tables see below.
const OURS = {
  task: [['id', 'bigint'], ['user_id', 'text'], ['title', 'text'], ['description', 'text'], ['completed', 'boolean'], ['created_at', TS], ['updated_at', TS]],
  rateLimit: [['id', 'text'], ['key', 'text'], ['count', 'integer'], ['lastRequest', 'bigint']],
  todo_mail: [['id', 'bigint'], ['template', 'text'], ['recipient', 'text'], ['name', 'text'], ['link', 'text'], ['attempts', 'integer'], ['next_try', TS]],
  todo_idempotency: [['user_id', 'text'], ['key', 'text'], ['request', 'bytea'], ['task_id', 'bigint'], ['created_at', TS]],
};
// Contract better-auth-wire, section 8.1; a real Better Auth server looks at the same at its start.
const BETTER_AUTH = {
  user: [['id', 'text'], ['name', 'text'], ['email', 'text'], ['emailVerified', 'boolean'], ['image', 'text'], ['createdAt', TS], ['updatedAt', TS]],
  session: [['id', 'text'], ['expiresAt', TS], ['token', 'text'], ['createdAt', TS], ['updatedAt', TS], ['ipAddress', 'text'], ['userAgent', 'text'], ['userId', 'text']],
  account: [['id', 'text'], ['accountId', 'text'], ['providerId', 'text'], ['userId', 'text'], ['accessToken', 'text'], ['refreshToken', 'text'], ['idToken', 'text'], ['accessTokenExpiresAt', TS], ['refreshTokenExpiresAt', TS], ['scope', 'text'], ['password', 'text'], ['createdAt', TS], ['updatedAt', TS]],
  verification: [['id', 'text'], ['identifier', 'text'], ['value', 'text'], ['expiresAt', TS], ['createdAt', TS], ['updatedAt', TS]],
  jwks: [['id', 'text'], ['publicKey', 'text'], ['privateKey', 'text'], ['createdAt', TS], ['expiresAt', TS], ['alg', 'text'], ['crv', 'text']],
};

const COLUMNS = `SELECT c.relname AS table, a.attname AS column, format_type(a.atttypid, NULL) AS type,
    a.attnotnull AND NOT a.atthasdef AND a.attidentity = '' AS required
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
 WHERE c.oid = ANY (SELECT to_regclass(quote_ident(name)) FROM unnest($1::text[]) AS name)`;

// What is wrong with the tables: [fault, remedy].
async function faultsOf(c, tables) {
  const found = new Map();
  for (const row of await c.sql(COLUMNS, [Object.keys(tables)])) {
    if (!found.has(row.table)) found.set(row.table, new Map());
    found.get(row.table).set(row.column, row);
  }
  const faults = [];
  for (const [table, columns] of Object.entries(tables)) {
    const there = found.get(table);
    if (!there) { faults.push([`table "${table}" is missing`, `run sql/migrate (make migrate), or create "${table}"`]); continue; }
    for (const [column, type] of columns) {
      const one = there.get(column);
      if (!one) faults.push([`column "${table}"."${column}" is missing`, `add it: ALTER TABLE "${table}" ADD "${column}" ${type}`]);
      else if (one.type !== type && !(type === 'text' && one.type === 'character varying')) faults.push([`column "${table}"."${column}" is ${one.type}`, `it must be ${type}`]);
    }
    for (const [column, { required }] of there) {
      if (required && !columns.some(([name]) => name === column)) faults.push([`column "${table}"."${column}" is NOT NULL without default, and nobody writes it`, `ALTER TABLE "${table}" ALTER "${column}" DROP NOT NULL, or give it a default: sign-up fails and a Better Auth server refuses the database`]);
    }
  }
  return faults;
}

const told = (faults) => fail(faults.map(([fault]) => fault).join('; '), [...new Set(faults.map(([, remedy]) => remedy))].join('; '));

async function schema(c) {
  const faults = await faultsOf(c, OURS);
  if (faults.length > 0 && c.missingMigrations?.length > 0) return skip(`not as it should be, for want of a migration (database.migrations): ${faults.map(([fault]) => fault).join('; ')}`);
  const [{ key, trigger, identity }] = await c.sql(`SELECT
      (SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = to_regclass('task') AND contype = 'p') AS key,
      (SELECT count(*) FROM pg_trigger WHERE tgname = 'todo_user_deleted' AND tgenabled <> 'D') AS trigger,
      (SELECT attidentity <> '' OR atthasdef FROM pg_attribute WHERE attrelid = to_regclass('task') AND attname = 'id') AS identity`);
  if (faults.length === 0) {
    if (!key?.includes('id')) faults.push(['task has no primary key', 'ALTER TABLE task ADD PRIMARY KEY (user_id, id)']);
    if (!identity) faults.push(['task.id is not generated', 'ALTER TABLE task ALTER id ADD GENERATED BY DEFAULT AS IDENTITY']);
    if (Number(trigger) === 0) faults.push(['the trigger todo_user_deleted is missing or off: tasks of deleted users stay', 'ALTER TABLE "user" ENABLE TRIGGER todo_user_deleted, or create it as sql/0002_task.sql does']);
  }
  if (faults.length > 0) return told(faults);
  return pass(`${Object.keys(OURS).join(', ')} have the columns, types, key and trigger that the handlers use`);
}

async function betterAuthSchema(c) {
  const faults = await faultsOf(c, BETTER_AUTH);
  if (faults.length > 0 && c.missingMigrations?.includes('0001_auth')) return skip(`not as it should be, for want of a migration (database.migrations): ${faults.map(([fault]) => fault).join('; ')}`);
  if (faults.length === 0) {
    const unique = await c.sql(`SELECT i.indrelid::regclass::text AS table, a.attname AS column FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
      WHERE i.indisunique AND i.indisvalid AND i.indnkeyatts = 1 AND i.indrelid IN (to_regclass('"user"'), to_regclass('session'))`);
    for (const [table, column] of [['"user"', 'email'], ['session', 'token']]) {
      if (!unique.some((one) => one.table === table && one.column === column)) faults.push([`${table}.${column} is not unique`, `ALTER TABLE ${table} ADD UNIQUE (${column})`]);
    }
    const cascades = await c.sql(`SELECT conrelid::regclass::text AS table FROM pg_constraint WHERE contype = 'f' AND confdeltype = 'c' AND confrelid = to_regclass('"user"')`);
    for (const table of ['session', 'account']) if (!cascades.some((one) => one.table === table)) faults.push([`${table}."userId" does not refer to "user" with ON DELETE CASCADE`, `ALTER TABLE ${table} ADD FOREIGN KEY ("userId") REFERENCES "user" (id) ON DELETE CASCADE`]);
  }
  if (faults.length > 0) return told(faults);
  return pass(`${Object.keys(BETTER_AUTH).join(', ')} are as a Better Auth server (1.7.3 or later) accepts them`);
}

// --- Rights ---------------------------------------------------------------------------------------

const RIGHTS = { task: 'SELECT,INSERT,UPDATE,DELETE', user: 'SELECT,INSERT,UPDATE,DELETE', session: 'SELECT,INSERT,UPDATE,DELETE', account: 'SELECT,INSERT,UPDATE,DELETE', verification: 'SELECT,INSERT,DELETE', jwks: 'SELECT,INSERT', rateLimit: 'SELECT,INSERT,UPDATE', todo_mail: 'INSERT', todo_idempotency: 'SELECT,INSERT,DELETE' };

// What each program must be able to do as its role (sql/grants.sql has the rest).
const OF_PROGRAMS = [
  ['task_list', 'SELECT', 'task'], ['task_get', 'SELECT', 'task'], ['task_create', 'INSERT', 'task'], ['task_update', 'UPDATE', 'task'], ['task_complete', 'UPDATE', 'task'], ['task_delete', 'DELETE', 'task'],
  ['signup', 'INSERT', 'user'], ['signup', 'INSERT', 'account'], ['signin', 'SELECT', 'account'], ['signin', 'INSERT', 'session'], ['signout', 'DELETE', 'session'], ['session', 'SELECT', 'session'],
  ['sessions', 'DELETE', 'session'], ['token', 'INSERT', 'jwks'], ['jwks', 'SELECT', 'jwks'], ['account', 'UPDATE', 'account'], ['delete_user', 'DELETE', 'user'], ['password_reset', 'UPDATE', 'account'], ['verification', 'UPDATE', 'user'],
];
// A privilege on one column counts: UPDATE is granted for columns.
const ROLES = `SELECT program, privilege, name, r.oid IS NOT NULL AS there, r.oid IS NOT NULL AND pg_has_role(current_user, r.oid, 'MEMBER') AS member,
    CASE WHEN privilege = 'DELETE' THEN has_table_privilege(r.oid, to_regclass(quote_ident(name)), privilege) ELSE has_any_column_privilege(r.oid, to_regclass(quote_ident(name)), privilege) END AS has
  FROM unnest($1::text[], $2::text[], $3::text[]) AS wanted(program, privilege, name) LEFT JOIN pg_roles r ON r.rolname = 'todo_' || program`;

// What the programs' roles lack; nothing where programs work as who logs in.
async function faultsOfRoles(c) {
  if (/^(off|false|0|no)$/i.test(c.backend.values.DATABASE_ROLES ?? '')) return [];
  const rows = await c.sql(ROLES, [0, 1, 2].map((column) => OF_PROGRAMS.map((one) => one[column])));
  if (!rows.some(({ there }) => there)) return [];
  return [...new Set(rows.flatMap(({ program, privilege, name, there, member, has }) => (!there ? [`the role todo_${program}`]
    : !member ? [`membership in todo_${program}`] : has === false ? [`${privilege} on ${name} for todo_${program}`] : [])))];
}

async function privileges(c) {
  const lacking = [];
  for (const [table, names] of Object.entries(RIGHTS)) {
    for (const right of names.split(',')) {
      const [{ has }] = await c.sql('SELECT has_table_privilege(to_regclass(quote_ident($1)), $2) AS has', [table, right]);
      if (has === false) lacking.push([right, table]);
    }
  }
  if (lacking.length > 0) {
    const [{ user }] = await c.sql('SELECT current_user AS user');
    const byTable = new Map();
    for (const [right, table] of lacking) byTable.set(table, [...(byTable.get(table) ?? []), right]);
    return fail(`lacking: ${lacking.map(([right, table]) => `${right} on ${table}`).join(', ')}`, [...byTable].map(([table, rights]) => `GRANT ${rights.join(', ')} ON "${table}" TO "${user}"`).join('; '));
  }
  const ofRoles = await faultsOfRoles(c);
  if (ofRoles.length > 0) return fail(`lacking: ${ofRoles.join(', ')}`, 'run sql/migrate (make migrate): it grants again what sql/grants.sql lists');
  return pass(`the user of DATABASE_URL, and the roles of the programs, may do what the handlers do, on ${Object.keys(RIGHTS).length} tables`);
}

async function writable(c) {
  const [{ recovery, readonly }] = await c.sql("SELECT pg_is_in_recovery() AS recovery, current_setting('default_transaction_read_only') AS readonly");
  if (recovery) return fail('a standby: it takes no writes', 'let DATABASE_URL lead to the primary (several hosts: target_session_attrs=read-write)');
  if (readonly === 'on') return fail('default_transaction_read_only is on', 'ALTER DATABASE … RESET default_transaction_read_only (or ALTER ROLE, or postgresql.conf), and restart the handlers');
  if (c.options.readOnly) return pass('transactions may write, says the server (not tried: --read-only)');
  try {
    await c.sql('CREATE TEMPORARY TABLE todo_verify_probe (n int)');
    await c.sql('DROP TABLE todo_verify_probe');
  } catch (error) {
    if (error.code !== '42501') return fail(`writing fails: ${error.message}`, error.code === '53100' ? 'the disk is full: make room' : 'see the message and the log of the server');
  }
  const id = c.subject('write');
  c.wrote = true;
  try {
    await c.sql("INSERT INTO verification (id, identifier, value, \"expiresAt\", \"createdAt\", \"updatedAt\") VALUES ($1, $1, 'todo-verify', now() + interval '10 minutes', now(), now())", [id]);
    const [row] = await c.sql('DELETE FROM verification WHERE id = $1 RETURNING value', [id]);
    return row?.value === 'todo-verify' ? pass('a row was written, read again and removed') : fail('a row that was written is not there', 'a pooler or replica reads elsewhere: let DATABASE_URL lead to the primary');
  } catch (error) {
    if (['42P01', '42703', '42501', '23502'].includes(error.code)) return pass('transactions may write, says the server (no row was written: see the checks of the schema and of the privileges)');
    return fail(`writing fails: ${error.message}`, 'see the message and the log of the server');
  }
}

export const database = [
  { id: 'database.reachable', title: 'The database is reachable', requirements: ['FR-002', 'FR-007', 'SC-005'], did: 'connected by the DATABASE_URL of the back end', run: reachable },
  { id: 'database.encryption', title: 'Connections that cross a network are encrypted', requirements: ['FR-008'], did: 'asked pg_stat_ssl about this connection and those of the handlers', run: encryption },
  { id: 'database.connections', title: 'Connections are left', requirements: ['FR-006'], did: 'connected, and counted connections against the limits of server, user and database', run: connections },
  { id: 'database.version', title: 'The server is recent enough', needs: BASIC, did: 'asked for its version and encoding', run: version },
  { id: 'database.pooler', title: 'A pooler is recognised', required: false, needs: BASIC, did: 'compared the process and port that answer with those that were called', run: pooler },
  { id: 'database.clock', title: 'The clocks agree', requirements: ['FR-003'], needs: BASIC, did: 'compared the clocks of the database and the web server with this machine\'s', run: clock },
  { id: 'database.migrations', title: 'All migrations are applied and unmodified', requirements: ['FR-009'], needs: BASIC, did: 'compared todo_migration with the files of this release', run: migrations },
  { id: 'database.schema', title: 'The tables are as the handlers need them', requirements: ['FR-009'], needs: BASIC, did: 'compared tables, columns, types, key and trigger', run: schema },
  { id: 'database.better-auth-schema', title: 'The tables are as a Better Auth server needs them', requirements: ['FR-002', 'FR-006'], needs: BASIC, did: 'compared the five tables with what such a server refuses', run: betterAuthSchema },
  { id: 'database.privileges', title: 'The user has the privileges', requirements: ['FR-009'], needs: BASIC, did: 'asked has_table_privilege for every table and operation of the handlers', run: privileges },
  { id: 'database.writable', title: 'The database can be written to', requirements: ['FR-009'], needs: BASIC, did: 'wrote a row, read it and removed it', run: writable },
];
