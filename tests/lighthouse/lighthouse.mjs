// `make lighthouse`: Google's audit of the log-in page and of a list of 100 tasks, on a simulated phone
// (150 ms, 1.6 Mbit/s, a quarter of the processor) and on a desktop, against an instance of its own.
// Prints the median of RUNS runs (3) and what is short of the targets; fails if a target is missed.
// Performance depends on the machine being idle; nothing else does.
import { launch } from 'chrome-launcher'
import lighthouse, { desktopConfig } from 'lighthouse'
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort, noSettings, setCookiesOf } from '../common.mjs'

const TARGETS = { performance: 95, accessibility: 100, 'best-practices': 100 }
const RUNS = Number(process.env.RUNS ?? 3)
const root = fileURLToPath(new URL('../..', import.meta.url))
const build = resolve(root, process.env.BUILD ?? 'build/release')
const reports = join(build, 'lighthouse')

const state = mkdtempSync(join(tmpdir(), 'todo-lighthouse-'))
chmodSync(state, 0o755)
const port = await freePort()
const base = `http://127.0.0.1:${port}`
// Nothing of the caller's settings.
const env = {
  ...process.env, ...noSettings,
  BUILD: build, STATE_DIR: state, PORT: String(port),
}
const embedded = (command) => execFileSync(join(root, 'env/embedded'), [command], { env, stdio: ['ignore', 'ignore', 'inherit'] })

// Signs somebody up who has 100 tasks; resolves to the cookies of the session.
async function personWithTasks() {
  const response = await fetch(`${base}/api/auth/sign-up/email`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: base },
    body: JSON.stringify({ name: 'Ada Lovelace', email: 'ada@example.com', password: 'correct horse 9' }),
  })
  const cookie = setCookiesOf(response).map((line) => line.split(';')[0]).join('; ')
  const { token } = await (await fetch(`${base}/api/auth/token`, { headers: { cookie } })).json()
  for (let n = 1; n <= 100; n++)
    await fetch(`${base}/api/tasks`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ title: `Task ${n}`, description: n % 3 ? null : 'Two litres, and not the last one.' }),
    })
  return cookie
}

// A busy machine can lose the beginning of a recording; then the audit itself asks to be run again.
async function audit(path, cookie, form, tries = 3) {
  const browser = await launch({
    chromePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    chromeFlags: ['--headless=new', ...(process.getuid() === 0 ? ['--no-sandbox'] : [])],
  })
  try {
    const { lhr } = await lighthouse(base + path, {
      port: browser.port,
      logLevel: 'error',
      onlyCategories: Object.keys(TARGETS),
      extraHeaders: cookie ? { Cookie: cookie } : undefined,
    }, form === 'desktop' ? desktopConfig : undefined)
    if (!lhr.runtimeError) return lhr
    if (tries === 1) throw new Error(lhr.runtimeError.message)
  } finally {
    browser.kill()
  }
  return audit(path, cookie, form, tries - 1)
}

const score = (report, name) => Math.round(report.categories[name].score * 100)

// What a report finds wanting, with the elements that it names.
function findings(report, name) {
  return report.categories[name].auditRefs.map(({ id, weight }) => ({ weight, ...report.audits[id] }))
    .filter((one) => one.weight > 0 && one.score !== null && one.score < 1)
    .map((one) => [`    ${one.title} ${one.displayValue ?? ''}`, ...(one.details?.items ?? []).slice(0, 5).map((item) =>
      `      ${item.node?.snippet ?? item.description ?? item.url ?? ''}`)].join('\n'))
}

let missed = 0
mkdirSync(reports, { recursive: true })
try {
  embedded('start')
  const cookie = await personWithTasks()
  for (const [path, who] of [['/login', undefined], ['/tasks', cookie]])
    for (const form of ['phone', 'desktop']) {
      const runs = []
      for (let n = 0; n < RUNS; n++) runs.push(await audit(path, who, form))
      runs.sort((a, b) => score(a, 'performance') - score(b, 'performance'))
      const report = runs[RUNS >> 1]
      if (report.finalDisplayedUrl !== base + path) throw new Error(`${path} led to ${report.finalDisplayedUrl}`)
      writeFileSync(join(reports, `${path.slice(1)}-${form}.json`), JSON.stringify(report))
      const value = (id) => report.audits[id].displayValue
      console.log(`${path} ${form}: ${Object.keys(TARGETS).map((name) => `${name} ${score(report, name)}`).join(', ')}` +
        ` (first paint ${value('first-contentful-paint')}, largest ${value('largest-contentful-paint')},` +
        ` blocked ${value('total-blocking-time')}, shift ${value('cumulative-layout-shift')})`)
      for (const [name, target] of Object.entries(TARGETS)) {
        if (score(report, name) < 100) console.log(findings(report, name).join('\n'))
        if (score(report, name) < target) missed++
      }
    }
} finally {
  embedded('stop')
  rmSync(state, { recursive: true, force: true })
}
process.exitCode = missed ? 1 : 0
