// Seeing and adding tasks: scenarios B1 to B5, C1 to C5, and what TodoMVC's suite asks of a list.
import assert from 'node:assert/strict'
import { describe } from 'node:test'
import {
  TASKS, addressOf, drawn, eventually, fail500, focusedId, intercept, openTasks, row, rowTitles, scenario, useBrowser,
} from './support.mjs'

useBrowser()

const addField = (page) => page.getByLabel('New task')

describe('list', { concurrency: 3 }, () => {
  scenario('B1 title, state and date of each task, the newest first', {}, async (page, person) => {
    const [, middle] = await person.add('First', 'Second', 'Third')
    await person.api(`/${middle.id}/complete`, 'PATCH', { completed: true })
    await openTasks(page)
    assert.deepEqual(await rowTitles(page), ['Third', 'Second', 'First'])
    assert.equal(await page.getByRole('checkbox', { name: 'Second' }).isChecked(), true)
    assert.equal(await page.getByRole('checkbox', { name: 'Third' }).isChecked(), false)
    const style = await row(page, 'Second').locator('.title').evaluate((one) =>
      getComputedStyle(one).textDecorationLine)
    assert.equal(style, 'line-through')
    const time = row(page, 'First').locator('time')
    assert.match(await time.getAttribute('title'), /20\d\d/)
    assert.equal(await time.innerText(), 'just now')
    assert.equal(await page.title(), '2 open – Tasks – Todo')
  })

  scenario('B2 somebody without tasks is told how to begin', {}, async (page) => {
    await openTasks(page)
    await page.getByText('No tasks yet').waitFor()
    await page.getByText('Write your first task above').waitFor()
    assert.equal(await focusedId(page), 'add-title', 'the add field has the focus after load')
  })

  scenario('B3 a slow list shows bones, then rows, and nothing jumps', {}, async (page, person) => {
    await person.add('One', 'Two', 'Three', 'Four', 'Five')
    await intercept(page, { method: 'GET', path: TASKS }, async (route) => {
      await new Promise((done) => setTimeout(done, 3000))
      await route.continue()
    })
    await page.addInitScript(() => {
      window.shift = 0
      new PerformanceObserver((list) => {
        for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value
      }).observe({ type: 'layout-shift', buffered: true })
    })
    await page.goto(`${process.env.TODO_URL}/tasks`)
    await page.locator('.skeleton[aria-busy=true]').waitFor()
    await page.locator('[role=status]', { hasText: 'Loading tasks…' }).first().waitFor({ state: 'attached' })
    await page.locator('.rows:not(.skeleton) .row').first().waitFor()
    await drawn(page)
    const shift = await page.evaluate(() => window.shift)
    assert.ok(shift <= 0.02, `layout shift ${shift}`)
  })

  scenario('B4 a list that fails can be tried again', { failing: true }, async (page, person) => {
    await person.add('Still here')
    await intercept(page, { method: 'GET', path: TASKS, times: 1 }, fail500)
    await page.goto(`${process.env.TODO_URL}/tasks`)
    const alert = page.getByRole('alert').filter({ hasText: 'could not be loaded' })
    await alert.waitFor()
    await alert.getByRole('button', { name: 'Try again' }).click()
    await row(page, 'Still here').waitFor()
    await alert.waitFor({ state: 'detached' })
  })

  scenario('B5 a page of the proxy instead of an answer gives a readable sentence', { failing: true },
    async (page) => {
      const seen = await intercept(page, { method: 'GET', path: TASKS }, (route) => route.fulfill({
        status: 502, contentType: 'text/html', body: '<h1>502 Bad Gateway</h1>',
      }))
      await page.goto(`${process.env.TODO_URL}/tasks`)
      await page.getByText('The server is not available at the moment.').waitFor()
      assert.equal(await page.getByText('Bad Gateway').count(), 0)
      assert.ok(seen.count >= 4, 'a GET is repeated three times')
    })

  scenario('C1 K several tasks are added in a row, first in the list and stored', {},
    async (page, person) => {
      await person.add('Older')
      await openTasks(page)
      await page.keyboard.type('Buy milk')
      await page.keyboard.press('Enter')
      assert.deepEqual(await rowTitles(page), ['Buy milk', 'Older'])
      assert.equal(await focusedId(page), 'add-title')
      assert.equal(await addField(page).inputValue(), '')
      await page.keyboard.type('  Buy bread ')
      await page.keyboard.press('Enter')
      await eventually(() => person.titles(), ['Buy bread', 'Buy milk', 'Older'], 'stored and trimmed')
      await page.reload()
      await row(page, 'Buy bread').waitFor()
      assert.deepEqual(await rowTitles(page), ['Buy bread', 'Buy milk', 'Older'])
      await page.locator('[role=status]', { hasText: '3 tasks' }).first().waitFor({ state: 'attached' })
    })

  scenario('C1 tasks typed quickly are stored in the order of typing, however slow the first call is',
    { axe: false }, async (page, person) => {
      await openTasks(page)
      let wait = 600
      await intercept(page, { method: 'POST', path: TASKS }, async (route) => {
        const mine = wait
        wait = 0
        await new Promise((done) => setTimeout(done, mine))
        await route.continue()
      })
      for (const title of ['One', 'Two', 'Three', 'Four']) {
        await page.keyboard.type(title)
        await page.keyboard.press('Enter')
      }
      assert.deepEqual(await rowTitles(page), ['Four', 'Three', 'Two', 'One'])
      await eventually(() => person.titles(), ['Four', 'Three', 'Two', 'One'], 'stored in order')
    })

  scenario('C1 K a description is added by Ctrl+Enter', {}, async (page, person) => {
    await openTasks(page)
    await page.keyboard.type('Pack')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await eventually(() => focusedId(page), 'add-description', 'focus')
    await page.keyboard.type('Tent and stove')
    await page.keyboard.press('Control+Enter')
    await row(page, 'Tent and stove').or(page.getByText('Tent and stove')).first().waitFor()
    await eventually(async () => (await person.tasks())[0]?.description, 'Tent and stove', 'stored')
    assert.equal(await focusedId(page), 'add-title')
  })

  scenario('C2 an empty title is refused with a message and without a request', {},
    async (page, person, context) => {
      await openTasks(page)
      for (const text of ['', '   ']) {
        await addField(page).fill(text)
        await page.getByRole('button', { name: 'Add', exact: true }).click()
        await page.getByRole('alert').getByText('Enter a title').waitFor()
      }
      assert.equal(await addField(page).getAttribute('aria-invalid'), 'true')
      assert.equal(context.requested.filter((url) => url.endsWith('/api/tasks')).length, 0)
    })

  scenario('C3 200 emoji fit, 201 characters are explained, and so is a refusal of the server',
    { failing: true }, async (page, person) => {
      await openTasks(page)
      const emoji = '🦔'.repeat(200)
      await addField(page).fill(emoji)
      await page.getByText('200 / 200').waitFor()
      await page.keyboard.press('Enter')
      await eventually(() => person.titles(), [emoji], 'stored')
      await addField(page).fill('x'.repeat(201))
      await page.getByText('201 / 200').waitFor()
      await page.getByRole('button', { name: 'Add', exact: true }).click()
      await page.getByText('at most 200 characters: 1 too many').waitFor()
      assert.equal(await addField(page).inputValue(), 'x'.repeat(201), 'nothing is cut off')
      await intercept(page, { method: 'POST', path: TASKS, times: 1 }, (route) => route.fulfill({
        status: 422,
        json: {
          error: 'validation_error', message: 'Title is not to our taste',
          details: { field: 'title', constraint: 'taste', title: 'is odd' },
        },
      }))
      await addField(page).fill('Odd')
      await page.keyboard.press('Enter')
      await page.getByRole('alert').getByText('Title is not to our taste').waitFor()
      await page.getByRole('button', { name: 'Try again' }).click()
      await eventually(async () => (await person.titles()).length, 2, 'stored after all')
    })

  scenario('C4 line breaks in a pasted title become spaces', {}, async (page, person) => {
    await openTasks(page)
    await addField(page).evaluate((field) => {
      const data = new DataTransfer()
      data.setData('text/plain', 'One\nTwo\r\n  Three\n')
      field.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }))
    })
    assert.equal(await addField(page).inputValue(), 'One Two Three')
    await page.keyboard.press('Enter')
    await eventually(() => person.titles(), ['One Two Three'], 'stored')
  })

  scenario('C5 text is shown as text, whatever it looks like, and stays within its row', {},
    async (page, person) => {
      await person.add(
        { title: '<img src=x onerror=alert(1)>', description: '<script>alert(2)</script> &amp;' },
        { title: 'یہ ایک کام ہے', description: 'دودھ خریدیں' },
        { title: 'W'.repeat(200), description: 'word '.repeat(1000).trim() },
        { title: 'Links', description: 'https://example.com/a?b=c. javascript:alert(3)' },
      )
      page.on('dialog', () => assert.fail('a script ran'))
      await openTasks(page)
      await page.getByText('<img src=x onerror=alert(1)>').waitFor()
      assert.equal(await page.locator('.rows img, .rows script').count(), 0)
      assert.equal(await page.locator('.title', { hasText: 'یہ ایک' })
        .evaluate((one) => getComputedStyle(one).direction), 'rtl')
      const links = await page.locator('.description a').evaluateAll((all) =>
        all.map((one) => [one.href, one.rel]))
      assert.deepEqual(links, [['https://example.com/a?b=c', 'noopener noreferrer nofollow']])
      const long = row(page, 'WWW')
      const height = await long.locator('.description').evaluate((one) => one.clientHeight)
      await long.getByRole('button', { name: 'More' }).click()
      await long.getByRole('button', { name: 'Less' }).waitFor()
      assert.ok(await long.locator('.description').evaluate((one) => one.clientHeight) > 4 * height)
    })

  scenario('the counter counts one task and several, and what is done can be cleared after a question', {},
    async (page, person) => {
      await person.add('One', 'Two')
      await openTasks(page)
      assert.equal(await page.getByRole('button', { name: 'Clear completed' }).count(), 0)
      await page.getByText('2 tasks open').waitFor()
      await page.getByRole('checkbox', { name: 'Two' }).click()
      await page.getByText('1 task open').waitFor()
      await page.getByRole('button', { name: 'Clear completed' }).click()
      await page.getByText('Delete 1 completed task?').waitFor()
      await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
      await eventually(() => rowTitles(page), ['One'], 'rows')
      await eventually(() => person.titles(), ['One'], 'stored')
      assert.equal(await page.getByRole('button', { name: 'Clear completed' }).count(), 0)
    })

  scenario('"mark all" marks all, and follows the single boxes', {}, async (page, person) => {
    await person.add('One', 'Two', 'Three')
    await openTasks(page)
    await page.getByRole('button', { name: 'Mark all as done' }).click()
    await eventually(async () => (await person.tasks()).every((task) => task.completed), true, 'all done')
    await page.getByRole('checkbox', { name: 'Two' }).click()
    await page.getByRole('button', { name: 'Mark all as done' }).waitFor()
    await page.getByRole('checkbox', { name: 'Two' }).click()
    await page.getByRole('button', { name: 'Mark all as open' }).click()
    await eventually(async () => (await person.tasks()).some((task) => task.completed), false, 'all open')
  })

  scenario('nothing matches: the filters can be cleared', {}, async (page, person) => {
    await person.add('Only one')
    await openTasks(page, '/tasks?search=zebra')
    await page.getByText('No task matches').waitFor()
    await page.getByRole('button', { name: 'Clear filters' }).click()
    await row(page, 'Only one').waitFor()
    assert.equal(await addressOf(page), '/tasks')
    assert.equal(await focusedId(page), 'search')
  })
})
