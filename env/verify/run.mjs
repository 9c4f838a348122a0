// Runs the checks one after the other and makes the result. One that fails, or ends by an error, hides
// no other; one that needs a failed one says so instead of failing for the same cause. Must not know:
// what any check does.
import { randomBytes } from 'node:crypto';
import { Ended, fail, notAsked, skip } from './outcome.mjs';
import { requirementsOf } from './requirements.mjs';

export const SCHEMA = 'todo-verify/1';

// Bad: nothing that builds on it can be tried.
const blocks = (done) => done !== undefined && (done.status === 'fail' || (done.status === 'skip' && done.required));

async function outcomeOf(check, context, done) {
  const reason = await check.applies?.(context) ?? true;
  if (reason !== true) return notAsked(reason);
  if (context.options.readOnly && check.writes) return notAsked('not tried: --read-only');
  const blocked = (check.needs ?? []).map((id) => done.get(id)).find(blocks);
  if (blocked) return skip(`not tried: it needs ${blocked.id}, which ${blocked.status === 'fail' ? 'failed' : 'could not be tried'}`);
  try {
    return await check.run(context);
  } catch (error) {
    if (error instanceof Ended) return error.result;
    const where = error.code === 'ECONNREFUSED' || error.code === 'ENOTFOUND' ? `nothing answers at ${context.url?.origin}: ${error.message}` : `${error.code ? `${error.code}: ` : ''}${error.message}`;
    return fail(`ended by an error: ${where}`.split('\n')[0], context.hintFor(error));
  }
}

// `checks` in the order of execution. `onBegin(check, done, all)` and `onEnd(record)` follow the run.
export async function runChecks(checks, context, { onBegin = () => {}, onEnd = () => {}, isStopped = () => false } = {}) {
  const done = new Map();
  for (const [index, check] of checks.entries()) {
    if (isStopped()) break;
    const group = check.id.split('.')[0];
    onBegin({ ...check, group }, index, checks.length);
    const begin = performance.now();
    const { status, saw, fix, did = check.did, required = check.required ?? true } = await outcomeOf(check, context, done);
    const record = {
      id: check.id, group, title: check.title, required, requirements: check.requirements ?? [], status,
      did: context.hidden(did ?? ''), saw: context.hidden(saw ?? ''), ...(fix && (status === 'fail' || status === 'warn') ? { fix: context.hidden(fix) } : {}),
      ms: Math.round((performance.now() - begin) * 10) / 10,
    };
    done.set(check.id, record);
    onEnd(record);
  }
  return [...done.values()];
}

export function resultOf({ checks, context, started, version, complete }) {
  const counts = { pass: 0, fail: 0, warn: 0, skip: 0 };
  for (const { status } of checks) counts[status] += 1;
  const good = checks.every(({ required, status }) => !required || status === 'pass' || status === 'warn');
  return {
    schema: SCHEMA, version, started: started.toISOString(), finished: new Date().toISOString(),
    target: { url: context.url.origin, frontend_url: context.frontendUrl?.origin ?? null, embedded: Boolean(context.deployment) },
    verdict: !complete || counts.pass + counts.warn + counts.fail === 0 ? 'could not run' : good ? 'ready' : 'not ready',
    counts, checks, latencies: context.latencies(), token_acceptance: context.tokens, requirements: requirementsOf(checks),
  };
}

export const newRun = () => randomBytes(6).toString('hex');
