// The command: options, the run, what is shown and written, the exit status.
import { readFileSync, writeFileSync } from 'node:fs';
import './node18.mjs';
import { allChecks } from './checks/index.mjs';
import { Context } from './context.mjs';
import { pause } from './http.mjs';
import { GROUPS, Misuse, USAGE, parse } from './options.mjs';
import { newRun, resultOf, runChecks } from './run.mjs';
import { screen } from './terminal.mjs';

const READY = 0, NOT_READY = 1, COULD_NOT_RUN = 2;
const { version } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));

function give(file, text) {
  if (file === '-') process.stdout.write(text);
  else writeFileSync(file, text, { mode: 0o600 });
}

// The first signal lets the check that runs come to its end (its requests fail from now on), the second
// one does not wait; what was made is removed in either case.
function listen(context, onSecond) {
  let signals = 0;
  const stop = () => {
    context.stopping = true;
    signals += 1;
    if (signals > 1) onSecond();
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, stop);
}

// What is not answered yet may still make something.
async function settled(context) {
  if (context.stopping && context.requests > 0) console.error(`todo-verify: interrupted; waiting for ${context.requests} answers, to remove what they make`);
  for (const end = Date.now() + 90e3; context.requests > 0 && Date.now() < end;) await pause(20);
}

async function verify(options) {
  const started = new Date();
  const context = new Context(options, newRun());
  const shown = screen(process.stdout, options.json === '-' || options.html === '-');
  const checks = allChecks(context).filter(({ id }) => options.only.includes(id.split('.')[0]));
  const done = [];
  const interrupted = new Promise((resolve) => { listen(context, resolve); });
  const running = runChecks(checks, context, {
    onBegin: shown.begin,
    onEnd: (record) => { done.push(record); if (!context.stopping) shown.finish(record); },
    isStopped: () => context.stopping,
  });
  await Promise.race([running, interrupted]);
  await settled(context);
  context.deployment?.resume?.();
  const problems = await context.removeAll();
  await context.close();
  const complete = !context.stopping && done.length === checks.length;
  const result = resultOf({ checks: done, context, started, version, complete });
  if (options.json) give(options.json, `${JSON.stringify(result, null, 1)}\n`);
  if (options.html) give(options.html, (await import('./report.mjs')).report(result));
  for (const problem of problems) console.error(`todo-verify: not everything that was made could be removed: ${problem}`);
  if (context.stopping) console.error(problems.length > 0 ? 'todo-verify: interrupted' : 'todo-verify: interrupted; what was made has been removed');
  else shown.verdict(result);
  return { ready: READY, 'not ready': NOT_READY, 'could not run': COULD_NOT_RUN }[result.verdict];
}

try {
  const options = parse(process.argv.slice(2));
  if (options.help) console.log(`${USAGE}\n\nGroups: ${GROUPS.join(', ')}.`);
  else if (options.version) console.log(version);
  else process.exitCode = await verify(options);
} catch (error) {
  console.error(`todo-verify: ${error instanceof Misuse ? error.message : error.stack}`);
  process.exitCode = COULD_NOT_RUN;
}
// Browsers and kept connections do not hold the process.
process.exit();
