// `make bench-instructions`: how many instructions a handler runs for one request, by callgrind, which
// counts the same on every machine and however busy it is. Each program is run twice, for few and for
// many requests: the difference is free of start and end.
import fs from 'node:fs';
import { Instance, descendants, load, quick } from './instance.mjs';
import { operations, tasksPerUser, users } from './operations.mjs';
import { writeTables } from './report.mjs';
import { until } from '../common.mjs';

const few = 100; // more than the users, so that what a program keeps (statements, tokens) is there
const many = few + (quick ? 100 : 500);
const usersInTurn = 50;

// undefined while there is none: one has just ended, and the next is being started.
function workerOf(instance, program) {
  try {
    return descendants(instance.pid(program)).find((pid) => fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('--tool=callgrind'));
  } catch {
    return undefined;
  }
}

// Puts callgrind before the worker of a program, and waits until it answers.
async function instrument(instance, program, counts) {
  const file = `${instance.run}/bin/${program}`;
  fs.renameSync(file, `${file}.real`);
  fs.writeFileSync(file, `#!/bin/sh\nexec /usr/bin/valgrind --quiet --vgdb=no --tool=callgrind --callgrind-out-file=${counts}/%p ${file}.real "$@"\n`, { mode: 0o755 });
  process.kill(instance.pid(program), 'SIGTERM');
  await until(`${program} runs under callgrind`, () => workerOf(instance, program));
}

// Instructions of a new worker from its start to its end, `count` requests between them.
async function run(instance, program, requests, count, counts) {
  let worker;
  await until(`${program} has a worker`, () => {
    worker = workerOf(instance, program);
    return worker;
  });
  const send = ([method, path, token, body]) => instance.request('ours', method, path, { token, body: body || undefined });
  // Under callgrind the first connection to the database can take longer than a request may.
  await until(`${program} answers`, async () => (await send(requests[0])).status < 300);
  for (let i = 0; i < count; i += 1) {
    const { status, text } = await send(requests[i % requests.length]);
    if (status > 299) throw new Error(`${program}: ${status} ${text}`);
  }
  process.kill(worker, 'SIGTERM');
  await until(`${program} ends`, () => !fs.existsSync(`/proc/${worker}`));
  return Number(/^(?:totals|summary): (\d+)/m.exec(fs.readFileSync(`${counts}/${worker}`, 'utf8'))[1]);
}

// callgrind writes a file in the end, which the sandbox does not let a program do.
const instance = await Instance.start({ WORKERS: '1', TODO_SANDBOX: 'off' });
const rows = [];
try {
  await load(instance, users, tasksPerUser);
  const counts = `${instance.folder}/counts`;
  fs.mkdirSync(counts);
  fs.chmodSync(counts, 0o777);
  for (const [name, { program, requests }] of Object.entries(operations)) {
    process.stderr.write(`bench: instructions of ${program}\n`);
    await instrument(instance, program, counts);
    const some = requests((user) => instance.token(user)).slice(0, usersInTurn);
    const first = await run(instance, program, some, few, counts);
    const second = await run(instance, program, some, many, counts);
    rows.push([name, String(Math.round((second - first) / (many - few))), String(first)]);
  }
} finally {
  await instance.stop();
}
writeTables('instructions.json', [{
  title: 'Instructions of our program for one request, one at a time', head: ['', 'for a request', `start, ${few} requests, end`], rows,
}]);
