// Keyboard, sizes, colours, languages: scenarios I1 to I7, and every page in both colour schemes.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import {
  BASE, Person, SIZES, addressOf, assertAccessible, assertNoSideways, eventually, focusedId, focusedRow,
  inWindow, openTasks, rowTitles, scenario, useBrowser,
} from './support.mjs'

useBrowser()

const WORD = 'Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen'
const SAMPLE = [
  { title: 'Call the plumber', description: 'About the tap.\nAgain.\nAnd the bill, see https://example.com/bill' },
  { title: WORD.repeat(3) },
  'Buy milk',
]
const messages = (language) =>
  JSON.parse(readFileSync(new URL(`../../nginx/pages/src/messages/${language}.json`, import.meta.url)))

// Every page, in the state that a person meets first.
const PAGES = [
  ['/', false], ['/signup', false], ['/login?next=%2Ftasks', false], ['/forgot-password', false],
  ['/reset-password?token=x', false], ['/reset-password?error=INVALID_TOKEN', false],
  ['/verify-email', false], ['/verify-email?error=TOKEN_EXPIRED', false], ['/nowhere', false],
  ['/tasks', true], ['/tasks/ID', true], ['/settings', true],
]

async function visit(page, path) {
  await page.goto(BASE + path)
  await page.locator('h1').waitFor()
  if (path === '/tasks') await page.locator('.rows:not(.skeleton)').waitFor()
  if (path.startsWith('/tasks/')) await page.getByRole('dialog').waitFor()
  if (path === '/settings') await page.getByText('This device', { exact: true }).waitFor()
}

describe('looks', { concurrency: 3 }, () => {
  for (const colorScheme of ['light', 'dark'])
    for (const size of SIZES)
      test(`every page is accessible and fits, ${colorScheme}, ${size.width} px`, async () => {
        const person = await Person.create()
        const [, , task] = await person.add(...SAMPLE)
        await person.api(`/${task.id}/complete`, 'PATCH', { completed: true })
        for (const who of [undefined, person])
          await inWindow({ size, colorScheme, person: who }, async (page) => {
            for (const [path, isForUsers] of PAGES) {
              if (isForUsers !== Boolean(who)) continue
              await visit(page, path.replace('ID', task.id))
              await assertAccessible(page, `${path} ${colorScheme} ${size.width}`)
              await assertNoSideways(page, path)
            }
          })
      })

  scenario('I1 K every key does what the list of keys says', {}, async (page, person, context) => {
    await person.add('Alpha', 'Beta', 'Gamma')
    await openTasks(page)
    const press = (key) => page.keyboard.press(key)
    await press('Escape')
    await eventually(() => focusedRow(page), 'Gamma', 'Escape leaves the field')
    await press('j')
    await eventually(() => focusedRow(page), 'Beta', 'j')
    await press('ArrowDown')
    await eventually(() => focusedRow(page), 'Alpha', 'arrow down')
    await press('k')
    await eventually(() => focusedRow(page), 'Beta', 'k')
    await press('ArrowUp')
    await eventually(() => focusedRow(page), 'Gamma', 'arrow up')
    const box = page.getByRole('checkbox', { name: 'Gamma' })
    await press('Space')
    assert.equal(await box.isChecked(), true, 'Space')
    await press('x')
    assert.equal(await box.isChecked(), false, 'x')
    await press('z')
    assert.equal(await box.isChecked(), true, 'z takes the tick back')
    await press('x')
    await press('Control+z')
    assert.equal(await box.isChecked(), true, 'Ctrl+Z')
    for (const key of ['Enter', 'e']) {
      await press(key)
      await page.getByRole('dialog', { name: 'Edit task' }).waitFor()
      await press('Escape')
      await page.getByRole('dialog').waitFor({ state: 'detached' })
      await eventually(() => focusedRow(page), 'Gamma', 'focus is back')
    }
    for (const key of ['Delete', 'Backspace', '#']) {
      await press(key)
      await page.getByText('Delete this task?').waitFor()
      await press('Escape')
      await page.getByText('Delete this task?').waitFor({ state: 'detached' })
      await eventually(() => focusedRow(page), 'Gamma', 'focus is back')
    }
    for (const [key, address, rows, focus] of [
      ['2', '/tasks?status=pending', ['Beta', 'Alpha'], 'Beta'],
      ['3', '/tasks?status=completed', ['Gamma'], 'Gamma'],
      ['1', '/tasks', ['Gamma', 'Beta', 'Alpha'], 'Gamma'],
    ]) {
      await press(key)
      assert.equal(await addressOf(page), address, key)
      assert.deepEqual(await rowTitles(page), rows, key)
      await eventually(() => focusedRow(page), focus, 'the focus stays in the list')
    }
    await press('s')
    assert.equal(await addressOf(page), '/tasks?sort=created%3Aasc')
    await press('n')
    assert.equal(await focusedId(page), 'add-title', 'n')
    await page.keyboard.type('n123s?')
    assert.equal(await page.getByLabel('New task').inputValue(), 'n123s?', 'letters are text in a field')
    await page.getByLabel('New task').fill('')
    await press('Escape')
    await press('/')
    assert.equal(await focusedId(page), 'search', '/')
    await page.keyboard.type('beta')
    await eventually(() => rowTitles(page), ['Beta'], 'search')
    await press('Escape')
    await eventually(() => focusedRow(page), 'Beta', 'Escape leaves the field first')
    await press('Escape')
    await eventually(() => rowTitles(page), ['Alpha', 'Beta', 'Gamma'], 'then clears the search')
    await press('Control+k')
    assert.equal(await focusedId(page), 'search', 'Ctrl+K')
    await press('Escape')
    context.requested.length = 0
    await press('r')
    await eventually(() => context.requested.filter((url) => url.includes('/api/tasks')).length, 1, 'r')
    await page.keyboard.press('?')
    const dialog = page.getByRole('dialog', { name: 'Keyboard shortcuts' })
    await dialog.waitFor()
    await assertAccessible(page, 'the list of keys')
    const listed = await dialog.locator('tbody tr').evaluateAll((rows) =>
      rows.map((one) => [...one.querySelectorAll('kbd')].map((key) => key.textContent).join(' ')))
    assert.deepEqual(listed, ['N', '/ Ctrl K', 'J ↓', 'K ↑', 'Space X', 'Enter E', 'Delete Backspace #',
      'Z Ctrl Z', '1 2 3', 'S', 'R', '?', 'Esc'])
    await press('j')
    await press('Escape')
    await dialog.waitFor({ state: 'detached' })
  })

  scenario('I2 switched off, no single character acts, and the other keys still do', {},
    async (page, person, context) => {
      await person.add('Alpha', 'Beta')
      await page.goto(`${BASE}/settings`)
      await page.getByLabel('Single-letter keyboard shortcuts').uncheck()
      await openTasks(page)
      await page.keyboard.press('Escape')
      await eventually(() => focusedRow(page), 'Beta', 'focus')
      context.requested.length = 0
      for (const key of ['n', '/', 'j', 'k', 'x', 'e', '#', 'z', '1', '2', '3', 's', 'r', '?']) {
        await page.keyboard.press(key)
        assert.equal(await focusedRow(page), 'Beta', key)
        assert.equal(await addressOf(page), '/tasks', key)
        assert.equal(await page.locator('dialog, .question, input:checked').count(), 0, key)
      }
      assert.deepEqual(context.requested.filter((url) => url.includes('/api/')), [])
      await page.keyboard.press('ArrowDown')
      await eventually(() => focusedRow(page), 'Alpha', 'arrow down')
    })

  const zooms = [
    ['200 % text', SIZES, (page) => page.evaluate(() => {
      document.documentElement.style.fontSize = '200%'
    })],
    ['text spacing', SIZES, (page) => page.evaluate(() => {
      const sheet = new CSSStyleSheet()
      sheet.replaceSync('* { line-height: 1.5 !important; letter-spacing: .12em !important; ' +
        'word-spacing: .16em !important } p { margin-block-end: 2em !important }')
      document.adoptedStyleSheets = [sheet]
    })],
    ['400 % zoom', [{ width: 320, height: 200 }], () => {}],
  ]
  for (const [name, sizes, apply] of zooms)
    scenario(`I3 with ${name} and long words nothing is cut or scrolls sideways`, { sizes },
      async (page, person) => {
        await person.auth('/update-user', { name: WORD })
        const [task] = await person.add(...SAMPLE)
        for (const path of ['/tasks', `/tasks/${task.id}`, '/settings']) {
          await visit(page, path)
          await apply(page)
          await assertNoSideways(page, `${path} with ${name}`)
          await assertNothingCut(page, `${path} with ${name}`)
        }
      })

  for (const media of [{ colorScheme: 'dark' }, { forcedColors: 'active' }, { reducedMotion: 'reduce' }])
    scenario(`I4 ${Object.entries(media).join(' ')}: legible, and nothing moves that should not`, media,
      async (page, person) => {
        await person.add(...SAMPLE)
        await openTasks(page)
        await page.getByRole('checkbox').first().click()
        await page.getByRole('button', { name: 'Delete Buy milk' }).click()
        await assertAccessible(page, JSON.stringify(media))
        if (media.forcedColors)
          assert.equal(await page.locator('.icon').first().evaluate((one) =>
            getComputedStyle(one).backgroundColor !== 'rgba(0, 0, 0, 0)'), true)
        await page.getByRole('button', { name: 'Edit Buy milk' }).click()
        await page.getByRole('dialog').waitFor()
        const moving = await page.evaluate(() => document.getAnimations().filter((one) =>
          one.effect.getComputedTiming().duration > 0).length)
        if (media.reducedMotion) assert.equal(moving, 0)
      })

  scenario('I5 Urdu is mirrored, with its own dates and plurals', {}, async (page, person) => {
    await person.add(...SAMPLE)
    await page.addInitScript(() => localStorage.setItem('todo.prefs', JSON.stringify({ language: 'ur' })))
    await openTasks(page)
    assert.equal(await page.evaluate(() => document.documentElement.dir), 'rtl')
    assert.equal(await page.evaluate(() => document.documentElement.lang), 'ur')
    const brand = await page.locator('.brand').boundingBox()
    const nav = await page.locator('nav').boundingBox()
    assert.ok(brand.x > nav.x, 'the name is on the right')
    await page.getByText('3 کام باقی').waitFor()
    const words = await page.locator('time').first().evaluate((one) => one.title)
    const date = await page.evaluate(() => new Intl.DateTimeFormat('ur', { dateStyle: 'full' }).format(new Date()))
    assert.ok(words.startsWith(date), `${words} does not begin with ${date}`)
    assert.equal(await page.locator('.title', { hasText: 'Buy milk' })
      .evaluate((one) => getComputedStyle(one).direction), 'ltr', 'English text keeps its direction')
  })

  scenario('I6 a search takes every character as it is, and letter case as the same', {},
    async (page, person) => {
      await person.add('100 % sure', 'snake_case', 'Éclair', 'plain')
      await openTasks(page)
      for (const [text, wanted] of [['%', ['100 % sure']], ['_', ['snake_case']], ['éCL', ['Éclair']],
        ['PLAIN', ['plain']]]) {
        await page.getByLabel('Search').fill(text)
        await eventually(() => rowTitles(page), wanted, text)
      }
    })

  scenario('I7 filter, search and order are restored from the address, and back works', {},
    async (page, person) => {
      const tasks = await person.add('x zulu', 'x alpha', 'x open', 'other')
      for (const task of [tasks[0], tasks[1], tasks[3]])
        await person.api(`/${task.id}/complete`, 'PATCH', { completed: true })
      await openTasks(page, '/tasks?status=completed&search=x&sort=title')
      assert.deepEqual(await rowTitles(page), ['x alpha', 'x zulu'])
      assert.equal(await page.getByLabel('Search').inputValue(), 'x')
      assert.equal(await page.getByRole('button', { name: /^Done/ }).getAttribute('aria-pressed'), 'true')
      assert.equal(await page.getByLabel('Order').inputValue(), 'title')
      await page.getByRole('button', { name: /^All/ }).click()
      await eventually(() => rowTitles(page), ['x alpha', 'x open', 'x zulu'], 'all')
      await page.goBack()
      await eventually(() => rowTitles(page), ['x alpha', 'x zulu'], 'back')
      await page.goto(`${BASE}/tasks?new=From%20a%20shortcut`)
      await eventually(() => page.getByLabel('New task').inputValue(), 'From a shortcut', 'filled, not sent')
      assert.equal((await person.tasks()).length, 4)
    })

  test('a language with longer words fits, and no word of the page is left untranslated', async () => {
    const person = await Person.create()
    const [task] = await person.add(...SAMPLE)
    const pseudo = pseudoLanguage({ ...messages('en'), ...messages('en-more') })
    for (const size of SIZES)
      await inWindow({ person, size }, async (page, context) => {
        await context.route(/\/assets\/de-\w+\.json/, (route) => route.fulfill({ json: pseudo }))
        await page.addInitScript(() => localStorage.setItem('todo.prefs', JSON.stringify({ language: 'de' })))
        for (const path of ['/tasks', `/tasks/${task.id}`, '/settings', '/nowhere', '/verify-email']) {
          await page.goto(BASE + path)
          await page.locator('h1', { hasText: '⟦' }).waitFor()
          if (path.startsWith('/tasks/')) await page.getByRole('dialog').waitFor()
          if (path === '/settings') await page.locator('.sessions li').waitFor()
          assert.deepEqual(await untranslated(page), [], path)
          await assertNoSideways(page, path)
          await assertNothingCut(page, path)
        }
      })
  })
})

// 40 % longer, with marked ends.
function pseudoLanguage(english) {
  const stretch = (text) => `⟦${text}${'·'.repeat(Math.ceil(text.length * 0.4))}⟧`
  return Object.fromEntries(Object.entries(english).map(([key, message]) => [key,
    typeof message === 'string' ? stretch(message)
      : Object.fromEntries(Object.entries(message).map(([form, text]) => [form, stretch(text)]))]))
}

// Texts with letters that are not of the pseudo-language, besides what people wrote, dates and names.
const untranslated = (page) => page.evaluate(() => {
  const own = '.title, .description, time, kbd, input, textarea, noscript, script, style, [dir=ltr], ' +
    '#c-language option:not([value=""])'
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
  const found = []
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.textContent.trim()
    if (!/\p{L}/u.test(text) || node.parentElement.closest(own)) continue
    if (!/^\(?⟦.*⟧/s.test(text)) found.push(text)
  }
  for (const element of document.querySelectorAll('[aria-label], [placeholder], button[title]'))
    for (const name of ['aria-label', 'placeholder', 'title']) {
      const text = element.getAttribute(name)
      if (text && element.tagName !== 'TIME' && !text.startsWith('⟦')) found.push(`${name}: ${text}`)
    }
  return found
})

// No text is wider than the box that hides what does not fit.
async function assertNothingCut(page, what) {
  const cut = await page.evaluate(() => [...document.querySelectorAll('button, a, p, h1, h2, label, span, td, li')]
    .filter((one) => {
      const style = getComputedStyle(one)
      if (one.closest('.hidden, .skip') || style.display === 'inline' || !one.clientWidth) return false
      return one.scrollWidth > one.clientWidth + 1
    })
    .map((one) => `${one.className || one.tagName}: ${one.textContent.slice(0, 60)}`))
  assert.deepEqual(cut, [], `${what} cuts text`)
}
