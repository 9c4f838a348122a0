// The result of todo-verify as one HTML file that a person can hand on: no script, nothing loaded from
// elsewhere, and a policy that forbids both. Must not know: how anything was checked.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

const STYLE = readFileSync(new URL('report.css', import.meta.url), 'utf8');
// The hash is of what stands between the tags, byte for byte.
const POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'`;

const VERDICTS = {
  ready: { kind: 'pass', heading: 'Ready for its users' },
  'not ready': { kind: 'fail', heading: 'Not ready' },
  'could not run': { kind: 'warn', heading: 'Could not run' },
};
const STATES = { pass: 'passed', fail: 'failed', warn: 'warning', skip: 'skipped' };
const MANY = { ...STATES, warn: 'warnings' };
const GROUPS = {
  environment: 'Environment',
  database: 'Database',
  handlers: 'Handlers',
  authentication: 'Authentication across systems',
  journeys: 'Journeys',
  isolation: 'Isolation',
  persistence: 'Persistence',
  failure: 'Failure behaviour',
  browser: 'Browser',
};

// --- Values ---------------------------------------------------------------------------------------

const known = (table, key) => (Object.hasOwn(table, key) ? table[key] : undefined);
const stateOf = (thing) => (known(STATES, thing.status) ? thing.status : 'skip');
const listOf = (value) => (Array.isArray(value) ? value : []);

// Text as it is meant: markup is escaped, and what cannot be seen in a page is shown by its picture.
function text(value) {
  if (value === undefined || value === null) return '';
  return (typeof value === 'string' ? value : JSON.stringify(value))
    .replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, '\ufffd')
    .replace(/\r\n/g, '\n')
    .replace(/[\0-\x08\x0b-\x1f]/g, (control) => String.fromCharCode(0x2400 + control.charCodeAt(0)))
    .replace(/[\x7f-\x9f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')
    .replace(/[&<>"'`]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}

const number = (value, digits = 0) => (Number.isFinite(value) ? value.toFixed(digits) : '–');
const ms = (value) => number(value, Math.abs(value) < 10 ? 1 : 0);
const duration = (value) => (!(value >= 0) ? '' : value >= 1000 ? `${number(value / 1000, value < 10000 ? 1 : 0)} s` : `${ms(value)} ms`);
const percent = (part, whole) => (whole > 0 ? `${number(Math.floor((part / whole) * 1000) / 10, part === whole ? 0 : 1)} %` : '–');

function time(value) {
  const when = new Date(value);
  if (Number.isNaN(when.getTime())) return text(value);
  const iso = when.toISOString();
  return `<time datetime="${iso}">${iso.slice(0, 10)} ${iso.slice(11, 19)} UTC</time>`;
}

const icon = (state) => `<svg class="icon ${state}" aria-hidden="true"><use href="#i-${state}"/></svg>`;
const badge = (state) => `<span class="badge ${state}">${icon(state)}${STATES[state]}</span>`;
const anchor = (id) => `check-${encodeURIComponent(text(id))}`;

// --- Parts ----------------------------------------------------------------------------------------

// A shape of its own for each state, so that nothing is told by colour alone.
const SYMBOLS = `<svg class="symbols" aria-hidden="true">
<symbol id="i-pass" viewBox="0 0 16 16"><circle cx="8" cy="8" r="8"/><path d="m4.5 8.3 2.4 2.4 4.6-5"/></symbol>
<symbol id="i-fail" viewBox="0 0 16 16"><circle cx="8" cy="8" r="8"/><path d="m5.2 5.2 5.6 5.6m0-5.6-5.6 5.6"/></symbol>
<symbol id="i-warn" viewBox="0 0 16 16"><path class="ground" d="M8 .5 16 15H0z"/><path d="M8 6v4m0 2v.5"/></symbol>
<symbol id="i-skip" viewBox="0 0 16 16"><circle cx="8" cy="8" r="8"/><path d="M4.8 8h6.4"/></symbol>
</svg>`;

function lead(result, checks) {
  const required = checks.filter((check) => check.required);
  const passed = required.filter((check) => check.status === 'pass').length;
  const failed = required.filter((check) => check.status === 'fail').length;
  if (failed > 0) return `${failed} of ${required.length} required checks failed.`;
  if (result.verdict === 'could not run') return 'The run did not come to its end, so nothing is known for certain.';
  const missing = required.length - passed;
  return `${passed} of ${required.length} required checks passed, none failed${missing ? `; ${missing} could not be tried or passed with a warning` : ''}.`;
}

function header(result, verdict, checks) {
  const target = result.target ?? {};
  const took = new Date(result.finished) - new Date(result.started);
  const facts = [
    ['Address', text(target.url)],
    ['Front end', text(target.frontend_url)],
    ['Deployment', target.embedded ? 'embedded' : ''],
    ['Started', result.started ? time(result.started) : ''],
    ['Took', Number.isFinite(took) ? duration(took) : ''],
  ].filter(([, value]) => value);
  const counts = checks.length ? Object.keys(STATES).map((state) => {
    const count = checks.filter((check) => stateOf(check) === state).length;
    return `<li>${icon(state)}<b>${count}</b> ${(count === 1 ? STATES : MANY)[state]}</li>`;
  }) : [];
  return `<header class="verdict ${verdict.kind}"><div class="page">
<p class="kicker">todo-verify ${text(result.version)}</p>
<h1>${icon(verdict.kind)}${verdict.heading}</h1>
<p class="lead">${lead(result, checks)}</p>
<dl>${facts.map(([name, value]) => `<div><dt>${name}</dt><dd>${value}</dd></div>`).join('')}</dl>
<ul class="counts">${counts.join('')}</ul>
</div></header>`;
}

// What failed, as a list of things to do: the first thing that a reader of bad news wants.
function toChange(checks) {
  const failed = checks.filter((check) => stateOf(check) === 'fail');
  const ordered = [...failed.filter((check) => check.required), ...failed.filter((check) => !check.required)];
  if (!ordered.length) return '';
  return `<section class="change card" aria-labelledby="change"><h2 id="change">What to change</h2>
<ol>${ordered.map((check) => `<li>
<h3><a href="#${anchor(check.id)}">${text(check.title || check.id)}</a>${check.required ? '' : ' <small>not required</small>'}</h3>
<p class="value seen">${text(check.saw)}</p>${check.fix ? `<p class="value">${text(check.fix)}</p>` : ''}</li>`).join('')}</ol></section>`;
}

const MOST_PROOFS = 6;

function requirements(result, checks) {
  const all = listOf(result.requirements);
  if (!all.length) return '';
  const states = new Map(checks.map((check) => [check.id, stateOf(check)]));
  const proof = (id) => (states.has(id)
    ? `<li><a href="#${anchor(id)}">${icon(states.get(id))}<span class="hidden">${STATES[states.get(id)]}: </span>${text(id)}</a></li>`
    : `<li>${icon('skip')}<span class="hidden">not run: </span>${text(id)}</li>`);
  // Many that passed are one line, unless a reader wants to know.
  const proofs = (ids) => {
    const good = ids.filter((id) => states.get(id) === 'pass');
    if (good.length <= MOST_PROOFS) return `<ul class="proofs">${ids.map(proof).join('')}</ul>`;
    const others = ids.filter((id) => states.get(id) !== 'pass');
    return `${others.length ? `<ul class="proofs">${others.map(proof).join('')}</ul>` : ''}
<details><summary>${icon('pass')}${good.length} checks passed</summary><ul class="proofs">${good.map(proof).join('')}</ul></details>`;
  };
  return `<section class="card" aria-labelledby="requirements"><h2 id="requirements">Requirements</h2>
<ul class="requirements">${all.map((one) => `<li>
<div class="line"><b class="code">${text(one.id)}</b><span class="value">${text(one.text)}</span>${badge(stateOf(one))}</div>
${proofs(listOf(one.checks))}</li>`).join('')}</ul></section>`;
}

const over = (one, name) => one.limit_ms > 0 && one[name] > one.limit_ms;

// The scale ends at a round number that every limit and every value fit below.
function scaleEnd(latencies, limits) {
  const largest = Math.max(1, ...limits.map((limit) => limit * 1.1), ...latencies.map((one) => (Number.isFinite(one.p99) ? one.p99 : 0)));
  const unit = 10 ** Math.floor(Math.log10(largest));
  return [1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10].map((step) => step * unit).find((step) => step >= largest);
}

// A line of a drawing does not break.
const short = (value) => (String(value ?? '').length > 26 ? `${[...String(value)].slice(0, 25).join('')}…` : value);

// Places along the line are percentages and all else pixels, so text keeps its size at every width.
function plot(latencies, limits) {
  const end = scaleEnd(latencies, limits);
  const at = (value) => `${number((Math.max(0, value) / end) * 100, 2)}%`;
  const row = 46;
  const top = 6;
  const bottom = top + latencies.length * row;
  const rows = latencies.map((one, index) => {
    const y = top + index * row;
    const line = y + 31;
    const has = [one.p50, one.p95, one.p99].every(Number.isFinite);
    return `<g class="step${over(one, 'p95') ? ' over' : ''}"><text x="0" y="${y + 15}">${text(short(one.step))}</text>
<text class="figures" x="100%" y="${y + 15}">${ms(one.p50)} · ${ms(one.p95)} · ${ms(one.p99)}</text>
<line class="track" x1="0" x2="100%" y1="${line}" y2="${line}"/>${one.limit_ms > 0 ? `
<line class="limit" x1="${at(one.limit_ms)}" x2="${at(one.limit_ms)}" y1="${line - 9}" y2="${line + 9}"/>` : ''}${has ? `
<line class="range" x1="${at(one.p50)}" x2="${at(one.p99)}" y1="${line}" y2="${line}"/>
<circle class="p50" cx="${at(one.p50)}" cy="${line}" r="4"/><circle class="p99" cx="${at(one.p99)}" cy="${line}" r="4"/>
<circle class="p95" cx="${at(one.p95)}" cy="${line}" r="6"/>` : ''}</g>`;
  });
  return `<svg class="plot" width="100%" height="${bottom + 20}" role="img" aria-label="p50, p95 and p99 of ${latencies.length} steps in milliseconds; the table below has the figures">
${rows.join('\n')}
<text class="end" x="0" y="${bottom + 14}">0</text><text class="end figures" x="100%" y="${bottom + 14}">${ms(end)} ms</text>${limits.length === 1 && limits[0] > 0.1 * end ? `
<text class="end middle" x="${at(limits[0])}" y="${bottom + 14}">${ms(limits[0])}</text>` : ''}</svg>`;
}

function latency(result) {
  const all = listOf(result.latencies);
  if (!all.length) return '';
  // What costs a password hash, or is done by many at once, has a scale of its own.
  const [limited, others] = [true, false].map((has) => all.filter((one) => (one.limit_ms > 0) === has));
  const limits = [...new Set(all.map((one) => one.limit_ms).filter((limit) => limit > 0))];
  const cell = (one, name) => `<td${over(one, name) ? ' class="over"' : ''}>${ms(one[name])}</td>`;
  return `<section class="card" aria-labelledby="latency"><h2 id="latency">Latency</h2>
<p class="hint">p50 · p95 · p99 of each step of the journeys, in milliseconds. ${limits.length ? `What counts is p95, the large dot: it must be left of the mark at ${limits.map(ms).join(' or ')}, where there is one.` : ''}</p>
${[limited, others].filter((some) => some.length).map((some) => plot(some, some === limited ? limits : [])).join('')}
<details><summary>Figures</summary><table><thead><tr><th scope="col">Step</th><th scope="col">n</th><th scope="col">p50</th><th scope="col">p95</th><th scope="col">p99</th><th scope="col">max</th></tr></thead>
<tbody>${all.map((one) => `<tr><th scope="row">${text(one.step) || '–'}</th><td>${number(one.count)}</td>${['p50', 'p95', 'p99', 'max'].map((name) => cell(one, name)).join('')}</tr>`).join('')}</tbody></table></details></section>`;
}

function acceptance(result) {
  const { tried, accepted } = result.token_acceptance ?? {};
  if (!(tried > 0)) return '';
  const all = accepted === tried;
  return `<section class="card acceptance" aria-labelledby="tokens"><h2 id="tokens">Tokens accepted</h2>
<p class="share ${all ? 'pass' : 'fail'}">${percent(accepted, tried)}</p>
<svg class="bar" width="100%" height="10" aria-hidden="true"><rect class="all" width="100%" height="10" rx="5"/><rect class="part ${all ? 'pass' : 'fail'}" width="${number((Math.min(accepted, tried) / tried) * 100, 2)}%" height="10" rx="5"/></svg>
<p>${number(accepted)} of ${number(tried)} tokens that the auth side issued were accepted by the task programs. Required: all.</p></section>`;
}

function evidence(checks) {
  const groupOf = (check) => String(check.group ?? 'others');
  const names = [...new Set([...Object.keys(GROUPS), ...checks.map(groupOf)])];
  const term = (name, value) => (value === undefined || value === null || value === '' ? ''
    : `<div><dt>${name}</dt><dd class="value">${text(value)}</dd></div>`);
  const one = (check) => {
    const state = stateOf(check);
    return `<li id="${anchor(check.id)}"><details class="check ${state}"${state === 'fail' || state === 'warn' ? ' open' : ''}>
<summary>${icon(state)}<span class="hidden">${STATES[state]}: </span><span class="value">${text(check.title || check.id)}</span>${check.required ? '' : '<small>not required</small>'}<span class="ms">${duration(check.ms)}</span></summary>
<dl>${term('Did', check.did)}${term('Saw', check.saw)}${term('Change', check.fix)}
<div class="identity"><dt>Check</dt><dd class="names"><code>${text(check.id)}</code>${listOf(check.requirements).map((id) => `<b class="code">${text(id)}</b>`).join('')}</dd></div></dl></details></li>`;
  };
  const groups = names.map((name) => [name, checks.filter((check) => groupOf(check) === name)]).filter(([, members]) => members.length);
  if (!groups.length) return '';
  return `<section aria-labelledby="evidence"><h2 id="evidence">Evidence</h2>
${groups.map(([name, members]) => {
    const counts = Object.keys(STATES).map((state) => [state, members.filter((check) => stateOf(check) === state).length]).filter(([, count]) => count);
    const open = members.some((check) => ['fail', 'warn'].includes(stateOf(check)));
    return `<details class="group card"${open ? ' open' : ''}><summary><h3>${text(known(GROUPS, name) ?? name)}</h3><span class="tally">${counts.map(([state, count]) =>
      `<span>${icon(state)}${count}<span class="hidden"> ${STATES[state]}</span></span>`).join('')}</span></summary>
<ul class="checks">${members.map(one).join('')}</ul></details>`;
  }).join('\n')}</section>`;
}

export function report(result) {
  const checks = listOf(result.checks);
  const verdict = known(VERDICTS, result.verdict) ?? VERDICTS['could not run'];
  const figures = latency(result) + acceptance(result);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>${verdict.heading}: ${text(result.target?.url)}</title>
<style>${STYLE}</style>
</head>
<body>
${SYMBOLS}
${header(result, verdict, checks)}
<main class="page">
${toChange(checks)}
<div class="columns">${requirements(result, checks)}${figures && `<div>${figures}</div>`}</div>
${evidence(checks)}
</main>
<footer class="page">Schema ${text(result.schema)}. The same result as JSON: <code>todo-verify --json FILE</code>.</footer>
</body>
</html>
`;
}
