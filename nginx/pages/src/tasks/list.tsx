// The list with its states, its keyboard, and what can be done to all of it.
import { signal } from '@preact/signals'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import * as actions from '../core/actions'
import { announce } from '../core/announce'
import { t } from '../core/i18n'
import { whenIdle } from '../core/idle'
import * as list from '../core/list'
import { link } from '../core/net'
import { go, path } from '../core/router'
import { queryOf } from '../core/task'
import { sentence } from '../core/words'
import { prefs } from '../core/prefs'
import { More } from '../ui/more'
import { Alert, Later } from '../ui/parts'
import { Row, asking } from './row'
import { show } from './toolbar'

// Rows are drawn in small portions at first, so that a slow phone can react in between; further ones
// when the reader comes near.
const PORTION = 25
const STEP = 100

// The row that Tab leads to; arrow keys move it (roving tabindex).
export const currentRef = signal('')

const rowElement = (ref: string) => document.getElementById(`row-${ref}`)

export function focusRow(ref: string): void {
  currentRef.value = ref
  const row = rowElement(ref)
  if (row) return row.focus()
  // It may be about to be drawn.
  setTimeout(() => (rowElement(ref) ?? document.getElementById('add-title'))?.focus())
}

export const editPath = (item: list.Item): string =>
  `/tasks/${item.id ?? item.ref}${queryOf(list.view.peek())}`

// Moves by so many rows; from outside of the list it goes to the current row.
export function moveBy(step: number): void {
  const rows = list.shown.peek()
  if (!rows.length) return
  const inList = document.activeElement?.closest('[data-ref]')
  const at = rows.findIndex((item) => item.ref === currentRef.peek())
  const to = inList ? Math.min(rows.length - 1, Math.max(0, at + step)) : Math.max(0, at)
  focusRow(rows[to].ref)
}

// The item whose row holds the focus.
export function focusedItem(): list.Item | undefined {
  const ref = document.activeElement?.closest<HTMLElement>('[data-ref]')?.dataset.ref
  return ref ? list.find(ref) : undefined
}

export function List() {
  const items = list.shown.value
  const [size, setSize] = useState(PORTION)
  const [clearing, setClearing] = useState<list.Item[] | null>(null)
  const end = useRef<HTMLDivElement>(null)
  const { status, search, sort } = list.view.value
  useEffect(() => setSize((now) => Math.min(now, STEP)), [status, search, sort])
  useEffect(() => {
    if (size < STEP && size < items.length) whenIdle(() => setSize((now) => now + PORTION))
  }, [size, items.length])

  const hasMore = size < items.length || list.hasMore.value
  const isFirst = !list.known.value
  useEffect(() => {
    if (!end.current) return
    const watch = new IntersectionObserver(
      // Of several at once, from a busy machine, the last one says how it is now.
      (entries) => {
        if (!entries.at(-1)!.isIntersecting) return
        setSize((now) => (now < list.shown.peek().length ? now + STEP : now))
        if (size >= list.shown.peek().length - STEP) void list.grow().then(() => setSize((n) => n + STEP))
      },
      { rootMargin: '1200px' },
    )
    watch.observe(end.current)
    return () => watch.disconnect()
  }, [size, hasMore, items.length, isFirst])

  // Arrow keys may lead to a row that is not drawn yet.
  const at = items.findIndex((item) => item.ref === currentRef.value)
  if (at >= size) setTimeout(() => setSize(at + STEP))

  // A row can leave with the focus in it, or behind a dialog that it opened: its place keeps the focus.
  void path.value
  const lastFocus = useRef<Element | null>(null)
  const place = useRef(0)
  if (at >= 0) place.current = at
  useLayoutEffect(() => {
    const active = document.activeElement
    if (!lastFocus.current || lastFocus.current.isConnected || active?.closest('dialog')) return
    lastFocus.current = null
    if (active === document.body) focusRow(items[Math.min(place.current, items.length - 1)]?.ref ?? '')
  })

  const wish = actions.focusWish.value
  useLayoutEffect(() => {
    if (wish === null) return
    actions.focusWish.value = null
    focusRow(wish)
  }, [wish])

  const drawn = items.slice(0, size)
  const tabStop = at >= 0 && at < size ? currentRef.value : drawn[0]?.ref
  const hasDone = items.some((item) => item.task.completed)
  const allDone = hasDone && items.every((item) => item.task.completed)
  const clear = async () => {
    const done = await actions.allCompleted()
    if (prefs.peek().removal === 'undo') actions.remove(done)
    else setClearing(done)
  }

  return (
    <section class="list" aria-label={t('tasks')}>
      {list.loading.value && !isFirst && <div class="updating" aria-hidden="true" />}
      {list.failure.value && <ListFailure />}
      {isFirst ? !list.failure.value && <Skeleton /> : items.length === 0 ? <Empty /> : (
        <ul
          class="rows card"
          aria-busy={list.loading.value}
          onFocusIn={(event) => {
            lastFocus.current = event.target as HTMLElement
            const ref = lastFocus.current.closest<HTMLElement>('[data-ref]')?.dataset.ref
            if (ref) currentRef.value = ref
          }}
          onFocusOut={() => setTimeout(() => {
            // Gone elsewhere, by the reader; a dialog gives it back.
            if (!document.activeElement?.closest('.rows, dialog')) lastFocus.current = null
          })}
        >
          {drawn.map((item) => (
            <Row key={item.ref} item={item} isCurrent={item.ref === tabStop}
              isAsked={asking.value === item.ref} />
          ))}
        </ul>
      )}
      {hasMore && !isFirst && (
        <div ref={end} class="more">
          <button type="button" class="text-button" onClick={() => setSize(size + STEP)}>
            {t('list.more')}
          </button>
        </div>
      )}
      {items.length > 0 && (
        <div class="list-foot">
          <button type="button" class="text-button" onClick={() => void actions.toggleAll()}>
            {t(allDone ? 'all.open' : 'all.done')}
          </button>
          {hasDone && (
            <button type="button" class="text-button" onClick={() => void clear()}>
              {t('all.clear')}
            </button>
          )}
        </div>
      )}
      {clearing && <More part="ClearDialog" items={clearing} onClose={() => setClearing(null)} />}
    </section>
  )
}

function Skeleton() {
  useEffect(() => {
    const timer = setTimeout(() => announce(t('list.loading')), 1000)
    return () => clearTimeout(timer)
  }, [])
  return (
    <Later ms={200}>
      <ul class="rows card skeleton" aria-busy="true" aria-label={t('list.loading')}>
        {[68, 44, 57, 36, 61].map((width) => (
          <li key={width} class="row"><span class={`bone bone-${width}`} /></li>
        ))}
      </ul>
    </Later>
  )
}

function ListFailure() {
  const failure = list.failure.value!
  // Without a network and with a list to show, the bar says enough.
  if (failure.status === 0 && list.known.value && link.value !== 'up') return null
  return (
    <Alert>
      <p>{t('list.failed')} {sentence(failure)}</p>
      <button type="button" class="button small" onClick={() => void list.load()}>{t('try')}</button>
    </Alert>
  )
}

function Empty() {
  const { status, search } = list.view.value
  if (list.tally.value.all > 0 || status !== 'all' || search)
    return (
      <div class="empty">
        <p class="empty-title">{t('empty.match')}</p>
        <button
          type="button"
          class="button quiet"
          onClick={() => {
            show({ status: 'all', search: '' })
            document.getElementById('search')?.focus()
          }}
        >
          {t('empty.clear')}
        </button>
      </div>
    )
  return (
    <div class="empty">
      <span class="drawing" aria-hidden="true" />
      <p class="empty-title">{t('empty.title')}</p>
      <p>{t('empty.lead')}</p>
    </div>
  )
}

export const edit = (item: list.Item): void => go(editPath(item))
