// The pages that belong to mails: a new password, a confirmed address.
import { useState } from 'preact/hooks'
import { ask, client, refetchSession, state as whoState } from '../core/auth'
import { maybe, t } from '../core/i18n'
import { go, query } from '../core/router'
import { Field, Form, isEmail, passwordError, present, useForm } from '../ui/form'
import { Alert, Heading, Link, Note, WorkButton, useTitle } from '../ui/parts'
import { useEffect } from 'preact/hooks'

export function ForgotPassword() {
  useTitle(t('forgot.title'))
  const [sent, setSent] = useState(false)
  const state = useForm(
    ({ email }) => present({ email: !isEmail(email.trim()) && t('email.wrong') }),
    async ({ email }) => {
      await ask(client.requestPasswordReset({ email: email.trim(), redirectTo: '/reset-password' }))
      setSent(true)
    },
  )
  return (
    <div class="narrow card">
      <Heading>{t('forgot.title')}</Heading>
      {sent ? <Note>{t('forgot.sent')}</Note> : (
        <Form state={state} label={t('forgot.title')}>
          <p>{t('forgot.lead')}</p>
          <Field state={state} name="email" label={t('email')} type="email" autocomplete="username" />
          <WorkButton busy={state.busy} class="wide">{t('forgot.send')}</WorkButton>
        </Form>
      )}
      <p class="aside"><Link href="/login">{t('back.login')}</Link></p>
    </div>
  )
}

export function ResetPassword() {
  useTitle(t('reset.title'))
  // The token leaves the address at once, so that it does not stay in the history.
  const [token] = useState(query.peek().get('token') ?? '')
  const [broken, setBroken] = useState(!token)
  useEffect(() => {
    if (token) go('/reset-password', { replace: true })
  }, [])
  const state = useForm(
    (values) => present({
      password: passwordError(values.password),
      again: values.again !== values.password && t('password.differ'),
    }),
    async ({ password }) => {
      try {
        await ask(client.resetPassword({ newPassword: password, token }))
      } catch (failure) {
        if ((failure as { code: string }).code === 'INVALID_TOKEN') return setBroken(true)
        throw failure
      }
      go(whoState.peek() === 'user' ? '/settings' : '/login?reset=1', { replace: true })
    },
    ({ code }) => (/PASSWORD/.test(code) ? 'password' : ''),
  )
  return (
    <div class="narrow card">
      <Heading>{t('reset.title')}</Heading>
      {broken ? (
        <>
          <Alert>{t('reset.broken')}</Alert>
          <Link class="button wide" href="/forgot-password">{t('reset.anew')}</Link>
        </>
      ) : (
        <Form state={state} label={t('reset.title')}>
          <Field state={state} name="password" label={t('password.new')} type="password"
            autocomplete="new-password" hint={t('password.hint')} />
          <Field state={state} name="again" label={t('password.again')} type="password"
            autocomplete="new-password" />
          <WorkButton busy={state.busy} class="wide">{t('reset.save')}</WorkButton>
        </Form>
      )}
      <p class="aside"><Link href="/login">{t('back.login')}</Link></p>
    </div>
  )
}

// Where the link of a verification mail ends: the server has done its part already.
export function VerifyEmail() {
  useTitle(t('verify.title'))
  const error = query.value.get('error')
  useEffect(() => {
    if (!error) void refetchSession()
  }, [])
  return (
    <div class="narrow card">
      <Heading>{t('verify.title')}</Heading>
      {error ? (
        <Alert>{maybe(`verify.${error}`) ?? t('verify.broken')}</Alert>
      ) : (
        <Note>{t('verify.done')}</Note>
      )}
      {whoState.value === 'user' ? (
        <Link class="button wide" href={error ? '/settings' : '/tasks'}>
          {t(error ? 'verify.settings' : 'back.tasks')}
        </Link>
      ) : (
        <Link class="button wide" href="/login">{t('login')}</Link>
      )}
    </div>
  )
}
