// Sabotaged deployments whose parts todo-verify stops and starts.
import { renameSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Deployment, assertFails, buildWith } from './deployment.mjs';
import { FAULTS } from './faults.mjs';

let d;
before(async () => { d = await Deployment.start({ embedded: true }); });
after(() => d?.stop());

test('no sabotage: ready', async () => {
  assertFails(await d.verify({ only: 'database,persistence,failure' }), {});
});

test('a handler says something else than 503 without the database', async () => {
  const program = await buildWith(...FAULTS.doesNotSay503);
  assertFails(await d.withProgram('task_get', { program }, () => d.verify({ only: 'failure' })), {
    'failure.database-stopped': /GET tasks\/1: 500 .*\nwithout the database a task route must answer 503/,
  });
});

test('a handler that is killed does not come back', async () => {
  const program = path.join(d.run, 'bin/task_list');
  renameSync(program, `${program}.aside`);
  try {
    assertFails(await d.verify({ only: 'failure' }), { 'failure.secret-changed': /task_list/, 'failure.handler-killed': /no worker of task_list runs\nstart task_list/ });
  } finally {
    renameSync(`${program}.aside`, program);
  }
});
