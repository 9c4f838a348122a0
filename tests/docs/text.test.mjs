// What the documents say of files, goals, settings and figures is so.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { blocksOf, documents, root, sources, text } from './support.mjs';
import { settingNames } from '../common.mjs';

const folders = new Set(sources.flatMap((file) => file.split('/').slice(0, -1).map((_, index, parts) => parts.slice(0, index + 1).join('/'))));
// What stands for npm's packages in the Makefile; a clone has none yet.
const npmPackages = ['tests/node_modules/.installed', 'env/verify/node_modules/.installed'];
const exists = (name) => sources.includes(name) || folders.has(name.replace(/\/$/, ''));
const withoutBlocks = (file) => text(file).replace(/^```[\s\S]*?^```$/gm, '');

// As GitHub makes anchors.
const anchorOf = (heading) => heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '').trim().replace(/\s/g, '-');
const anchors = (file) => [...withoutBlocks(file).matchAll(/^#+ (.*)$/gm)].map((match) => anchorOf(match[1]));

// Goals of the Makefile, as it says itself.
const goals = [...text('Makefile').replace(/\\\n/g, ' ').matchAll(/^\.PHONY:(.*)$/gm)].flatMap((match) => match[1].trim().split(/\s+/));

test('every link leads to a file and a heading that are there', () => {
  let links = 0;
  for (const file of documents) {
    for (const [, target] of withoutBlocks(file).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^https?:/.test(target)) continue;
      const [name, anchor] = target.split('#');
      const wanted = name ? path.join(path.dirname(file), name) : file;
      assert.ok(exists(wanted), `${file}: ${target}`);
      if (anchor) assert.ok(anchors(wanted).includes(anchor), `${file}: ${target}`);
      links += 1;
    }
  }
  assert.ok(links > 20);
});

test('every path in a text is one of the repository', () => {
  const examples = ['handlers/task_count.cpp', 'tests/http/tasks-count.test.mjs']; // CONTRIBUTING's
  let paths = 0;
  for (const file of documents) {
    for (const [, name] of withoutBlocks(file).matchAll(/`((?:handlers|lib|nginx|sql|tests|env)\/[\w./-]*)`/g)) {
      if (name.includes('NAME')) continue;
      // A module is called by its header's name, and some files are made by those who run it.
      const found = exists(name) || sources.some((source) => source.startsWith(`${name}.`)) || ['env/.env', ...npmPackages, ...examples].includes(name);
      assert.ok(found, `${file}: ${name}`);
      paths += 1;
    }
  }
  assert.ok(paths > 50);
});

test('every goal of make is in the README\'s table, and every goal that a document names is one', () => {
  const table = /## Every goal of make\n([\s\S]*?)\n## /.exec(text('README.md'))[1];
  const named = new Set([...table.matchAll(/^\|(.*?)\|/gm)].flatMap((row) => [...row[1].matchAll(/`([a-z-]+)`/g)].map((match) => match[1])));
  const described = new Set([...table.matchAll(/`([a-z-]+)`/g)].map((match) => match[1]));
  assert.deepEqual(goals.filter((goal) => !described.has(goal)), [], 'goals without a word');
  assert.deepEqual([...named].filter((goal) => !goals.includes(goal)), [], 'words without a goal');
  for (const file of documents) {
    const code = [...withoutBlocks(file).matchAll(/`([^`]+)`/g)].map((match) => match[1])
      .concat(blocksOf(file).filter(({ language }) => ['sh', 'console'].includes(language)).flatMap((block) => block.text.split('\n').map((line) => line.replace(/\s#.*/, ''))));
    for (const piece of code) {
      for (const [, words] of piece.matchAll(/(?:^|[\s(])(?:sudo )?make((?: [\w./=-]+)*)/g)) {
        for (const goal of words.trim().split(' ').filter((word) => word && !word.includes('=') && !word.startsWith('-')))
          assert.ok(goals.includes(goal) || npmPackages.includes(goal), `${file}: make ${goal}`);
      }
    }
  }
});

test('every suite of tests/run is in CONTRIBUTING\'s table', () => {
  const suites = /suites=\(([a-z ]+)\)/.exec(text('tests/run'))[1].split(' ');
  const table = /\| Suite \|[\s\S]*?\n\n/.exec(text('CONTRIBUTING.md'))[0];
  const described = [...table.matchAll(/^\|([^|]*)\|/gm)].flatMap((row) => [...row[1].matchAll(/`(\w+)`/g)].map((match) => match[1]));
  assert.deepEqual(described.sort(), suites.sort());
});

test('every setting that a document names is one', () => {
  // Better Auth's other name of its secret, a variable of Caddy's file, one of env/render-snippets.
  const others = ['AUTH_SECRET', 'TODO_TRUSTED_PROXIES', 'AUTH_PATH'];
  let found = 0;
  for (const file of documents) {
    for (const [, name] of withoutBlocks(file).matchAll(/`((?:AUTH|JWT|TODO|BETTER_AUTH|DATABASE|SMTP|MAIL|IDLE|LOG)_[A-Z_]+)(?:=[^`]*)?`/g)) {
      assert.ok(settingNames.includes(name) || others.includes(name), `${file}: ${name}`);
      found += 1;
    }
  }
  assert.ok(found > 20);
});

// "<!-- from FILE -->" before a table: it is one of that file, whole.
test('tables that are copied from a generated file are as they are there', () => {
  for (const file of documents) {
    for (const [, name, table] of text(file).matchAll(/^<!-- from (\S+) -->\n+((?:\|.*\n)+)/gm)) {
      const wanted = path.join(path.dirname(file), name);
      assert.ok(existsSync(path.join(root, wanted)), `${file}: ${name}`);
      assert.ok(text(wanted).includes(table), `${file}: the table from ${name} is another one there`);
    }
    assert.equal([...text(file).matchAll(/^<!-- from /gm)].length, [...text(file).matchAll(/^<!-- from \S+ -->\n+\|/gm)].length, `${file}: "from" without a table`);
  }
});

test('pictures are small, and need nothing from elsewhere', () => {
  const size = (file) => Number(execFileSync('stat', ['-c', '%s', path.join(root, file)], { encoding: 'utf8' }));
  assert.ok(size('nginx/screenshot.webp') < 100_000 && size('env/architecture.svg') < 10_000);
  assert.doesNotMatch(text('env/architecture.svg').replace('xmlns="http://www.w3.org/2000/svg"', ''), /https?:|<script|href=/);
  assert.match(text('env/architecture.svg'), /prefers-color-scheme: dark/);
});
