// The account and everything in it, removed for good, after the password was given.
import { useState } from 'preact/hooks'
import { ask, client, forgetPerson } from '../core/auth'
import { t } from '../core/i18n'
import { Failure } from '../core/net'
import { go } from '../core/router'
import { Dialog } from '../ui/dialog'
import { Field, Form, present, useForm } from '../ui/form'
import { Note, WorkButton } from '../ui/parts'
import { Section } from './page'

export function DeleteAccount() {
  const [isOpen, setOpen] = useState(false)
  return (
    <Section title={t('account.delete')}>
      <p class="hint">{t('account.why')}</p>
      <div class="actions">
        <button type="button" class="button danger quiet" onClick={() => setOpen(true)}>
          {t('account.delete')}
        </button>
      </div>
      {isOpen && <DeleteDialog onClose={() => setOpen(false)} />}
    </Section>
  )
}

function DeleteDialog({ onClose }: { onClose: () => void }) {
  const [isAsked, setAsked] = useState(false)
  const state = useForm(
    ({ password }) => present({ password: !password && t('password.missing') }),
    async ({ password }) => {
      const answer = await ask<{ message?: string }>(
        client.deleteUser({ password, callbackURL: '/login?deleted=1' }),
      ).catch((failure: Failure) => {
        // A server that does not offer this has no such route.
        if (failure.status === 404) throw new Failure(400, { message: t('account.off') })
        throw failure
      })
      // A server may ask for a click in a mail first.
      if (answer?.message && !/deleted/i.test(answer.message)) return setAsked(true)
      await forgetPerson()
      go('/login?deleted=1', { replace: true })
    },
    ({ code }) => (code === 'INVALID_PASSWORD' ? 'password' : ''),
  )
  return (
    <Dialog title={t('account.ask')} onClose={onClose}>
      {isAsked ? <Note>{t('account.mail')}</Note> : (
        <Form state={state} label={t('account.ask')}>
          <p>{t('account.final')}</p>
          <Field state={state} name="password" label={t('password')} type="password"
            autocomplete="current-password" first />
          <div class="actions">
            <WorkButton busy={state.busy} class="danger">{t('account.delete')}</WorkButton>
            <button type="button" class="button quiet" onClick={onClose}>{t('cancel')}</button>
          </div>
        </Form>
      )}
    </Dialog>
  )
}
