// A site of its own for the API and the pages: TLS, HTTP/2, HTTP/3, secure cookies, and clients behind a
// balancer, who are told by a header or by the PROXY protocol.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { X509Certificate, createHash, randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { symlink, writeFile } from 'node:fs/promises';
import http2 from 'node:http2';
import https from 'node:https';
import { after, before, test } from 'node:test';
import { chromium } from 'playwright-core';
import { cookieOf, randomEmail, raw, request } from '../http/harness.mjs';
import { startOurs } from '../interop/instance.mjs';
import { apacheBase, asWebUser, makeGround, ownFolder, renderSnippets, start, userLines } from './support.mjs';
import { freePort } from '../common.mjs';

const host = 'todo.example.test';
// Clients come from 127.0.0.1.
const balancer = '127.0.0.2';
const origin = `https://${host}`;
let ours, ground, snippets, ca;
const ports = {};

async function startNginx({ tls, proxy, header }) {
  await symlink('/etc/nginx/fastcgi_params', `${ground.folder}/fastcgi_params`);
  const site = (listen, more = '') => `
  server {
    listen 127.0.0.1:${listen};
    server_name ${host};
    ${more}
    include ${snippets}/nginx/todo-fcgi-api.conf;
    include ${snippets}/nginx/todo-fcgi-pages.conf;
  }`;
  await writeFile(`${ground.folder}/nginx.conf`, `
${userLines('user www-data;')}
daemon off;
pid ${ground.folder}/nginx.pid;
events { }
http {
  client_body_temp_path ${await ownFolder(ground, 'body')};
  fastcgi_temp_path ${await ownFolder(ground, 'fastcgi')};
  proxy_temp_path ${await ownFolder(ground, 'proxy')};
  uwsgi_temp_path ${await ownFolder(ground, 'uwsgi')};
  scgi_temp_path ${await ownFolder(ground, 'scgi')};
  include /etc/nginx/mime.types;
  access_log off;
  ssl_certificate ${ground.folder}/cert.pem;
  ssl_certificate_key ${ground.folder}/key.pem;
  include ${snippets}/nginx/todo-fcgi-http.conf;
  ${site(`${tls} ssl http2`)}
  ${site(`${proxy} proxy_protocol`, `set_real_ip_from ${balancer}; real_ip_header proxy_protocol;`)}
  ${site(header, `set_real_ip_from ${balancer}; real_ip_header X-Forwarded-For;`)}
}
`);
  await start(ground, 'nginx', ['nginx', '-p', ground.folder, '-e', 'stderr', '-c', `${ground.folder}/nginx.conf`], [tls, proxy, header]);
}

async function startApache({ tls, proxy, header }) {
  const site = (port, more) => `
<VirtualHost *:${port}>
  ServerName ${host}
  ${more}
  Include ${snippets}/apache/todo-fcgi-api.conf
  Include ${snippets}/apache/todo-fcgi-pages.conf
</VirtualHost>`;
  await writeFile(`${ground.folder}/apache.conf`, `${apacheBase(ground, 'apache', tls, ['ssl', 'socache_shmcb', 'http2', 'remoteip', 'filter', 'deflate'])}
Listen 127.0.0.1:${proxy}
Listen 127.0.0.1:${header}
${site(tls, `SSLEngine on\n  SSLCertificateFile ${ground.folder}/cert.pem\n  SSLCertificateKeyFile ${ground.folder}/key.pem\n  Protocols h2 http/1.1`)}
${site(proxy, 'RemoteIPProxyProtocol On')}
${site(header, `RemoteIPHeader X-Forwarded-For\n  RemoteIPInternalProxy ${balancer}`)}
`);
  await start(ground, 'apache', ['apache2', '-D', 'FOREGROUND', '-f', `${ground.folder}/apache.conf`], [tls, proxy, header]);
}

async function startLighttpd({ tls, proxy, header }) {
  await writeFile(`${ground.folder}/lighttpd.conf`, `
server.modules = ( "mod_indexfile", "mod_openssl", "mod_extforward", "mod_setenv", "mod_fastcgi", "mod_rewrite", "mod_staticfile" )
server.document-root = "${ground.site}"
server.upload-dirs = ( "${await ownFolder(ground, 'uploads')}" )
server.port = ${tls}
server.bind = "127.0.0.1"
${userLines('server.username = "www-data"\nserver.groupname = "www-data"')}
ssl.pemfile = "${ground.folder}/cert.pem"
ssl.privkey = "${ground.folder}/key.pem"
ssl.engine = "enable"
extforward.headers = ( "X-Forwarded-For" )
$SERVER["socket"] == "127.0.0.1:${proxy}" {
  ssl.engine = "disable"
  extforward.hap-PROXY = "enable"
  extforward.headers = ( )
  extforward.forwarder = ( "${balancer}" => "trust" )
}
$SERVER["socket"] == "127.0.0.1:${header}" {
  ssl.engine = "disable"
  extforward.forwarder = ( "${balancer}" => "trust" )
}
$HTTP["host"] =~ "^${host}" {
  include "${snippets}/lighttpd/todo-fcgi-api.conf"
  include "${snippets}/lighttpd/todo-fcgi-pages.conf"
}
`);
  await start(ground, 'lighttpd', ['lighttpd', '-D', '-f', `${ground.folder}/lighttpd.conf`], [tls, proxy, header]);
}

async function startCaddy({ tls, header }) {
  const body = `
	bind 127.0.0.1
	import todo-fcgi-api
	import todo-fcgi-pages
	handle_errors {
		import todo-fcgi-errors
	}`;
  await writeFile(`${ground.folder}/caddy.caddy`, `
{
	admin off
	auto_https disable_redirects
}
import ${snippets}/caddy/todo-fcgi.caddy
https://${host}:${tls} {
	tls ${ground.folder}/cert.pem ${ground.folder}/key.pem
	${body}
}
http://${host}:${header} {
	${body}
}
`);
  await start(ground, 'caddy', asWebUser(['caddy', 'run', '--adapter', 'caddyfile', '--config', `${ground.folder}/caddy.caddy`]), [tls, header],
    { XDG_DATA_HOME: await ownFolder(ground, 'caddy'), XDG_CONFIG_HOME: await ownFolder(ground, 'caddy'), TODO_TRUSTED_PROXIES: balancer });
}

const servers = { nginx: startNginx, Apache: startApache, lighttpd: startLighttpd, Caddy: startCaddy };

before(async () => {
  ours = await startOurs({
    DATABASE_URL: process.env.DATABASE_URL, BETTER_AUTH_URL: origin, AUTH_RATE_LIMIT_EXEMPT: '127.0.0.1', AUTH_TRUSTED_PROXIES: balancer, WORKERS: '1',
  });
  ground = await makeGround(ours.state);
  snippets = await renderSnippets(ground, { AUTH_PATH: '/api/auth' });
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2', '-subj', `/CN=${host}`,
    '-addext', `subjectAltName=DNS:${host}`, '-keyout', `${ground.folder}/key.pem`, '-out', `${ground.folder}/cert.pem`], { stdio: 'ignore' });
  execFileSync('chmod', ['0644', `${ground.folder}/key.pem`]);
  ca = readFileSync(`${ground.folder}/cert.pem`);
  for (const [name, launch] of Object.entries(servers)) {
    ports[name] = { tls: await freePort(), proxy: await freePort(), header: await freePort() };
    await launch(ports[name]);
  }
});
after(async () => {
  await ground?.clear();
  await ours?.stop();
});

function overHttps(port, method, path, { headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const sent = https.request({ host: '127.0.0.1', port, method, path, ca, servername: host, agent: false, headers: { host, ...headers } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk) => { text += chunk; }).on('end', () => resolve({ status: response.statusCode, headers: response.headers, text }));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

function overHttp2(session, method, path, { headers = {}, body } = {}) {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':method': method, ':path': path, ':authority': host, ...headers, ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }) }, { endStream: body === undefined });
    let answer, text = '';
    stream.setEncoding('utf8').on('response', (got) => { answer = got; }).on('data', (chunk) => { text += chunk; })
      .on('end', () => resolve({ status: answer[':status'], headers: answer, text })).on('error', reject);
    if (body !== undefined) stream.end(body);
  });
}

const json = { 'content-type': 'application/json', origin };

for (const server of Object.keys(servers)) {
  test(`${server}: cookies are secure behind TLS, and HTTP/2 carries the whole API`, async () => {
    const { tls } = ports[server];
    const user = { name: 'Zoë', email: randomEmail(), password: 'password123' };
    const up = await overHttps(tls, 'POST', '/api/auth/sign-up/email', { headers: json, body: JSON.stringify(user) });
    assert.equal(up.status, 200, up.text);
    assert.match(up.headers['set-cookie'][0], /^__Secure-better-auth\.session_token=[^;]+;.* Secure(;|$)/);

    const session = http2.connect(`https://127.0.0.1:${tls}`, { ca, servername: host });
    try {
      const send = (...all) => overHttp2(session, ...all);
      const signedIn = await send('POST', '/api/auth/sign-in/email', { headers: json, body: JSON.stringify(user) });
      assert.equal(signedIn.status, 200, signedIn.text);
      assert.equal(session.alpnProtocol, 'h2');
      const cookie = cookieOf(signedIn);
      assert.match(cookie, /^__Secure-/);
      assert.equal(JSON.parse((await send('GET', '/api/auth/get-session', { headers: { cookie } })).text).user.email, user.email);
      // A browser sends each cookie in a field of its own (RFC 9113, section 8.2.3).
      assert.equal(JSON.parse((await send('GET', '/api/auth/get-session', { headers: { cookie: ['a=b', cookie, 'c=d'] } })).text).user.email, user.email);
      const { token } = JSON.parse((await send('GET', '/api/auth/token', { headers: { cookie } })).text);
      assert.equal(JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).iss, origin);
      const bearer = { ...json, authorization: `Bearer ${token}` };
      const made = await send('POST', '/api/tasks', { headers: bearer, body: '{"title":"over HTTP/2"}' });
      assert.equal(made.status, 201, made.text);
      const { id } = JSON.parse(made.text);
      assert.equal(JSON.parse((await send('PATCH', `/api/tasks/${id}/complete`, { headers: bearer })).text).completed, true);
      assert.equal((await send('DELETE', `/api/tasks/${id}`, { headers: bearer })).status, 204);
      assert.equal((await send('POST', '/api/tasks', { headers: bearer, body: JSON.stringify({ title: 'x'.repeat(140000) }) })).status, 413);
      const head = await send('HEAD', '/api/tasks', { headers: bearer });
      assert.deepEqual([head.status, head.headers['content-length'], head.text], [200, '2', '']);
      const many = await Promise.all(Array.from({ length: 20 }, () => send('GET', '/api/tasks', { headers: bearer })));
      assert.deepEqual(many.map(({ status, text }) => `${status} ${text}`), Array(20).fill('200 []'));
      assert.equal((await send('GET', '/api/tasks', { headers: { cookie } })).status, 401);
      // A browser on another site must not be able to use the cookie.
      const foreign = await send('POST', '/api/auth/sign-out', { headers: { ...json, origin: 'https://evil.example', cookie }, body: '{}' });
      assert.equal(foreign.status, 403);
    } finally { session.close(); }
  });

  test(`${server}: the pages come with their headers, and only for paths that are none of the API`, async () => {
    const { header: port } = ports[server];
    const get = (path, headers = {}) => request('GET', path, { port, headers: { host, ...headers } });
    for (const path of ['/', '/login', '/tasks/1']) {
      const page = await get(path);
      assert.equal(page.status, 200, path);
      assert.match(page.headers['content-type'], /^text\/html/);
      assert.match(page.text, /<script/);
      assert.match(page.headers['content-security-policy'], /^default-src 'none'; script-src 'self';/);
      assert.equal(page.headers['x-content-type-options'], 'nosniff');
      assert.equal(page.headers['cache-control'], 'no-cache');
    }
    const script = readdirSync(`${ground.www}/assets`).find((name) => name.endsWith('.js'));
    const asset = await get(`/assets/${script}`);
    assert.equal(asset.status, 200);
    assert.match(asset.headers['content-type'], /^(text|application)\/javascript/);
    assert.match(asset.headers['cache-control'], /immutable/);
    assert.equal((await get('/assets/none.js')).status, 404);
    const missing = await get('/api/nothing');
    assert.equal(missing.status, 404);
    assert.equal(missing.json.error, 'not_found');
    assert.equal(missing.headers['content-security-policy'], undefined);
  });

  test(`${server}: the client behind a balancer is known, counted by itself, and not this machine`, async () => {
    const { proxy, header } = ports[server];
    const [client, neighbour] = [0, 1].map(() => `10.${[...randomBytes(3)].join('.')}`);
    const user = { name: 'Zoë', email: randomEmail(), password: 'password123' };
    const behind = (port, from, method, path, body, cookie = '') => {
      const text = body === undefined ? '' : JSON.stringify(body);
      const first = port === proxy ? `PROXY TCP4 ${from} 127.0.0.1 4711 443\r\n` : '';
      const forwarded = port === proxy ? '192.0.2.66' : `192.0.2.66, ${from}`;
      return raw(`${first}${method} ${path} HTTP/1.1\r\nHost: ${host}\r\nOrigin: ${origin}\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n`
        + `X-Forwarded-For: ${forwarded}\r\n${cookie}Connection: close\r\n\r\n${text}`, port, balancer);
    };
    for (const port of server === 'Caddy' ? [header] : [header, proxy]) {
      const why = port === proxy ? 'PROXY' : 'X-Forwarded-For';
      const made = await behind(port, client, 'POST', '/api/auth/sign-up/email', { ...user, email: randomEmail() });
      assert.match(made, /^HTTP\/1\.1 200/, why);
      const cookie = /set-cookie: ([^;]+)/i.exec(made)[1];
      const session = await behind(port, client, 'GET', '/api/auth/get-session', undefined, `Cookie: ${cookie}\r\n`);
      assert.match(session, new RegExp(`"ipAddress":"${client}"`), why);
      // What only this machine may ask is refused.
      assert.match(await behind(port, client, 'GET', '/ready'), /^HTTP\/1\.1 404/, why);
      assert.match(await behind(port, client, 'GET', '/health'), /^HTTP\/1\.1 200/, why);
    }
    const attempts = [];
    for (let n = 0; n < 4; n += 1) attempts.push((await behind(header, client, 'POST', '/api/auth/sign-in/email', { email: 'x', password: 'y' })).slice(9, 12));
    assert.deepEqual(attempts, ['400', '400', '400', '429']);
    assert.match(await behind(header, neighbour, 'POST', '/api/auth/sign-in/email', { email: 'x', password: 'y' }), /^HTTP\/1\.1 400/);
  });
}

test('Caddy: HTTP/3', async () => {
  const { tls } = ports.Caddy;
  const key = new X509Certificate(ca).publicKey.export({ type: 'spki', format: 'der' });
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [...(process.getuid() === 0 ? ['--no-sandbox'] : []), `--origin-to-force-quic-on=${host}:${tls}`, `--host-resolver-rules=MAP ${host} 127.0.0.1`,
      `--ignore-certificate-errors-spki-list=${createHash('sha256').update(key).digest('base64')}`],
  });
  try {
    const page = await browser.newPage();
    const answer = await page.goto(`${origin}:${tls}/api/health`);
    assert.equal(answer.status(), 200);
    assert.equal(await page.evaluate(() => performance.getEntriesByType('navigation')[0].nextHopProtocol), 'h3');
    const made = await page.evaluate(async () => (await fetch('/api/tasks', { method: 'POST', body: '{}' })).status);
    assert.equal(made, 401);
  } finally { await browser.close(); }
});
