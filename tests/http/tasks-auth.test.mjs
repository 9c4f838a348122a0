// Contract tasks-api, section 3; RFC 8725: who may call.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, before, test } from 'node:test';
import { assertError, b64, base, now, origin, randomId, raw, request, secret, sign, signUp, someone, sql, tokenOf } from './harness.mjs';

const user = `u-${randomId()}`;
const claims = (more = {}) => ({ sub: user, exp: now() + 600, ...more });
const get = (authorization, path = '/api/tasks') => request('GET', path, { headers: authorization ? { authorization } : {} });
const bearer = (token, path) => get(`Bearer ${token}`, path);

async function refused(token, why) {
  const answer = await bearer(token);
  assertError(answer, 401, 'unauthorized', why);
  assert.equal(answer.headers['www-authenticate'], 'Bearer error="invalid_token"');
  assert.equal(answer.text, (await bearer('x')).text, 'nothing tells one bad token from another');
  assert.equal(answer.headers['cache-control'], 'no-store');
}

async function accepted(token, why) {
  const answer = await bearer(token);
  assert.equal(answer.status, 200, `${why}: ${answer.text}`);
}

// Calls `check` with each operation on a task of `user`, which must be unchanged at the end.
async function onEveryRoute(check) {
  const task = await someone(user).create();
  const rows = () => sql("SELECT * FROM task WHERE user_id = :'user' ORDER BY id", { user });
  const before = rows();
  const one = `/api/${user}/tasks/${task.id}`;
  for (const [method, path, body] of [['GET', '/api/tasks'], ['HEAD', '/api/tasks'], ['POST', '/api/tasks', { title: 'planted' }], ['GET', one], ['HEAD', one],
    ['PUT', one, { title: 'changed' }], ['PATCH', one, { title: 'changed' }], ['DELETE', one], ['PATCH', `${one}/complete`], ['POST', `${one}/toggle`]]) await check(method, path, body);
  assert.equal(rows(), before);
}

test('without a bearer token, every task route is 401 and says which scheme it wants', async () => {
  for (const [method, path] of [['GET', '/api/tasks'], ['POST', '/api/tasks'], ['GET', '/api/tasks/1'], ['HEAD', '/api/tasks'],
    ['PUT', '/api/tasks/1'], ['PATCH', '/api/tasks/1'], ['DELETE', '/api/tasks/1'], ['PATCH', '/api/tasks/1/complete']]) {
    const answer = await request(method, path);
    assert.equal(answer.status, 401, `${method} ${path}`);
    assert.equal(answer.headers['www-authenticate'], 'Bearer');
  }
  for (const header of ['Basic dTpw', 'Bearer', 'Bearer ', 'Digest x', sign(claims())]) {
    const answer = await get(header);
    assert.equal(answer.status, 401, header);
    assert.equal(answer.headers['www-authenticate'], 'Bearer');
  }
});

test('the scheme is accepted in any case, with exactly one token', async () => {
  const token = sign(claims());
  for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR']) assert.equal((await get(`${scheme} ${token}`)).status, 200, scheme);
  for (const header of [`Bearer ${token} ${token}`, `Bearer ${token},x`, `Bearer "${token}"`]) assert.equal((await get(header)).status, 401);
});

test('a cookie is never read on a task route', async () => {
  const answer = await request('GET', '/api/tasks', { cookie: `token=${sign(claims())}` });
  assert.equal(answer.status, 401);
});

test('rows 40, 41, 42, 43: a wrong signature, algorithm or form is refused on every task route', async () => {
  const good = sign(claims());
  const [head, body, signature] = good.split('.');
  const bad = {
    'another secret': sign(claims(), { key: `${secret}x` }),
    'secret cut': sign(claims(), { key: secret.slice(0, -1) }),
    'empty signature': `${head}.${body}.`,
    'no signature': `${head}.${body}`,
    'signature cut': good.slice(0, -2),
    'signature padded': `${good}=`,
    'five parts': `${good}.a.b`,
    'changed payload': `${head}.${b64(JSON.stringify(claims({ sub: 'other' })))}.${signature}`,
    none: `${b64('{"alg":"none"}')}.${body}.`,
    'None with signature': sign(claims(), { header: { alg: 'None' } }),
    'no alg': sign(claims(), { header: {} }),
    'alg number': sign(claims(), { header: { alg: 256 } }),
    HS512: sign(claims(), { header: { alg: 'HS512' } }),
    'HS256 in lower case': sign(claims(), { header: { alg: 'hs256' } }),
    EdDSA: sign(claims(), { header: { alg: 'EdDSA' } }),
    crit: sign(claims(), { header: { alg: 'HS256', crit: ['exp'] } }),
    'duplicate alg': sign(claims(), { header: '{"alg":"none","alg":"HS256"}' }),
    'duplicate sub': sign(`{"sub":"a","sub":"${user}","exp":${now() + 600}}`),
    'header no object': sign(claims(), { header: '["HS256"]' }),
    'payload no object': sign('"text"'),
    'unknown kid': sign(claims(), { header: { alg: 'HS256', kid: 'nobody' } }),
    'kid with SQL': sign(claims(), { header: { alg: 'HS256', kid: "' OR 1=1 --" } }),
    'kid path': sign(claims(), { header: { alg: 'HS256', kid: '../../dev/null' } }),
    'kid number': sign(claims(), { header: { alg: 'HS256', kid: 1 } }),
    'kid long': sign(claims(), { header: { alg: 'HS256', kid: 'k'.repeat(2000) } }),
    'kid empty': sign(claims(), { header: { alg: 'HS256', kid: '' } }),
    'text': 'garbage',
    'white space': `${head}. ${body}.${signature}`,
  };
  for (const [why, token] of Object.entries(bad)) await refused(token, why);
  bad.expired = sign(claims({ exp: now() - 1 }));
  bad['without exp'] = sign(claims({ exp: undefined }));
  await onEveryRoute(async (method, path, body) => {
    for (const [why, token] of Object.entries(bad)) {
      const answer = await request(method, path, { token, body });
      assert.equal(answer.status, 401, `${why} ${method} ${path}`);
    }
  });
});

test('row 43: two Authorization headers are refused, whichever of them is good', async () => {
  const [good, other] = [sign(claims()), tokenOf('another')];
  for (const tokens of [[good, other], [good, 'x'], ['x', good], [good, good]]) {
    const lines = tokens.map((token) => `Authorization: Bearer ${token}\r\n`).join('');
    assert.match(await raw(`GET /api/tasks HTTP/1.1\r\nHost: ${base.host}\r\n${lines}Connection: close\r\n\r\n`), /^HTTP\/1\.1 (400|401) /);
  }
});

test('row 42: jwk, jku and x5u in a header change nothing', async () => {
  await accepted(sign(claims(), { header: { alg: 'HS256', jku: 'http://127.0.0.1:1/', x5u: 'http://127.0.0.1:1/', jwk: { kty: 'oct', k: 'AA' } } }), 'extras');
  await refused(sign(claims(), { key: 'A', header: { alg: 'HS256', jwk: { kty: 'oct', k: b64('A') } } }), 'own key');
});

test('row 44: exp must be there, a number, and later than now: no leeway', async () => {
  for (const exp of [undefined, null, 'x', `${now() + 600}`, true, now(), now() - 1, -1, 0, 1e308, -1e308, [now() + 600]]) await refused(sign(claims({ exp })), `exp ${exp}`);
  await accepted(sign(claims({ exp: now() + 600.25 })), 'fraction');
  await accepted(sign(`{"sub":"${user}","exp":${(now() + 600) / 10}e1}`), 'exponent');
});

test('row 44: nbf may lie 60 s ahead and no more; iat may have a fraction', async () => {
  await accepted(sign(claims({ nbf: now() + 50 })), 'nbf soon');
  await refused(sign(claims({ nbf: now() + 90 })), 'nbf later');
  await refused(sign(claims({ nbf: 'x' })), 'nbf text');
  await accepted(sign(claims({ iat: now() - 0.25 })), 'iat fraction');
  await refused(sign(claims({ iat: 'x' })), 'iat text');
});

test('row 45: sub must be a text that is not empty', async () => {
  for (const sub of [undefined, null, '', 5, ['a'], {}, true, 'a\u0000b']) await refused(sign(claims({ sub })), `sub ${sub}`);
});

test('row 46: on a token of the shared secret, iss and aud count when they are there', async () => {
  await accepted(sign(claims({ iss: origin, aud: origin })), 'own');
  await accepted(sign(claims({ aud: ['x', origin] })), 'one of the audiences');
  for (const more of [{ iss: 'http://evil.example' }, { aud: 'http://evil.example' }, { iss: `${origin}/` }, { iss: origin.slice(0, -1) }, { iss: 5 }, { aud: [] }, { aud: [5] }]) await refused(sign(claims(more)), JSON.stringify(more));
});

test('row 47: tokens of other kinds under the same secret are refused', async () => {
  await refused(sign({ email: 'zoe@example.com', userId: user, iat: now(), exp: now() + 600 }, { header: { alg: 'HS256' } }), 'e-mail token');
  await refused(sign({ session: { userId: user }, user: { id: user }, sub: user, exp: now() + 600 }, { header: { alg: 'HS256' } }), 'cached session');
  await refused('sQ7mB2xKt9VwLr4NzHd8JcYf3PgAeU6T', 'session token');
});

// A process reads the table again for an unknown key, once a second at most.
const keysAreReadAgain = () => new Promise((resolve) => { setTimeout(resolve, 1100); });

// Adds a key to the table; returns a function that signs with it.
function tableKey(alg, options = {}) {
  const types = {
    EdDSA: ['ed25519', {}, null], ES256: ['ec', { namedCurve: 'P-256' }, 'sha256'],
    RS256: ['rsa', { modulusLength: options.bits ?? 2048 }, 'sha256'], PS256: ['rsa', { modulusLength: 2048 }, 'sha256'],
  };
  const [type, parameters, digest] = types[alg];
  const { publicKey, privateKey } = crypto.generateKeyPairSync(type, parameters);
  const kid = `key-${randomId()}`;
  const jwk = { ...publicKey.export({ format: 'jwk' }), ...options.jwk };
  sql(`INSERT INTO jwks (id, "publicKey", "privateKey", "createdAt", "expiresAt", alg)
       VALUES (:'kid', :'jwk', '"none"', '2000-01-01', ${options.expires ?? 'NULL'}, ${options.alg === undefined ? ":'alg'" : options.alg})`,
  { kid, jwk: JSON.stringify(jwk), alg });
  const signer = (payload, { header = {}, der = false } = {}) => {
    const input = `${b64(JSON.stringify({ alg, kid, ...header }))}.${b64(JSON.stringify(payload))}`;
    const how = { key: privateKey };
    if (alg === 'ES256' && !der) how.dsaEncoding = 'ieee-p1363';
    if (alg === 'PS256') Object.assign(how, { padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 });
    return `${input}.${crypto.sign(digest, Buffer.from(input), how).toString('base64url')}`;
  };
  return { kid, jwk, publicKey, sign: signer };
}

// The newest key signs, and one that cannot be opened makes /token fail (better-auth-wire, 8.5). So a
// real key, newer than all of these, is there before the first of them.
before(async () => {
  const { status, text } = await (await signUp()).get('token');
  assert.equal(status, 200, text);
});

// No other test, and no Better Auth server, is to meet these keys.
after(() => sql(`DELETE FROM jwks WHERE "privateKey" = '"none"'`));

const there = (more = {}) => claims({ iss: origin, aud: origin, ...more });

for (const alg of ['EdDSA', 'ES256', 'RS256', 'PS256']) {
  test(`a token of an ${alg} key of the table is accepted with our issuer and audience only`, async () => {
    const key = tableKey(alg);
    await keysAreReadAgain();
    await accepted(key.sign(there()), alg);
    await refused(key.sign(claims()), 'no iss and aud');
    await refused(key.sign(there({ iss: 'http://evil.example' })), 'iss');
    await refused(key.sign(there({ aud: 'http://evil.example' })), 'aud');
    await refused(key.sign(there({ exp: now() - 1 })), 'exp');
    await refused(key.sign(there(), { header: { alg: 'HS256' } }), 'other alg');
    await refused(key.sign(there(), { header: { kid: undefined } }), 'no kid');
  });
}

test('the token that a signed-in user gets is accepted for that user, the token of the session is not', async () => {
  const member = await signUp();
  const { json } = await member.get('token');
  // A process that was just asked for an unknown key does not look for another one for a second.
  await keysAreReadAgain();
  await accepted(json.token, 'of /token');
  assert.equal((await request('POST', '/api/tasks', { token: json.token, body: { title: 'x' } })).json.user_id, member.id);
  await refused(member.token, 'session token');
  await refused(decodeURIComponent(member.cookie.split('=')[1].split(';')[0]), 'signed cookie');
});

test('row 40: the algorithm belongs to the key: neither the header nor the public key as a secret can change it', async () => {
  const ed = tableKey('EdDSA');
  const rsa = tableKey('RS256');
  const ec = tableKey('ES256');
  await keysAreReadAgain();
  await accepted(rsa.sign(there()), 'RS256');
  await accepted(ec.sign(there()), 'ES256');
  for (const [key, kid] of [[ed.publicKey.export({ format: 'pem', type: 'spki' }), ed.kid], [JSON.stringify(ed.jwk), ed.kid],
    [Buffer.from(ed.jwk.x, 'base64url'), ed.kid], [rsa.publicKey.export({ format: 'pem', type: 'spki' }), rsa.kid], [secret, ed.kid]]) {
    await refused(sign(there(), { key, header: { alg: 'HS256', kid } }), 'public key as secret');
  }
  await refused(rsa.sign(there(), { header: { alg: 'PS256' } }), 'PS256 under an RS256 key');
  await refused(ec.sign(there(), { der: true }), 'DER signature');
});

test('a token of a table key opens every task route, and a forged one none', async () => {
  const key = tableKey('EdDSA');
  const stranger = tableKey('EdDSA');
  await keysAreReadAgain();
  const token = key.sign(there());
  const task = (await request('POST', '/api/tasks', { token, body: { title: 'x' } })).json;
  assert.equal(task.user_id, user);
  const one = `/api/tasks/${task.id}`;
  for (const [method, path, status, body] of [['GET', '/api/tasks', 200], ['GET', one, 200], ['PUT', one, 200, {}], ['PATCH', one, 200, {}], ['PATCH', `${one}/complete`, 200], ['DELETE', one, 204]]) {
    assert.equal((await request(method, path, { token, body })).status, status, `${method} ${path}`);
  }
  const forged = stranger.sign(there(), { header: { kid: key.kid } });
  await onEveryRoute(async (method, path, body) => assert.equal((await request(method, path, { token: forged, body })).status, 401, `${method} ${path}`));
});

test('row 48: a row without alg is EdDSA; an unsafe, garbled or long expired row is no key', async () => {
  const unnamed = tableKey('EdDSA', { alg: 'NULL' });
  const expired = tableKey('EdDSA', { expires: "now() - interval '1 day'" });
  const bad = [tableKey('EdDSA', { expires: "now() - interval '31 days'" }), tableKey('RS256', { bits: 1024 }),
    tableKey('EdDSA', { jwk: { x: b64(Buffer.alloc(32)) } }), tableKey('EdDSA', { jwk: { x: 'garbage' } }),
    tableKey('EdDSA', { alg: "'none'" }), tableKey('EdDSA', { alg: "'HS256'" })];
  await keysAreReadAgain();
  for (const key of bad) await refused(key.sign(there()), JSON.stringify(key.jwk));
  await keysAreReadAgain();
  await accepted(unnamed.sign(there()), 'no alg');
  await accepted(expired.sign(there()), 'expired, still published');
  await accepted(sign(claims()), 'others still work');
});

test('another user in the path is 401, not 403 or 404, whether or not there is such a user', async () => {
  const a = someone();
  const b = someone();
  await b.create();
  for (const id of [b.id, 'nobody', a.id.toUpperCase(), `${a.id}%20`, a.id.slice(0, -1)]) {
    for (const form of [`/api/${id}/tasks`, `/api/users/${id}/tasks`]) {
      const answer = await a.send('GET', form);
      assert.equal(answer.status, 401, form);
      assert.equal(answer.headers['www-authenticate'], 'Bearer error="invalid_token"');
    }
  }
});

test('checks come in order: path, method, token and user, size and type, JSON, rules, existence', async () => {
  const a = someone();
  const big = 'x'.repeat(140000);
  assert.equal((await request('POST', '/api/nothing', { body: big })).status, 413, 'nginx looks at the size first');
  assert.equal((await request('POST', '/api/nothing', { body: '{' })).status, 404);
  assert.equal((await request('POST', '/api/tasks/1', { body: '{' })).status, 405);
  assert.equal((await request('POST', '/api/tasks', { body: '{', headers: { 'content-type': 'text/plain' } })).status, 401);
  assert.equal((await a.send('POST', '/api/other/tasks', { body: '{' })).status, 401);
  assert.equal((await a.send('POST', '/api/tasks', { body: '{', headers: { 'content-type': 'text/plain' } })).status, 415);
  assert.equal((await a.send('POST', '/api/tasks', { body: '{' })).status, 400);
  assert.equal((await a.send('PUT', '/api/tasks/999999999', { body: { title: '' } })).status, 422);
  assert.equal((await a.send('PUT', '/api/tasks/999999999', { body: { title: 'x' } })).status, 404);
});
