// PostgreSQL by a DATABASE_URL as people have it, read as the handlers read it (libpq's rules), and by
// one as a front end reads it (node-postgres). Must not know: what is asked.
import { readFileSync } from 'node:fs';
import os from 'node:os';
import pg from 'pg';

pg.types.setTypeParser(pg.types.builtins.INT8, (text) => (Number.isSafeInteger(Number(text)) ? Number(text) : text));

const TIMEOUT = 8000;
const plain = (text) => decodeURIComponent(text.replaceAll('+', '%2B'));

// The parts of a URL; undefined if it is none. Several hosts are allowed, a folder is a host, too.
export function partsOf(url) {
  const found = /^(?:postgres|postgresql)(?:\+[a-z0-9_]+)?:\/\/(?:([^@/?]*)@)?([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/s.exec(url ?? '');
  if (!found) return undefined;
  try {
    const [, login = '', places, database = '', query = ''] = found;
    const more = Object.fromEntries(query.split('&').filter(Boolean).map((pair) => {
      const [name, ...value] = pair.split('=');
      return [plain(name), plain(value.join('='))];
    }));
    const [user, ...password] = login.split(':');
    const hosts = (more.host ?? places.split(',').map((place) => plain(place.replace(/:\d*$/, ''))).join(',')).split(',');
    const ports = (more.port ?? places.split(',').map((place) => /:(\d+)$/.exec(place)?.[1] ?? '').join(',')).split(',');
    return {
      hosts: hosts.map((host, index) => ({ host: host.replace(/^\[|\]$/g, '') || '/var/run/postgresql', port: Number(ports[index] || ports.at(-1) || 5432) })),
      user: more.user ?? (plain(user) || os.userInfo().username),
      password: more.password ?? plain(password.join(':')),
      database: more.dbname ?? (plain(database) || plain(user)),
      sslmode: more.sslmode ?? 'prefer',
      more,
    };
  } catch {
    return undefined;
  }
}

const isFolder = (host) => host.startsWith('/') || host.startsWith('@');
export const isLocal = (host) => isFolder(host) || host === 'localhost' || host === '::1' || /^127\./.test(host);

// What node-postgres takes for libpq's sslmode.
function tlsOf({ sslmode, more }, host) {
  if (sslmode === 'disable' || sslmode === 'allow' || isFolder(host)) return false;
  const file = (name) => (more[name] && more[name] !== 'system' ? readFileSync(more[name], 'utf8') : undefined);
  const verifies = sslmode.startsWith('verify-') || (sslmode === 'require' && more.sslrootcert !== undefined);
  return {
    ca: file('sslrootcert'), cert: file('sslcert'), key: file('sslkey'), rejectUnauthorized: verifies,
    ...(sslmode === 'verify-full' ? {} : { checkServerIdentity: () => undefined }),
  };
}

async function open(configuration) {
  const client = new pg.Client({ connectionTimeoutMillis: TIMEOUT, query_timeout: 3 * TIMEOUT, application_name: 'todo-verify', ...configuration });
  client.on('error', () => { client.broken = true; });
  try {
    await client.connect();
  } catch (error) {
    client.end().catch(() => {});
    throw error;
  }
  return client;
}

// A client, connected as libpq would be.
export async function connect(url) {
  const parts = partsOf(url);
  if (!parts) throw Object.assign(new Error('not a URL of PostgreSQL'), { code: 'URL' });
  let last;
  for (const { host, port } of parts.hosts) {
    const { user, password, database, more } = parts;
    const configuration = { host, port, user, password, database, options: more.options };
    const attempts = parts.sslmode === 'prefer' && !isFolder(host) ? [tlsOf(parts, host), false] : [tlsOf(parts, host)];
    for (const ssl of attempts) {
      try {
        const client = await open({ ...configuration, ssl });
        client.place = host;
        if (more.target_session_attrs !== 'read-write' || (await client.query('SHOW transaction_read_only')).rows[0].transaction_read_only === 'off') return client;
        last = Object.assign(new Error(`${host} is read-only`), { code: '25006' });
        await client.end();
      } catch (error) {
        last = error;
      }
    }
  }
  throw last;
}

// A client, connected as a front end would be.
export const connectAsFrontEnd = (url) => open({ connectionString: url });

// Why there is no connection: {check, saw, fix}, the check being the one that this cause belongs to.
export function causeOf(error, parts) {
  const where = parts ? parts.hosts.map(({ host, port }) => (isFolder(host) ? host : `${host}:${port}`)).join(', ') : '';
  const saw = error.message.split('\n')[0];
  const about = (check, fix) => ({ check, saw, fix });
  switch (error.code) {
    case 'URL': return about('reachable', 'DATABASE_URL must be a URL such as postgresql://user:password@host:5432/database');
    case '53300': return about('connections', 'no connection is left: raise max_connections, run fewer workers (WORKERS), or put a pooler in between');
    case '28P01': return about('reachable', `the user or password in DATABASE_URL is not the one that the server at ${where} knows`);
    case '3D000': return about('reachable', `the server at ${where} has no database of the name in DATABASE_URL: correct the name or create it`);
    case '28000':
      if (/no encryption|SSL off/.test(saw)) return about('encryption', 'the server takes encrypted connections only: put sslmode=require or sslmode=verify-full into DATABASE_URL');
      return about('reachable', `the server at ${where} does not let this user in from here: see pg_hba.conf`);
    case 'ENOTFOUND': case 'EAI_AGAIN': return about('reachable', `the host in DATABASE_URL (${where}) is not known: correct it`);
    case 'ECONNREFUSED': case 'ENOENT': return about('reachable', `no server listens at ${where}: start PostgreSQL or correct DATABASE_URL`);
    default:
  }
  if (/does not support SSL/.test(saw)) return about('encryption', 'DATABASE_URL requires TLS (sslmode) and the server has none: switch it on there ("ssl = on" with a certificate), or choose another server');
  if (/certificate|self.signed|altname|ALTNAME/i.test(`${saw} ${error.code}`)) return about('encryption', "the server's certificate is not accepted: give its authority by sslrootcert=FILE, or connect by the name that it is for");
  if (/timeout/i.test(saw)) return about('reachable', `the server at ${where} does not answer: a firewall, or the wrong address in DATABASE_URL`);
  return about('reachable', `connecting to ${where} failed: see the message, and correct DATABASE_URL`);
}

// A database that is connected to when it is asked, and again after it was gone.
export class Database {
  constructor(url, how = connect) {
    Object.assign(this, { url, how, parts: partsOf(url), client: undefined });
  }

  async connected() {
    if (this.client?.broken) this.client = undefined;
    if (!this.client) {
      this.opening ??= this.how(this.url).finally(() => { this.opening = undefined; });
      this.client = await this.opening;
    }
    return this.client;
  }

  // Rows of a statement. A link that turns out dead is opened anew, once.
  async sql(text, values = []) {
    for (let again = false; ; again = true) {
      const client = await this.connected();
      try {
        return (await client.query(text, values)).rows;
      } catch (error) {
        const lost = client.broken || /^(57P0|08)/.test(error.code ?? '') || /Connection terminated|not queryable/.test(error.message);
        if (!lost) throw error;
        client.broken = true;
        if (again) throw error;
      }
    }
  }

  async close() {
    const { client } = this;
    this.client = undefined;
    if (client && !client.broken) await client.end().catch(() => {});
  }
}
