// Every fenced block of every document is run, served, built or read by the program that it is for; or a line before
// it says why not: "<!-- not run: REASON -->", where the reason names the test that runs it, or is one of `reasons`.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import { migrateAsBetterAuth } from '../interop/instance.mjs';
import { startReal } from '../interop/real.mjs';
import { request, sql } from '../http/harness.mjs';
import { apacheBase, ownFolder, start, userLines } from '../servers/support.mjs';
import { blocksOf, build, checkout, configuration, documents, environment, folder, root, run, shell, standIns, text } from './support.mjs';
import { freePort, until } from '../common.mjs';

const reasons = ['it would run itself', 'it takes minutes, and a machine that does nothing else'];
const all = documents.flatMap((file) => blocksOf(file));
const taken = new Set();

// The blocks below a heading, each of which is run by whoever asks for it.
function take(file, heading, languages = ['sh']) {
  const blocks = all.filter((block) => block.file === file && block.heading === heading && block.reason === undefined && languages.includes(block.language));
  assert.ok(blocks.length > 0, `${file} has blocks below "${heading}"`);
  for (const block of blocks) taken.add(block);
  return blocks.map((block) => block.text);
}

// Each of `replacements` must be met.
function adapted(content, replacements) {
  return Object.entries(replacements).reduce((result, [from, to]) => {
    assert.ok(result.includes(from), `"${from}" is in: ${content}`);
    return result.replaceAll(from, to);
  }, content);
}

const servers = [];
const ground = { folder: folder('servers'), servers };
const ends = [];
after(async () => {
  for (const server of servers) await server.stop();
  for (const end of ends.reverse()) await end();
});

// --- In a checkout --------------------------------------------------------------------------------

test('README: make run, the life of a task by curl, one program from a shell, todo-fcgi, make verify', async () => {
  const place = await checkout('checkout');
  const port = String(await freePort());
  const env = environment({ PORT: port, BETTER_AUTH_URL: `http://127.0.0.1:${port}` });
  const here = { cwd: place, env };

  const [command] = take('README.md', 'Two commands');
  const running = spawn('bash', ['-c', command], { ...here, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(running, 'exit');
  let output = '';
  for (const stream of [running.stdout, running.stderr]) stream.on('data', (chunk) => { output += chunk; });
  ends.push(() => run('env/embedded', ['stop'], here));
  await until('make run', () => { assert.equal(running.exitCode, null, output); return output.includes('press Ctrl-C'); }, 600);
  assert.match(output, new RegExp(`http://127.0.0.1:${port}`));

  const [life] = take('README.md', 'The whole life of a task, with curl');
  const [alone, ...more] = take('README.md', 'One program from a shell').map((block) => block.replaceAll('build/release', `build/${configuration}`));
  const seen = await shell([adapted(life, { 8080: port }), 'echo "=== alone"', alone, 'echo "=== more"', ...more].join('\n'), here);
  const [lived, alones, mores] = seen.split(/=== (?:alone|more)\n/);
  assert.equal([...lived.matchAll(/"title":"Buy milk"/g)].length, 4, lived);
  assert.match(lived, /"description":"two litres"/);
  assert.match(lived, /"completed":true/);
  assert.match(lived, /\{"success":true\}/);
  assert.doesNotMatch(lived, /"(error|code)":/);
  assert.deepEqual(alones.match(/Status: \d+/g), ['Status: 200', 'Status: 201', 'Status: 200']);
  assert.match(mores, /^\[\{.*"title":"From a shell"/m);

  const [verify] = take('README.md', 'Is it ready?');
  assert.match(await shell(verify, { ...here, env: { ...env, ARGS: '--only environment' } }), /ready/i);

  process.kill(-running.pid, 'SIGINT');
  const [status, signal] = await ended;
  assert.ok(status === 0 || signal === 'SIGINT', output);
  assert.match(output, /todo-fcgi: stopping/);
  await assert.rejects(request('GET', '/health', { port: Number(port) }));
});

// --- A new route ----------------------------------------------------------------------------------

test('CONTRIBUTING: the route is added in under 60 lines, builds, is served and passes its test', async () => {
  const place = await checkout('route');
  const blocks = take('CONTRIBUTING.md', 'Adding a route', ['cpp', 'sql', 'js']);
  assert.equal(blocks.length, 4);
  const [program, grants, rights, tests] = blocks;
  assert.ok(blocks.join('\n').split('\n').length < 60, `${blocks.join('\n').split('\n').length} lines`);
  const change = (file, act) => {
    const name = path.join(place, file);
    const before = readFileSync(name, 'utf8');
    const now = act(before);
    assert.notEqual(now, before);
    writeFileSync(name, now);
  };
  writeFileSync(`${place}/handlers/task_count.cpp`, `${program}\n`);
  writeFileSync(`${place}/tests/http/tasks-count.test.mjs`, `${tests}\n`);
  const [first, second] = grants.split('\n');
  const old = second.replace(' task_count', '');
  assert.notEqual(old, second);
  change('sql/grants.sql', (content) => {
    assert.equal(content.split(old).length, 2, 'the line of the example is in grants.sql');
    // A row of the table of rights, wherever the others are.
    return content.replace(old, second).replace(/^ {2}\('task_list', .*\n/m, (line) => `${first}\n${line}`);
  });
  change('tests/http/roles.test.mjs', (content) => content.replace(/^ {2}task_list: .*\n/m, (line) => `${rights}\n${line}`));

  const port = String(await freePort());
  const env = environment({ STATE_DIR: folder('route-state'), PORT: port, BETTER_AUTH_TRUSTED_ORIGINS: 'http://app.example.test' });
  const here = { cwd: place, env };
  await shell('make', here);
  assert.match(readFileSync(`${place}/build/${configuration}/routes.tsv`, 'utf8'), /^task_count\tGET,HEAD\t/m);
  env.BUILD = `build/${configuration}`;
  ends.push(() => run('env/embedded', ['stop'], here));
  await shell('env/embedded start', here);
  const ask = (files) => shell(`set -a; source "$STATE_DIR/env"; set +a
    export TODO_URL=http://127.0.0.1:${port} TODO_STATE_DIR=$STATE_DIR TODO_ROOT=$PWD TODO_BUILD=$PWD/$BUILD TODO_BIN=$PWD/$BUILD/handlers
    node --test --test-reporter tap ${files}`, here);
  const output = await ask('tests/http/tasks-count.test.mjs tests/http/roles.test.mjs');
  assert.match(output, /ok \d+ - the count is of the caller's tasks alone/);
  await assert.rejects(ask('tests/http/openapi.test.mjs'), /count/, 'what is not in the document is missed');
});

test('CONTRIBUTING: one file of tests against an instance of one\'s own', async () => {
  const [block] = take('CONTRIBUTING.md', 'Trying it');
  const output = await shell(adapted(block, { 18700: String(await freePort()), '/tmp/todo-try': folder('try'), 'build/release': `build/${configuration}` }), { cwd: root });
  assert.match(output, /^# fail 0$/m);
});

// --- On a server ----------------------------------------------------------------------------------

// A PostgreSQL of its own, whose time is not UTC.
async function cluster() {
  const place = folder('cluster');
  const port = await freePort();
  const asRoot = process.getuid() === 0;
  const bin = (await shell('bin=$(pg_config --bindir); [[ -x $bin/postgres ]] || bin=$(printf "%s\\n" /usr/lib/postgresql/*/bin | sort -V | tail -n 1); echo "$bin"')).trim();
  const words = asRoot ? ['setpriv', '--reuid', 'postgres', '--regid', 'postgres', '--init-groups'] : ['env'];
  if (asRoot) await run('chown', ['postgres', place]);
  await run(words[0], [...words.slice(1), `${bin}/initdb`, '-D', `${place}/data`, '--auth', 'trust', '--username', 'postgres', '--no-sync'], { cwd: '/' });
  const child = spawn(words[0], [...words.slice(1), `${bin}/postgres`, '-D', `${place}/data`, '-k', '', '-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off', '-c', 'timezone=Asia/Karachi', '-p', String(port)], { cwd: '/', stdio: 'ignore' });
  const ended = once(child, 'exit');
  ends.push(async () => { child.kill('SIGINT'); await ended; });
  const admin = { PGHOST: '127.0.0.1', PGPORT: String(port), PGUSER: 'postgres', PGDATABASE: 'postgres' };
  await until('PostgreSQL', () => run('psql', ['-c', 'SELECT 1'], { env: { ...process.env, ...admin } }).then(() => true, () => false));
  return { port, admin, url: (user, database) => `postgresql://${user}@127.0.0.1:${port}/${database}` };
}

// What todo-fcgi's packages would be on this machine, in a folder.
async function installation() {
  const place = folder('installed');
  const prefix = `${place}/usr/local`;
  for (const part of ['etc', 'run']) folder(`installed/${part}`);
  const database = await cluster();
  const commands = standIns('commands', {
    sudo: `if [[ $1 == -u ]]; then shift 2; export ${Object.entries(database.admin).map((pair) => pair.join('=')).join(' ')}; fi; exec "$@"`,
    'systemd-sysusers': `exec /usr/bin/systemd-sysusers --root=${place} "$@"`,
    'systemd-tmpfiles': `exec /usr/bin/systemd-tmpfiles --root=${place} "$@"`,
    // Every unit that it is told of is installed, and one that is to be enabled can be.
    systemctl: `verb=$1; shift
[[ $verb == daemon-reload ]] && exit
[[ $verb =~ ^(enable|disable|start|restart|try-restart)$ ]]
for word; do [[ $word != --now ]] || continue
  found=0
  for unit in ${prefix}/lib/systemd/system/todo-*; do
    name=\${unit##*/}
    [[ $name == $word || $name == "\${word%%@*}@.\${word##*.}" || \${name/@./@1.} == $word ]] || continue
    [[ $verb != *able ]] || grep -q '^WantedBy=' "$unit"
    found=1
  done
  [[ $found -eq 1 ]] || { echo "no unit $word" >&2; exit 1; }
  echo "$verb $word" >>${place}/systemctl.log
done`,
  });
  const env = environment({
    PATH: `${commands}:${prefix}/bin:${process.env.PATH}`, MAKEFLAGS: `-- prefix=${prefix} runstatedir=${place}/run`,
  });
  // The documents' places, here; what a block does not mention is not replaced.
  const here = (block) => Object.entries({
    '/usr/local/': `${prefix}/`, '/etc/todo-fcgi': `${prefix}/etc/todo-fcgi`, '/usr/share/todo-fcgi': `${prefix}/share/todo-fcgi`,
    '/usr/lib/todo-fcgi': `${prefix}/libexec/todo-fcgi`, '/run/todo-fcgi': `${place}/run/todo-fcgi`, '@localhost/': `@127.0.0.1:${database.port}/`,
    '/var/log/todo-fcgi.log': `${place}/todo-fcgi.log`, EXAMPLES: `${prefix}/share/doc/todo-fcgi/examples`,
  }).reduce((result, [from, to]) => result.replaceAll(from, to), block);
  const at = { place, prefix, database, env, here, settings: `${prefix}/etc/todo-fcgi/env`, log: `${place}/systemctl.log` };
  at.run = (block, more = {}) => shell(here(block), { cwd: at.checkout, env: { ...env, ...more } });
  at.checkout = await checkout('install');
  return at;
}

// nginx with `lines` at its http level.
async function nginx(name, lines, port) {
  const file = `${ground.folder}/${name}.conf`;
  const temporary = await Promise.all(['client_body', 'fastcgi', 'proxy', 'uwsgi', 'scgi'].map(async (kind) => `  ${kind}_temp_path ${await ownFolder(ground, `${name}-${kind}`)};\n`));
  writeFileSync(file, `${userLines('user www-data;\n')}daemon off;\nworker_processes 1;\npid ${ground.folder}/${name}.pid;\nevents {}\nhttp {\n${temporary.join('')}  access_log off;\n${lines}\n}\n`);
  await run('nginx', ['-t', '-e', 'stderr', '-c', file], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } });
  return port && start(ground, name, ['nginx', '-e', 'stderr', '-c', file], [port]);
}

describe('on a server', () => {
  let at, examples;
  const port = freePort();

  test('INSTALL: from source, with a database, settings, units, and by hand without systemd', async () => {
    at = await installation();
    examples = `${at.prefix}/share/doc/todo-fcgi/examples`;
    const [files] = take('env/INSTALL.md', '1. The files');
    await at.run(files);
    await at.run('make installcheck');
    appendFileSync(at.settings, `BETTER_AUTH_SECRET=${(await shell('openssl rand -base64 32')).trim()}\nBETTER_AUTH_TRUSTED_ORIGINS=http://127.0.0.1:*\n`);
    const [database] = take('env/INSTALL.md', '2. A database, and the settings');
    // Nobody here answers under that name.
    await at.run(adapted(database, { 'https://todo.example.com': `http://127.0.0.1:${await port}` }));
    const [enable, byHand] = take('env/INSTALL.md', '3. The service');
    await at.run(enable);
    assert.equal(readFileSync(at.log, 'utf8'), 'enable todo-fcgi.target\n');
    const sockets = `${at.place}/run/todo-fcgi`;
    ends.push(async () => {
      const ours = async () => (await shell(`pgrep -f '^/usr/bin/multiwatch .*${at.prefix}/libexec' || :`)).trim();
      await shell(`kill ${(await ours()).replaceAll('\n', ' ')}`);
      await until('the programs end', async () => await ours() === '');
    });
    await at.run(byHand);
    const programs = [...readFileSync(`${build}/routes.tsv`, 'utf8').match(/^\w+/gm), 'fallback'];
    await until('the programs listen', () => programs.every((name) => existsSync(`${sockets}/${name}.sock`)));
    const [right] = take('env/INSTALL.md', 'Is it right?');
    assert.match(await at.run(right), /\[\{.*"title":"Buy milk".*\}\]/);
    const [upgrade] = take('env/INSTALL.md', 'A newer version, and none');
    await at.run(upgrade);
    assert.match(readFileSync(at.log, 'utf8'), /restart todo-\*@\*\.service/);
  });

  test('WEB-SERVERS: nginx serves the API and the pages', async () => {
    const [atHttp, server] = take('env/WEB-SERVERS.md', 'In five minutes', ['nginx']);
    await nginx('nginx', at.here(`${atHttp}\n${adapted(server, { 'listen 80': `listen 127.0.0.1:${await port}` })}`), await port);
    const asked = await request('POST', '/api/auth/sign-in/email', { port: await port, body: { email: 'zoe@example.com', password: 'password123' } });
    assert.equal(asked.status, 200, asked.text);
    assert.match((await request('GET', '/', { port: await port })).text, /<title>/);
    const [watch] = take('env/INSTALL.md', 'Watching it', ['yaml']);
    assert.ok(readFileSync(`${build}/routes.tsv`, 'utf8').includes(`\t${/metrics_path: (\S+)/.exec(watch)[1]}\n`));
  });

  test('WEB-SERVERS: Apache, lighttpd and Caddy accept their files, with the modules that are named', async () => {
    const section = /## In five minutes\n([\s\S]*?)\n## /.exec(text('env/WEB-SERVERS.md'))[1].replace(/\n/g, ' ');
    const modules = (pattern) => [...section.matchAll(pattern)].flatMap((match) => match[1].split(' '));
    const base = ['mpm_event', 'authn_core', 'authz_core', 'authz_host', 'mime', 'autoindex', 'proxy', 'setenvif', 'filter', 'unixd'];
    const apache = at.here(adapted(take('env/WEB-SERVERS.md', 'In five minutes', ['apache'])[0], { ':80': `:${await freePort()}` }));
    writeFileSync(`${examples}/apache/../apache-env.conf`, '');
    const wanted = { api: /a2enmod (proxy_fcgi[\w ]*)`; and `([\w ]+)`/.exec(section).slice(1).join(' ').split(' '), cgi: modules(/a2enmod (cgid [\w ]+)`/g), fcgid: modules(/a2enmod (fcgid [\w ]+)`/g) };
    const environmentFile = `${at.prefix}/etc/todo-fcgi/apache-env.conf`;
    for (const [kind, names] of Object.entries(wanted)) {
      // What Debian has on by itself, and what the document names, and nothing else.
      const enabled = [...new Set([...base, 'dir', 'deflate', 'alias', 'env', ...names])];
      const file = `${ground.folder}/apache-${kind}.conf`;
      writeFileSync(environmentFile, kind === 'fcgid' ? 'FcgidInitialEnv DATABASE_URL x\n' : 'SetEnv DATABASE_URL x\n');
      const configured = apacheBase({ folder: ground.folder, site: ground.folder, other: ground.folder }, 'apache', 1).replace(/LoadModule[\s\S]*?\n(?!LoadModule)/, enabled.filter((name) => existsSync(`/usr/lib/apache2/modules/mod_${name}.so`)).map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so\n`).join(''));
      writeFileSync(file, `${configured}\n${apache.replace('todo-fcgi-api', kind === 'api' ? 'todo-fcgi-api' : `todo-fcgi-${kind}`)}\n`);
      await run('/usr/sbin/apache2', ['-t', '-f', file]);
    }

    const lighttpd = at.here(take('env/WEB-SERVERS.md', 'In five minutes', ['lighttpd'])[0]);
    const named = modules(/lighty-enable-mod ([\w ]+)`/g).map((name) => `"mod_${name}"`);
    writeFileSync(`${ground.folder}/lighttpd.conf`, `server.document-root = "${ground.folder}"\nserver.port = 1\nserver.modules = ( ${named.join(', ')} )\n${lighttpd}\n`);
    const { stdout, stderr } = await run('/usr/sbin/lighttpd', ['-tt', '-f', `${ground.folder}/lighttpd.conf`]);
    assert.equal(stdout + stderr, '');

    writeFileSync(`${ground.folder}/Caddyfile`, `${at.here(take('env/WEB-SERVERS.md', 'In five minutes', ['caddy'])[0])}\n`);
    await run('caddy', ['validate', '--adapter', 'caddyfile', '--config', `${ground.folder}/Caddyfile`], { env: { PATH: process.env.PATH, HOME: ground.folder } });
  });

  test('README: from Better Auth and FastAPI, path by path, and back', async () => {
    // What the two have made so far.
    const { database } = at;
    sql('CREATE DATABASE before OWNER todo', {}, database.url('postgres', 'postgres'));
    const url = database.url('todo', 'before');
    await migrateAsBetterAuth(url);
    const theirs = await startReal(url);
    ends.push(() => theirs.stop());
    const user = { name: 'Old', email: 'old@example.com', password: 'password123' };
    const { json: made } = await theirs.post('sign-up/email', user);
    sql(`CREATE TABLE task (id serial PRIMARY KEY, title varchar NOT NULL, description varchar, completed boolean NOT NULL,
           user_id varchar NOT NULL, created_at timestamp NOT NULL, updated_at timestamp NOT NULL);
         INSERT INTO task (title, completed, user_id, created_at, updated_at) VALUES ('Old one', true, :'user', '2026-01-02 03:04:05', '2026-01-02 03:04:05')`, { user: made.user.id }, url);

    const [take_over, back] = take('README.md', 'From Better Auth and FastAPI, and back');
    const kept = readFileSync(at.settings, 'utf8');
    writeFileSync(at.settings, `DATABASE_URL=postgresql://nobody@localhost/none\nBETTER_AUTH_SECRET=${'made by the package '.repeat(2)}\n`);
    const secret = process.env.BETTER_AUTH_SECRET;
    const values = `DATABASE_URL='${url}' BETTER_AUTH_SECRET='${secret}' BETTER_AUTH_URL=http://todo.example.com\n`;
    await at.run(values + take_over);
    const list = JSON.parse(await at.run(`todo-fcgi call GET /api/tasks --user ${user.email}`));
    assert.deepEqual(list.map(({ id, title, completed, created_at: at_ }) => [id, title, completed, Date.parse(at_)]), [[1, 'Old one', true, Date.parse('2026-01-02T03:04:05Z')]]);
    assert.match(await at.run(`todo-fcgi call POST /api/auth/sign-in/email --data '${JSON.stringify(user)}'`), /"token"/);
    writeFileSync(at.settings, kept);

    // One path is still theirs.
    const other = http.createServer((_, answer) => answer.end('theirs'));
    await new Promise((resolve) => { other.listen(0, '127.0.0.1', resolve); });
    ends.push(() => { other.closeAllConnections(); other.close(); });
    const [location] = take('README.md', 'From Better Auth and FastAPI, and back', ['nginx']);
    const at_ = await freePort();
    await nginx('nginx-beside', at.here(`include EXAMPLES/nginx/todo-fcgi-http.conf;
      server { listen 127.0.0.1:${at_}; include EXAMPLES/nginx/todo-fcgi-api.conf;\n${adapted(location, { 3000: String(other.address().port) })}\n}`), at_);
    assert.equal((await request('GET', '/api/auth/ok', { port: at_ })).text, 'theirs');
    assert.equal((await request('GET', '/api/tasks', { port: at_ })).status, 401);

    // And back: the server that made it all goes on, and so does the Python service, which writes times like this.
    await at.run(values + back);
    assert.match(readFileSync(at.log, 'utf8'), /disable todo-fcgi\.target/);
    assert.equal((await theirs.post('sign-in/email', user)).status, 200);
    sql(`INSERT INTO task (title, completed, user_id, created_at, updated_at) VALUES ('New', false, :'user', timestamp '2026-01-02 03:04:05', timestamp '2026-01-02 03:04:05')`, { user: made.user.id }, url);
    assert.equal(sql("SELECT count(DISTINCT created_at) FROM task", {}, url), '1');
  });

  test('todo-verify: each way to call it', async () => {
    const [calls] = take('env/verify/README.md', 'todo-verify');
    assert.equal([...calls.replace(/\\\n/g, ' ').matchAll(/^todo-verify /gm)].length, 2);
    const theirs = await startReal(at.database.url('todo', 'todo'), { baseURL: null });
    ends.push(() => theirs.stop());
    const own = folder('verify');
    const commands = standIns('verify-commands', { 'todo-verify': `exec ${at.prefix}/bin/todo-verify "$@" --only environment --journeys 1`, make: '[[ $1 == verify ]]' });
    const settings = readFileSync(at.settings, 'utf8');
    writeFileSync(`${own}/backend.env`, settings);
    writeFileSync(`${own}/.env.local`, settings.replace(/^BETTER_AUTH_URL=.*$/m, `BETTER_AUTH_URL=${theirs.origin}`));
    const ours = `http://127.0.0.1:${await port}`;
    const output = await shell(adapted(at.here(calls), { '--url https://todo.example.com': `--url ${ours}`, 'https://api.example.com': ours, '-url https://todo.example.com': `-url ${theirs.origin}` }),
      { cwd: own, env: { ...at.env, PATH: `${commands}:${at.env.PATH}` } });
    assert.equal([...output.matchAll(/^READY/gm)].length, 2, output);
    assert.ok(existsSync(`${own}/report.html`));
  });
});

// --- What is left ---------------------------------------------------------------------------------

test('no block of any document is left out', () => {
  assert.ok(all.length > 25);
  for (const block of all) {
    const place = `${block.file}:${block.line}`;
    if (block.reason === undefined) {
      assert.ok(block.language, `${place}: a block says in which language it is`);
      assert.ok(taken.has(block), `${place}: nothing runs this block, and nothing says why not`);
      continue;
    }
    const file = /\btests\/[\w./-]+\.(?:bats|mjs)\b/.exec(block.reason)?.[0];
    assert.ok(reasons.includes(block.reason) || file, `${place}: "${block.reason}" names no test that runs it`);
    if (file) assert.ok(text(file).includes(path.basename(block.file)), `${place}: ${file} does not take it from there`);
  }
});
