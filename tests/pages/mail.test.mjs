// Mail, from the form in a page to the link that is opened in the browser: an instance of its own that
// wants confirmed addresses, and a real SMTP server that takes what it sends.
import assert from 'node:assert/strict'
import { after, describe } from 'node:test'
import { simpleParser } from 'mailparser'
import { SMTPServer } from 'smtp-server'
import { sql } from '../http/harness.mjs'
import { newDatabase, startOurs } from '../interop/instance.mjs'

const inbox = []
const server = new SMTPServer({
  logger: false,
  authOptional: true,
  disabledCommands: ['STARTTLS'],
  onData: (stream, _, done) => simpleParser(stream).then((mail) => done(void inbox.push(mail)), done),
})
let database, ours
after(async () => {
  await ours?.stop()
  database?.drop()
  await new Promise((done) => server.close(done))
})
await new Promise((done) => server.listen(0, '127.0.0.1', done))
database = newDatabase()
ours = await startOurs({
  DATABASE_URL: database.url, SMTP_URL: `smtp://127.0.0.1:${server.server.address().port}`,
  MAIL_FROM: 'Todo <todo@example.com>', AUTH_REQUIRE_EMAIL_VERIFICATION: 'on', AUTH_DELETE_USER: 'confirm',
})
process.env.TODO_URL = ours.origin
const {
  BASE, PASSWORD, Person, assertAccessible, eventually, giveCookies, newEmail, openTasks, scenario, useBrowser,
} = await import('./support.mjs')

useBrowser()

const mailsFor = (address) => inbox.filter((mail) => mail.to.text === address)
// The link in the newest mail for an address, once there are so many.
async function linkFor(address, count = 1) {
  await eventually(() => mailsFor(address).length, count, `mails for ${address}`)
  return /http\S+/.exec(mailsFor(address).at(-1).text)[0]
}

// Somebody whose address is confirmed, with a session.
async function confirmedPerson() {
  const person = await Person.create()
  await fetch(await linkFor(person.email), { redirect: 'manual' })
  person.cookies = await person.logIn()
  return person
}

async function logIn(page, email, password) {
  await page.getByLabel('E-mail').fill(email)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Log in' }).click()
}

describe('mail', { concurrency: 3 }, () => {
  scenario('A1 where addresses must be confirmed, the link in the mail opens the new account',
    { person: false, failing: true }, async (page) => {
      const email = newEmail()
      await page.goto(`${BASE}/signup`)
      for (const [label, text] of [['Name', 'Zoë'], ['E-mail', email], ['Password', PASSWORD], ['Password again', PASSWORD]])
        await page.getByLabel(label, { exact: true }).fill(text)
      await page.getByRole('button', { name: 'Sign up' }).click()
      await page.getByText('Account created. Log in to begin.').waitFor()
      assert.equal(await page.getByLabel('E-mail').inputValue(), email)
      await logIn(page, email, PASSWORD)
      await page.getByRole('alert').getByText('Email not verified').waitFor()
      await linkFor(email)
      await page.getByRole('button', { name: 'Send verification e-mail' }).click()
      await page.getByText('Sent. Look into your mail.').waitFor()
      await assertAccessible(page, 'a mail was sent')
      await page.goto(await linkFor(email, 2))
      await page.getByText('Your e-mail address is confirmed.').waitFor()
      await page.getByRole('link', { name: 'Log in' }).click()
      await logIn(page, email, PASSWORD)
      await page.getByText('No tasks yet').waitFor()
    })

  scenario('a forgotten password: the link in the mail sets a new one, once',
    { person: false, failing: true }, async (page) => {
      const { email } = await confirmedPerson()
      const nobody = newEmail()
      const answers = []
      for (const address of [nobody, email]) {
        await page.goto(`${BASE}/login`)
        await page.getByRole('link', { name: 'Forgot your password?' }).click()
        await page.getByLabel('E-mail').fill('not an address')
        await page.getByRole('button', { name: 'Send link' }).click()
        await page.getByText('Enter an e-mail address').waitFor()
        await page.getByLabel('E-mail').fill(address)
        await page.getByRole('button', { name: 'Send link' }).click()
        await page.getByText('If there is an account with this address').waitFor()
        answers.push(await page.getByRole('main').innerText())
      }
      assert.equal(answers[0], answers[1], 'the answer tells nobody who has an account')
      await assertAccessible(page, 'a link was sent')
      const link = await linkFor(email, 2)
      assert.deepEqual(mailsFor(nobody), [])
      await page.goto(link)
      await page.getByRole('heading', { name: 'Choose a new password' }).waitFor()
      await eventually(() => page.url(), `${BASE}/reset-password`, 'the token leaves the address')
      await page.getByRole('textbox', { name: 'New password' }).fill('another horse 7')
      await page.getByLabel('Password again').fill('another horse 7')
      await page.getByRole('button', { name: 'Save password' }).click()
      await page.getByText('Password changed. Log in with the new one.').waitFor()
      await logIn(page, email, PASSWORD)
      await page.getByRole('alert').getByText('Invalid email or password').waitFor()
      await logIn(page, email, 'another horse 7')
      await page.getByText('No tasks yet').waitFor()
      await page.goto(link)
      await page.getByText('This link is not valid any more.').waitFor()
      await page.getByRole('link', { name: 'Send a new link' }).waitFor()
    })

  scenario('an address that is not confirmed yet is confirmed from the settings', { person: false },
    async (page, _, context) => {
      const person = await confirmedPerson()
      sql(`UPDATE "user" SET "emailVerified" = false WHERE id = :'id'`, { id: person.id }, database.url)
      await giveCookies(context, person.cookies)
      await page.goto(`${BASE}/settings`)
      await page.getByRole('button', { name: 'Send verification e-mail' }).click()
      await page.getByText('Sent. Look into your mail.').waitFor()
      await page.goto(await linkFor(person.email, 2))
      await page.getByText('Your e-mail address is confirmed.').waitFor()
      await page.getByRole('link', { name: 'Go to tasks' }).click()
      await page.getByText('No tasks yet').waitFor()
      await page.getByRole('link', { name: 'Settings' }).click()
      await page.getByText('Confirmed', { exact: true }).waitFor()
    })

  scenario('where a mail asks first, an account is deleted by its link', { person: false, failing: true },
    async (page, _, context) => {
      const person = await confirmedPerson()
      await giveCookies(context, person.cookies)
      await openTasks(page)
      await page.getByRole('link', { name: 'Settings' }).click()
      await page.getByRole('button', { name: 'Delete account' }).click()
      const dialog = page.getByRole('dialog')
      await dialog.getByLabel('Password', { exact: true }).fill(PASSWORD)
      await dialog.getByRole('button', { name: 'Delete account' }).click()
      await dialog.getByText('Open the link in the mail').waitFor()
      await assertAccessible(page, 'a mail asks')
      await page.goto(await linkFor(person.email, 2))
      await page.getByText('Your account and all its tasks are deleted.').waitFor()
      assert.equal(sql(`SELECT count(*) FROM "user" WHERE id = :'id'`, { id: person.id }, database.url), '0')
    })
})
