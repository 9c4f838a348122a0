// Bearer tokens made to be taken for what they are not (RFC 8725; rows 42 to 47 of the plan), beyond
// those that tests/http/tasks-auth.test.mjs and the unit tests have. Each is 401, none a 5xx, and the
// service goes on.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';
import { test } from 'node:test';
import { assertError, b64, base, now, origin, randomId, raw, request, secret, sign, signUp, someone, sql, tokenOf } from './harness.mjs';

const user = someone();
const claims = (more = {}) => ({ sub: user.id, exp: now() + 600, ...more });
const bearer = (token) => request('GET', '/api/tasks', { headers: { authorization: `Bearer ${token}` } });

async function refuse(tokens) {
  for (const [why, token] of Object.entries(tokens)) assertError(await bearer(token), 401, 'unauthorized', why);
  assert.equal((await bearer(tokenOf(user.id))).status, 200, 'and a good one is still good');
}

const [head, body, signature] = sign(claims()).split('.');

test('row 42: a key id is never a query, a path, a pattern or a command', async () => {
  const real = sql('SELECT id FROM jwks LIMIT 1') || 'none';
  const ids = ["' OR '1'='1", "'; DROP TABLE jwks; --", `${real}' --`, `${real}%`, '%', '_', '../../../../dev/null', '/dev/null', 'file:///etc/passwd', '|ls', '$(ls)', '`ls`', '\u0000', `${real}\u0000`, ` ${real}`, `${real} `, '\n', '"', '\\', '{{7*7}}', 'k'.repeat(128), 'k'.repeat(129), 'k'.repeat(10000), '\ufeff', 'é'.repeat(60), [], [real], {}, { id: real }, 0, 1, true, null, 1e308];
  const before = sql('SELECT count(*) FROM jwks');
  await refuse(Object.fromEntries(ids.map((kid) => [`kid ${JSON.stringify(kid).slice(0, 60)}`, sign(claims(), { header: { alg: 'HS256', kid } })])));
  await refuse(Object.fromEntries(ids.map((kid) => [`EdDSA kid ${JSON.stringify(kid).slice(0, 60)}`, sign(claims({ iss: origin, aud: origin }), { header: { alg: 'EdDSA', kid } })])));
  assert.equal(sql('SELECT count(*) FROM jwks'), before);
});

test('row 42: a token that brings or names its key causes no fetch and is checked with ours only', async () => {
  let fetched = 0;
  const { publicKey, privateKey } = crypto.generateKeyPairSync('ed25519');
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'mine', alg: 'EdDSA', use: 'sig' };
  const server = http.createServer((_, response) => { fetched += 1; response.end(JSON.stringify({ keys: [jwk] })); });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const url = `http://127.0.0.1:${server.address().port}/jwks`;
  const own = (header) => {
    const input = `${b64(JSON.stringify({ alg: 'EdDSA', ...header }))}.${b64(JSON.stringify(claims({ iss: origin, aud: origin })))}`;
    return `${input}.${crypto.sign(null, Buffer.from(input), privateKey).toString('base64url')}`;
  };
  try {
    await refuse({ jwk: own({ jwk }), 'jwk and kid': own({ jwk, kid: 'mine' }), jku: own({ jku: url, kid: 'mine' }), x5u: own({ x5u: url, kid: 'mine' }), x5c: own({ x5c: [Buffer.from('x').toString('base64')], kid: 'mine' }), 'kid as an address': own({ kid: url }), 'iss as an address': sign(claims({ iss: url }), { header: { alg: 'EdDSA', kid: 'mine' } }), jwks: own({ jwks: { keys: [jwk] } }) });
    assert.equal(fetched, 0);
  } finally { server.close(); }
});

test('row 40: no spelling of "none" and no other name makes an unsigned token good', async () => {
  const names = ['none', 'None', 'NONE', 'nOnE', '', ' ', 'none ', 'HS256 ', ' HS256', 'hs256', 'HS256\u0000', 'HS-256', 'HS384', 'HS512', 'RS256', 'ES256', 'ES256K', 'PS256', 'EdDSA', 'Ed25519', 'dir', 'A256KW', 'RSA-OAEP', 256, 0, null, true, ['HS256'], { alg: 'HS256' }];
  const unsigned = names.flatMap((alg) => ['', b64('x'), signature].map((end, i) => [`${JSON.stringify(alg)} ${i}`, `${b64(JSON.stringify({ alg }))}.${body}.${end}`]));
  await refuse(Object.fromEntries(unsigned));
  await refuse(Object.fromEntries(names.map((alg) => [`signed ${JSON.stringify(alg)}`, sign(claims(), { header: { alg } })])));
});

test('row 41: a signature has one spelling', async () => {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const last = letters.indexOf(signature.at(-1));
  const respelled = [1, 2, 3].map((bit) => `${head}.${body}.${signature.slice(0, -1)}${letters[last ^ bit]}`);
  await refuse({
    'unused bits 1': respelled[0], 'unused bits 2': respelled[1], 'unused bits 3': respelled[2], padded: `${head}.${body}.${signature}=`, 'standard alphabet': `${head}.${body}.${Buffer.from(signature, 'base64url').toString('base64')}`, hex: `${head}.${body}.${Buffer.from(signature, 'base64url').toString('hex')}`,
    'header padded': `${head}=.${body}.${signature}`, 'percent-encoded': `${head}.${body}.${signature.slice(0, -1)}%${signature.charCodeAt(42).toString(16)}`, twice: `${head}.${body}.${signature}${signature}`, 'cut by one': `${head}.${body}.${signature.slice(0, -1)}`, 'cut by four': `${head}.${body}.${signature.slice(0, -4)}`, 'of another token': `${head}.${body}.${sign(claims({ x: 1 })).split('.')[2]}`,
    zero: `${head}.${body}.${b64(Buffer.alloc(32))}`, 'a quote': `"${head}.${body}.${signature}"`, 'a blank': `${head}. ${body}.${signature}`, 'a tab': `${head}\t.${body}.${signature}`,
  });
});

test('row 43: one part, many parts, two tokens, other forms of JWS and JWE', async () => {
  const good = `${head}.${body}.${signature}`;
  await refuse({
    'one part': head, 'two parts': `${head}.${body}`, 'four parts': `${good}.x`, 'five parts': `${good}.x.y`, 'dots only': '..', 'three dots': '...', 'empty header': `.${body}.${signature}`, 'empty claims': `${head}..${signature}`, 'two tokens with a comma': `${good},${good}`, 'two tokens with a blank': `${good} ${good}`,
    'JSON form': JSON.stringify({ protected: head, payload: body, signature }), JWE: `${b64('{"alg":"dir","enc":"A256GCM"}')}..${b64('x')}.${b64('x')}.${b64('x')}`, 'detached with b64': sign(claims(), { header: { alg: 'HS256', b64: false, crit: ['b64'] } }), zip: sign(claims(), { header: { alg: 'HS256', zip: 'DEF', crit: ['zip'] } }), 'crit, empty': sign(claims(), { header: { alg: 'HS256', crit: [] } }), 'crit, a text': sign(claims(), { header: { alg: 'HS256', crit: 'exp' } }),
    nested: sign(JSON.stringify(good)), 'a token in a token': sign({ ...claims({ sub: undefined }), jwt: good }),
  });
});

test('row 43: deep, long and doubled contents', async () => {
  const deep = (depth) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
  const texts = {
    'deep claims': `{"sub":"${user.id}","exp":${now() + 600},"x":${'['.repeat(1500)}${']'.repeat(1500)}}`, 'deep header': null, 'two sub': `{"sub":"${user.id}","sub":"other","exp":${now() + 600}}`, 'two sub, one escaped': `{"sub":"${user.id}","\\u0073ub":"other","exp":${now() + 600}}`, 'two exp': `{"sub":"${user.id}","exp":1,"exp":${now() + 600}}`, 'trailing data': `${JSON.stringify(claims())}x`, 'two objects': JSON.stringify(claims()).repeat(2), 'a byte order mark': `\ufeff${JSON.stringify(claims())}`, 'a comment': `{"sub":"${user.id}",/**/"exp":${now() + 600}}`, 'half a surrogate pair': `{"sub":"${user.id}","exp":${now() + 600},"x":"\\ud800"}`,
    array: JSON.stringify([claims()]), text: '"x"', number: '5', null: 'null', empty: '', NUL: `${JSON.stringify(claims())}\0`, 'exp 1e400': `{"sub":"${user.id}","exp":1e400}`, 'exp NaN': `{"sub":"${user.id}","exp":NaN}`, 'exp Infinity': `{"sub":"${user.id}","exp":Infinity}`,
  };
  delete texts['deep header'];
  const tokens = Object.fromEntries(Object.entries(texts).map(([why, text]) => [why, sign(text)]));
  for (const [why, header] of Object.entries({ 'deep header': `{"alg":"HS256","x":${deep(500)}}`, 'two alg': '{"alg":"HS256","alg":"HS256"}', 'two alg, one escaped': '{"alg":"none","\\u0061lg":"HS256"}', 'two kid': '{"alg":"HS256","kid":"a","kid":"b"}', 'header with a BOM': '\ufeff{"alg":"HS256"}', 'header an array': '[{"alg":"HS256"}]', 'header with a blank': '{"alg":"HS256"} x' })) tokens[why] = sign(claims(), { header });
  tokens['not UTF-8'] = (() => {
    const input = `${head}.${Buffer.concat([Buffer.from(`{"sub":"${user.id}`), Buffer.from([0xff]), Buffer.from(`","exp":${now() + 600}}`)]).toString('base64url')}`;
    return `${input}.${crypto.createHmac('sha256', secret).update(input).digest('base64url')}`;
  })();
  tokens['9000 bytes'] = sign(claims({ x: 'x'.repeat(6400) }));
  await refuse(tokens);
  for (const size of [20000, 1000000]) assert.match(await raw(`GET /api/tasks HTTP/1.1\r\nHost: ${base.host}\r\nAuthorization: Bearer ${'a'.repeat(size)}\r\nConnection: close\r\n\r\n`).catch(() => 'HTTP/1.1 400 '), /^(HTTP\/1\.1 4\d\d |$)/, `${size}`);
});

test('row 45: a subject is exactly the user of the path, or nobody', async () => {
  const id = `Zoë-${randomId()}`;
  const path = `/api/${encodeURIComponent(id)}/tasks`;
  assert.equal((await request('GET', path, { token: tokenOf(id) })).status, 200);
  for (const sub of [id.toLowerCase(), id.toUpperCase(), ` ${id}`, `${id} `, `${id}\t`, id.normalize('NFD'), `${id}\u200b`, `\ufeff${id}`, id.slice(0, -1), `${id}x`, encodeURIComponent(id), `${id}/`, `./${id}`, 'x'.repeat(4000), '*', '%', '_'.repeat(id.length)]) {
    const answer = await request('GET', path, { token: tokenOf(sub) });
    assertError(answer, 401, 'unauthorized', JSON.stringify(sub));
  }
  for (const sub of [[id], { id }, 5, true, null, '', `${id}\0`]) assertError(await request('GET', path, { token: sign({ sub, exp: now() + 600 }) }), 401, 'unauthorized', JSON.stringify(sub));
});

test('row 46: an issuer or audience that begins like ours, or holds ours, is another', async () => {
  const others = ['', ' ', `${origin}/`, origin.slice(0, -1), `${origin}.evil.example`, `${origin}#`, origin.toUpperCase(), `${origin} `, origin.replace('http:', 'https:'), null, 5, true, {}, [[origin]]];
  await refuse(Object.fromEntries([...others, [origin]].map((iss) => [`iss ${JSON.stringify(iss)}`, sign(claims({ iss }))])));
  await refuse(Object.fromEntries([...others, [], [`${origin}/`], [origin, 5], [null], [{}]].map((aud) => [`aud ${JSON.stringify(aud)}`, sign(claims({ aud }))])));
});

test('row 47: no other secret of a session or a mail is an access token, and no access token is one of them', async () => {
  const member = await signUp();
  const mail = sign({ email: member.email, iat: now(), exp: now() + 600 }, { header: { alg: 'HS256' } });
  const access = (await member.get('token')).json.token;
  const signed = decodeURIComponent(member.cookie.split('=')[1]);
  await refuse({ 'session token': member.token, 'signed cookie': signed, 'e-mail token': mail, 'e-mail token of a user': sign({ email: member.email, userId: member.id, updateTo: 'x@example.com', exp: now() + 600 }, { header: { alg: 'HS256' } }), 'cached session': sign({ session: { id: 'x' }, user: { id: member.id }, sub: member.id, exp: now() + 600 }) });
  for (const token of [access, tokenOf(member.id), sign({ email: member.email, sub: member.id, iss: origin, aud: origin, exp: now() + 600 }), member.token]) {
    const answer = await request('GET', `/api/auth/verify-email?token=${encodeURIComponent(token)}`);
    assert.ok(answer.status === 401 || answer.status === 400, `${answer.status} ${answer.text}`);
    assert.equal(sql('SELECT "emailVerified" FROM "user" WHERE id = :\'id\'', { id: member.id }), 'f');
    assert.equal((await request('POST', '/api/auth/reset-password', { body: { newPassword: 'password124', token } })).status, 400);
    if (token !== member.token) assert.equal((await request('GET', '/api/auth/get-session', { cookie: `better-auth.session_token=${token}` })).text, 'null');
  }
});
