// The keyboard of the page of tasks: one table, from which the keys act and the help is made.
import { signal } from '@preact/signals'
import * as actions from '../core/actions'
import { announce } from '../core/announce'
import type { Key } from '../core/i18n'
import * as list from '../core/list'
import { prefs } from '../core/prefs'
import { path } from '../core/router'
import { edit, focusedItem, focusRow, moveBy, currentRef } from './list'
import { askOrRemove } from './row'
import { nextSort, show, sortName } from './toolbar'

export const helpOpen = signal(false)

interface Entry {
  keys: string[] // as KeyboardEvent.key names them
  chord?: string // the same with Ctrl or ⌘
  shown: string[]
  name: Key
  scope?: 'list' | 'row' // acts only while the focus is in the list, on a row itself
  run: (key: string) => void
}

const field = (id: string) => document.getElementById(id)?.focus()
const onItem = (act: (item: list.Item) => void) => () => {
  const item = focusedItem()
  if (item) act(item)
}

export const ENTRIES: Entry[] = [
  { keys: ['n'], shown: ['N'], name: 'keys.add', run: () => field('add-title') },
  { keys: ['/'], chord: 'k', shown: ['/', 'Ctrl K'], name: 'keys.search', run: () => field('search') },
  { keys: ['j'], shown: ['J', '↓'], name: 'keys.next', run: () => moveBy(1) },
  { keys: ['k'], shown: ['K', '↑'], name: 'keys.previous', run: () => moveBy(-1) },
  { keys: ['ArrowDown'], shown: [], name: 'keys.next', scope: 'list', run: () => moveBy(1) },
  { keys: ['ArrowUp'], shown: [], name: 'keys.previous', scope: 'list', run: () => moveBy(-1) },
  { keys: [' '], shown: [], name: 'keys.toggle', scope: 'row', run: onItem(actions.toggle) },
  { keys: ['x'], shown: ['Space', 'X'], name: 'keys.toggle', scope: 'list', run: onItem(actions.toggle) },
  { keys: ['Enter'], shown: [], name: 'keys.edit', scope: 'row', run: onItem(edit) },
  { keys: ['e'], shown: ['Enter', 'E'], name: 'keys.edit', scope: 'list', run: onItem(edit) },
  { keys: ['Delete', 'Backspace', '#'], shown: ['Delete', 'Backspace', '#'], name: 'keys.delete',
    scope: 'list', run: onItem(askOrRemove) },
  { keys: ['z'], chord: 'z', shown: ['Z', 'Ctrl Z'], name: 'keys.undo', run: actions.undo },
  { keys: ['1', '2', '3'], shown: ['1', '2', '3'], name: 'keys.filter', run: (key) =>
    show({ status: (['all', 'pending', 'completed'] as const)[Number(key) - 1] }) },
  { keys: ['s'], shown: ['S'], name: 'keys.sort', run: () => {
    show({ sort: nextSort() })
    announce(sortName(list.view.peek().sort))
  } },
  { keys: ['r'], shown: ['R'], name: 'keys.reload', run: () => void list.load() },
  { keys: ['?'], shown: ['?'], name: 'keys.help', run: () => (helpOpen.value = true) },
  { keys: ['Escape'], shown: ['Esc'], name: 'keys.escape', run: escape },
]

const isText = (element: Element | null): element is HTMLInputElement =>
  element instanceof HTMLTextAreaElement || element instanceof HTMLSelectElement ||
  (element instanceof HTMLInputElement && element.type !== 'checkbox')

// Leaves the field, then clears the search. Dialogs close themselves before this is asked.
function escape(): void {
  if (isText(document.activeElement)) {
    const rows = list.shown.peek()
    const ref = (rows.find((item) => item.ref === currentRef.peek()) ?? rows[0])?.ref
    if (ref) focusRow(ref)
    else document.querySelector('h1')?.focus()
  } else if (list.view.peek().search) show({ search: '' })
}

function onKey(event: KeyboardEvent): void {
  const { key } = event
  if (event.defaultPrevented || event.isComposing || !path.peek().startsWith('/tasks')) return
  if (document.querySelector('dialog[open]')) return
  const active = document.activeElement
  const chord = event.ctrlKey || event.metaKey
  if (event.altKey || (chord && event.shiftKey)) return
  const entry = ENTRIES.find((one) => (chord ? one.chord === key : one.keys.includes(key)))
  if (!entry) return
  if (isText(active) && key !== 'Escape' && !(chord && key === 'k')) return
  // A printable character alone is a shortcut that speech input may say by accident.
  if (!chord && key.length === 1 && key !== ' ' && !prefs.peek().letters) return
  const row = active?.closest('[data-ref]')
  if (entry.scope && !row) return
  if (entry.scope === 'row' && active !== row) return
  if (key === 'Escape' && !isText(active) && !list.view.peek().search) return
  event.preventDefault()
  entry.run(key)
}
document.addEventListener('keydown', onKey)
