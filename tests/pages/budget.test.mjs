// What it costs: bytes, requests, work for long lists; and that the policy holds. Scenarios J1 to J4.
import assert from 'node:assert/strict'
import { request } from 'node:http'
import { describe, test } from 'node:test'
import {
  BASE, Person, SIZES, eventually, inWindow, openTasks, row, rowTitles, useBrowser,
} from './support.mjs'

useBrowser()

const KB = 1000

// A file as a browser gets it: compressed, with its headers.
const get = (path) => new Promise((done, failed) => {
  request(BASE + path, { headers: { 'accept-encoding': 'gzip' } }, (response) => {
    const parts = []
    response.on('data', (part) => parts.push(part))
    response.on('end', () => {
      const body = Buffer.concat(parts)
      done({ status: response.statusCode, headers: response.headers, size: body.length, body })
    })
  }).on('error', failed).end()
})
const filesOf = (html) => ({
  script: html.match(/src="([^"]+\.js)"/)[1],
  sheet: html.match(/href="([^"]+\.css)"/)[1],
})
const plainPage = async () => (await fetch(BASE)).text()

// What goes over the network, as the browser counts it.
async function measured(page, act) {
  const session = await page.context().newCDPSession(page)
  await session.send('Network.enable')
  const result = { bytes: 0, requests: [] }
  session.on('Network.requestWillBeSent', ({ request: { url } }) =>
    url.startsWith('http') && result.requests.push(url.slice(BASE.length)))
  session.on('Network.loadingFinished', ({ encodedDataLength }) => (result.bytes += encodedDataLength))
  await act()
  await session.detach()
  return result
}

describe('budget', { concurrency: 2 }, () => {
  test('J2 script, sheet and page stay within their sizes', async (t) => {
    const html = await get('/')
    const { script, sheet } = filesOf(await plainPage())
    const [js, css] = [await get(script), await get(sheet)]
    t.diagnostic(`script ${js.size} B, sheet ${css.size} B, page ${html.size} B`)
    assert.equal(js.headers['content-encoding'], 'gzip')
    assert.equal(css.headers['content-encoding'], 'gzip')
    assert.ok(js.size <= 40 * KB, `script ${js.size}`)
    assert.ok(css.size <= 8 * KB, `sheet ${css.size}`)
    assert.ok(Buffer.byteLength(await plainPage()) <= 3 * KB)
    for (const file of [js, css]) assert.match(file.headers['cache-control'], /immutable/)
    assert.match(html.headers['cache-control'], /no-cache/)
  })

  test('J2 the list is visible after five requests, and a repeated visit transfers next to nothing',
    async (t) => {
      const person = await Person.create()
      await person.add('One', 'Two')
      await inWindow({ person, worker: true }, async (page) => {
        const first = await measured(page, () => openTasks(page))
        t.diagnostic(`first visit ${first.bytes} B in ${first.requests.length} requests`)
        const names = first.requests.map((path) => path.replace(/-[\w]+\.|\?.*/g, (part) =>
          part[0] === '?' ? '' : '.'))
        assert.deepEqual(names.slice(0, 5),
          ['/tasks', '/assets/app.css', '/assets/app.js', '/api/auth/get-session', '/api/tasks'])
        // The second script is asked for when the page is idle, which may be before we look.
        assert.deepEqual(names.slice(5).filter((name) => name !== '/assets/more.js'), [])
        assert.ok(first.bytes <= 63 * KB, `${first.bytes} bytes`)
        await page.evaluate(() => navigator.serviceWorker.ready)
        await page.waitForFunction(() => navigator.serviceWorker.controller)
        const again = await measured(page, async () => {
          const list = page.waitForResponse(/\/api\/tasks/)
          await page.reload()
          await (await list).finished()
          await row(page, 'Two').waitFor()
        })
        t.diagnostic(`repeated visit ${again.bytes} B in ${again.requests.length} requests`)
        assert.ok(again.bytes > 0 && again.bytes <= 5 * KB, `${again.bytes} bytes`)
      })
    })

  test('J1 the policy is strict and names no other origin', async () => {
    const { headers } = await get('/tasks')
    const policy = headers['content-security-policy']
    assert.match(policy, /default-src 'none'/)
    assert.match(policy, /frame-ancestors 'none'/)
    assert.match(policy, /require-trusted-types-for 'script'/)
    assert.doesNotMatch(policy, /unsafe|https?:|\*/)
    assert.equal(headers['referrer-policy'], 'same-origin')
    assert.equal(headers['x-content-type-options'], 'nosniff')
  })

  test('J1 and J3 with the service worker too: no violation, nothing leaves the origin', async () => {
    const person = await Person.create()
    await inWindow({ person, worker: true }, async (page, context) => {
      await openTasks(page)
      await page.evaluate(() => navigator.serviceWorker.ready)
      await page.getByLabel('New task').fill('One')
      await page.keyboard.press('Enter')
      await row(page, 'One').waitFor()
      await page.getByRole('link', { name: 'Settings' }).click()
      await page.getByText('This device', { exact: true }).waitFor()
      assert.deepEqual(context.problems, [])
      // A policy that nothing tests is no policy: an inline style must be refused.
      const refused = await page.evaluate(() => new Promise((done) => {
        addEventListener('securitypolicyviolation', (event) => done(event.violatedDirective), { once: true })
        document.body.insertAdjacentElement('beforeend', document.createElement('style')).textContent = '*{}'
      }))
      assert.match(refused, /style-src/)
      await eventually(() => context.problems.length > 0, true, 'the refusal is on the console')
      context.problems.length = 0
    })
  })

  for (const [count, size] of [2000, 10_000].flatMap((one) => SIZES.map((size) => [one, size])))
    test(`J4 ${count} tasks: few are drawn, one is drawn again when ticked, the rest comes by the page ` +
      `(${size.width} px)`, async (t) => {
      const person = await Person.create()
      person.addMany(count)
      await inWindow({ person, size }, async (page, context) => {
        const first = await measured(page, () => openTasks(page))
        t.diagnostic(`${count} tasks: ${first.bytes} B in ${first.requests.length} requests`)
        const early = first.requests.filter((path) => !path.includes('/more-'))
        assert.ok(early.length <= 6, early.join(' '))
        const total = count.toLocaleString('en-GB')
        await page.getByText(`${total} in all`).waitFor()
        assert.ok(await page.locator('.row').count() <= 200, 'rows drawn at first')
        // One row is drawn again for one tick, and it is done by the next frame.
        const { rows, ms } = await page.evaluate(() => new Promise((done) => {
          const changed = new Set()
          const watch = new MutationObserver((list) => {
            for (const { target } of list) {
              const one = (target.nodeType === 1 ? target : target.parentElement)?.closest('.row')
              if (one) changed.add(one.id)
            }
          })
          watch.observe(document.querySelector('.rows'), { subtree: true, childList: true, attributes: true, characterData: true })
          const begun = performance.now()
          document.querySelector('.rows .tick:not(:checked)').click()
          requestAnimationFrame(() => setTimeout(() => done({ rows: changed.size, ms: performance.now() - begun })))
        }))
        t.diagnostic(`${count} tasks: a tick is on screen after ${Math.round(ms)} ms`)
        // The row that is ticked, and the one that hands over the tab stop.
        assert.ok(rows <= 2, `${rows} rows were drawn again`)
        context.requested.length = 0
        await eventually(async () => {
          await page.evaluate(() => scrollTo(0, document.body.scrollHeight))
          return await page.locator('.row').count() > 500
        }, true, 'more rows')
        const lists = context.requested.filter((url) => url.includes('offset='))
        assert.equal(new Set(lists).size, lists.length, 'a page was asked for twice')
        const titles = await rowTitles(page)
        assert.deepEqual(titles.slice(0, 3), ['Task 1', 'Task 2', 'Task 3'])
        assert.deepEqual(titles, titles.map((_, index) => `Task ${index + 1}`), 'no gap, no repeat')
        // The server searches and sorts.
        await page.getByLabel('Search').fill(`task ${count}`)
        await eventually(() => rowTitles(page), [`Task ${count}`], 'found beyond what is loaded')
        await page.getByLabel('Search').fill('')
        await page.getByLabel('Order').selectOption('created:asc')
        // The first one was there before, as what was searched for.
        await eventually(async () => (await rowTitles(page)).slice(0, 2), [`Task ${count}`, `Task ${count - 1}`], 'the oldest first')
        await page.getByLabel('New task').fill('Brand new')
        await page.keyboard.press('Enter')
        await eventually(async () => (await rowTitles(page))[0], 'Brand new', 'what was added is seen')
        await page.getByText(`${(count + 1).toLocaleString('en-GB')} in all`).waitFor()
      })
    })
})
