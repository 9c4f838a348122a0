// The list of keys, made from the table that acts on them.
import { t } from '../core/i18n'
import { prefs } from '../core/prefs'
import { Dialog } from '../ui/dialog'
import { ENTRIES, helpOpen } from './keys'

export function KeysDialog() {
  return (
    <Dialog title={t('keys.title')} onClose={() => (helpOpen.value = false)}>
      <table class="keys">
        <thead class="hidden"><tr><th>{t('keys.key')}</th><th>{t('keys.does')}</th></tr></thead>
        <tbody>
          {ENTRIES.filter((one) => one.shown.length).map((one) => (
            <tr key={one.name}>
              <td>{one.shown.map((key) => <kbd key={key}>{key}</kbd>)}</td>
              <td>{t(one.name)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {!prefs.value.letters && <p class="hint">{t('keys.off')}</p>}
    </Dialog>
  )
}
