// env/.env, which env/settings.sh reads: made-up files mean to it what they mean to todo-verify's
// reader, what was written is read, and nothing in it is ever executed (row 98).
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { readAsOurs } from '../../env/verify/settings.mjs';
import { CASES, changed, pick, random, some } from './random.mjs';

const folder = mkdtempSync(path.join(tmpdir(), 'todo-env-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const NAMES = ['A', 'B_1', 'PORT', 'DATABASE_URL', 'BETTER_AUTH_SECRET'];
const trap = path.join(folder, 'executed');
const lure = [`$(touch ${trap})`, `\`touch ${trap}\``, `;touch ${trap}`, `"; touch ${trap}; "`, `'$(touch ${trap})'`, `a[$(touch ${trap})]`, `\${A:-$(touch ${trap})}`, `\n touch ${trap}`, `|touch ${trap}`, `&&touch ${trap}`];
const alphabet = [...'AB=#"\' \t\\$`;|&(){}[]<>!*?~:/.-_0aZ\r\né%', 'export ', '${A}', '$A', '$$', '\\n', ' #', "'\\''", ...lure];

// What env/settings.sh makes of each text, by one shell.
function read(texts) {
  texts.forEach((text, i) => writeFileSync(path.join(folder, String(i)), text));
  const program = `source "$1"; for ((i = 0; i < $3; ++i)); do (
    unset ${NAMES.join(' ')}; load_settings_file "$2/$i"
    for n in ${NAMES.join(' ')}; do [[ -z \${!n+set} ]] || printf '%s=%s\\0' "$n" "\${!n}"; done
  ); printf '\\1\\0'; done`;
  const seen = execFileSync('bash', ['-c', program, 'bash', `${process.env.TODO_ROOT ?? process.cwd()}/env/settings.sh`, folder, String(texts.length)], { encoding: 'utf8', env: { PATH: process.env.PATH, LC_ALL: 'C' }, maxBuffer: 2 ** 28, stdio: ['ignore', 'pipe', 'inherit'] });
  return seen.split('\x01\0').slice(0, -1).map((part) => Object.fromEntries(part.split('\0').filter(Boolean).map((pair) => pair.split(/=(.*)/s).slice(0, 2))));
}

test('row 98: made-up files mean to the shell what they mean to todo-verify', () => {
  const line = () => `${pick(['', ' ', 'export ', '\t', '# '])}${pick([...NAMES, 'other', '1A', 'A-B'])}${pick(['=', ' = ', '=\t', ''])}${pick([() => some(() => pick(alphabet), 8).join(''), () => `"${some(() => pick(alphabet), 5).join('')}"`, () => `'${pick(lure)}'`, () => pick(lure)])()}${pick(['', ' # said', ' ', '\r'])}`;
  const texts = Array.from({ length: CASES / 8 }, () => {
    const text = Array.from({ length: 1 + Math.floor(random() * 5) }, line).join('\n');
    return random() < 0.5 ? text : changed(text, alphabet);
  });
  const seen = read(texts);
  texts.forEach((text, i) => {
    const wanted = Object.fromEntries(Object.entries(readAsOurs(text)).filter(([name]) => NAMES.includes(name)));
    assert.deepEqual(seen[i], wanted, JSON.stringify(text));
  });
  assert.ok(!existsSync(trap), 'something of a file was executed');
  assert.ok(seen.filter((each) => Object.keys(each).length > 0).length > texts.length / 2);
});

test('row 98: what is written in any of the forms is read back', () => {
  const characters = [...'abcXYZ019 -_.:/?&=%+@$`\\!;|(){}[]<>~*,^\'"#é'];
  const cases = Array.from({ length: CASES / 8 }, () => {
    const value = some(() => pick(characters), 20).join('');
    const forms = [];
    if (!value.includes('"')) forms.push(`"${value}"`, `"${value}" # said`);
    if (!value.includes("'")) forms.push(`'${value}'`);
    if (/^[^\s"'#]([^"'#]*[^\s"'#])?$/.test(value)) forms.push(value, `${value}  `, `${value} # said`);
    return forms.length === 0 ? undefined : { value, text: `PORT=1\n${pick(['', 'export '])}A=${pick(forms)}${pick(['', '\r', '\n', '\r\n'])}` };
  }).filter(Boolean);
  const seen = read(cases.map(({ text }) => text));
  cases.forEach(({ value, text }, i) => assert.deepEqual(seen[i], { A: value, PORT: '1' }, JSON.stringify(text)));
  assert.ok(cases.length > 100);
  assert.ok(!existsSync(trap));
});
