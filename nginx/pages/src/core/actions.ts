// What a person can do with tasks. Each does it here at once, hands it to the queue, says so, and
// remembers how to take it back.
// Must not know: components, the network.
import { signal } from '@preact/signals'
import * as list from './list'
import * as outbox from './outbox'
import { announce } from './announce'
import { onLeave } from './auth'
import { t } from './i18n'
import { prefs } from './prefs'
import { Item } from './list'
import { Task } from './task'

// Removals that can still be taken back: the bar shows while there are any.
export const removed = signal<Item[]>([])
// Where the focus goes once the list is drawn: a row, or '' for the add field.
export const focusWish = signal<string | null>(null)

type Undo = { kind: 'toggle'; items: { ref: string; completed: boolean }[] } | { kind: 'removal' }
let lastUndo: Undo | null = null

export function add(title: string, description: string): string {
  const ref = outbox.addCreate(title, description.trim() ? description : null)
  announce(t('said.added', { title }))
  return ref
}

// Where the focus goes when rows leave the list.
function neighbour(ref: string, leaving: Set<string>): string {
  const rows = list.shown.peek()
  const at = rows.findIndex((item) => item.ref === ref)
  const next = rows.slice(at + 1).find((item) => !leaving.has(item.ref))
  const previous = rows.slice(0, Math.max(at, 0)).reverse().find((item) => !leaving.has(item.ref))
  return (next ?? previous)?.ref ?? ''
}

export function toggle(item: Item): void {
  const completed = !item.task.completed
  outbox.addUpdate(item.ref, item.id, { completed })
  lastUndo = { kind: 'toggle', items: [{ ref: item.ref, completed: !completed }] }
  const { title } = item.task
  announce(completed ? t('said.done', { title }) : t('said.open', { title }))
}

// Marks all that are shown as done; if they all are, as open.
export async function toggleAll(): Promise<void> {
  await list.growAll()
  const rows = list.shown.peek()
  const completed = rows.some((item) => !item.task.completed)
  const changed = rows.filter((item) => item.task.completed !== completed)
  for (const item of changed) outbox.addUpdate(item.ref, item.id, { completed })
  lastUndo = {
    kind: 'toggle',
    items: changed.map(({ ref }) => ({ ref, completed: !completed })),
  }
  announce(t(completed ? 'said.allDone' : 'said.allOpen', { n: changed.length }))
}

// `opened`: the version that the editor showed. Only what differs from it is written, so that a
// change from elsewhere to the rest survives.
export function edit(item: Item, opened: Task, now: Required<outbox.Patch>): void {
  const patch: outbox.Patch = {}
  if (now.title !== opened.title) patch.title = now.title
  if ((now.description ?? '') !== (opened.description ?? '')) patch.description = now.description
  if (now.completed !== opened.completed) patch.completed = now.completed
  if (!Object.keys(patch).length) return
  outbox.addUpdate(item.ref, item.id, patch, item.id === null ? undefined : opened)
  announce(t('said.saved', { title: now.title }))
}

export function remove(items: Item[]): void {
  const inUndoMode = prefs.peek().removal === 'undo'
  const leaving = new Set(items.map((item) => item.ref))
  focusWish.value = neighbour(items[0].ref, leaving)
  // One thing can be taken back; what was removed before is final now.
  if (inUndoMode) finishRemoval()
  for (const item of items) outbox.addDelete(item.ref, item.id, inUndoMode && item.id !== null)
  if (inUndoMode) {
    removed.value = items.filter((item) => item.id !== null)
    lastUndo = { kind: 'removal' }
  }
  const said = items.length === 1
    ? t('said.deleted', { title: items[0].task.title })
    : t('said.deletedMany', { n: items.length })
  announce(inUndoMode ? `${said} ${t('said.undoable')}` : said)
}

export function finishRemoval(): void {
  if (removed.peek().length) outbox.release()
  removed.value = []
}

export function undo(): void {
  const last = lastUndo
  lastUndo = null
  if (last?.kind === 'removal' || (!last && removed.peek().length)) {
    const back = removed.peek().filter((item) => outbox.takeBack(item.ref))
    removed.value = []
    if (!back.length) return announce(t('said.nothingToUndo'))
    focusWish.value = back[0].ref
    return announce(t('said.restored', { n: back.length }))
  }
  if (!last) return announce(t('said.nothingToUndo'))
  for (const { ref, completed } of last.items) {
    const item = list.find(ref)
    if (item) outbox.addUpdate(item.ref, item.id, { completed })
  }
  if (last.items.length === 1) focusWish.value = last.items[0].ref
  announce(t('said.undone'))
}

export async function allCompleted(): Promise<Item[]> {
  await list.growAll()
  return list.shown.peek().filter((item) => item.task.completed)
}

onLeave(() => {
  removed.value = []
  lastUndo = null
  focusWish.value = null
})
