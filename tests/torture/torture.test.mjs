// The short form of `make torture`: the most telling faults, and whether the ledger would see what it is
// there for.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { FAULTS } from './faults.mjs';
import { Stream } from './ledger.mjs';
import { Place } from './place.mjs';
import { rows } from './rows.mjs';
import { suffer } from './torture.mjs';

let place;
before(async () => { place = await Place.start({ build: process.env.TODO_BUILD }); });
after(() => place.stop());

test('every row of the test plan is shown by a test, or left out for a reason', () => assert.deepEqual(rows().wrong, []));

test('the ledger tells what is lost, done twice, or half done', async () => {
  const stream = new Stream(place, { clients: 4 });
  const live = () => stream.clients.flatMap((client) => client.tasks);
  const kinds = { flipped: (task) => task.flips > 0, written: (task) => task.texts.length > 0, fresh: (task) => task.texts.length === 0 };
  while (stream.answers.length < 200 || Object.values(kinds).some((kind) => live().filter(kind).length < 5)) await new Promise((resolve) => { setTimeout(resolve, 20); });
  await stream.end();
  assert.deepEqual(stream.wrongs, []);
  assert.equal(stream.failures, 0);
  const tasks = live();
  const take = (kind) => {
    const [task] = tasks.splice(tasks.findIndex(kind), 1);
    return `WHERE user_id = '${task.client.user}' AND id = ${task.id}`;
  };
  const counts = async () => {
    const { writes, lost, twice, torn } = await stream.judge();
    assert.ok(writes > 50);
    return [lost.length, twice.length, torn.length];
  };
  assert.deepEqual(await counts(), [0, 0, 0]);
  const behind = (sql) => `SET session_replication_role = replica; ${sql}`; // nothing is noted
  const twice = (sql) => `${sql}; ${sql}`;
  for (const [sql, expected] of [
    [behind(`DELETE FROM task ${take(() => true)}`), [1, 0, 0]],
    [behind(`UPDATE task SET completed = NOT completed ${take(() => true)}`), [2, 0, 0]],
    [behind(`UPDATE task SET description = 'an older one' ${take(() => true)}`), [3, 0, 0]],
    [`INSERT INTO task (user_id, title, description) SELECT user_id, title, description FROM task ${take(kinds.fresh)}`, [3, 1, 0]],
    [`INSERT INTO task (user_id, title) SELECT user_id, 'sent by nobody' FROM task ${take(() => true)}`, [3, 1, 1]],
    [twice(`UPDATE task SET completed = NOT completed ${take(kinds.flipped)}`), [3, 3, 1]],
    [`UPDATE task SET description = description ${take(kinds.written)}`, [3, 4, 1]],
  ]) {
    await place.postgres.sql(sql);
    assert.deepEqual(await counts(), expected, sql);
  }
});

for (const fault of FAULTS.filter((each) => each.short)) {
  test(fault.what, async () => {
    const row = await suffer(place, fault);
    assert.deepEqual(row.broken, []);
    assert.ok(row.writes > 20);
  });
}
