// The account and the choices of this device.
import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { announce } from '../core/announce'
import { ask, client, person, signOut } from '../core/auth'
import { LANGUAGES, t } from '../core/i18n'
import { changes } from '../core/outbox'
import { Prefs, prefs, setPrefs } from '../core/prefs'
import { Dialog } from '../ui/dialog'
import { Field, Form, passwordError, present, useForm } from '../ui/form'
import { Heading, Note, WorkButton, useTitle } from '../ui/parts'
import { DeleteAccount } from './delete-account'
import { Export } from './export'
import { Sessions } from './sessions'

export function Section({ title, children }: { title: string; children: ComponentChildren }) {
  return (
    <section class="card section" aria-label={title}>
      <h2>{title}</h2>
      {children}
    </section>
  )
}

export function SettingsPage() {
  useTitle(t('settings'))
  return (
    <div class="settings">
      <Heading>{t('settings')}</Heading>
      <Profile />
      <Choices />
      <Password />
      <Sessions />
      <Export />
      <Leave />
      <DeleteAccount />
    </div>
  )
}

function Profile() {
  const { name, email, emailVerified } = person.value!
  const [saved, setSaved] = useState(false)
  const [sent, setSent] = useState(false)
  const state = useForm(
    (values) => present({ name: [...values.name.trim()].length < 2 && t('name.short') }),
    async (values) => {
      setSaved(false)
      await ask(client.updateUser({ name: values.name.trim() }))
      setSaved(true)
    },
  )
  const verify = () =>
    ask(client.sendVerificationEmail({ email, callbackURL: '/verify-email' })).then(
      () => setSent(true),
      (failure) => state.setGeneral(failure.message || t('error.unknown')),
    )
  return (
    <Section title={t('profile')}>
      <Form state={state} label={t('profile')}>
        <Field key={name} state={state} name="name" label={t('name')} autocomplete="name" value={name} />
        <div class="field">
          <span class="label">{t('email')}</span>
          <p class="value">
            <span dir="ltr">{email}</span>
            {emailVerified && <span class="chip good">{t('verify.yes')}</span>}
          </p>
          {!emailVerified && !sent && (
            <button type="button" class="text-button" onClick={() => void verify()}>
              {t('verify.send')}
            </button>
          )}
          {sent && <Note>{t('verify.sent')}</Note>}
        </div>
        <div class="actions">
          <WorkButton busy={state.busy}>{t('profile.save')}</WorkButton>
          {saved && <Note>{t('saved')}</Note>}
        </div>
      </Form>
    </Section>
  )
}

function Password() {
  const [saved, setSaved] = useState(false)
  const state = useForm(
    (values) => present({
      current: !values.current && t('password.missing'),
      password: passwordError(values.password),
    }),
    async ({ current, password, others }, form) => {
      setSaved(false)
      await ask(client.changePassword({
        currentPassword: current, newPassword: password, revokeOtherSessions: others === 'on',
      }))
      form.reset()
      setSaved(true)
    },
    ({ code }) => {
      if (code === 'INVALID_PASSWORD') return 'current'
      return /PASSWORD_TOO/.test(code) ? 'password' : ''
    },
  )
  return (
    <Section title={t('password')}>
      <Form state={state} label={t('password')}>
        <input class="hidden" type="text" name="username" autoComplete="username" readOnly
          value={person.value!.email} tabIndex={-1} aria-hidden="true" />
        <Field state={state} name="current" label={t('password.current')} type="password"
          autocomplete="current-password" />
        <Field state={state} name="password" label={t('password.new')} type="password"
          autocomplete="new-password" hint={t('password.hint')} />
        <label class="check">
          <input type="checkbox" name="others" />
          <span>{t('password.others')}</span>
        </label>
        <div class="actions">
          <WorkButton busy={state.busy}>{t('password.change')}</WorkButton>
          {saved && <Note>{t('password.changed')}</Note>}
        </div>
      </Form>
    </Section>
  )
}

function Choice<K extends keyof Prefs>({ name, label, options }: {
  name: K
  label: string
  options: [Prefs[K], string][]
}) {
  return (
    <div class="field">
      <label for={`c-${name}`}>{label}</label>
      <select
        id={`c-${name}`}
        value={String(prefs.value[name])}
        onChange={(event) => {
          setPrefs({ [name]: event.currentTarget.value } as Partial<Prefs>)
          announce(t('saved'))
        }}
      >
        {options.map(([value, words]) => (
          <option key={String(value)} value={String(value)}>{words}</option>
        ))}
      </select>
    </div>
  )
}

function Choices() {
  return (
    <Section title={t('choices')}>
      <div class="columns">
        <Choice name="language" label={t('language')} options={[
          ['', t('language.auto')],
          ...(Object.entries(LANGUAGES) as [Prefs['language'], string][]),
        ]} />
        <Choice name="theme" label={t('theme')} options={[
          ['system', t('theme.system')], ['light', t('theme.light')], ['dark', t('theme.dark')],
        ]} />
        <Choice name="removal" label={t('removal')} options={[
          ['confirm', t('removal.confirm')], ['undo', t('removal.undo')],
        ]} />
      </div>
      <label class="check">
        <input
          id="c-letters"
          type="checkbox"
          checked={prefs.value.letters}
          onChange={(event) => setPrefs({ letters: event.currentTarget.checked })}
        />
        <span>{t('letters')}</span>
      </label>
      <p class="hint">{t('letters.why')}</p>
    </Section>
  )
}

function Leave() {
  const [asking, setAsking] = useState(false)
  const [busy, setBusy] = useState(false)
  const leave = () => {
    setBusy(true)
    void signOut()
  }
  useEffect(() => {
    if (!changes.value.length) setAsking(false)
  }, [changes.value.length])
  return (
    <Section title={t('logout')}>
      <p class="hint">{t('logout.why')}</p>
      <div class="actions">
        <WorkButton
          type="button"
          class="quiet"
          busy={busy}
          onClick={() => (changes.peek().length ? setAsking(true) : leave())}
        >
          {t('logout')}
        </WorkButton>
      </div>
      {asking && (
        <Dialog title={t('logout')} onClose={() => setAsking(false)}>
          <p>{t('logout.waiting', { n: changes.value.length })}</p>
          <div class="actions">
            <button type="button" class="button danger" onClick={leave}>{t('logout.anyway')}</button>
            <button type="button" class="button quiet" data-first onClick={() => setAsking(false)}>
              {t('cancel')}
            </button>
          </div>
        </Dialog>
      )}
    </Section>
  )
}
