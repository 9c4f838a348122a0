// todo-verify on deployments that are in order.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { folder, verify, withStatus } from './harness.mjs';

const files = folder();
const target = () => ['--url', process.env.TODO_URL, '--backend-env', files.write('backend.env', { BETTER_AUTH_SECRET: process.env.BETTER_AUTH_SECRET, DATABASE_URL: process.env.DATABASE_URL, BETTER_AUTH_URL: process.env.BETTER_AUTH_URL })];

test('a deployment in order is ready: exit status 0, and nothing fails', async () => {
  const { status, result, stdout, stderr } = await verify([...target(), '--journeys', '5', '--only', 'environment,database,handlers']);
  assert.deepEqual(withStatus(result, 'fail'), [], stdout);
  assert.equal(result.verdict, 'ready');
  assert.equal(result.schema, 'todo-verify/1');
  assert.equal(status, 0, stderr);
  assert.match(stdout, /^PASS database\.reachable: /m);
  assert.match(stdout, /^READY: /m);
});

test('wrong use is exit status 2, with one line that says what is wrong', async () => {
  for (const [words, said] of [
    [[], /--url or --embedded is needed/], [['--url', 'x', '--backend-env', '/x'], /--url must be a URL/], [['--url', 'ftp://x', '--backend-env', '/x'], /http/],
    [['--url', 'http://x'], /--backend-env is needed/], [['--url', 'http://x', '--backend-env', '/does/not/exist'], /cannot be read: ENOENT/],
    [[...target(), '--journeys', '0'], /--journeys/], [[...target(), '--only', 'everything'], /no group "everything"/], [[...target(), '--nonsense'], /nonsense/],
    [['--embedded', '/does/not/exist'], /nothing runs there/],
  ]) {
    const { status, stderr } = await verify(words);
    assert.equal(status, 2, words.join(' '));
    assert.match(stderr, said);
    assert.equal(stderr.trim().split('\n').length, 1, stderr);
  }
});
