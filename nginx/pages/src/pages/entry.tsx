// The pages for guests: welcome, sign up, log in.
import { useEffect, useState } from 'preact/hooks'
import { ask, client, signIn, signUp, unheard } from '../core/auth'
import { wipe } from '../core/disk'
import { t } from '../core/i18n'
import { Failure } from '../core/net'
import { go, query, safeNext } from '../core/router'
import { Field, Form, FormState, isEmail, passwordError, present, useForm } from '../ui/form'
import { Heading, Icon, Link, Note, WorkButton, useTitle } from '../ui/parts'

export function Welcome() {
  useTitle(t('welcome.title'))
  return (
    <div class="welcome">
      <span class="brand-mark" aria-hidden="true"><Icon name="check" /></span>
      <Heading focus={false}>{t('app.name')}</Heading>
      <p class="lead">{t('welcome.lead')}</p>
      <div class="actions">
        <Link class="button" href="/signup">{t('signup')}</Link>
        <Link class="button quiet" href="/login">{t('login')}</Link>
      </div>
    </div>
  )
}

export function Signup() {
  useTitle(t('signup'))
  const state = useForm(
    (values) => present({
      name: [...values.name.trim()].length < 2 && t('name.short'),
      email: !isEmail(values.email.trim()) && t('email.wrong'),
      password: passwordError(values.password),
      again: values.again !== values.password && t('password.differ'),
    }),
    async ({ name, email, password }) => {
      const address = email.trim()
      if (await signUp(name.trim(), address, password)) return // the page moves on by itself
      go(`/login?created=1&email=${encodeURIComponent(address)}`)
    },
    (failure) => {
      if (/USER_ALREADY_EXISTS|EMAIL/.test(failure.code)) return 'email'
      return /PASSWORD/.test(failure.code) ? 'password' : ''
    },
  )
  return (
    <div class="narrow card">
      <Heading>{t('signup')}</Heading>
      <Form state={state} label={t('signup')}>
        <Field state={state} name="name" label={t('name')} autocomplete="name" />
        <Field state={state} name="email" label={t('email')} type="email" autocomplete="email" />
        <Field state={state} name="password" label={t('password')} type="password"
          autocomplete="new-password" hint={t('password.hint')} />
        <Field state={state} name="again" label={t('password.again')} type="password"
          autocomplete="new-password" />
        <WorkButton busy={state.busy} class="wide">{t('signup')}</WorkButton>
      </Form>
      <p class="aside">{t('signup.have')} <Link href={`/login${location.search}`}>{t('login')}</Link></p>
    </div>
  )
}

// E-mail and password, as the log-in page and the dialog need them.
export function useLogin(fixedEmail?: string) {
  const [unverified, setUnverified] = useState('')
  const state = useForm(
    (values) => present({
      email: !fixedEmail && !isEmail(values.email.trim()) && t('email.wrong'),
      password: !values.password && t('password.missing'),
    }),
    async ({ email, password, keep }, form) => {
      const address = fixedEmail ?? email.trim()
      setUnverified('')
      try {
        await signIn(address, password, fixedEmail !== undefined || keep === 'on')
      } catch (error) {
        if ((error as Failure).code === 'EMAIL_NOT_VERIFIED') setUnverified(address)
        const field = form.elements.namedItem('password') as HTMLInputElement
        if ((error as Failure).status === 401) {
          field.value = ''
          setTimeout(() => field.focus())
        }
        throw error
      }
    },
  )
  return { state, unverified }
}

function SendVerification({ email, state }: { email: string; state: FormState }) {
  const [sent, setSent] = useState(false)
  if (sent) return <Note>{t('verify.sent')}</Note>
  return (
    <button
      type="button"
      class="button quiet wide"
      onClick={() =>
        ask(client.sendVerificationEmail({ email, callbackURL: '/verify-email' })).then(
          () => setSent(true),
          (failure) => state.setGeneral(failure.message),
        )}
    >
      {t('verify.send')}
    </button>
  )
}

export function Login() {
  useTitle(t('login'))
  const { state, unverified } = useLogin()
  const params = query.value
  const next = params.get('next')
  useEffect(() => {
    if (params.has('deleted')) void wipe()
  }, [])
  return (
    <div class="narrow card">
      <Heading>{t('login')}</Heading>
      {params.has('created') && <Note>{t('login.created')}</Note>}
      {params.has('reset') && <Note>{t('login.reset')}</Note>}
      {params.has('deleted') && <Note>{t('login.deleted')}</Note>}
      {unheard.value && <p class="alert" role="alert">{t('login.unheard')}</p>}
      <Form state={state} label={t('login')}>
        <Field state={state} name="email" label={t('email')} type="email" autocomplete="username"
          value={params.get('email') ?? ''} />
        <Field state={state} name="password" label={t('password')} type="password"
          autocomplete="current-password" />
        <label class="check">
          <input type="checkbox" name="keep" defaultChecked />
          <span>{t('login.keep')}</span>
        </label>
        <WorkButton busy={state.busy} class="wide">{t('login')}</WorkButton>
        {unverified && <SendVerification email={unverified} state={state} />}
      </Form>
      <p class="aside"><Link href="/forgot-password">{t('login.forgot')}</Link></p>
      <p class="aside">
        {t('login.new')}{' '}
        <Link href={next ? `/signup?next=${encodeURIComponent(safeNext(next))}` : '/signup'}>
          {t('signup')}
        </Link>
      </p>
    </div>
  )
}
