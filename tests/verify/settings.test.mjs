// Files with settings mean to todo-verify what they mean to the systems that read them: our own shell
// scripts, python-dotenv (what pydantic-settings uses) and @next/env.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { authPath, readAsNext, readAsOurs, readAsPython, signingSecret } from '../../env/verify/settings.mjs';
import { partsOf } from '../../env/verify/database.mjs';

const FILES = [
  'A=1\nB=two words\nC="quoted"\nD=\'single\'\n', 'A=1\r\nB="x"\r\nC=\r\n', '# A=0\nA=1 # said\nB=x#y\nC="x # y" # z\nD=\'x # y\'\n', 'export A=1\n  export B = 2 \n\tC\t=\t3\t\n',
  'A="one\ntwo"\nB=after\n', "A='one\ntwo'\nB=after\n", 'A="esc\\n\\t\\"q\\" \\$x"\nB=\'esc\\n\\\'q\\\'\'\nC=esc\\n\\$x\n', 'X=secret\nA=$X\nB=${X}\nC="${X}y"\nD=\'${X}\'\nE=${MISSING:-default}\nF=${MISSING}\nG=a$b$c\n',
  'A="unclosed\nB=2\n', "A='x' y\nB=2\n", 'A\nB=2\nC\n', 'A=\nB=""\nC=\'\'\nD=#x\nE= # x\n', '=x\nA=1\n', 'A=1\nA=2\n', 'BETTER_AUTH_SECRET=ab+/cd==\nDATABASE_URL=postgresql://u:p%40w@h:1/d?a=b&c=d#e\n',
  'A=a"b\nB=a\'b\nC="a\'b"\nD=\'a"b\'\n', '\ufeffA=1\nB=2', 'a.b=1\nA-B=2\n1A=3\nA=4\n', 'A: 1\nB=2\n', 'A=1;B=2\nC=`x`\n', 'A=\u00e4\u00f6 \ud83d\ude00\nB="\u00e4"\n', '',
];

const folder = mkdtempSync(path.join(tmpdir(), 'todo-settings-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const NAMES = ['A', 'B', 'C', 'D', 'E', 'F', 'G', 'X', 'BETTER_AUTH_SECRET', 'DATABASE_URL'];
const file = (text) => { const place = path.join(folder, '.env'); writeFileSync(place, text); return place; };

test('our own files: as env/settings.sh reads them', () => {
  for (const text of FILES) {
    file(text);
    const program = `unset ${NAMES.join(' ')}; source "$1" && load_settings "$2" && for n in ${NAMES.join(' ')}; do [[ -z \${!n+set} ]] || printf '%s=%s\\0' "$n" "\${!n}"; done`;
    const seen = execFileSync('bash', ['-c', program, 'bash', `${process.env.TODO_ROOT}/env/settings.sh`, folder], { encoding: 'utf8' });
    const wanted = Object.fromEntries(seen.split('\0').filter(Boolean).map((pair) => pair.split(/=(.*)/s).slice(0, 2)));
    assert.deepEqual(Object.fromEntries(Object.entries(readAsOurs(text)).filter(([name]) => NAMES.includes(name))), wanted, JSON.stringify(text));
  }
});

test('a FastAPI back end\'s file: as python-dotenv reads it', () => {
  for (const text of FILES) {
    const program = 'import sys, json, dotenv; print(json.dumps({k: v for k, v in dotenv.dotenv_values(sys.argv[1], encoding="utf-8").items() if v is not None}))';
    const wanted = JSON.parse(execFileSync('/usr/bin/python3', ['-c', program, file(text)], { encoding: 'utf8', env: { PATH: process.env.PATH }, stdio: ['ignore', 'pipe', 'ignore'] }));
    assert.deepEqual(readAsPython(text), wanted, JSON.stringify(text));
  }
});

test('a front end\'s file: as a process of its own reads it by @next/env, whatever our environment holds', () => {
  const next = createRequire(`${process.env.TODO_ROOT}/env/verify/package.json`).resolve('@next/env');
  process.env.X = 'not this one';
  try {
    for (const text of FILES) {
      file(text);
      const program = 'const before = new Set(Object.keys(process.env)); const { loadedEnvFiles } = require(process.argv[1]).loadEnvConfig(process.argv[2], false, { info() {}, error() {} }); console.log(JSON.stringify(loadedEnvFiles[0]?.env ?? {}))';
      const wanted = JSON.parse(execFileSync(process.execPath, ['-e', program, next, folder], { encoding: 'utf8', env: {} }));
      assert.deepEqual(readAsNext(text), wanted, JSON.stringify(text));
    }
    assert.equal(process.env.X, 'not this one');
  } finally {
    delete process.env.X;
  }
});

test('the secret is the first of BETTER_AUTH_SECRETS, and the auth path that of BETTER_AUTH_URL', () => {
  assert.equal(signingSecret({ BETTER_AUTH_SECRET: 'only' }), 'only');
  assert.equal(signingSecret({ BETTER_AUTH_SECRET: 'old', BETTER_AUTH_SECRETS: ' 2:new:er , 1:old' }), 'new:er');
  assert.equal(signingSecret({}), undefined);
  for (const [values, wanted] of [[{}, '/api/auth'], [{ AUTH_BASE_PATH: '/x/' }, '/x'], [{ BETTER_AUTH_URL: 'http://h:1' }, '/api/auth'], [{ BETTER_AUTH_URL: 'http://h/' }, '/api/auth'], [{ BETTER_AUTH_URL: 'http://h/a/b//', AUTH_BASE_PATH: '/x' }, '/a/b']]) {
    assert.equal(authPath(values), wanted, JSON.stringify(values));
    const shell = execFileSync(`${process.env.TODO_ROOT}/env/auth-path`, { env: { PATH: process.env.PATH, ...values }, encoding: 'utf8' }).trim();
    assert.equal(shell, wanted);
  }
});

test('a DATABASE_URL is taken apart as libpq does it', () => {
  const parts = (url) => { const { hosts, user, password, database, sslmode } = partsOf(url); return [hosts.map(({ host, port }) => `${host}|${port}`).join(), user, password, database, sslmode]; };
  for (const [url, wanted] of [
    ['postgresql://u:p@h/d', ['h|5432', 'u', 'p', 'd', 'prefer']], ['postgres://u:p%40%3A%2F+x@h:1/d%20e?sslmode=require', ['h|1', 'u', 'p@:/+x', 'd e', 'require']],
    ['postgresql+asyncpg://u@h1:1,h2:2,h3/d', ['h1|1,h2|2,h3|5432', 'u', '', 'd', 'prefer']], ['postgresql://u:p@/d?host=/run/x&port=7', ['/run/x|7', 'u', 'p', 'd', 'prefer']],
    ['postgresql://u:p@%2Frun%2Fx/d', ['/run/x|5432', 'u', 'p', 'd', 'prefer']], ['postgresql://u:p@[::1]:9/d', ['::1|9', 'u', 'p', 'd', 'prefer']], ['postgresql://u@h', ['h|5432', 'u', '', 'u', 'prefer']],
    ['postgresql://h/d?user=x&password=y&dbname=z', ['h|5432', 'x', 'y', 'z', 'prefer']], ['postgresql://h1:7,h2/d', ['h1|7,h2|5432']],
  ]) assert.deepEqual(parts(url).slice(0, wanted.length), wanted, url);
  for (const url of ['', 'mysql://u@h/d', 'h:5432/d', 'postgresql://u:%zz@h/d']) assert.equal(partsOf(url), undefined, url);
});
