// The question before all completed tasks are removed for good.
import * as actions from '../core/actions'
import { t } from '../core/i18n'
import type { Item } from '../core/list'
import { Dialog } from '../ui/dialog'

export function ClearDialog({ items, onClose }: { items: Item[]; onClose: () => void }) {
  return (
    <Dialog title={t('clear.title')} onClose={onClose}>
      <p>{t('clear.ask', { n: items.length })}</p>
      <div class="actions">
        <button
          type="button"
          class="button danger"
          onClick={() => {
            onClose()
            actions.remove(items)
          }}
        >
          {t('delete')}
        </button>
        <button type="button" class="button quiet" data-first onClick={onClose}>{t('cancel')}</button>
      </div>
    </Dialog>
  )
}
