// What the tests of the pages share: a browser, people of their own, a page that is watched for
// errors, and axe. The instance comes from TODO_URL; nothing here knows how it is run.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { after, before, test } from 'node:test'
import { chromium } from 'playwright-core'
import { setCookiesOf } from '../common.mjs'

export const BASE = process.env.TODO_URL?.replace(/\/$/, '')
if (!BASE) throw new Error('TODO_URL must name the instance to test')

export const SMALL = { width: 320, height: 640 }
export const MEDIUM = { width: 768, height: 1024 }
export const WIDE = { width: 1280, height: 800 }
export const SIZES = [SMALL, MEDIUM, WIDE]

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const PASSWORD = 'correct horse 9'
// How long something may take before it counts as missing. Only failures wait so long; a machine that
// does much else may need more.
const LIMIT_MS = Number(process.env.PATIENCE_S ?? 20) * 1000

export const LAUNCH = {
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync',
  ],
}

let browser
// Each file has one browser for all its tests.
export function useBrowser() {
  before(async () => (browser = await chromium.launch(LAUNCH)))
  after(() => browser?.close())
}
export const theBrowser = () => browser

// --- People and their tasks, by the routes ------------------------------------------------------------

export const newEmail = () => `p${randomBytes(8).toString('hex')}@example.com`

async function must(response) {
  const text = await response.text()
  assert.ok(response.ok, `${response.url} answered ${response.status}: ${text}`)
  return text ? JSON.parse(text) : null
}

const cookiesOf = (response) => setCookiesOf(response).map((line) => line.split(';')[0])

export class Person {
  static async create({ name = 'Ada Lovelace', email = newEmail(), password = PASSWORD } = {}) {
    const person = Object.assign(new Person(), { name, email, password })
    const response = await fetch(`${BASE}/api/auth/sign-up/email`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: BASE },
      body: JSON.stringify({ name, email, password }),
    })
    person.cookies = cookiesOf(response)
    const { user } = await must(response)
    person.id = user.id
    return person
  }

  // A further session, as on another device.
  async logIn() {
    const response = await fetch(`${BASE}/api/auth/sign-in/email`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: BASE, 'user-agent': 'curl/8.0' },
      body: JSON.stringify({ email: this.email, password: this.password }),
    })
    await must(response)
    return cookiesOf(response)
  }

  async auth(path, body, cookies = this.cookies) {
    return must(await fetch(`${BASE}/api/auth${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'content-type': 'application/json', origin: BASE, cookie: cookies.join('; ') },
      body: body === undefined ? undefined : JSON.stringify(body),
    }))
  }

  async token() {
    this.jwt ??= (await this.auth('/token')).token
    return this.jwt
  }

  async api(path = '', method = 'GET', body = undefined) {
    const response = await fetch(`${BASE}/api/tasks${path}`, {
      method,
      headers: {
        authorization: `Bearer ${await this.token()}`,
        ...(body ? { 'content-type': 'application/json' } : {}),
      },
      body: body && JSON.stringify(body),
    })
    return must(response)
  }

  // Added one after the other, so the last one is the newest.
  async add(...titles) {
    const tasks = []
    for (const one of titles)
      tasks.push(await this.api('', 'POST', typeof one === 'string' ? { title: one } : one))
    return tasks
  }

  tasks = () => this.api()
  titles = async () => (await this.tasks()).map((task) => task.title)

  // Thousands at once, past the routes.
  addMany(count) {
    sql(`INSERT INTO task (user_id, title, completed, created_at, updated_at)
         SELECT '${this.id}', 'Task ' || n, n % 3 = 0, now() - n * interval '1 minute',
                now() - n * interval '1 minute' FROM generate_series(1, ${count}) AS n`)
  }
}

export function sql(statement) {
  return execFileSync('psql', [process.env.DATABASE_URL, '-qAtX', '-v', 'ON_ERROR_STOP=1', '-c', statement], {
    encoding: 'utf8',
  }).trim()
}

// --- Pages ----------------------------------------------------------------------------------------------

// A window of its own, watched: every console error, refused script and request is kept.
export async function openWindow({ size = WIDE, person, worker = false, ...options } = {}) {
  const context = await browser.newContext({
    viewport: size,
    locale: 'en-GB',
    timezoneId: 'Europe/Berlin',
    serviceWorkers: worker ? 'allow' : 'block',
    hasTouch: size.width < 500,
    ...options,
  })
  context.setDefaultTimeout(LIMIT_MS)
  context.problems = []
  context.requested = []
  context.on('request', (request) => context.requested.push(request.url()))
  context.on('weberror', (error) => context.problems.push(String(error.error())))
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) context.problems.push(message.text())
  })
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`refused by policy: ${event.violatedDirective} ${event.blockedURI}`)
    })
  })
  if (person) await giveCookies(context, person.cookies)
  return context
}

export const giveCookies = (context, cookies) =>
  context.addCookies(cookies.map((pair) => {
    const at = pair.indexOf('=')
    return { name: pair.slice(0, at), value: pair.slice(at + 1), url: BASE, httpOnly: true }
  }))

// Refused calls are written to the console by the browser, whatever the page makes of them; and the
// driver says there that it keeps service workers out.
const FROM_THE_NETWORK = /^Failed to load resource/
const FROM_THE_DRIVER = /^Service Worker registration blocked/

// Runs `act` in a window; afterwards there must have been nothing on the console, no request to
// another origin. `failing`: the test makes the network fail, which browsers write to the console.
export async function inWindow(options, act) {
  const context = await openWindow(options)
  try {
    const page = await context.newPage()
    await act(page, context)
    const problems = context.problems.filter((text) =>
      !FROM_THE_DRIVER.test(text) && !(options.failing && FROM_THE_NETWORK.test(text)))
    assert.deepEqual(problems, [], 'the console must be silent')
    for (const url of context.requested)
      assert.ok(url.startsWith(`${options.base ?? BASE}/`) || /^(data|blob):/.test(url), `left the origin: ${url}`)
  } finally {
    await context.close()
  }
}

// A scenario of the specification: one test for each size, each with a person of its own (`person:
// false`: without), and with axe in the state that it ends in (`axe: false`: a further case of the
// network alone, so one size and no axe).
export function scenario(name, options, act) {
  const { person = true, axe = true, sizes = axe ? SIZES : [WIDE], ...rest } = options
  for (const size of sizes)
    test(`${name} (${size.width} px)`, async () => {
      const somebody = person ? await Person.create() : undefined
      await inWindow({ ...rest, size, person: somebody }, async (page, context) => {
        await act(page, somebody, context, size)
        if (!axe) return
        await assertAccessible(page, name)
        await assertNoSideways(page, name)
      })
    })
}

// Answers of the API as a test wants them: the first `times` calls that fit are answered by `answer`.
export async function intercept(page, { method, path = /\/api\//, times = Infinity }, answer) {
  const seen = { count: 0 }
  await page.context().route(path, async (route) => {
    const fits = !method || route.request().method() === method
    if (!fits || seen.count >= times) return route.fallback()
    seen.count++
    return answer(route)
  })
  return seen
}
export const TASKS = /\/api\/tasks/
export const fail500 = (route) => route.fulfill({
  status: 500,
  json: { error: 'internal_error', message: 'Internal error', detail: 'Internal error' },
})
export const refuse = (route) => route.abort('connectionrefused')

export async function openTasks(page, path = '/tasks') {
  await page.goto(BASE + path)
  await page.locator('.rows:not(.skeleton), .empty').first().waitFor()
}

// Found accessible by axe, in the state that the page is in: no violation of WCAG A and AA nor of
// what axe calls best practice.
export async function assertAccessible(page, what = page.url()) {
  await page.evaluate(() => Promise.all(document.getAnimations()
    .filter((one) => one.effect.getComputedTiming().endTime !== Infinity).map((one) => one.finished.catch(() => {}))))
  const violations = await page.evaluate(async (source) => {
    // Evaluated by the driver, which the policy of the page does not concern.
    if (!window.axe) (0, eval)(source)
    const result = await window.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'],
    })
    return result.violations.map((one) =>
      `${one.id}: ${one.nodes.map((node) => `${node.html.slice(0, 120)} ${node.failureSummary}`).join(' | ')}`)
  }, AXE)
  assert.deepEqual(violations, [], `axe on ${what}`)
}

export async function assertNoSideways(page, what = '') {
  const { inner, wide } = await page.evaluate(() => ({
    inner: document.documentElement.clientWidth,
    wide: document.documentElement.scrollWidth,
  }))
  assert.ok(wide <= inner, `${what} scrolls sideways: ${wide} > ${inner}`)
}

// Waits until `probe` answers `wanted`; there is no other waiting in these tests.
export async function eventually(probe, wanted, what = 'condition', limitMs = LIMIT_MS) {
  const until = Date.now() + limitMs
  for (;;) {
    const now = await probe()
    try {
      assert.deepEqual(now, wanted)
      return
    } catch (error) {
      if (Date.now() > until) throw new Error(`${what}: ${error.message}`)
    }
    await new Promise((done) => setTimeout(done, 50))
  }
}

// What has happened is on screen, and what watches the screen has been told.
export const drawn = (page) => page.evaluate(() =>
  new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done)))))
// Path and query as the page has them; `page.url()` hears of a change only a moment later.
export const addressOf = (page) => page.evaluate(() => location.pathname + location.search)
export const rowTitles = (page) => page.locator('.rows:not(.skeleton) .title').allTextContents()
export const row = (page, title) =>
  page.locator('.row', { has: page.locator('.title', { hasText: title }) })
export const focusedId = (page) => page.evaluate(() => document.activeElement?.id)
export const focusedRow = (page) =>
  page.evaluate(() => document.activeElement?.closest('[data-ref]')?.querySelector('.title')?.textContent)

// Moves with Tab until the element that is wanted has the focus, as somebody without a mouse does.
export async function tabTo(page, selector, limit = 40) {
  for (let step = 0; step < limit; step++) {
    if (await page.evaluate((one) => document.activeElement?.matches(one), selector)) return
    await page.keyboard.press('Tab')
  }
  assert.fail(`Tab does not reach ${selector}`)
}

export { PASSWORD }
