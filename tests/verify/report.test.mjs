// The report as a reader has it: opened from a file, in a real browser, at the widths of a phone and of
// a desk, in both colour schemes.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { report } from '../../env/verify/report.mjs';
import { failing, sample } from './sample.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const WIDTHS = [360, 1280];
const HOSTILE = [
  '<script>document.title = "owned"</script>', '"><img src=x onerror=alert(1)>', "'onclick='alert(1)", '</style><style>*{display:none}',
  '</title><svg onload=alert(1)>', '<!--', ']]>', '&lt;b&gt; &amp;', '`${1}`', 'javascript:alert(1)', 'http://tracker.example.test/x.png',
  'a\u202etxt.exe', 'bell\u0007 escape\u001b[31m null\u0000', 'half \ud800', 'مرحبا', '𝒳🙂', `${'long'.repeat(300)}`, 'two\nlines',
];

const folder = mkdtempSync(path.join(tmpdir(), 'todo-report-'));
let browser;
before(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--disable-background-networking', '--disable-component-update'],
  });
});
after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true });
});

// Opens the report of `result`; afterwards the console must be silent and nothing but the file loaded.
async function open(result, look, { width = 1280, scheme = 'light', media = 'screen' } = {}) {
  const file = path.join(folder, 'report.html');
  writeFileSync(file, report(result));
  const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme: scheme });
  const noise = [];
  context.on('console', (message) => noise.push(message.text()));
  context.on('dialog', (dialog) => { noise.push(dialog.message()); dialog.dismiss(); });
  context.on('request', (request) => { if (request.url() !== pathToFileURL(file).href) noise.push(request.url()); });
  try {
    const page = await context.newPage();
    await page.emulateMedia({ media, colorScheme: scheme });
    await page.goto(pathToFileURL(file).href);
    await look(page);
    assert.deepEqual(noise, []);
  } finally {
    await context.close();
  }
}

const wordsOf = async (page, selector) => (await page.locator(selector).innerText()).replace(/\s+/g, ' ');

// Every text of the result, replaced by `make(n)`.
function withTexts(value, make) {
  if (typeof value === 'string') return make();
  if (Array.isArray(value)) return value.map((one) => withTexts(one, make));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withTexts(one, make)]));
}

async function assertReadable(page, what) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${what} scrolls sideways by ${wide} px`);
  // Evaluated by the driver, which the policy of the page does not concern.
  const violations = await page.evaluate(async (source) => {
    (0, eval)(source);
    for (const one of document.querySelectorAll('details')) one.open = true;
    const found = await window.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] });
    return found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => `${node.html.slice(0, 120)} ${node.failureSummary}`).join(' | ')}`);
  }, AXE);
  assert.deepEqual(violations, [], what);
  const open = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(open <= 0, `${what}, unfolded, scrolls sideways by ${open} px`);
}

const notRun = {
  schema: 'todo-verify/1', version: '1.0.0', verdict: 'could not run', target: { url: 'http://127.0.0.1:9' },
};
for (const [name, result] of [['a success', sample()], ['failures', failing()], ['a run that could not be', notRun]]) {
  for (const width of WIDTHS) {
    for (const scheme of ['light', 'dark']) {
      test(`${name}: readable at ${width} px, ${scheme}, for everybody`, () => open(result, (page) => assertReadable(page, name), { width, scheme }));
    }
  }
}

test('the verdict comes first and counts the checks', async () => {
  await open(sample(), async (page) => {
    assert.equal(await page.locator('h1').innerText(), 'Ready for its users');
    assert.match(await wordsOf(page, 'header'), /20 of 20 required checks passed, none failed\./);
    assert.equal(await page.locator('.change').count(), 0);
  });
  await open(failing(), async (page) => {
    assert.equal(await page.locator('h1').innerText(), 'Not ready');
    assert.match(await wordsOf(page, 'header'), /3 of 20 required checks failed\. .*16 passed 4 failed 1 warning 1 skipped/);
  });
  await open(notRun, async (page) => {
    assert.equal(await page.locator('h1').innerText(), 'Could not run');
    assert.match(await page.locator('header').innerText(), /did not come to its end/);
  });
});

test('an unknown verdict or state is never a success', async () => {
  const result = sample();
  result.verdict = 'toString';
  result.checks[0].status = '__proto__';
  await open(result, async (page) => {
    assert.equal(await page.locator('h1').innerText(), 'Could not run');
    assert.match(await wordsOf(page, 'header'), /21 passed 0 failed 0 warnings 1 skipped/);
  });
});

test('what failed is said first, with its remedy, required before optional', () => open(failing(), async (page) => {
  const items = await page.locator('.change li').allInnerTexts();
  assert.equal(items.length, 4);
  assert.match(items[0], /Both files have the same secret[^]*the two values differ[^]*restart the front end/);
  assert.match(items[3], /A journey in a browser not required[^]*install chromium/);
}));

test('every check and every requirement is there, and each link leads to its evidence, unfolded', () => open(failing(), async (page) => {
  const { checks, requirements } = failing();
  const shown = await page.locator('.checks > li').evaluateAll((all) => all.map((one) => one.textContent));
  assert.equal(shown.length, checks.length);
  for (const check of checks) {
    const mine = shown.find((one) => one.includes(`Check${check.id}`));
    for (const part of [check.title, check.did, check.saw, check.fix]) assert.ok(mine.includes(part), `${check.id}: ${part}`);
  }
  const rows = await page.locator('.requirements > li').evaluateAll((all) => all.map((one) => one.textContent));
  for (const [index, one] of requirements.entries()) {
    assert.ok(rows[index].trim().startsWith(one.id) && rows[index].includes(one.text), one.id);
    for (const id of one.checks) assert.ok(rows[index].includes(id), `${one.id} ${id}`);
  }
  assert.match(rows[0], /FR-001.*failed.*failed: environment.secret-identical.*passed: environment.running-secret/s);
  const broken = await page.evaluate(() => [...document.links].filter((link) => !document.getElementById(decodeURIComponent(link.hash.slice(1)))).length);
  assert.equal(broken, 0);
  await page.locator('.proofs a', { hasText: 'database.encryption' }).click();
  await page.locator('#check-database\\.encryption summary').waitFor({ state: 'visible', timeout: 5000 });
}));

test('groups with a failure are unfolded, the others folded; on paper all is there', async () => {
  const open_ = (page) => page.locator('details.group').evaluateAll((all) => all.filter((one) => one.open).map((one) => one.querySelector('h3').textContent));
  await open(failing(), async (page) => {
    assert.deepEqual(await open_(page), ['Environment', 'Handlers', 'Authentication across systems', 'Browser']);
    assert.equal(await page.locator('.checks').getByText('systemctl start todo-task_complete.socket').isVisible(), true);
    const icons = await page.locator('.badge .icon').evaluateAll((all) => all.map((one) => document.querySelector(one.firstElementChild.getAttribute('href'))?.id));
    assert.deepEqual(new Set(icons), new Set(['i-fail', 'i-pass', 'i-skip']));
  });
  await open(sample(), async (page) => {
    assert.deepEqual(await open_(page), []);
    assert.equal(await page.getByText('six operations of B on the tasks of A').isVisible(), false);
  });
  await open(sample(), async (page) => assert.equal(await page.getByText('six operations of B on the tasks of A').isVisible(), true), { media: 'print' });
});

test('the plot has each step at its place, and marks what is beyond the limit', () => open(failing(), async (page) => {
  const steps = await page.locator('.plot .step').evaluateAll((all) => all.map((one) => [
    one.querySelector('text').textContent, one.classList.contains('over'), one.querySelector('.p95').getAttribute('cx')]));
  assert.equal(steps.length, 9);
  assert.deepEqual(steps.filter(([, over]) => over), [['list', true, '53.60%']]); // 268 of 500
  assert.equal(await page.locator('.plot .limit').count(), 6, 'one mark where there is a limit');
  const [limit, p50, p99] = await page.locator('.plot .step.over').evaluate((one) => ['.limit', '.p50', '.p99'].map((part) => one.querySelector(part).getBoundingClientRect().x));
  assert.ok(p50 < limit && limit < p99);
  await page.getByText('Figures').click();
  assert.match(await page.locator('table').innerText(), /list\s+50\s+90\s+268\s+430\s+613/);
  assert.match(await page.locator('.acceptance').innerText(), /98\.5 %[^]*197 of 200/);
}, { width: 360 }));

test('many checks that passed are one line, and what did not pass is beside it', async () => {
  const result = failing();
  const [one] = result.requirements;
  one.checks = result.checks.slice(0, 12).map(({ id }) => id);
  await open(result, async (page) => {
    const row = page.locator('.requirements > li').first();
    assert.match((await row.innerText()).replace(/\s+/g, ' '), /secret-identical .*secret-strength .*task_complete .*8 checks passed$/);
    await row.locator('summary').click();
    assert.equal(await row.locator('li').filter({ visible: true }).count(), 12);
  }, { width: 360 });
});

test('almost all tokens are not all', async () => {
  const result = sample();
  result.token_acceptance = { tried: 10000, accepted: 9999 };
  await open(result, async (page) => assert.match(await page.locator('.acceptance').innerText(), /99\.9 %/));
});

test('hostile values are shown as they are and do nothing', async () => {
  for (const width of WIDTHS) {
    for (const base of [sample(), failing()]) {
      let turn = 0;
      const result = withTexts(base, () => HOSTILE[turn++ % HOSTILE.length]);
      // What the tool decides itself stays; else there would be no groups and no states to look at.
      result.verdict = base.verdict;
      result.checks.forEach((check, index) => Object.assign(check, { status: base.checks[index].status, group: HOSTILE[index % 3], id: `${check.id}${index}` }));
      await open(result, async (page) => {
        assert.notEqual(await page.title(), 'owned');
        assert.equal(await page.locator('script, img, iframe, object, link, base, form, a[href]:not([href^="#"])').count(), 0);
        const handlers = await page.evaluate(() => [...document.querySelectorAll('*')].flatMap((one) => [...one.attributes]).filter((one) => /^on|^style$/i.test(one.name)).length);
        assert.equal(handlers, 0);
        await page.evaluate(() => { for (const one of document.querySelectorAll('details')) one.open = true; });
        const shown = await page.locator('body').textContent();
        for (const value of HOSTILE.slice(0, 11)) assert.ok(shown.includes(value), value);
        assert.ok(shown.includes('bell␇ escape␛[31m null␀') && shown.includes('a\ufffdtxt.exe') && shown.includes('half \ufffd'));
        await assertReadable(page, 'hostile');
      }, { width });
    }
  }
});

test('numbers that are none, and what is missing, leave gaps and no nonsense', async () => {
  const result = sample();
  result.latencies = [{ step: 'list', count: null, p50: Infinity, p95: 'x', p99: undefined, max: '<b>', limit_ms: NaN }, {}];
  result.token_acceptance = { tried: '<i>' };
  result.started = 'yesterday';
  result.checks.push({}, { id: 7, group: null, status: 'fail', saw: { a: ['<'] }, ms: -1 });
  result.requirements.push({ id: 'X' });
  for (const one of [result, {}]) {
    const html = report(one);
    assert.equal(html.match(/NaN|undefined|Infinity|\[object/)?.[0], undefined);
    await open(one, (page) => assertReadable(page, 'gaps'));
  }
});

test('one file, without script, under a policy that forbids all but its own style', async () => {
  const html = report(failing());
  assert.doesNotMatch(html, /<script|<link|@import|url\(|https?:\/\/(?!127\.0\.0\.1)/i);
  await open(failing(), async (page) => {
    assert.match(await page.locator('meta[http-equiv]').getAttribute('content'), /^default-src 'none'; style-src 'sha256-[^']+'; base-uri 'none'; form-action 'none'$/);
    assert.equal(await page.evaluate(() => getComputedStyle(document.querySelector('.card')).borderTopLeftRadius), '12px');
  });
});
