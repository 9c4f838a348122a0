// Public collections of awkward texts through the real API: a round trip, or the contract's refusal.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { someone } from './harness.mjs';

const vectors = (path) => JSON.parse(readFileSync(`${process.env.TODO_ROOT}/tests/vectors/${path}`, 'utf8'));
const blank = /^[\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]*$/;

test('row 33: every naughty string is stored as sent, found by search, or refused as the contract says', async () => {
  const user = someone();
  let kept = 0;
  for (const text of vectors('naughty-strings/blns.json')) {
    const answer = await user.send('POST', '/api/tasks', { body: { title: text, description: text } });
    const length = [...text].length;
    if (blank.test(text) || length > 200 || text.includes('\0')) {
      assert.equal(answer.status, 422, JSON.stringify(text));
      assert.equal(answer.json.details.field, 'title');
      const described = await user.send('POST', '/api/tasks', { body: { title: 'x', description: text } });
      assert.equal(described.status, length > 5000 || text.includes('\0') ? 422 : 201, JSON.stringify(text));
      if (described.status === 201) assert.equal((await user.send('GET', `/api/tasks/${described.json.id}`)).json.description, text);
      continue;
    }
    assert.equal(answer.status, 201, JSON.stringify(text));
    assert.equal(answer.json.title, text);
    assert.equal(answer.json.description, text);
    const read = (await user.send('GET', `/api/tasks/${answer.json.id}`)).json;
    assert.deepEqual(read, answer.json);
    const found = await user.send('GET', `/api/tasks?search=${encodeURIComponent(text)}&limit=500`);
    assert.equal(found.status, 200, JSON.stringify(text));
    assert.ok(found.json.some((task) => task.id === answer.json.id), `search ${JSON.stringify(text)}`);
    kept += 1;
  }
  assert.ok(kept > 450);
});

test('row 31: no text of the JSON test suite makes a 5xx, and what is no JSON is 400 or 422', async () => {
  const user = someone();
  for (const entry of vectors('json-test-suite/parsing.json')) {
    const bytes = entry.repeat ? Buffer.alloc(100000, Buffer.from(entry.repeat.hex, 'hex')) : Buffer.from(entry.hex, 'hex');
    const answer = await user.send('POST', '/api/tasks', { body: bytes });
    assert.ok([201, 400, 422].includes(answer.status), `${entry.name}: ${answer.status}`);
    if (entry.expect === 'reject') assert.equal(answer.status, bytes.length === 0 ? 422 : 400, entry.name);
    if (entry.expect === 'accept') assert.equal(answer.status, typeof JSON.parse(bytes)?.title === 'string' ? 201 : 422, entry.name);
  }
});

test('row 31: every JSON text that must be accepted is ignored as a member that nobody knows', async () => {
  const user = someone();
  const texts = vectors('json-test-suite/parsing.json').filter((entry) => entry.expect === 'accept');
  for (const entry of texts) {
    const body = Buffer.concat([Buffer.from('{"title":"x","unknown":'), Buffer.from(entry.hex, 'hex'), Buffer.from('}')]);
    assert.equal((await user.send('POST', '/api/tasks', { body })).status, 201, entry.name);
  }
  assert.ok(texts.length > 90);
});
