// What a person sees while it runs: a table with progress on a terminal, plain lines elsewhere.
const LABEL = { pass: 'PASS', fail: 'FAIL', warn: 'WARN', skip: 'SKIP' };
const COLOUR = { pass: 32, fail: 31, warn: 33, skip: 90 };

export function screen(stream = process.stdout, quiet = false) {
  const live = !quiet && stream.isTTY && process.env.TERM !== 'dumb';
  const colour = live && !process.env.NO_COLOR;
  const paint = (status, text) => (colour ? `\x1b[${COLOUR[status]}m${text}\x1b[0m` : text);
  const write = (text) => { if (!quiet) stream.write(text); };
  const clear = () => { if (live) stream.write('\r\x1b[K'); };
  const width = () => Math.max(40, stream.columns || 100);
  let group;
  return {
    begin(check, done, all) {
      if (!live) return;
      if (check.group !== group) {
        group = check.group;
        write(`\n${colour ? `\x1b[1m${group}\x1b[0m` : group}\n`);
      }
      write(`  …  ${`${done + 1}/${all} ${check.title}`.slice(0, width() - 6)}`);
    },
    finish(check) {
      clear();
      if (!live) {
        write(`${LABEL[check.status]} ${check.id}: ${check.saw}\n${check.fix ? `  -> ${check.fix}\n` : ''}`);
        return;
      }
      const name = check.id.slice(check.group.length + 1).padEnd(24);
      const time = `${check.ms >= 1000 ? `${(check.ms / 1000).toFixed(1)} s` : `${Math.round(check.ms)} ms`}`.padStart(7);
      // What is in order is told shortly, what is not in full.
      const seen = check.status === 'pass' ? check.saw.slice(0, Math.max(20, width() - 46)) : check.saw;
      write(`  ${paint(check.status, LABEL[check.status])} ${name} ${time}  ${seen}\n`);
      if (check.fix) write(`       ${paint(check.status, '->')} ${check.fix}\n`);
    },
    note(text) {
      clear();
      write(`${text}\n`);
    },
    verdict(result) {
      const { pass, fail, warn, skip } = result.counts;
      const bad = result.checks.filter((check) => check.required && ['fail', 'skip'].includes(check.status)).map((check) => check.id);
      const left = result.checks.filter((check) => !check.required && check.status === 'skip').length;
      write(`${live ? '\n' : ''}${result.verdict === 'ready' ? paint('pass', 'READY') : paint('fail', result.verdict.toUpperCase())}: ${pass} passed, ${fail} failed, ${warn} warnings, ${skip} skipped`);
      write(`${left ? ` (${left} of them do not concern this deployment or were not asked for)` : ''}\n`);
      const causes = result.checks.filter((check) => check.status === 'fail').map((check) => check.id);
      if (bad.length > 0) write(`what stands in the way: ${(causes.length > 0 ? causes : bad).join(', ')}\n`);
    },
  };
}
