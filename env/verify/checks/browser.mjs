// One journey in headless Chromium: through the pages of ours, or, beside a front end whose pages are
// not known here, by scripts of a page on its origin, under the browser's own rules for cookies and CORS.
import { existsSync } from 'node:fs';
import { fail, pass } from '../outcome.mjs';

const PASSWORD = 'Verify 9 ready';
const KNOWN = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/snap/bin/chromium', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];
const program = () => [process.env.CHROMIUM, ...KNOWN].find((file) => file && existsSync(file));
const PATIENCE = 20000;

// Not part of an installation that is one file.
const driver = () => import('playwright-core').then(({ chromium }) => chromium, () => undefined);

async function inBrowser(work) {
  const chromium = await driver();
  const browser = await chromium.launch({
    executablePath: program(), handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false,
    args: [...(process.getuid?.() === 0 ? ['--no-sandbox'] : []), '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  try {
    const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 800 } });
    context.setDefaultTimeout(PATIENCE);
    const noise = [];
    context.on('weberror', (error) => noise.push(String(error.error())));
    context.on('console', (message) => { if (message.type() === 'error' && !/401 \(/.test(message.text())) noise.push(message.text()); });
    return await work(await context.newPage(), noise);
  } finally {
    await browser.close();
  }
}

// Names the step that a failure belongs to.
async function step(name, work) {
  try {
    return await work();
  } catch (error) {
    throw Object.assign(new Error(error.message.split('\n')[0]), { step: name });
  }
}

async function throughThePages(c, page, noise) {
  const email = c.email('browser');
  const title = 'From a browser 😀';
  const box = page.getByRole('checkbox', { name: title, exact: true });
  await step('the page', () => page.goto(`${c.url.origin}/signup`));
  await step('sign-up', async () => {
    for (const [field, text] of [['Name', 'Verify'], ['E-mail', email], ['Password', PASSWORD], ['Password again', PASSWORD]]) await page.getByLabel(field, { exact: true }).fill(text);
    await page.keyboard.press('Enter');
    await page.waitForURL('**/tasks');
  });
  await step('a new task', async () => {
    await page.getByLabel('New task').fill(title);
    await page.keyboard.press('Enter');
    await box.waitFor();
  });
  await step('completing it', async () => {
    const answered = page.waitForResponse((one) => /\/api\/.*tasks\/\d+/.test(one.url()) && one.request().method() !== 'GET');
    await box.check();
    await answered;
  });
  await step('the page again', async () => { await page.reload(); await box.waitFor(); });
  if (!await box.isChecked()) throw Object.assign(new Error('the task is not completed any more'), { step: 'the page again' });
  await step('signing out', async () => {
    await page.goto(`${c.url.origin}/settings`);
    await page.getByRole('button', { name: 'Log out', exact: true }).click();
    await page.waitForURL('**/login**');
  });
  await step('signing in again', async () => {
    await page.getByLabel('E-mail', { exact: true }).fill(email);
    await page.getByLabel('Password', { exact: true }).fill(PASSWORD);
    await page.keyboard.press('Enter');
    await page.waitForURL('**/tasks');
    await box.waitFor();
  });
  const rows = await c.sql('SELECT t.title, t.completed FROM task t JOIN "user" u ON u.id = t.user_id WHERE u.email = $1', [email]);
  if (rows.length !== 1 || rows[0].title !== title || rows[0].completed !== true) throw Object.assign(new Error(`the table holds ${JSON.stringify(rows)}`), { step: 'the row' });
  if (noise.length > 0) throw Object.assign(new Error(noise[0]), { step: 'the browser\'s console' });
  return 'through the pages: signed up, wrote a task, completed it, signed out and in again, and it was there';
}

// Runs in the page: what a front end's script does.
async function script({ auth, api, email, password }) {
  const call = async (step, url, method = 'GET', body = undefined, token = undefined) => {
    let response;
    try {
      response = await fetch(url, { method, credentials: token ? 'omit' : 'include', headers: { ...(body ? { 'content-type': 'application/json' } : {}), ...(token ? { authorization: `Bearer ${token}` } : {}) }, body: body && JSON.stringify(body) });
    } catch (error) {
      throw new Error(`${step}: ${error.message} (${url}: refused by the browser, for want of CORS headers?)`);
    }
    if (!response.ok) throw new Error(`${step}: ${response.status}`);
    return response.status === 204 ? undefined : response.json();
  };
  const { user } = await call('sign-up', `${auth}/sign-up/email`, 'POST', { name: 'Verify', email, password });
  await call('sign-in', `${auth}/sign-in/email`, 'POST', { email, password });
  if ((await call('get-session', `${auth}/get-session`))?.user?.id !== user.id) throw new Error('get-session: the browser did not keep or send the cookie');
  const { token } = await call('token', `${auth}/token`);
  const tasks = `${api}/api/${user.id}/tasks`;
  const task = await call('create', tasks, 'POST', { title: 'From a browser' }, token);
  await call('toggle', `${tasks}/${task.id}/complete`, 'PATCH', undefined, token);
  const list = await call('list', tasks, 'GET', undefined, token);
  if (list.length !== 1 || list[0].completed !== true) throw new Error(`list: ${JSON.stringify(list)}`);
  await call('delete', `${tasks}/${task.id}`, 'DELETE', undefined, token);
  return list.length;
}

async function onTheFrontEnd(c, page) {
  const origin = c.frontendUrl.origin;
  // What counts is the origin; where there is no page, a route of Better Auth is one.
  const { status } = await c.send(c.frontendUrl, 'GET', c.frontendUrl.pathname);
  await step('the page', () => page.goto(status < 400 ? c.frontendUrl.href : `${origin}${c.frontendPath}/ok`));
  await step('the script', () => page.evaluate(script, { auth: `${origin}${c.frontendPath}`, api: c.url.origin, email: c.email('browser'), password: PASSWORD }));
  return `on ${origin}: signed up and in there, with its cookie and token, and wrote, completed and deleted a task at ${c.url.origin}`;
}

async function journey(c) {
  c.wrote = true;
  return inBrowser(async (page, noise) => {
    try {
      return pass(await (c.frontendUrl ? onTheFrontEnd(c, page) : throughThePages(c, page, noise)));
    } catch (error) {
      if (error.step === undefined) throw error;
      const fix = c.frontendUrl ? `add ${c.frontendUrl.origin} to BETTER_AUTH_TRUSTED_ORIGINS of the handlers, if CORS is what is missing; else see the step` : 'include todo-fcgi-pages.conf, and let BETTER_AUTH_URL be the address that browsers use; else see the step';
      return fail(`${error.step}: ${error.message}`, fix);
    }
  });
}

const NEEDS = ['authentication.token-acceptance', ...['signup', 'signin', 'token', 'task_create', 'task_list', 'task_complete'].map((name) => `handlers.${name}`)];

export const browser = [{
  id: 'browser.journey', title: 'A journey in a browser', requirements: ['FR-006', 'SC-001'], writes: true, needs: NEEDS, did: 'one journey in headless Chromium', run: journey,
  applies: async (c) => {
    if (!program()) return 'no Chromium was found (CHROMIUM=/path/to/it)';
    if (!await driver()) return 'playwright-core is not installed beside todo-verify';
    if (c.frontendUrl) return true;
    const answer = await c.http('GET', '/signup').catch(() => undefined);
    return answer?.text.includes('<script') ? true : 'there are no pages at this address, and no --frontend-url was given';
  },
}];
