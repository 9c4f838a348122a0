// The documents of the repository: their fenced blocks, their links, and places in which the blocks are run.
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { settingNames } from '../common.mjs';

export const run = promisify(execFile);
export const root = process.env.TODO_ROOT ?? path.dirname(path.dirname(path.dirname(fileURLToPath(import.meta.url))));
export const build = process.env.TODO_BUILD ?? path.join(root, 'build/release');
export const configuration = path.basename(build);

// What git knows of and what is new; a tree that is no checkout is taken as it is.
function files() {
  const list = (command, words) => execFileSync(command, words, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n').filter(Boolean);
  try {
    return list('git', ['ls-files', '--cached', '--others', '--exclude-standard']);
  } catch {
    return list('find', ['.', '-type', 'f', '-not', '-path', './build/*', '-not', '-path', './var/*', '-not', '-path', '*/node_modules/*', '-printf', '%P\n']);
  }
}
export const sources = files();
export const documents = sources.filter((file) => file.endsWith('.md'));
export const text = (file) => readFileSync(path.join(root, file), 'utf8');

// --- Blocks ---------------------------------------------------------------------------------------

// The fenced blocks of a document: {file, line, heading, language, text, reason}; `reason` is what a line
// "<!-- not run: … -->" right before it says.
export function blocksOf(file, content = text(file)) {
  const blocks = [];
  let heading = '', reason, block;
  content.split('\n').forEach((line, index) => {
    const fence = /^```(\w*)\s*$/.exec(line);
    if (block) {
      if (line === '```') { blocks.push({ ...block, text: block.text.join('\n') }); block = undefined; } else block.text.push(line);
    } else if (fence) {
      block = { file, line: index + 1, heading, language: fence[1], text: [], reason };
      reason = undefined;
    } else if (line.startsWith('#')) {
      heading = line.replace(/^#+ /, '');
    } else if (/^<!-- not run: /.test(line)) {
      reason = /^<!-- not run: (.+) -->$/.exec(line)?.[1] ?? '';
    } else if (line.trim()) {
      reason = undefined;
    }
  });
  assert.equal(block, undefined, `${file}: a block does not end`);
  return blocks;
}

// --- Places to run them in ------------------------------------------------------------------------

const scratch = mkdtempSync(path.join(tmpdir(), 'todo-docs-'));
chmodSync(scratch, 0o755);
process.on('exit', () => rmSync(scratch, { recursive: true, force: true }));

export function folder(name) {
  const place = path.join(scratch, name);
  mkdirSync(place, { recursive: true });
  return place;
}

// A copy of the sources and of what is built, as whoever has typed `make` has it.
export async function checkout(name) {
  const place = folder(name);
  const list = path.join(scratch, `${name}.list`);
  writeFileSync(list, sources.join('\n'));
  await run('bash', ['-c', 'tar --create --files-from "$1" --ignore-failed-read | tar --extract --directory "$2"', '-', list, place], { cwd: root });
  mkdirSync(`${place}/build`);
  await run('bash', ['-c', 'tar --create --exclude="*/tests/*" --directory "$1" "$2" | tar --extract --directory "$3"', '-', path.dirname(build), configuration, `${place}/build`]);
  for (const modules of ['nginx/pages/node_modules', 'env/verify/node_modules', 'tests/node_modules']) symlinkSync(path.join(root, modules), path.join(place, modules));
  return place;
}

// Nothing of the instance under test gets in.
export function environment(more = {}) {
  const isOfTests = (name) => settingNames.includes(name) || /^(TODO_|NODE_TEST|MAKE|MFLAGS|PG)|^BUILD$/.test(name);
  return { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !isOfTests(name))), CONFIG: configuration, ...more };
}

// Runs shell text as a person would type it, but stops at the first failure. Resolves to its output.
export function shell(script, { cwd, env = environment(), limit = 600e3 } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn('bash', ['-euo', 'pipefail', '-c', script], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let output = '', stdout = '';
    child.stdout.on('data', (chunk) => { output += chunk; stdout += chunk; });
    child.stderr.on('data', (chunk) => { output += chunk; });
    const timer = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), limit);
    child.once('exit', (status) => {
      clearTimeout(timer);
      // What was started in the background may hold the pipes for as long as it likes.
      setImmediate(() => (status === 0 ? resolve(stdout) : reject(new Error(`status ${status}: ${script}\n${output.slice(-3000)}`))));
    });
  });
}

// Commands of the system that a test cannot let do their work: each is a script that stands in its way.
export function standIns(name, scripts) {
  const place = folder(name);
  for (const [command, script] of Object.entries(scripts)) writeFileSync(path.join(place, command), `#!/bin/bash\nset -euo pipefail\n${script}\n`, { mode: 0o755 });
  return place;
}
