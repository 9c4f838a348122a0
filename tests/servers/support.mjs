// What the tests of the web servers share: a real server as an ordinary process, with a configuration that
// already serves another site, the include files as they are shipped, and the handlers of the instance
// under test.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createWriteStream, existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, chown, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { request } from '../http/harness.mjs';

const run = promisify(execFile);
export const root = process.env.TODO_ROOT;
const build = process.env.TODO_BUILD;
const isRoot = process.getuid() === 0;

// Where env/embedded keeps what it makes anew at each start.
export async function runFolder(state) {
  const runtime = isRoot ? '/run' : process.env.XDG_RUNTIME_DIR || '/tmp';
  return `${runtime}/todo-fcgi-${createHash('sha256').update(await realpath(state)).digest('hex').slice(0, 12)}`;
}

// A folder for one test file: the other site, and links to the sockets of an instance, so that a handler
// can be "down" for us and for nobody else.
export async function makeGround(state = process.env.TODO_STATE_DIR) {
  const folder = await mkdtemp(path.join(tmpdir(), 'todo-servers-'));
  await chmod(folder, 0o755);
  const ground = { folder, www: `${await runFolder(state)}/www`, bin: `${await runFolder(state)}/bin`, sockets: `${folder}/sockets`, site: `${folder}/site`, other: `${folder}/other`, servers: [] };
  const real = `${await runFolder(state)}/sockets`;
  await mkdir(ground.sockets);
  for (const name of readdirSync(real)) await symlink(`${real}/${name}`, `${ground.sockets}/${name}`);
  for (const place of [ground.site, ground.other]) {
    await mkdir(`${place}/docs`, { recursive: true });
    const name = path.basename(place);
    await writeFile(`${place}/index.html`, `<h1>${name}</h1>\n`);
    await writeFile(`${place}/404.html`, `<h1>${name} has no such page</h1>\n`);
    await writeFile(`${place}/docs/page.html`, `<p>a page of ${name}</p>\n`);
    await writeFile(`${place}/docs/api.html`, `<p>about the API of ${name}</p>\n`);
    await writeFile(`${place}/apiary.html`, '<p>bees</p>\n');
  }
  ground.withoutHandler = async (name, action) => {
    await rm(`${ground.sockets}/${name}.sock`);
    try { return await action(); } finally { await symlink(`${real}/${name}.sock`, `${ground.sockets}/${name}.sock`); }
  };
  ground.clear = async () => {
    for (const server of ground.servers) await server.stop();
    await rm(folder, { recursive: true });
  };
  return ground;
}

// The include files, made as for an installation, with this ground's folders.
export async function renderSnippets(ground, settings = {}) {
  const out = `${ground.folder}/snippets`;
  await run(`${root}/env/render-snippets`, [out, `${build}/routes.tsv`], {
    env: { ...process.env, SOCKETS: ground.sockets, WWW: ground.www, BIN: ground.bin, CONF: `${out}/nginx`, ...settings },
  });
  return out;
}

// Files that a server running as www-data must write to.
export async function ownFolder(ground, name) {
  const folder = `${ground.folder}/${name}`;
  await mkdir(folder, { recursive: true });
  if (isRoot) await chown(folder, ...['-u', '-g'].map((flag) => Number(execFileSync('id', [flag, 'www-data'], { encoding: 'utf8' }))));
  return folder;
}

// As root, a server that does not change its user itself is started as www-data.
export const asWebUser = (command) => (isRoot ? ['setpriv', '--reuid', 'www-data', '--regid', 'www-data', '--init-groups', ...command] : command);
export const userLines = (lines) => (isRoot ? lines : '');

async function answers(port) {
  const socket = net.connect(port, '127.0.0.1');
  const connected = await new Promise((resolve) => { socket.once('connect', () => resolve(true)).once('error', () => resolve(false)); });
  socket.destroy();
  return connected;
}

// Starts a server in the foreground and waits until it listens on `ports`.
export async function start(ground, name, command, ports, environment = {}) {
  const log = `${ground.folder}/${name}.log`;
  const output = createWriteStream(log);
  await once(output, 'open');
  const child = spawn(command[0], command.slice(1), {
    cwd: ground.folder, stdio: ['ignore', output, output], env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: ground.folder, ...environment },
  });
  const ended = once(child, 'exit');
  let alive = true;
  ended.then(() => { alive = false; });
  const server = {
    log, child,
    stop: async () => {
      if (!alive) return;
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 10000);
      await ended;
      clearTimeout(timer);
    },
  };
  ground.servers.push(server);
  const end = Date.now() + 20000;
  for (const port of ports) {
    while (!(await answers(port))) {
      assert.ok(alive && Date.now() < end, `${name} did not start: ${existsSync(log) ? readFileSync(log, 'utf8') : ''}`);
      await new Promise((resolve) => { setTimeout(resolve, 50); });
    }
  }
  return server;
}

// --- The API tests, aimed at another server ---------------------------------------------------------------

const apiTests = ['tasks-bodies', 'tasks-http', 'tasks-list', 'tasks-paths', 'tasks-write', 'isolation', 'auth-basic'];

// Runs the tests of tests/http against the server at `port`, but those called `different`.
async function runApiTests(port, different, files) {
  const { NODE_TEST_CONTEXT, NODE_OPTIONS, ...environment } = process.env;
  const child = spawn(process.execPath, ['--test', '--test-reporter', 'tap', '--test-concurrency', '2',
    ...files.map((name) => `${root}/tests/http/${name}.test.mjs`)], {
    env: { ...environment, TODO_URL: `http://127.0.0.1:${port}`, TODO_DIFFERENT: JSON.stringify(different) }, stdio: ['ignore', 'pipe', 'pipe'], timeout: 300000,
  });
  let output = '';
  child.stdout.on('data', (chunk) => { output += chunk; });
  child.stderr.on('data', (chunk) => { output += chunk; });
  await once(child, 'close');
  const count = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(output)?.[1]);
  const failures = [...output.matchAll(/^( *)not ok \d+ - (.*)\n\1  ---\n([\s\S]*?)\n\1  \.\.\./gm)].map((match) => `${match[2]}\n${match[3].slice(0, 1500)}`);
  return { passed: count('pass'), failed: count('fail'), skipped: count('skipped'), failures, output };
}

// What env/WEB-SERVERS.md says is different behind a server: rows of its table with something in that column.
function documentedDifferences(server) {
  const rows = readFileSync(`${root}/env/WEB-SERVERS.md`, 'utf8').split('\n').filter((line) => line.startsWith('| '))
    .map((line) => line.slice(1, -1).split('|').map((cell) => cell.trim()));
  const column = rows[0].indexOf(server);
  assert.ok(column > 0);
  return rows.slice(1).filter((row) => row.length === rows[0].length && row[column] !== '').map((row) => row[0]);
}

export async function assertApi(port, server, files = apiTests) {
  const different = documentedDifferences(server);
  const result = await runApiTests(port, different, files);
  assert.equal(result.failed, 0, result.failures.join('\n'));
  assert.equal(result.skipped, different.length, 'each difference is the name of a test');
  assert.ok(result.passed > 10 * files.length, result.output.slice(-2000));
}

// --- The other site ---------------------------------------------------------------------------------------

// What of an answer must be the same: all but the time and the server's port.
const visible = ({ status, raw, text }, port) => {
  const fields = [];
  for (let i = 0; i < raw.length; i += 2) {
    const [name, value] = [raw[i], raw[i + 1].replace(`:${port}`, '')];
    // Apache's order of methods is that of a table of hashes.
    if (!/^date$/i.test(name)) fields.push(`${name}: ${name === 'Allow' ? value.split(/, */).sort() : value}`);
  }
  return { status, fields: fields.sort(), text: text.replaceAll(`:${port}`, '').replaceAll(`Port ${port}`, '') };
};

// Every answer of the other site, and of the other host, is the same on `port` as on `alone`, where nothing of
// ours is included.
export async function assertUntouched(port, alone, cookies = ['site=1', 'shop=2']) {
  let compared = 0;
  for (const host of ['site.example.test', 'other.example.test']) {
    for (const [method, target, options] of [
      ['GET', '/'], ['HEAD', '/'], ['GET', '/docs/page.html'], ['GET', '/docs/api.html'], ['GET', '/docs'], ['GET', '/apiary.html'], ['GET', '/apiary'],
      ['GET', '/missing'], ['GET', '/docs/missing?x=1'], ['GET', '/healthy'], ['GET', '/docs/health'], ['GET', '/readyness'], ['GET', '/%61piary.html'],
      ['GET', '//docs//page.html'], ['GET', '/docs%2Fpage.html'], ['GET', '/docs/../index.html'], ['GET', '/docs/%2e%2e/index.html'],
      ['GET', '/docs/page.html', { headers: { range: 'bytes=0-3' } }], ['GET', '/docs/page.html', { headers: { 'if-modified-since': new Date(Date.now() + 5000).toUTCString() } }],
      ['POST', '/docs/page.html', { body: 'x'.repeat(200000), headers: { 'content-type': 'text/plain' } }], ['POST', '/missing', { body: { a: 1 } }], ['PUT', '/docs/page.html', { body: {} }],
      ['OPTIONS', '/docs/page.html', { headers: { origin: 'http://app.example.test', 'access-control-request-method': 'GET' } }], ['DELETE', '/docs/page.html'],
      ['GET', '/', { cookie: 'a=b', headers: { authorization: 'Basic YTpi', 'x-forwarded-for': '1.2.3.4' } }], ['GET', '/private/x'],
      ['GET', '/assets/none.js'], ['GET', '/todo-fcgi-pages'],
    ]) {
      const [here, there] = await Promise.all([port, alone].map((at) => request(method, target, { ...options, headers: { ...options?.headers, host }, port: at })));
      assert.deepEqual(visible(here, port), visible(there, alone), `${host} ${method} ${target}`);
      compared += 1;
    }
  }
  for (const host of ['other.example.test']) {
    for (const target of ['/api/tasks', '/api', '/health', '/ready', '/api/auth/ok']) {
      const [here, there] = await Promise.all([port, alone].map((at) => request('GET', target, { headers: { host }, port: at })));
      assert.deepEqual(visible(here, port), visible(there, alone), `${host} ${target}`);
      assert.equal(here.status, 404);
      assert.match(here.text, /other has no such page/);
      compared += 1;
    }
  }
  // The comparison means something: the site has its own cookie and its own page for errors.
  const own = await request('GET', '/missing', { headers: { host: 'site.example.test' }, port });
  assert.match(own.text, /site has no such page/);
  assert.equal(own.headers['x-site'], 'yes');
  assert.deepEqual((await request('GET', '/', { headers: { host: 'site.example.test' }, port })).headers['set-cookie'], cookies);
  assert.equal(compared, 61);
}

// Apache's own sites; `lines` go into the one that todo-fcgi joins.
export const apacheSites = (ground, name, port, lines, modules = []) => `${apacheBase(ground, name, port, modules)}
<VirtualHost *:${port}>
  ServerName site.example.test
  DocumentRoot ${ground.site}
  DirectoryIndex index.html
  ErrorDocument 404 /404.html
  Header always set X-Site yes
  <LocationMatch "^/(?:index.html)?$">
    Header add Set-Cookie site=1
    Header add Set-Cookie shop=2
  </LocationMatch>
  <Location "/private/">
    Require all denied
  </Location>
  ${lines}
</VirtualHost>
<VirtualHost *:${port}>
  ServerName other.example.test
  DocumentRoot ${ground.other}
  ErrorDocument 404 /404.html
</VirtualHost>
`;

export const apacheBase = (ground, name, port, modules = []) => `
ServerRoot ${ground.folder}
ServerName site.example.test
PidFile ${ground.folder}/${name}.pid
Mutex file:${ground.folder} default
ErrorLog /dev/stderr
LogLevel warn
${['mpm_event', 'authn_core', 'authz_core', 'authz_host', 'mime', 'dir', 'alias', 'headers', 'proxy', 'proxy_fcgi', 'autoindex', 'env', 'setenvif', ...modules].map((module) => `LoadModule ${module}_module /usr/lib/apache2/modules/mod_${module}.so`).join('\n')}
${userLines('User www-data\nGroup www-data')}
TypesConfig /etc/mime.types
TraceEnable Off
ServerTokens Prod
KeepAliveTimeout 60
MaxKeepAliveRequests 0
StartServers 1
ServerLimit 1
ThreadsPerChild 64
MaxRequestWorkers 64
MinSpareThreads 1
MaxSpareThreads 64
AsyncRequestWorkerFactor 8
Listen 127.0.0.1:${port}
<Directory />
  AllowOverride None
  Require all denied
</Directory>
<Directory ${ground.site}>
  Require all granted
</Directory>
<Directory ${ground.other}>
  Require all granted
</Directory>
`;
