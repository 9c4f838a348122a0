// Sessions under attack: planted and tossed cookies, addresses to be sent on to, guessing and flooding
// (rows 38, 55 to 57, 63, 66 of the plan).
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { test } from 'node:test';
import { cgi, cookieOf, origin, patient, randomEmail, randomId, request, seal, signUp, sql, trusted } from './harness.mjs';

const name = 'better-auth.session_token';
const who = async (cookie) => (await request('GET', '/api/auth/get-session', { cookie })).json?.user?.id;
const post = (route, body, { cookie, headers = {} } = {}) => request('POST', `/api/auth/${route}`, { body, cookie, headers: { origin, ...headers } });

test('row 55: a session that was planted before sign-in is not the one that sign-in opens', async () => {
  const victim = await signUp();
  const attacker = await signUp();
  for (const planted of [seal(crypto.randomBytes(24).toString('base64url').slice(0, 32)), seal(attacker.token), 'unsigned', seal('x'.repeat(32), 'another secret of some length')]) {
    const answer = await post('sign-in/email', { email: victim.email, password: victim.password }, { cookie: `${name}=${planted}` });
    assert.equal(answer.status, 200, answer.text);
    const opened = cookieOf(answer);
    assert.ok(!opened.includes(planted), planted);
    assert.notEqual(answer.json.token, attacker.token);
    assert.equal(await who(opened), victim.id);
    assert.notEqual(await who(`${name}=${planted}`), victim.id, 'what was planted opens nothing of the victim');
  }
  assert.equal(await who(attacker.cookie), attacker.id);
  const token = randomId() + randomId().slice(0, 8);
  const up = await post('sign-up/email', { name: 'x', email: randomEmail(), password: 'password123', token, session: { token } }, { cookie: `${name}=${seal(token)}` });
  assert.notEqual(up.json.token, token);
});

test('row 55: a cookie that another host of the domain set never makes two users one', async () => {
  const victim = await signUp();
  const attacker = await signUp();
  const [mine, theirs] = [victim.cookie, attacker.cookie];
  // The first of a name counts (better-auth-wire, 1.7): tossed before ours it is the attacker's own
  // session or none, never ours with something of theirs.
  assert.equal(await who(`${theirs}; ${mine}`), attacker.id);
  assert.equal(await who(`${mine}; ${theirs}`), victim.id);
  for (const tossed of [`${name}=x`, `${name}=`, `${name}=${seal('nobody')}`, `${name}=${victim.token}`]) assert.equal(await who(`${tossed}; ${mine}`), undefined, tossed);
  for (const other of ['__Host-', '__Secure-', '__secure-', '__HOST-']) assert.equal(await who(`${other}${theirs}; ${mine}`), victim.id, other);
  for (const decoy of ['a=";', 'a="b; c"', '=', ';;;', 'a', `${name.toUpperCase()}=x`, `x${name}=x`, `${name}x=x`, `${name} x=x`, 'a\t=b']) assert.equal(await who(`${decoy}; ${mine}`), victim.id, decoy);
  // Whose password is changed is who the session says, whatever the body says.
  const changed = await post('change-password', { userId: victim.id, currentPassword: victim.password, newPassword: 'password124' }, { cookie: theirs });
  assert.equal(changed.status, 200, 'both have one password here');
  assert.equal((await post('sign-in/email', { email: victim.email, password: victim.password })).status, 200);
  assert.equal((await post('sign-in/email', { email: attacker.email, password: victim.password })).status, 401);
});

test('row 55: a session of one user revokes, lists and reads nothing of another', async () => {
  const victim = await signUp();
  const attacker = await signUp();
  for (const [route, body] of [['revoke-session', { token: victim.token }], ['revoke-sessions', { userId: victim.id }], ['revoke-other-sessions', { userId: victim.id }], ['update-user', { id: victim.id, name: 'mine now' }], ['unlink-account', { providerId: 'credential', userId: victim.id }], ['delete-user', { userId: victim.id, password: 'wrong password' }]]) {
    const again = await attacker.signIn();
    await post(route, body, { cookie: again.cookie });
    assert.equal(await who(victim.cookie), victim.id, route);
  }
  assert.equal(sql('SELECT name FROM "user" WHERE id = :\'id\'', { id: victim.id }), victim.name);
});

const members = ['callbackURL', 'redirectTo', 'errorCallbackURL', 'newUserCallbackURL'];
const hostile = ['//evil.example', '///evil.example', '/\\evil.example', '\\\\evil.example', '/\t/evil.example', '\t//evil.example', ' //evil.example', '/\n/evil.example', '/%2f/evil.example', '/%2Fevil.example', '/%5cevil.example', '/./' + '/evil.example', '/..//evil.example', 'https:evil.example', 'https:/evil.example', 'https:///evil.example', 'http://evil.example', 'HTTP://EVIL.example',
  `${origin}.evil.example`, `${origin}@evil.example`, `${origin}:x@evil.example`, `http://evil.example#${origin}`, `http://evil.example?${origin}`, `http://evil.example\\@${new URL(origin).host}`, `${origin}\\@evil.example`, `${trusted}.evil.example/`, 'javascript:alert(1)', 'java\nscript:alert(1)', 'data:text/html,x', 'vbscript:x', 'file:///etc/passwd', 'blob:x', '', 'evil.example', 'evil', '?x', '#x', '/\u0085/evil.example', '/a\r\nSet-Cookie: a=b', '/\u0000', 'http://[::1', 'http://127.1:1/', 'http://0x7f.1/'];

test('row 57: no route sends anybody to another site, by any member', async () => {
  const member = await signUp();
  const bodies = ['sign-out', 'update-user', 'change-email', 'send-verification-email', 'revoke-sessions', 'unlink-account'];
  const dear = ['sign-in/email', 'sign-up/email', 'change-password', 'delete-user', 'request-password-reset', 'reset-password', 'verify-password'];
  const safe = (location) => ['', origin, trusted].some((base) => base !== '' && new URL(location, origin).origin === base);
  const filled = hostile.filter((url) => url !== '');
  const all = [...bodies.flatMap((route) => members.flatMap((field) => filled.map((url) => [route, field, url]))),
    ...dear.flatMap((route, i) => filled.filter((_, j) => j % dear.length === i).map((url, j) => [route, members[j % members.length], url]))];
  for (let at = 0; at < all.length; at += 48) {
    await Promise.all(all.slice(at, at + 48).map(async ([route, field, url]) => {
      const answer = await patient(() => post(route, { email: member.email, [field]: url }));
      assert.equal(answer.status, 403, `${route} ${field} ${JSON.stringify(url)}: ${answer.status} ${answer.text}`);
      assert.match(answer.json.code, /^INVALID_(.*)URL$/);
      assert.equal(answer.headers.location, undefined);
    }));
  }
  const reads = ['verify-email?token=x', 'reset-password/x?', 'delete-user/callback?token=x', 'error?error=x'];
  for (const read of reads) {
    for (const url of [...hostile, '/a/../..//evil.example', '/a/..//..//evil.example']) {
      const answer = await patient(() => request('GET', `/api/auth/${read}&callbackURL=${encodeURIComponent(url)}`, { cookie: member.cookie }));
      assert.ok([200, 302, 400, 401, 403, 404].includes(answer.status), `${read} ${JSON.stringify(url)}: ${answer.status}`);
      if (answer.headers.location) assert.ok(safe(answer.headers.location), `${read} ${JSON.stringify(url)}: ${answer.headers.location}`);
      assert.equal(answer.headers['set-cookie']?.find((line) => line.startsWith('a=')), undefined);
    }
  }
});

test('row 57: where a path is allowed, what comes back in Location is that path', async () => {
  for (const url of ['/dash', '/a%0d%0aSet-Cookie:%20x=y', '/a?next=//evil.example', '/a?x=1#//evil.example', '/é', '/a;b=c', '/@evil.example', `${trusted}/x`]) {
    const answer = await request('GET', `/api/auth/verify-email?token=x&callbackURL=${encodeURIComponent(url)}`);
    assert.equal(answer.status, 302, url);
    const { location } = answer.headers;
    assert.ok([origin, trusted].includes(new URL(location, origin).origin), location);
    assert.equal(answer.headers['set-cookie'], undefined, url);
  }
});

test('row 38: a body cannot set what belongs to the server', async () => {
  const extra = { id: 'chosen', userId: 'chosen', emailVerified: true, role: 'admin', createdAt: '2000-01-01T00:00:00.000Z', updatedAt: '2000-01-01T00:00:00.000Z', banned: false, isAdmin: true, token: 'chosen', expiresAt: '2100-01-01T00:00:00.000Z', issuer: 'x', accountId: 'chosen', providerId: 'github', __proto__: { admin: true } };
  const user = await signUp(extra);
  assert.notEqual(user.id, 'chosen');
  assert.equal(user.answer.json.user.emailVerified, false);
  assert.notEqual(user.answer.json.token, 'chosen');
  const row = () => JSON.parse(sql('SELECT row_to_json(u) FROM "user" u WHERE id = :\'id\'', { id: user.id }));
  const before = row();
  assert.deepEqual([before.emailVerified, new Date(before.createdAt).getFullYear() > 2020], [false, true]);
  const updated = await user.post('update-user', { ...extra, email: 'other@example.com', name: 'new' });
  assert.ok([200, 400].includes(updated.status), updated.text);
  const after = row();
  for (const column of ['id', 'email', 'emailVerified', 'createdAt']) assert.equal(after[column], before[column], column);
  const account = JSON.parse(sql('SELECT row_to_json(a) FROM account a WHERE "userId" = :\'id\'', { id: user.id }));
  assert.deepEqual([account.providerId, account.accountId], ['credential', user.id]);
});

test('row 66: a password of a megabyte costs no hash', async () => {
  const before = process.hrtime.bigint();
  for (const route of ['sign-in/email', 'sign-up/email']) {
    for (const size of [129, 20000, 120000]) {
      const answer = await post(route, { name: 'x', email: randomEmail(), password: 'x'.repeat(size) });
      assert.deepEqual([answer.status, answer.json.code], [400, 'PASSWORD_TOO_LONG'], `${route} ${size}`);
    }
    assert.equal((await post(route, { name: 'x', email: randomEmail(), password: 'x'.repeat(1 << 20) })).status, 413, route);
  }
  assert.ok(process.hrtime.bigint() > before);
  const user = await signUp();
  for (const [route, body] of [['verify-password', { password: 'x'.repeat(100000) }], ['change-password', { currentPassword: user.password, newPassword: 'x'.repeat(100000) }], ['delete-user', { password: 'x'.repeat(100000) }]]) {
    const answer = await user.post(route, body);
    assert.ok(answer.status === 400 || answer.status === 401, `${route}: ${answer.status} ${answer.text}`);
  }
});

// --- Guessing and flooding ------------------------------------------------------------------------------
// The instance under test exempts this machine, so the programs are called by plain CGI, as many clients.

const client = () => `10.${[...crypto.randomBytes(3)].join('.')}`;
const limited = { AUTH_RATE_LIMIT: 'on', AUTH_RATE_LIMIT_EXEMPT: '' };
const from = (address, program, route, body) => cgi(program, 'POST', `/api/auth/${route}`, { settings: limited, headers: { origin, 'x-forwarded-for': address }, body }).status;

test('row 63: one password tried on many addresses is limited like one address with many passwords', () => {
  const address = client();
  const tried = Array.from({ length: 8 }, () => from(address, 'signin', 'sign-in/email', { email: `nobody-${randomId()}`, password: 'password123' }));
  assert.deepEqual(tried, [400, 400, 400, 429, 429, 429, 429, 429]);
});

test('row 63: sign-ups from one client or one IPv6 network are three in ten seconds, however they look', () => {
  const network = `2001:db8:${crypto.randomBytes(2).toString('hex')}:${crypto.randomBytes(2).toString('hex')}`;
  for (const addresses of [Array(6).fill(client()), Array.from({ length: 6 }, (_, i) => `${network}::${i + 1}`)]) {
    const tried = addresses.map((address) => from(address, 'signup', 'sign-up/email', { name: 'x', email: 'no address', password: 'password123' }));
    assert.deepEqual(tried, [400, 400, 400, 429, 429, 429]);
  }
});

test('row 63: other spellings of a limited path are other paths, which are nothing, and count', () => {
  for (const route of ['sign-in/email/', '/sign-in/email', 'sign-in//email', 'Sign-In/email', 'sign-in/email%00', 'sign-in/%65mail', './sign-in/email', 'x/../sign-in/email', 'sign-in/email;x']) {
    const answer = cgi('fallback', 'POST', `/api/auth/${route}`, { settings: limited, headers: { origin, 'x-forwarded-for': client() }, body: { email: 'x', password: 'x' } });
    assert.equal(answer.status, 404, route);
  }
});
