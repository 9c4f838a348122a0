// A hostile page in a real browser, of another site and of another port of this one, to which the
// victim's cookies go along: it changes nothing, signs nobody in and reads nothing (row 56 of the plan).
import assert from 'node:assert/strict'
import http from 'node:http'
import { after, before, test } from 'node:test'
import { BASE, Person, giveCookies, theBrowser, useBrowser } from './support.mjs'

useBrowser()

let server
before(async () => {
  server = http.createServer((_, response) => response.setHeader('content-type', 'text/html').end('<!doctype html><title>Hostile</title>'))
  await new Promise((resolve) => server.listen(0, resolve))
})
after(() => {
  server.closeAllConnections()
  server.close()
})

const routes = (person) => [
  ['update-user', { name: 'Owned' }], ['change-email', { newEmail: 'owned@example.com' }], ['sign-out', {}], ['revoke-sessions', {}],
  ['revoke-other-sessions', {}], ['delete-user', { password: person.password }], ['change-password', { currentPassword: person.password, newPassword: 'owned password' }],
  ['sign-in/email', { email: person.email, password: person.password }], ['sign-up/email', { name: 'Owned', email: person.email, password: 'owned password' }],
]

// Runs in the page: every way of sending that a page has without asking. Answers what it could read.
async function attack({ base, calls, reads }) {
  const within = (promise) => Promise.race([promise, new Promise((resolve) => { setTimeout(resolve, 8000, 'nothing') })])
  const seen = []
  const read = async (what, promise) => {
    try {
      const answer = await within(promise)
      if (answer.type !== 'opaque' && answer.type !== 'opaqueredirect') seen.push(`${what}: ${answer.status} ${await answer.text()}`)
    } catch { /* the browser refuses, as it should */ }
  }
  const submit = (method, action, fields, enctype) => within(new Promise((resolve) => {
    const frame = document.body.appendChild(Object.assign(document.createElement('iframe'), { name: `f${Math.random()}` }))
    const form = document.body.appendChild(Object.assign(document.createElement('form'), { method, action, enctype, target: frame.name }))
    for (const [name, value] of fields) form.append(Object.assign(document.createElement('input'), { name, value, type: 'hidden' }))
    frame.addEventListener('load', resolve)
    form.submit()
  }))
  for (const [route, body] of calls) {
    const url = `${base}/api/auth/${route}`
    const text = JSON.stringify(body)
    for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json'])
      for (const mode of type === 'application/json' ? ['cors'] : ['cors', 'no-cors'])
        await read(`${mode} ${type} ${route}`, fetch(url, { method: 'POST', mode, credentials: 'include', headers: { 'content-type': type }, body: text }))
    await read(`form data ${route}`, fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams(body) }))
    await read(`no type ${route}`, fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', body: new Blob([text]) }))
    navigator.sendBeacon(url, new Blob([text], { type: 'text/plain' }))
    // The trick with a form of plain text: a name and a value that together are JSON.
    await submit('POST', url, [[`${text.slice(0, -1)}${text === '{}' ? '' : ','}"x":"`, '"}']], 'text/plain')
    await submit('POST', url, Object.entries(body), 'application/x-www-form-urlencoded')
    await submit('POST', url, Object.entries(body), 'multipart/form-data')
    await submit('GET', url, Object.entries(body), 'application/x-www-form-urlencoded')
  }
  for (const path of reads) {
    await read(`get ${path}`, fetch(base + path, { credentials: 'include' }))
    await read(`no-cors ${path}`, fetch(base + path, { credentials: 'include', mode: 'no-cors' }))
    const frame = document.body.appendChild(document.createElement('iframe'))
    await within(new Promise((resolve) => { Object.assign(frame, { onload: resolve, src: base + path }) }))
    try { seen.push(`frame ${path}: ${frame.contentDocument.body.textContent}`) } catch { /* as above */ }
    if (frame.contentDocument) seen.push(`frame ${path} is open to the page`)
    await within(new Promise((resolve) => {
      document.body.append(Object.assign(document.createElement('script'), { src: base + path, onload: resolve, onerror: resolve }))
    }))
  }
  return seen
}

const sessionOf = async (context) => (await context.cookies(BASE)).find((one) => one.name.endsWith('session_token'))?.value

for (const [what, host] of [['another port of the same site', '127.0.0.1'], ['another site', 'localhost']])
  test(`row 56: a page of ${what} changes nothing, signs nobody in and reads nothing`, async () => {
    const victim = await Person.create({ name: 'Victim' })
    const attacker = await Person.create({ name: 'Attacker' })
    await victim.add('Mine')
    const context = await theBrowser().newContext()
    try {
      await giveCookies(context, victim.cookies)
      const cookie = await sessionOf(context)
      assert.ok(cookie)
      const page = await context.newPage()
      await page.goto(`http://${host}:${server.address().port}/`)
      const calls = [...routes(victim).slice(0, 7), ...routes(attacker).slice(7)]
      const seen = await page.evaluate(attack, { base: BASE, calls, reads: ['/api/auth/get-session', '/api/auth/token', '/api/auth/list-sessions', '/api/tasks', '/tasks'] })
      assert.deepEqual(seen.filter((text) => /Victim|Mine|token|@example/.test(text)), [])
      assert.equal(await sessionOf(context), cookie, 'the browser is still signed in as before')
      const { session, user } = await victim.auth('/get-session')
      assert.deepEqual([user.name, user.email, session.userId], ['Victim', victim.email, victim.id])
      assert.equal((await victim.auth('/list-sessions')).length, 1)
      await victim.logIn()
      assert.deepEqual(await victim.titles(), ['Mine'])
      // The same requests from our own page do what they say, so they were no nonsense.
      await page.goto(`${BASE}/tasks`)
      const own = await page.evaluate(async () => {
        const answer = await fetch('/api/auth/update-user', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"name":"Changed"}' })
        return answer.status
      })
      assert.equal(own, 200)
      assert.equal((await victim.auth('/get-session')).user.name, 'Changed')
    } finally {
      await context.close()
    }
  })

test('row 56: no page may frame ours', async () => {
  const answer = await fetch(`${BASE}/tasks`)
  assert.match(answer.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/)
})
