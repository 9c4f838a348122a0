// For each of the 105 rows of the test plan: the tests that show it, by the numbers in their names and by
// tests/rows.txt, and what is left out and why. Exit status 1 if a row has neither, or a name is gone.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { FAULTS } from './faults.mjs';
import { root } from './place.mjs';

const ROWS = 105;
const read = (file) => fs.readFileSync(path.join(root, file), 'utf8');

// "row 5: …", "rows 8, 9: …", "rows 11 to 14: …", also in brackets; a C++ name has "row40_" before it.
function numbersIn(name) {
  const found = /\brows? ([\d, to and]+\d|\d+)/.exec(name) ?? /^row(\d+)_/.exec(name);
  if (!found) return [];
  const [from, to] = /(\d+) to (\d+)/.exec(found[1])?.slice(1).map(Number) ?? [];
  return from ? Array.from({ length: to - from + 1 }, (_, n) => from + n) : [...found[1].matchAll(/\d+/g)].map(Number);
}

// Every test of the repository that says of which row it is: [row, file, name].
function named() {
  const files = execFileSync('git', ['ls-files', 'tests'], { cwd: root, encoding: 'utf8' }).split('\n')
    .filter((file) => /(\.test\.mjs|\.bats|_test\.cpp|^tests\/run|cross\.mjs)$/.test(file));
  const forms = [/\btest\((['"`])(rows? .*?)\1,/g, /^(@)test "(rows? .*)" \{/gm, /TEST\((\w+), (row\d+_\w+)\)/g, /\b(c)ount '(.*\(rows? .*\))'/g];
  const tests = files.flatMap((file) => forms.flatMap((form) => [...read(file).matchAll(form)].map((match) => [file, match[2]])));
  const faults = FAULTS.map((fault) => ['tests/torture/faults.mjs', `${fault.name}: ${fault.what}`]);
  return [...tests, ...faults].flatMap(([file, name]) => numbersIn(name.replace(/^[\w-]+: (?=row)/, '')).map((row) => [row, file, name]));
}

export function rows() {
  const all = Array.from({ length: ROWS + 1 }, () => ({ tests: [], left: [] }));
  const wrong = [];
  for (const [row, file, name] of named()) all[row]?.tests.push(`${file}: ${name}`);
  for (const line of read('tests/rows.txt').split('\n').filter((each) => /^\d/.test(each))) {
    const [, row, file, text] = /^(\d+) +([^:]+): (.*)$/.exec(line);
    if (file === 'left out') all[row].left.push(text);
    else if (fs.existsSync(path.join(root, file)) && read(file).includes(text)) all[row].tests.push(`${file}: ${text}`);
    else wrong.push(`tests/rows.txt: ${file} has no "${text}"`);
  }
  for (let row = 1; row <= ROWS; row += 1) if (all[row].tests.length + all[row].left.length === 0) wrong.push(`row ${row} has neither a test nor a reason`);
  return { all, wrong };
}

export function printRows() {
  const { all, wrong } = rows();
  for (let row = 1; row <= ROWS; row += 1) {
    const { tests, left } = all[row];
    console.log([`row ${row}`, ...tests, ...left.map((why) => `left out: ${why}`)].join('\n    '));
  }
  const shown = all.slice(1).filter(({ tests }) => tests.length > 0);
  console.log(`${shown.length} of ${ROWS} rows are shown by a test, ${shown.filter(({ left }) => left.length > 0).length} of them in part; ${ROWS - shown.length} are left out`);
  for (const each of wrong) console.log(`WRONG: ${each}`);
  return wrong.length === 0;
}

if (process.argv[1] === path.join(root, 'tests/torture/rows.mjs') && !printRows()) process.exitCode = 1;
