// The dialog that asks for the password again.
import { ended, person, signOut } from '../core/auth'
import { t } from '../core/i18n'
import { Dialog } from '../ui/dialog'
import { Field, Form } from '../ui/form'
import { WorkButton } from '../ui/parts'
import { useLogin } from './entry'

// The session ended while the page is in use: the page stays as it is behind this.
export function LoginAgain() {
  const email = person.value?.email ?? ''
  const { state } = useLogin(email)
  if (!ended.value) return null
  return (
    <Dialog title={t('again.title')}>
      <p>{t('again.why')}</p>
      <Form state={state} label={t('again.title')}>
        <Field state={state} name="email" label={t('email')} type="email" autocomplete="username"
          value={email} readOnly />
        <Field state={state} name="password" label={t('password')} type="password"
          autocomplete="current-password" first />
        <div class="actions">
          <WorkButton busy={state.busy}>{t('login')}</WorkButton>
          <button type="button" class="button quiet" onClick={() => void signOut()}>
            {t('again.other')}
          </button>
        </div>
      </Form>
    </Dialog>
  )
}
