// Writes what fuzzing begins with: a folder for each target, a file for each input, from
// tests/vectors and from the texts below. And words.txt, a dictionary for libFuzzer.
//   node tests/fuzz/seeds.mjs FOLDER
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = process.argv[2];
const vectors = (path) => JSON.parse(readFileSync(new URL(`../vectors/${path}`, import.meta.url), 'utf8'));
const wire = vectors('better-auth-vectors.json');

function write(target, inputs) {
  mkdirSync(join(folder, target), { recursive: true });
  for (const input of inputs) {
    const name = createHash('sha256').update(input).digest('hex').slice(0, 16);
    writeFileSync(join(folder, target, name), input);
  }
}

const json = vectors('json-test-suite/parsing.json').filter((entry) => entry.hex !== undefined && !entry.repeat).map((entry) => Buffer.from(entry.hex, 'hex'));
const transform = vectors('json-test-suite/transform.json').map((entry) => Buffer.from(entry.hex, 'hex'));
const nested = (depth) => '['.repeat(depth) + ']'.repeat(depth);
write('json', [...json, ...transform, nested(32), nested(33), '{"a":1,"b":[true,null,{"c":"\\ud83d\\ude00\\ud800"}],"a":2}', '{"__proto__":{"x":1},"y":-0.0e1}', '\uFEFF{}']);

const strange = ['/', '//', '/api/tasks/', '/api/u%2Fv/tasks?a=1&a=2#x', '/api/é/tasks', '/api/%c3%a9/%zz', '/a/../b/./c', '/%00', '/%ff', 'http://host/path?q', 'http://host?q', '*', '/a?b=c%20d+e&f', '/a?&&=&x==y'];
write('uri', [...strange, ...wire.error_redirect.map(({ callbackURL }) => `${callbackURL}\nerror\nINVALID_TOKEN`), 'https://app.example.com?x#y\nerror description\na&b=c#d%']);
write('pattern', strange.concat('/api/auth/sign-in/email', '/api/users/u/tasks/5/toggle', '/api/v1/tasks/1/complete', '/api/auth/reset-password/abc', '/ready').flatMap((target, i) => ['\0', '\x05', String.fromCharCode(20 + (i % 15))].map((byte) => byte + target)));

const claims = ['{"sub":"u","exp":1767323945}', '{"exp":1e308}', '{"exp":1767323100.5,"nbf":1767323160,"iat":1.5}', '{"exp":"1767323945"}', '{"exp":1767323945,"iss":"http://auth.example.test","aud":["x","http://auth.example.test"]}', '{"exp":1767323945,"aud":[1]}', '{"exp":1767323945,"exp":1}', wire.jwt.hs256?.payload_json ?? '{}', '[]', ''];
const headers = ['{"alg":"HS256"}', '{"alg":"none"}', '{"alg":"HS256","kid":"ed"}', '{"alg":"RS256","kid":"rs"}', '{"alg":"HS256","crit":["exp"]}', '{"alg":"HS256","b64":false}', '{"typ":"JWT","alg":"HS256","jku":"http://x/","jwk":{"kty":"oct","k":"AA"}}', '{"alg":"HS256","alg":"none"}'];
const b64 = (text) => Buffer.from(text).toString('base64url');
const tokens = headers.map((header) => `${b64(header)}.${b64(claims[0])}.${b64('x'.repeat(32))}`).concat(wire.email_token.verify.token, `${b64(headers[0])}.${b64(claims[0])}.`, 'a.b.c.d.e', '..');
write('jwt', [...tokens.map((token) => `t${token}`), ...headers.map((header) => `s${header}\n${claims[0]}`), ...claims.map((text) => `s${headers[0]}\n${text}`), ...[64, 32, 256, 63].map((size) => Buffer.concat([Buffer.from('d'), Buffer.alloc(size, 1)]))]);

const keys = [
  ['EdDSA', { kty: 'OKP', crv: 'Ed25519', x: b64(Buffer.alloc(32, 9)) }],
  ['EdDSA', { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', use: 'sig', alg: 'EdDSA' }],
  ['EdDSA', { kty: 'OKP', crv: 'Ed25519', x: b64(Buffer.concat([Buffer.from([1]), Buffer.alloc(31)])) }],
  ['ES256', { kty: 'EC', crv: 'P-256', x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU', y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0' }],
  ['RS256', { kty: 'RSA', e: 'AQAB', n: b64(Buffer.alloc(256, 0xd7)) }],
  ['PS256', { kty: 'RSA', e: 'AQAB', n: b64(Buffer.alloc(128, 0xd7)), d: 'AA' }],
  ['HS256', { kty: 'oct', k: 'AAAA' }]];
write('jwk', keys.map(([algorithm, jwk]) => `${algorithm}\n${JSON.stringify(jwk)}`));

const seal = wire.signed_cookie.cases[0];
write('cookie', [`better-auth.session_token=${encodeURIComponent(`${seal.value}.${seal.signature_base64}`)}; a=b\n${seal.value}`, 'a="b%20c";a=d; =x;;y\nvalue', 'a=%zz; __Secure-a=1\n', 'a=.\nx;y', `a=${'A'.repeat(43)}=\né`]);

write('database_url', ['postgresql://user:password@host:5432/database', 'postgres://u@h1,h2:1/d?target_session_attrs=read-write&sslmode=verify-full', 'postgresql+asyncpg://u:p%40ss@[::1]/d?ssl=true&pgbouncer=true&schema=public', 'postgresql:///d?host=/run/x', 'postgresql://u:p?ss@h/d', 'mysql://x', 'postgresql://h/d?connect_timeout=5&&=&x', 'postgres://']);
write('env', ['BETTER_AUTH_URL=https://todo.example.com/auth/\nBETTER_AUTH_TRUSTED_ORIGINS=https://a.example, *.b.example', 'BETTER_AUTH_SECRETS=2:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa,1:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb', 'BETTER_AUTH_SECRETS=x', 'SMTP_URL=smtps://u%40x:p@mail.example.com:465/?ca=/file&tls=on\nMAIL_FROM=Todo <todo@example.com>', 'SMTP_URL=smtp://[::1]:25\nMAIL_FROM=a@b.co', 'AUTH_SESSION_EXPIRES_IN=99999999999999999999\nAUTH_RATE_LIMIT=perhaps\nLOG_LEVEL=debug', 'AUTH_BASE_PATH=/x/{y}\nAUTH_COOKIE_PREFIX=a;b', 'TODO_LIST_ENVELOPE=items\nTODO_MAX_BODY_BYTES=1024\nAUTH_DELETE_USER=confirm\nJWT_ALGORITHM=HS256', 'DATABASE_URL=\nBETTER_AUTH_SECRET=short']);

const login = JSON.stringify({ name: 'Zoë', email: 'zoe@example.com', password: 'password123', rememberMe: false, image: 'x', callbackURL: '/dash' });
write('form', [`0\napplication/json\nhttp://auth.example.test\na=b\n/api/auth/sign-up/email\n${login}`, '1\napplication/x-www-form-urlencoded\n\n\n/api/auth/sign-in/email?callbackURL=/x&token=y\nemail=zoe%40example.com&password=a+b&name=%C3%AB', '2\n\n\n\n/\n', '0\ntext/plain\nnull\n\n/x?token=a&token=b\nx', '3\napplication/json; charset=utf-8\nhttp://evil.example\nx=y\n/?callbackURL=//evil.example\n{"redirectTo":"https://a.wild.example.com/x","errorCallbackURL":5}', '0\napplication/json\n\n\n/\n[]']);
const urls = [...wire.trusted_origins.origin_header.map((entry) => entry.origin), 'HTTP://Auth.Example.test:80/x', 'https://a.wild.example.com:443', 'http://user:pass@auth.example.test', 'http://auth.example.test\\@evil.example', 'http://auth.example.test.evil.example', 'myapp://callback', 'http://[::1]:80/', 'http://10.0.0.1', '/\\evil', '/%2Fevil', '//evil', '/a/../..//evil', '/./', 'javascript:alert(1)'].filter((url) => typeof url === 'string');
write('origin', urls.map((url) => `${url}\n${wire.trusted_origins.trusted.join('\n')}`));
write('email', wire.email_validation.map((entry) => entry.email));
write('ip', [...wire.client_ip.map((entry) => `${entry.x_forwarded_for ?? ''}\n${entry.trusted_proxies.join('\n')}`), '2001:DB8::1\n2001:db8::/32', '::ffff:1.2.3.4\n1.2.3.0/24', '1.2.3.4:80', '01.2.3.4', '1.2.3.4, 10.0.0.1\n10.0.0.0/8\n::/0']);
write('list_query', ['status=pending&search=milk%20%25&sort=-title&limit=20&page=3', 'sort=created:asc&order=DESC&offset=5&limit=500', 'q=%00', 'search=+%E2%80%83x+', 'updated_since=2026-01-02T03:04:05+02:00&envelope=items', 'completed=TRUE&filter=open&skip=2147483647', 'limit=0', 'limit=9223372036854775808', 'a&b=&=c&limit=1', 'page=2147483647&limit=500']);
write('timestamp', ['2026-01-02T03:04:05Z', '2026-01-02t03:04:05.123456789+23:59', '0000-01-01T00:00:00Z', '9999-12-31T23:59:60.999999-00:00', '2024-02-29T00:00:00.1z']);
write('text', [...vectors('naughty-strings/blns.json'), Buffer.from([0xf4, 0x90, 0x80, 0x80]), Buffer.from([0xed, 0xa0, 0x80, 0xe2, 0x82]), 'QUJD', 'QUI', '0aff', '\u1680\u2003x\u3000']);
write('sealed', [`${wire.versioned_envelope.envelope}\nplain`, `${wire.password_hash.cases[0].hash ?? '0:0'}x\nplain`, '$ba$2$00\n', '$ba$\nx', `${'0'.repeat(160)}\n\0`]);
write('message', ['zoe@example.com\nZoë\nhttp://x/?a=1&b=2\nSubject: Hello {{name}}\n\n{{name}} {{link}} {{x}}', 'a@b.co\r\nBcc: c@d.co\nn\nl\nSubject: ü€😀\n\n', 'a@b.co\n<b>"&\n\nHello']);

const heads = { token: 'Authorization: Bearer {token}', cookie: 'Cookie: {cookie}', json: 'Content-Type: application/json', origin: 'Origin: http://auth.example.test' };
const request = (line, names = '', body = '') => [line, ...names.split(' ').filter(Boolean).map((name) => heads[name] ?? name.replace('=', ': ')), '', body].join('\n');
const auth = ['update-user', 'change-password', 'verify-password', 'unlink-account', 'change-email', 'delete-user', 'request-password-reset', 'reset-password', 'get-session', 'revoke-session', 'revoke-other-sessions', 'revoke-sessions', 'update-session', 'sign-in/email', 'sign-out', 'sign-up/email', 'send-verification-email'];
const reads = ['list-accounts', 'delete-user/callback?token=x&callbackURL=/y', 'error?error=A&error_description=%3Cb%3E', 'ok', 'jwks', 'get-session?disableRefresh=true', 'list-sessions', 'token', 'verify-email?token=a.b.c&callbackURL=/x', 'reset-password/abc?callbackURL=/x'];
write('request', [
  ...auth.map((route) => request(`POST /api/auth/${route}`, 'json origin cookie', login)),
  ...auth.map((route) => request(`POST /api/auth/${route}`, 'Content-Type=application/x-www-form-urlencoded', 'email=a%40b.co&password=password123&name=x')),
  ...reads.map((route) => request(`GET /api/auth/${route}`, 'cookie')),
  ...['/api/tasks', '/api/u/tasks/', '/api/users/u/tasks', '/api/v1/tasks?status=done&limit=5'].map((target) => request(`GET ${target}`, 'token')),
  ...json.slice(0, 60).map((body) => request('POST /api/u/tasks', 'token json', `{"title":"x","more":${body.toString('latin1')}}`)),
  request('POST /api/tasks', 'token json', '{"title":"milk","description":null,"completed":5}'), request('PUT /api/tasks/1', 'token json If-Match=W/"1"', '{"title":"\\ud800"}'), request('DELETE /api/u/tasks/99999999999999999999', 'token'),
  request('PATCH /api/tasks/1/complete?completed=true', 'token', '{"completed":true}'), request('GET /api/other/tasks/1', 'token'), request('HEAD /health'), request('OPTIONS /api/tasks', 'origin Access-Control-Request-Method=POST'),
  request('TRACE /api/tasks'), request('get /API/tasks'), request('GET //api/tasks'), request('GET /api/%00/tasks', 'token'), request('GET http://host/api/tasks', 'token'), request('POST /api/tasks', 'token Content-Length=1e3', 'x'),
  request('POST /api/tasks', 'token Content-Length=-1 Content-Encoding=gzip', '{}'), request('GET /ready', 'Proxy=http://evil.example X-Request-Id=abc'), ...tokens.slice(0, 4).map((token) => request('GET /api/tasks', `Authorization=Bearer ${token}`))]);

const record = (type, content, { id = 1, padding = 0, version = 1 } = {}) => Buffer.concat([Buffer.from([version, type, id >> 8, id & 255, content.length >> 8, content.length & 255, padding, 0]), Buffer.from(content), Buffer.alloc(padding)]);
const begin = (role = 1, keep = 0) => record(1, [0, role, keep, 0, 0, 0, 0, 0]);
const pair = (name, value) => Buffer.concat([Buffer.from([name.length]), value.length < 128 ? Buffer.from([value.length]) : Buffer.from([0x80, 0, value.length >> 8, value.length & 255]), Buffer.from(name + value)]);
const params = (pairs) => Buffer.concat(Object.entries(pairs).map(([name, value]) => pair(name, value)));
const whole = (body, length = String(body.length), keep = 0) => [begin(1, keep), record(4, params({ REQUEST_METHOD: 'POST', REQUEST_URI: '/api/tasks', CONTENT_LENGTH: length, X: 'x'.repeat(200) }), { padding: 3 }), record(4, ''), record(5, body), record(5, '')];
write('records', [whole('{"title":"x"}'), [...whole('a', '1', 1), ...whole('b', '1', 1)], whole('ab', '1'), whole('', '1e3'), whole('x'.repeat(1001)), whole('x', '-1'), [begin(), record(2, '')], [begin(2)], [begin(), begin()], [record(9, pair('FCGI_MAX_CONNS', ''), { id: 0 })], [record(99, 'abc', { id: 0 })], [begin(), record(4, [0x80, 0, 0])], [record(1, '', { version: 2 })],
  [begin(), record(4, [0xff, 0xff, 0xff, 0xff, 1, 65])]].flatMap((parts) => [0, 7, 31].map((piece) => Buffer.concat([Buffer.from([piece]), ...parts]))));

const words = ['Authorization: Bearer {token}', 'Cookie: {cookie}', 'Content-Type: application/json', 'application/x-www-form-urlencoded', 'charset=utf-16', 'Content-Length: ', 'Origin: ', 'http://auth.example.test', 'https://x.wild.example.com', 'Sec-Fetch-Site: cross-site', 'If-Match: *', 'callbackURL', 'redirectTo', '"alg"', '"kid"', '"exp"', '"nbf"', '"iat"', '"iss"', '"aud"', '"crit"', '"HS256"', '"none"', '1767323945', '\\u0000', '\\ud800', '\\udc00', '__proto__', '1e400', '-0', '%00', '%2F', '%5C', '%zz', '+', '://', '//', '/../', '[::1]', '::ffff:', '/64', 'T00:00:00Z', 'limit=', 'page=', 'offset=', 'sort=', 'search=', 'updated_since=', 'envelope=items', 'postgresql://', 'sslmode=', 'host=', 'BETTER_AUTH_SECRETS=', 'SMTP_URL=smtp://', '$ba$2$', 'Subject: ', '{{name}}', '\n', '\r\n', '/api/auth/', '/api/u/tasks/', 'POST ', 'GET '];
writeFileSync(join(folder, 'words.txt'), words.map((word) => `"${[...word].map((c) => (/[ !#-[\]-~]/.test(c) ? c : `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`)).join('')}"\n`).join(''));
