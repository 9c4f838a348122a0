// Our decisions beside those of the real implementations: Better Auth's functions, and jose for
// tokens (rows 99 and 100). Thousands of made-up inputs; FUZZ_SEED repeats a run.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import crypto from 'node:crypto';
import '../../env/verify/node18.mjs';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseCookies } from '../node_modules/better-call/dist/cookies.mjs';
import { matchesOriginPattern } from '../node_modules/better-auth/dist/auth/trusted-origins.mjs';
import * as jose from 'jose';
import * as z from 'zod';
import { CASES, below, changed, pick, random, some } from './random.mjs';

const wire = JSON.parse(readFileSync(new URL('../vectors/better-auth-vectors.json', import.meta.url), 'utf8'));
const suite = (name) => JSON.parse(readFileSync(new URL(`../vectors/json-test-suite/${name}.json`, import.meta.url), 'utf8'));

const shown = (value) => JSON.stringify(value).replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
const hex = (value) => Buffer.from(value).toString('hex') || '.';
// What the library says to each [question, …arguments].
function ask(questions) {
  const input = questions.map(([question, ...values]) => [question, ...values.map(hex)].join(' ')).join('\n');
  const output = execFileSync(`${process.env.TODO_BUILD}/tests/fuzz/probe`, { input: `${input}\n`, encoding: 'utf8', maxBuffer: 2 ** 30 });
  const answers = output.trimEnd().split('\n');
  assert.equal(answers.length, questions.length);
  return answers;
}
const text = (answer) => (answer === '-' ? undefined : Buffer.from(answer.replace('.', ''), 'hex').toString('utf8'));

const printable = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/?#[]@!$&\'()*+,;=% "\\<>^`{|}'];

test('row 99: e-mail addresses are taken as by the reference', () => {
  const alphabet = [...printable, '@', '@', '.', '.', '\n', '\0', 'é', '\u3000', '\u202e', '😀'];
  const known = wire.email_validation.map((entry) => entry.email);
  const inputs = Array.from({ length: CASES }, () => (random() < 0.3 ? some(() => pick(alphabet), 12).join('') : changed(pick(known), alphabet)));
  const answers = ask(inputs.map((input) => ['email', input]));
  let taken = 0;
  inputs.forEach((input, i) => {
    const theirs = z.email().safeParse(input).success;
    assert.equal(answers[i], theirs ? '1' : '0', shown(input));
    taken += theirs;
  });
  assert.ok(taken > CASES / 50 && taken < CASES, `${taken}`);
});

test('row 99: a cookie has the value that the reference finds', () => {
  const names = ['a', 'better-auth.session_token', '__Secure-a', '"a"', 'A'];
  const alphabet = [...printable, ';', ';', '=', '=', '%', '"', '\t', ' '];
  const value = () => pick([() => some(() => pick(alphabet), 8).join(''), () => encodeURIComponent(pick(['é', 'a.b=c', '"', ';', '😀'])), () => `"${pick(['x', '', 'a b', '%20'])}"`, () => '%zz', () => ''])();
  const header = () => Array.from({ length: 1 + below(4) }, () => pick([() => `${pick(names)}=${value()}`, () => `${pick([' ', ''])}${pick(names)}${pick([' ', '\t', ''])}=${value()} `, () => pick(names), () => value()])()).join(pick([';', '; ', ';;']));
  const inputs = Array.from({ length: CASES }, () => [header(), pick(names)]);
  const answers = ask(inputs.map(([line, name]) => ['cookie', line, name]));
  let found = 0;
  inputs.forEach(([line, name], i) => {
    const theirs = parseCookies(line).get(name);
    assert.deepEqual(text(answers[i]), theirs, shown([line, name]));
    found += theirs !== undefined;
  });
  assert.ok(found > CASES / 10, `${found}`);
});

test('row 99: a body of the auth routes is the value that the reference reads', () => {
  const known = [...suite('parsing').filter((entry) => !entry.repeat), ...suite('transform')].map((entry) => Buffer.from(entry.hex, 'hex').toString('latin1'));
  const alphabet = [...'{}[]:,"\\/bfnrtu0123456789+-.eE \n\t\r\0tfnalsu', '\xff', '\xc3', '\xa9', '\xed\xa0\x80', '\\ud800', '\\udc00', '\\u0000', '\xef\xbb\xbf', '"__proto__":1', '1e400', '1e-400'];
  const make = () => pick([() => some(() => pick(alphabet), 10).join(''), () => pick(known), () => changed(pick(known), alphabet), () => changed(pick(known), alphabet)])();
  const inputs = Array.from({ length: CASES }, () => Buffer.from(make(), 'latin1'));
  const answers = ask(inputs.map((input) => ['json', input]));
  const depth = (value) => (value !== null && typeof value === 'object' ? 1 + Math.max(0, ...Object.values(value).map(depth)) : 0);
  const infinite = (value) => (typeof value === 'number' ? !Number.isFinite(value) : value !== null && typeof value === 'object' && Object.values(value).some(infinite));
  // Half a surrogate pair is U+FFFD once it is written.
  const wellFormed = (value) => (typeof value === 'string' ? Buffer.from(value).toString() : Array.isArray(value) ? value.map(wellFormed)
    : value !== null && typeof value === 'object' ? Object.fromEntries(Object.entries(value).map((entry) => entry.map(wellFormed))) : value);
  // What the contract lets us do otherwise: refuse deep nesting and numbers beyond a double (also where a later
  // duplicate hides them); leave "__proto__" out, which JSON.parse keeps and the reference's readers drop.
  const without = (key, value) => { if (value !== null && typeof value === 'object') delete value.__proto__; return value === 0 ? 0 : value; };
  let read = 0;
  inputs.forEach((input, i) => {
    let theirs;
    try {
      const decoded = new TextDecoder().decode(input);
      theirs = { value: JSON.parse(decoded, without) };
      if (depth(theirs.value) > 32 || infinite(theirs.value)) theirs = undefined;
      else if (/e\+?[0-9]{3}/i.test(decoded) && answers[i] === '-') theirs = undefined;
    } catch { theirs = undefined; }
    const why = shown(input.toString('latin1'));
    if (theirs === undefined) assert.equal(answers[i], '-', why);
    else {
      assert.notEqual(answers[i], '-', why);
      assert.deepEqual(JSON.parse(text(answers[i])), wellFormed(theirs.value), why);
      read += 1;
    }
  });
  assert.ok(read > CASES / 10, `${read}`);
});

test('row 99: no origin is trusted and no redirect allowed that the reference refuses, and plain ones alike', () => {
  const lists = [wire.trusted_origins.trusted, ['http://auth.example.test'], ['https://*.example.com', '*.any.example.com', 'http://10.0.*', '192.168.?.1', 'myapp://', 'http://[::1]:3000', 'http://localhost:*']];
  const hosts = ['auth.example.test', 'app.example.com', 'x.wild.example.com', 'wild.example.com', 'a.b.any.example.com', 'localhost', 'localhost:3000', '10.0.0.1', '10.0.evil.example', '192.168.7.1', '[::1]:3000', '[::1]', 'evil.example', 'auth.example.test.evil.example', 'auth.example.test:80', 'auth.example.test:443', 'user@auth.example.test', 'auth.example.test@evil.example', 'AUTH.example.TEST'];
  const alphabet = [...printable, '\t', '\n', '/', '/', '\\', '%2f', '%5C', '%09', '..', '://', '@', '\u0085', '\u3002', 'é', '\u00ad', '\uff0e'];
  const paths = ['', '/', '/a?b#c', '/..//evil', '/%2fevil', '?x=http://evil.example', '#@evil.example', '\\@evil.example'];
  const make = () => `${pick(['http://', 'https://', 'HTTP://', 'myapp://', 'ftp://', '', '//', 'http:', 'javascript:'])}${pick(hosts)}${pick(paths)}`;
  const target = () => pick([make, () => changed(make(), alphabet), () => `/${some(() => pick(['a', '.', '..', '/', '//', '%2F', '%5c', '\\', '?', '#', 'é', '\t']), 6).join('')}`, () => changed(pick(paths), alphabet)])();
  const inputs = Array.from({ length: CASES }, () => [target(), pick(lists)]);
  const [trusted, redirects] = ['trusted', 'redirect'].map((question) => ask(inputs.map(([url, list]) => [question, url, list.join('\n')])));
  // A URL as it would be written by whoever means it, which our parser has to read as a browser does.
  const plain = (url) => /^(https?|myapp):\/\/([a-z0-9-]+(\.[a-z0-9-]*[a-z][a-z0-9-]*)*|(\d{1,3}\.){3}\d{1,3}|\[::1\])(:\d{1,4})?([/?#][a-z0-9/?#=.]*)?$/i.test(url) && URL.canParse(url);
  const count = { trusted: 0, redirects: 0, plain: 0 };
  inputs.forEach(([url, list], i) => {
    const why = shown([url, list]);
    const theirs = list.some((entry) => matchesOriginPattern(url, entry));
    const safe = list.some((entry) => matchesOriginPattern(url, entry, { allowRelativePaths: true }));
    if (trusted[i] === '1') assert.ok(theirs, `trusted: ${why}`);
    if (redirects[i] === '1') assert.ok(safe, `redirect: ${why}`);
    if (plain(url)) {
      assert.equal(trusted[i], theirs ? '1' : '0', `trusted: ${why}`);
      assert.equal(redirects[i], safe ? '1' : '0', `redirect: ${why}`);
    }
    count.trusted += theirs;
    count.redirects += safe;
    count.plain += plain(url);
  });
  assert.ok(count.trusted > CASES / 50 && count.redirects > count.trusted && count.plain > CASES / 20, JSON.stringify(count));
});

// --- Tokens -----------------------------------------------------------------------------------------

const NOW = 1767323100;
const us = 'http://auth.example.test';
const pairs = {
  HS256: { secret: crypto.randomBytes(32).toString('base64') },
  EdDSA: crypto.generateKeyPairSync('ed25519'),
  ES256: crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  RS256: crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }),
  PS256: crypto.generateKeyPairSync('rsa', { modulusLength: 2048 }),
};
const algorithms = Object.keys(pairs);
const ourKey = (name) => (name === 'HS256' ? pairs.HS256.secret : JSON.stringify(pairs[name].publicKey.export({ format: 'jwk' })));
const signer = (name) => (name === 'HS256' ? new TextEncoder().encode(pairs.HS256.secret) : pairs[name].privateKey);
const checker = (name) => (name === 'HS256' ? new TextEncoder().encode(pairs.HS256.secret) : pairs[name].publicKey);
const kid = (name) => (name === 'HS256' ? '' : `key-${name}`);
const question = (name, token) => ['verify', ourKey(name), name, kid(name), token, String(NOW)];

async function joseTakes(name, token) {
  try {
    const { payload } = await jose.jwtVerify(token, checker(name), { algorithms: [name], currentDate: new Date(NOW * 1000), clockTolerance: 0, requiredClaims: ['exp'] });
    const list = [payload.aud ?? us].flat();
    return (payload.iss ?? us) === us && list.includes(us);
  } catch { return false; }
}

test('row 100: tokens that jose makes are taken or refused by us as by jose', async () => {
  const values = {
    exp: [NOW + 600, NOW + 1, NOW, NOW - 1, NOW + 0.5, undefined, null, 'x', `${NOW + 600}`, true, 0, -1, NOW * 1000, [NOW + 600]],
    nbf: [undefined, NOW - 1, NOW, NOW + 90, 'x', null], iat: [undefined, NOW, NOW - 0.25, 'x'],
    iss: [undefined, us, `${us}/`, 'http://other.example'], aud: [undefined, us, [us], ['x', us], ['x'], [], `${us}x`], sub: ['u', undefined],
  };
  const cases = [];
  for (let i = 0; i < CASES / 8; i += 1) {
    const name = pick(algorithms);
    const claims = Object.fromEntries(Object.entries(values).map(([claim, list]) => [claim, random() < 0.6 ? list[0] : pick(list)]));
    const token = await new jose.CompactSign(Buffer.from(JSON.stringify(claims))).setProtectedHeader({ alg: name, ...(kid(name) && { kid: kid(name) }) }).sign(signer(name));
    cases.push({ name, token, claims });
  }
  const answers = ask(cases.map(({ name, token }) => question(name, token)));
  let taken = 0;
  for (const [i, { name, token, claims }] of cases.entries()) {
    const theirs = await joseTakes(name, token);
    assert.equal(answers[i] === 'ok', theirs, `${name} ${JSON.stringify(claims)}: ${answers[i]}`);
    taken += theirs;
  }
  assert.ok(taken > cases.length / 20 && taken < cases.length, `${taken}`);
});

test('row 100: a token with any one bit altered is refused, under every algorithm; jose refuses it too or reads the same bytes', async () => {
  const bytesOf = (token) => token.split('.').map((part) => Buffer.from(part, 'base64url').toString('hex')).join('.');
  for (const name of algorithms) {
    const claims = { sub: 'u', exp: NOW + 600, iss: us, aud: us };
    const token = await new jose.SignJWT(claims).setProtectedHeader({ alg: name, ...(kid(name) && { kid: kid(name) }) }).sign(signer(name));
    const altered = Array.from({ length: token.length * 7 }, (_, i) => {
      const bytes = Buffer.from(token);
      bytes[Math.floor(i / 7)] ^= 1 << (i % 7);
      return bytes.toString('latin1');
    });
    const answers = ask([question(name, token), ...altered.map((each) => question(name, each))]);
    assert.equal(answers.shift(), 'ok', name);
    assert.deepEqual(altered.filter((_, i) => answers[i] === 'ok'), [], name);
    for (const each of altered) if (await joseTakes(name, each)) assert.equal(bytesOf(each), bytesOf(token), `${name} ${each}`);
  }
});

test('row 100: tokens that we make are taken by jose, under their own key only', async () => {
  const seedBytes = crypto.randomBytes(32);
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seedBytes]);
  const publicKey = crypto.createPublicKey(crypto.createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
  const names = ['u', 'Zoë 😀', '"\\\u0001', '\u2028', 'x'.repeat(300)];
  const claims = Array.from({ length: 100 }, () => ({ sub: pick(names), name: pick(names), iss: us, aud: us, exp: NOW + 1 + below(1000), n: below(2 ** 31) }));
  const made = ask(claims.flatMap((each) => [['hs256', pairs.HS256.secret, '{"alg":"HS256"}', JSON.stringify(each)], ['eddsa', seedBytes, 'kid', JSON.stringify(each)]]));
  for (const [i, token] of made.entries()) {
    const key = i % 2 === 0 ? checker('HS256') : publicKey;
    const { payload } = await jose.jwtVerify(token, key, { algorithms: [i % 2 === 0 ? 'HS256' : 'EdDSA'], currentDate: new Date(NOW * 1000), issuer: us, audience: us });
    assert.deepEqual(payload, claims[i >> 1]);
    await assert.rejects(jose.jwtVerify(token, i % 2 === 0 ? crypto.randomBytes(32) : pairs.EdDSA.publicKey, { currentDate: new Date(NOW * 1000) }));
  }
});

test('row 40, 41: no DER, no zero, no r or s out of range, no other length is a signature', async () => {
  const header = { alg: 'ES256', kid: kid('ES256') };
  const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
  const token = await new jose.SignJWT({ exp: NOW + 600 }).setProtectedHeader(header).sign(signer('ES256'));
  const input = token.slice(0, token.lastIndexOf('.'));
  const raw = Buffer.from(token.slice(input.length + 1), 'base64url');
  const number = (value) => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');
  const [r, s] = [raw.subarray(0, 32), raw.subarray(32)];
  const big = (bytes) => BigInt(`0x${bytes.toString('hex')}`);
  const der = crypto.sign('sha256', Buffer.from(input), pairs.ES256.privateKey);
  const zero = Buffer.alloc(32);
  const bad = {
    DER: der, empty: Buffer.alloc(0), zero: Buffer.alloc(64), 'r = 0': [zero, s], 's = 0': [r, zero], 'r = n': [number(order), s], 's = n': [r, number(order)], 'r = n + 1': [number(order + 1n), s],
    's = 2^256 - 1': [r, Buffer.alloc(32, 255)], 'all ones': Buffer.alloc(64, 255), '63 bytes': raw.subarray(1), '65 bytes': [raw, Buffer.alloc(1)], '0 before r': [Buffer.alloc(1), raw], swapped: [s, r], 'r + n, cut': [number((big(r) + order) % 2n ** 256n), s], '96 bytes': [zero, raw],
  };
  const entries = Object.entries(bad).map(([why, bytes]) => [why, `${input}.${(Array.isArray(bytes) ? Buffer.concat(bytes) : bytes).toString('base64url')}`]);
  const answers = ask([question('ES256', token), ...entries.map(([, each]) => question('ES256', each))]);
  assert.equal(answers.shift(), 'ok');
  entries.forEach(([why], i) => assert.notEqual(answers[i], 'ok', why));
});
