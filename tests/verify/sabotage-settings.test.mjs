// Sabotaged files and databases: todo-verify must fail in exactly the check that the fault belongs to,
// say why, and say what to change.
import net from 'node:net';
import { after, before, test } from 'node:test';
import { Deployment, assertFails, faketime } from './deployment.mjs';

const ONLY = 'environment,database';
let d;
let proxy;

// The cluster under test listens on a socket only; this is its address for what goes over TCP.
async function listen(socket) {
  const server = net.createServer((client) => {
    const link = net.connect(socket);
    client.pipe(link).pipe(client);
    for (const one of [client, link]) one.on('error', () => { client.destroy(); link.destroy(); });
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  return server;
}

before(async () => {
  d = await Deployment.start();
  proxy = await listen(`${new URL(d.database.url.replace('@/', '@localhost/')).searchParams.get('host')}/.s.PGSQL.5432`);
});
after(async () => {
  proxy?.close();
  await d?.stop();
});

const sabotage = (name, wanted, act) => test(name, async () => {
  const run = (options = {}) => d.verify({ only: ONLY, frontend: d.frontendEnv, ...options });
  const outcome = await act(run);
  assertFails(outcome, wanted);
});
const withSql = (name, wanted, change, undo) => sabotage(name, wanted, (run) => d.withSql(change, undo, run));

const other = (text) => `${text.slice(0, -2)}${text.at(-2) === 'A' ? 'B' : 'A'}${text.at(-1)}`;
const url = (change) => { const parsed = new URL(d.database.url.replace('@/', '@localhost/')); change(parsed); return parsed.href.replace('@localhost/', '@/'); };
// The same database over TCP.
const overTcp = (host, more = '') => `postgresql://${d.database.name}:${d.database.password}@${host}:${proxy.address().port}/${d.database.name}${more}`;
const backend = (change) => ({ ...d.backendEnv, ...change });
const frontend = (change) => ({ ...d.frontendEnv, ...change });

// --- Nothing is wrong -----------------------------------------------------------------------------

sabotage('no sabotage: ready', {}, (run) => run());
sabotage('the same database in another spelling, as a socket in the host part: ready', {}, (run) => run({
  frontend: frontend({ DATABASE_URL: d.database.url.replace(/@\/([^?]*)\?host=(.*)/, (_, name, host) => `@${encodeURIComponent(host)}/${name}`).replace('postgresql:', 'postgres:') }),
}));
sabotage('the same database over TCP: ready', {}, (run) => run({ frontend: frontend({ DATABASE_URL: overTcp('localhost') }) }));
sabotage('files with export, quotes, comments, spaces and CRLF: ready', {}, (run) => run({
  backend: `# settings\r\nexport BETTER_AUTH_SECRET='${d.settings.BETTER_AUTH_SECRET}' # kept\r\n  DATABASE_URL = "${d.database.url}"\r\n\r\nBETTER_AUTH_URL=${d.origin}\r\n`,
  frontend: `NEXT_PUBLIC_NAME=a b\nBETTER_AUTH_SECRET=${d.settings.BETTER_AUTH_SECRET} # kept\nDATABASE_URL='${d.database.url}'\nBETTER_AUTH_URL="${d.origin}"`,
}));

// --- Files ----------------------------------------------------------------------------------------

sabotage('the secret differs by one character', { 'environment.secret-identical': /44 characters in backend\.env, 44 in frontend\.env; they differ .*\ncopy BETTER_AUTH_SECRET/ },
  (run) => run({ frontend: frontend({ BETTER_AUTH_SECRET: other(d.settings.BETTER_AUTH_SECRET) }), secrets: [other(d.settings.BETTER_AUTH_SECRET)] }));
sabotage('the secret has a space at its end in one file', { 'environment.secret-identical': /differ only by quotes or spaces/ },
  (run) => run({ frontend: frontend({ BETTER_AUTH_SECRET: `${d.settings.BETTER_AUTH_SECRET} ` }) }));
sabotage('the secret is in the back end\'s file only', { 'environment.required': /BETTER_AUTH_SECRET missing in frontend\.env/ },
  (run) => run({ frontend: frontend({ BETTER_AUTH_SECRET: '' }) }));
sabotage('the secret is in the front end\'s file only', { 'environment.required': /BETTER_AUTH_SECRET missing in backend\.env/ },
  (run) => run({ backend: backend({ BETTER_AUTH_SECRET: '' }) }));
sabotage('DATABASE_URL is missing in one file', { 'environment.required': /DATABASE_URL missing in frontend\.env/ },
  (run) => run({ frontend: { BETTER_AUTH_SECRET: d.settings.BETTER_AUTH_SECRET } }));
sabotage('the secret is too short', { 'environment.secret-strength': /less than 32 characters/, 'environment.running-secret': /the handlers run with another secret/ },
  (run) => run({ backend: backend({ BETTER_AUTH_SECRET: 'short-but-hard-7Qx2' }), frontend: frontend({ BETTER_AUTH_SECRET: 'short-but-hard-7Qx2' }), secrets: ['short-but-hard-7Qx2'] }));
sabotage('both files have a secret that is not the one that runs', { 'environment.running-secret': /the handlers run with another secret/ },
  (run) => run({ backend: backend({ BETTER_AUTH_SECRET: other(d.settings.BETTER_AUTH_SECRET) }), frontend: frontend({ BETTER_AUTH_SECRET: other(d.settings.BETTER_AUTH_SECRET) }) }));

// --- Which database -------------------------------------------------------------------------------

sabotage('another database of the same server', { 'environment.same-database': /two databases of one server: "verify_\w+" and "verify_\w+_other"/ },
  (run) => d.withOtherDatabase((otherUrl) => run({ frontend: frontend({ DATABASE_URL: otherUrl }) })));
sabotage('both files lead to a database that is not the one that runs', { 'environment.running-database': /the handlers run on another database/ },
  (run) => d.withOtherDatabase((otherUrl) => run({ backend: backend({ DATABASE_URL: otherUrl }), frontend: frontend({ DATABASE_URL: otherUrl }) })));
sabotage('another schema of the same database', { 'environment.same-database': /one database, but the schemas "public" and "elsewhere"/ },
  (run) => d.withSql(`CREATE SCHEMA elsewhere AUTHORIZATION ${d.database.name}; CREATE TABLE elsewhere.verification (LIKE public.verification); ALTER TABLE elsewhere.verification OWNER TO ${d.database.name}`,
    'DROP SCHEMA elsewhere CASCADE', () => run({ frontend: frontend({ DATABASE_URL: `${d.database.url}&options=-csearch_path%3Delsewhere` }) })));

sabotage('a wrong password in the front end\'s file', { 'environment.same-database': /frontend\.env: the user or password in DATABASE_URL/ },
  (run) => run({ frontend: frontend({ DATABASE_URL: url((parsed) => { parsed.password = 'wrong-password'; }) }), secrets: ['wrong-password'] }));
sabotage('a wrong password in the back end\'s file', { 'database.reachable': /the user or password in DATABASE_URL/ },
  (run) => run({ backend: backend({ DATABASE_URL: url((parsed) => { parsed.password = 'wrong-password'; }) }), secrets: ['wrong-password'] }));
sabotage('a database that does not exist', { 'database.reachable': /no database of the name/ },
  (run) => run({ backend: backend({ DATABASE_URL: url((parsed) => { parsed.pathname = '/nowhere'; }) }) }));
sabotage('a port where nothing listens', { 'database.reachable': /no server listens at 127\.0\.0\.1:9\b/ },
  (run) => run({ backend: backend({ DATABASE_URL: overTcp('127.0.0.1').replace(/:\d+\//, ':9/') }) }));
sabotage('DATABASE_URL is no URL', { 'database.reachable': /must be a URL such as postgresql:/ },
  (run) => run({ backend: backend({ DATABASE_URL: 'localhost:5432/todo' }) }));
sabotage('TLS is required, the server has none', { 'database.encryption': /requires TLS .* the server has none/ },
  (run) => run({ backend: backend({ DATABASE_URL: overTcp('127.0.0.1', '?sslmode=require') }) }));
// Another way to write 127.0.0.1, so that it is no local address to whoever reads the URL.
sabotage('over a network without encryption', { 'database.encryption': /crosses a network and is not encrypted\nswitch TLS on/ },
  (run) => run({ backend: backend({ DATABASE_URL: overTcp('0x7f000001') }) }));

// --- What is in the database ----------------------------------------------------------------------

withSql('a migration is missing', { 'database.migrations': /not applied: 0003_limits_and_mail\nrun sql\/migrate/ },
  "ALTER TABLE todo_mail RENAME TO aside; UPDATE todo_migration SET name = 'aside' WHERE name = '0003_limits_and_mail'",
  "ALTER TABLE aside RENAME TO todo_mail; UPDATE todo_migration SET name = '0003_limits_and_mail' WHERE name = 'aside'");
withSql('a migration was changed after it was applied', { 'database.migrations': /changed after it was applied.*: 0002_task\n/ },
  "UPDATE todo_migration SET checksum = reverse(checksum) WHERE name = '0002_task'", "UPDATE todo_migration SET checksum = reverse(checksum) WHERE name = '0002_task'");
withSql('a column of our table is missing', { 'database.schema': /column "task"\."description" is missing/ },
  'ALTER TABLE task RENAME description TO note', 'ALTER TABLE task RENAME note TO description');
withSql('a column has another type', { 'database.schema': /column "task"\."created_at" is timestamp without time zone\nit must be timestamp with time zone/ },
  'ALTER TABLE task ALTER created_at TYPE timestamp', 'ALTER TABLE task ALTER created_at TYPE timestamptz');
withSql('the trigger that removes tasks of deleted users is off', { 'database.schema': /trigger todo_user_deleted is missing or off/ },
  'ALTER TABLE "user" DISABLE TRIGGER todo_user_deleted', 'ALTER TABLE "user" ENABLE TRIGGER todo_user_deleted');
withSql('a column of Better Auth\'s tables is missing', { 'database.better-auth-schema': /column "user"\."image" is missing/ },
  'ALTER TABLE "user" RENAME image TO picture', 'ALTER TABLE "user" RENAME picture TO image');
withSql('an extra NOT NULL column in "user"', { 'database.better-auth-schema': /column "user"\."phone" is NOT NULL without default/ },
  'ALTER TABLE "user" ADD phone text NOT NULL', 'ALTER TABLE "user" DROP phone');
withSql('two users may have one address', { 'database.better-auth-schema': /"user"\.email is not unique/ },
  'ALTER TABLE "user" DROP CONSTRAINT user_email_key', 'ALTER TABLE "user" ADD UNIQUE (email)');
// It has what the programs' roles have, of which it is a member.
sabotage('a privilege of who logs in is missing', { 'database.privileges': /lacking: INSERT on jwks\nGRANT INSERT ON "jwks" TO/ }, (run) => {
  const who = `${d.database.name}, todo_session, todo_token, todo_jwks`;
  return d.withSql(`REVOKE INSERT ON jwks FROM ${who}`, `GRANT INSERT ON jwks TO ${who}`, run);
});
withSql('a privilege of a program\'s role is missing', { 'database.privileges': /lacking: DELETE on task for todo_task_delete\nrun sql\/migrate/ },
  'REVOKE DELETE ON task FROM todo_task_delete', 'GRANT DELETE ON task TO todo_task_delete');
sabotage('the database is read-only', { 'database.writable': /default_transaction_read_only is on/ }, async (run) => {
  try {
    return await d.withSql(`ALTER DATABASE ${d.database.name} SET default_transaction_read_only = on`,
      `SET default_transaction_read_only = off; ALTER DATABASE ${d.database.name} RESET default_transaction_read_only`, () => { d.dropLinks(); return run(); });
  } finally {
    d.dropLinks();
  }
});
sabotage('a signing key that the secret does not open', { 'environment.signing-keys': /1 of \d signing keys in use are not opened by the secret.*\nthe secret was changed/ },
  (run) => d.withSql(`INSERT INTO jwks (id, "publicKey", "privateKey", "createdAt") VALUES ('foreign', '{}', '"00ff"', now())`, "DELETE FROM jwks WHERE id = 'foreign'", run));
sabotage('no connection is left', { 'database.connections': /too many connections.*\nno connection is left: raise max_connections/ },
  (run) => d.withSql(`ALTER ROLE ${d.database.name} CONNECTION LIMIT 0`, `ALTER ROLE ${d.database.name} CONNECTION LIMIT -1`, run));

sabotage('the clock is off by ten minutes', { 'database.clock': /the database -\d+ s.*\nset the clock/ },
  (run) => run({ environment: { LD_PRELOAD: faketime(), FAKETIME: '+600s', FAKETIME_DONT_FAKE_MONOTONIC: '1' } }));
