// What the first view does without: loaded when the page is idle, or when it is asked for.
// It builds on the first script, so that nothing is loaded twice.
import './main'
import { addEnglish } from './core/i18n'
import { startUpdates } from './core/update'
import english from './messages/en-more.json'

addEnglish(english)
startUpdates()

export { LoginAgain } from './pages/again'
export { ForgotPassword, ResetPassword, VerifyEmail } from './pages/mail'
export { SettingsPage } from './settings/page'
export { ClearDialog } from './tasks/clear-dialog'
export { Editor } from './tasks/editor'
export { KeysDialog } from './tasks/keys-dialog'
export { Trouble } from './tasks/trouble'
