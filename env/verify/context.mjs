// What the checks of one run share: the deployment that is looked at, its settings, its database, and
// what is to be removed again. Must not know: what any check does.
import { symmetricDecrypt } from 'better-auth/crypto';
import { readFileSync } from 'node:fs';
import { Database, connectAsFrontEnd } from './database.mjs';
import { Deployment } from './deployment.mjs';
import { pause, request } from './http.mjs';
import { Misuse } from './options.mjs';
import { authPath, list, readAsNext, readAsOurs, readAsPython, signingSecret } from './settings.mjs';

function fileOf(name, path, read) {
  let text;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new Misuse(`${name} ${path} cannot be read: ${error.code ?? error.message}`);
  }
  const values = read(text);
  return { path, text, values, secret: signingSecret(values), python: readAsPython(text) };
}

const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];

export class Context {
  constructor(options, run) {
    this.options = options;
    this.run = run;
    this.deployment = options.embedded ? new Deployment(options.embedded) : undefined;
    this.backend = fileOf('--backend-env', options.backendEnv ?? this.deployment.envFile, readAsOurs);
    this.frontend = options.frontendEnv ? fileOf('--frontend-env', options.frontendEnv, readAsNext) : undefined;
    this.url = options.url ?? this.deployment.url(this.backend.values);
    this.frontendUrl = options.frontendUrl;
    this.secret = this.backend.secret;
    this.authPath = authPath(this.backend.values);
    this.frontendPath = authPath(this.frontend?.values ?? {});
    this.database = this.backend.values.DATABASE_URL ? new Database(this.backend.values.DATABASE_URL) : undefined;
    this.frontendDatabase = this.frontend?.values.DATABASE_URL ? new Database(this.frontend.values.DATABASE_URL, connectAsFrontEnd) : undefined;
    this.tokens = { tried: 0, accepted: 0 };
    this.samples = new Map();
    this.removals = [];
    this.dead = new Set(); // programs that do not answer
    this.requests = 0; // sent and not yet answered
    this.stopping = false;
    this.secrets = this.#secrets();
  }

  // --- Asking -------------------------------------------------------------------------------------

  async send(url, method, path, more) {
    if (this.stopping) throw new Error('interrupted');
    this.requests += 1;
    try {
      return await request(url, method, path, more);
    } catch (error) {
      if (error.code === 'ETIMEDOUT') this.unanswered = true;
      throw error;
    } finally {
      this.requests -= 1;
    }
  }

  http(method, path, more) { return this.send(this.url, method, path, more); }

  sql(text, values) {
    if (!this.database) throw new Error('there is no DATABASE_URL');
    return this.database.sql(text, values);
  }

  // The origin that a page has which calls the handlers.
  pageOrigin() { return this.frontendUrl?.origin ?? this.url.origin; }

  trustedOrigins() { return list(this.backend.values.BETTER_AUTH_TRUSTED_ORIGINS); }

  // --- Names of what is made, and its removal -----------------------------------------------------

  email(name) { return `verify-${this.run}-${name}@example.invalid`; }

  subject(name) { return `verify-${this.run}-${name}`; }

  // `what` is done at the end, the last one first, also after an error or an interruption.
  atEnd(what) { this.removals.push(what); }

  async removeAll() {
    const problems = [];
    const attempt = async (what) => {
      try { await what(); } catch (error) { problems.push(this.hidden(error.message.split('\n')[0])); }
    };
    while (this.removals.length > 0) await attempt(this.removals.pop());
    // A request that was given up may be carried out all the same, a little later.
    for (let rounds = this.unanswered ? 3 : 1; this.wrote && rounds > 0; rounds--) {
      await attempt(() => this.removeRows(`verify-${this.run}-`));
      if (rounds > 1) await pause(3000);
    }
    return problems;
  }

  // Rows of users and tasks whose names begin with `prefix`.
  async removeRows(prefix) {
    const there = new Set((await this.sql(
      "SELECT relname FROM pg_class WHERE oid IN (to_regclass('task'), to_regclass('\"user\"'), to_regclass('session'), to_regclass('account'), to_regclass('verification'), to_regclass('todo_mail'))",
    )).map(({ relname }) => relname));
    const like = `${prefix.replace(/[\\%_]/g, '\\$&')}%`;
    const users = 'SELECT id FROM "user" WHERE email LIKE $1';
    const statements = [
      ['task', `DELETE FROM task WHERE user_id LIKE $1${there.has('user') ? ` OR user_id IN (${users})` : ''}`],
      ['session', there.has('user') && `DELETE FROM session WHERE "userId" IN (${users})`],
      ['account', there.has('user') && `DELETE FROM account WHERE "userId" IN (${users})`],
      ['verification', 'DELETE FROM verification WHERE id LIKE $1 OR identifier LIKE $1'],
      ['todo_mail', 'DELETE FROM todo_mail WHERE recipient LIKE $1'],
      ['user', 'DELETE FROM "user" WHERE email LIKE $1'],
    ];
    for (const [table, statement] of statements) if (there.has(table) && statement) await this.sql(statement, [like]);
  }

  // What a run that was killed an hour ago or earlier has left.
  async removeLeftovers() {
    const rows = await this.sql("SELECT email FROM \"user\" WHERE email LIKE 'verify-%@example.invalid' AND \"createdAt\" < now() - interval '1 hour'");
    const runs = new Set(rows.map(({ email }) => /^verify-[0-9a-f]+-/.exec(email)?.[0]).filter(Boolean));
    for (const prefix of runs) await this.removeRows(prefix);
    return runs.size;
  }

  async close() { await Promise.all([this.database?.close(), this.frontendDatabase?.close()]); }

  // --- Keys ---------------------------------------------------------------------------------------

  // The private JWK of a row of `jwks`; undefined if the file's secrets do not open it (contract
  // better-auth-wire, sections 8.5 and 8.7).
  async openKey(sealed) {
    const { BETTER_AUTH_SECRET: only, BETTER_AUTH_SECRETS: many } = this.backend.values;
    const keys = new Map(list(many).map((entry) => [Number(entry.split(':')[0]), entry.slice(entry.indexOf(':') + 1)]));
    try {
      const stored = JSON.parse(sealed);
      if (typeof stored !== 'string') return stored;
      return JSON.parse(await symmetricDecrypt({ key: keys.size > 0 ? { keys, legacySecret: only } : only, data: stored }));
    } catch {
      return undefined;
    }
  }

  // The table's keys in use, newest first: {id, jwk}; jwk is undefined where the secret does not open it.
  async signingKeys() {
    const rows = await this.sql('SELECT id, "privateKey" AS sealed FROM jwks WHERE "expiresAt" IS NULL OR "expiresAt" > now() ORDER BY "createdAt" DESC LIMIT 20');
    return Promise.all(rows.map(async ({ id, sealed }) => ({ id, jwk: await this.openKey(sealed) })));
  }

  // --- Figures ------------------------------------------------------------------------------------

  measure(step, ms, limit = null) {
    if (!this.samples.has(step)) this.samples.set(step, { limit, all: [] });
    this.samples.get(step).all.push(ms);
  }

  latencies() {
    return [...this.samples].map(([step, { limit, all }]) => {
      const sorted = [...all].sort((a, b) => a - b);
      const at = (share) => Math.round(quantile(sorted, share) * 10) / 10;
      return { step, count: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1), limit_ms: limit };
    });
  }

  // --- What nobody may see ------------------------------------------------------------------------

  #secrets() {
    const found = new Set();
    for (const file of [this.backend, this.frontend]) {
      if (!file) continue;
      for (const values of [file.values, file.python]) {
        for (const [name, value] of Object.entries(values)) {
          if (/SECRET|PASSWORD|TOKEN|KEY$/.test(name)) for (const part of [value, ...value.split(',').map((entry) => entry.slice(entry.indexOf(':') + 1))]) found.add(part);
        }
        for (const name of ['DATABASE_URL', 'SMTP_URL']) {
          if (!values[name]) continue;
          found.add(values[name]);
          const password = /^[^:]+:\/\/[^:@/]*:([^@/]*)@/.exec(values[name])?.[1];
          if (password) { found.add(password); try { found.add(decodeURIComponent(password)); } catch { /* not escaped */ } }
        }
      }
    }
    return [...found].filter((text) => text.length >= 4).sort((a, b) => b.length - a.length);
  }

  // `text` without secrets, passwords and tokens.
  hidden(text) {
    let shown = text;
    for (const one of this.secrets) shown = shown.replaceAll(one, '<hidden>');
    return shown.replace(/eyJ[\w-]+\.[\w-]*(?:\.[\w-]*)?/g, '<token>').replace(/\b[A-Za-z0-9]{32}\.[\w%+/-]{40,}(?:%3D|=)/g, '<cookie>');
  }

  hintFor(error) {
    if (['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT', 'ECONNRESET'].includes(error.code)) return `start the service, or correct --url (${this.url.origin})`;
    return 'see the message; with it, the log of the handlers says more';
  }
}
