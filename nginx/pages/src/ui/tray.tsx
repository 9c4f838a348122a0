// The bars at the foot of the page: no network, a removal that can be undone, a new version. They
// lie over the page, so nothing jumps when they come and go.
import { useEffect, useRef } from 'preact/hooks'
import * as actions from '../core/actions'
import { state } from '../core/auth'
import { t } from '../core/i18n'
import { waiting } from '../core/outbox'
import { link } from '../core/net'
import { newVersion, takeNewVersion } from '../core/version'
import { IconButton, Icon } from './parts'

const UNDO_MS = 8000

export function Tray() {
  return (
    <section class="tray" aria-label={t('notices')}>
      {link.value !== 'up' && state.value === 'user' && (
        <div class="bar" role="status">
          <Icon name="cloud" />
          <span>
            {t(link.value === 'offline' ? 'bar.offline' : 'bar.down')}{' '}
            {waiting.value > 0 && t('bar.waiting', { n: waiting.value })}
          </span>
        </div>
      )}
      {actions.removed.value.length > 0 && <UndoBar key={actions.removed.value[0].ref} />}
      {newVersion.value && (
        <div class="bar" role="status">
          <span>{t('bar.version')}</span>
          <button type="button" onClick={takeNewVersion}>{t('bar.reload')}</button>
        </div>
      )}
    </section>
  )
}

// Its time stops while somebody is at it.
function UndoBar() {
  const left = useRef(UNDO_MS)
  const since = useRef(0)
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  const holds = useRef(new Set<string>())
  const start = () => {
    since.current = Date.now()
    timer.current = setTimeout(actions.finishRemoval, left.current)
  }
  const hold = (why: string) => {
    if (!holds.current.size) {
      clearTimeout(timer.current)
      left.current -= Date.now() - since.current
    }
    holds.current.add(why)
  }
  const letGo = (why: string) => {
    if (holds.current.delete(why) && !holds.current.size) start()
  }
  useEffect(() => {
    start()
    return () => clearTimeout(timer.current)
  }, [])
  const items = actions.removed.value
  const words = items.length === 1 ? t('bar.deleted') : t('bar.deletedMany', { n: items.length })
  return (
    <div
      class="bar undo"
      onMouseEnter={() => hold('pointer')}
      onMouseLeave={() => letGo('pointer')}
      onFocusIn={() => hold('focus')}
      onFocusOut={() => letGo('focus')}
    >
      <span>{words}</span>
      <button type="button" onClick={actions.undo}>{t('undo')}</button>
      <IconButton icon="close" label={t('bar.close')} onClick={() => {
        actions.finishRemoval()
        document.getElementById('add-title')?.focus()
      }} />
    </div>
  )
}
