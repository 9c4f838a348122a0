// Changes on their way to the server. Each is kept on disk until the server has answered; one write
// per task at a time, later ones wait and merge; what fails stays, with its reason.
// Must not know: pages, what the list shows.
import { computed, signal } from '@preact/signals'
import * as api from './tasks-api'
import * as base from './base'
import { ended, onLeave, person } from './auth'
import { Failure, link } from './net'
import { Task, sameText } from './task'
import * as disk from './disk'
import { canTellGone, listen, tell, thisTab, whenGone } from './tabs'

export type Kind = 'create' | 'update' | 'delete'
export type Patch = Partial<Pick<Task, 'title' | 'description' | 'completed'>>

export interface Change {
  user: string
  seq: number
  tab: string
  kind: Kind
  ref: string // the row: the id in decimal, or a local name until there is one
  id: number | null
  patch: Patch
  key?: string // of a creation: repeats with the same key create one task
  after?: number // of a creation: the newest id known before it
  tries?: number
  seen?: Task // the version that the person looked at when they edited text
  sent: boolean // it may have reached the server, so it must not change any more
  adopted?: boolean // from an earlier page, which may not have heard the answer
  held?: boolean // can still be undone, so it is not sent yet
  state: 'waiting' | 'sending' | 'failed' | 'conflict' | 'gone'
  failure?: { status: number; code: string; message: string; requestId: string; field?: string }
  theirs?: Task
}

const PARALLEL = 4
const MAX_PAUSE_MS = 30_000

export const changes = signal<readonly Change[]>([])
// Local names of tasks that have an id by now. The row keeps its name, and with it its focus.
const names = new Map<number, string>()
export const nameOf = (id: number): string => names.get(id) ?? String(id)

// On their way, or going to be.
export const waiting = computed(
  () => changes.value.filter((one) => /waiting|sending/.test(one.state) && !one.held).length,
)

let lastSeq = 0
const nextSeq = () => (lastSeq = Math.max(lastSeq + 1, Date.now() * 1000))

function replace(change: Change, by: Change | null): void {
  changes.value = changes.value.flatMap((one) => (one.seq === change.seq ? (by ? [by] : []) : [one]))
  if (by) void disk.writeChange(by)
  else void disk.dropChange(change.user, change.seq)
}

const current = (seq: number) => changes.value.find((one) => one.seq === seq)

function append(change: Omit<Change, 'user' | 'seq' | 'tab' | 'sent' | 'state'>): void {
  const user = person.value?.id
  if (!user) return
  const full: Change = { ...change, user, seq: nextSeq(), tab: thisTab, sent: false, state: 'waiting' }
  changes.value = [...changes.value, full]
  void disk.writeChange(full)
  tell({ kind: 'changes', user, value: thisTab })
  pump()
}

const isOpen = (one: Change) => one.state !== 'sending' && !one.sent

function randomName(): string {
  const random = new Uint32Array(4)
  crypto.getRandomValues(random)
  return `n${[...random].map((part) => part.toString(16).padStart(8, '0')).join('')}`
}

export function addCreate(title: string, description: string | null): string {
  const ref = randomName()
  append({
    kind: 'create', ref, id: null, patch: { title, description }, key: ref, after: base.newestId(),
  })
  return ref
}

export function addUpdate(ref: string, id: number | null, patch: Patch, seen?: Task): void {
  const mine = changes.value.filter((one) => one.ref === ref)
  const last = mine[mine.length - 1]
  // A failed or refused change is taken up again with the new one: nothing typed gets lost.
  const open = last && last.kind === 'update' && (isOpen(last) || last.state === 'failed')
  if (open) {
    const merged: Change = {
      ...last, patch: { ...last.patch, ...patch }, seen: last.seen ?? seen, state: 'waiting',
      failure: undefined, sent: false,
    }
    replace(last, merged)
    return pump()
  }
  const text = { ...patch }
  if (last?.kind === 'create' && (isOpen(last) || last.state === 'failed')) {
    delete text.completed // a new task is always open: that part is a change of its own
    if (Object.keys(text).length) {
      // Another body needs another key: the server may remember the first one.
      replace(last, {
        ...last, patch: { ...last.patch, ...text }, key: randomName(), state: 'waiting',
        failure: undefined,
      })
      if (patch.completed !== undefined)
        append({ kind: 'update', ref, id, patch: { completed: patch.completed } })
      return pump()
    }
  }
  append({ kind: 'update', ref, id, patch, seen })
}

export function addDelete(ref: string, id: number | null, held = false): void {
  const mine = changes.value.filter((one) => one.ref === ref)
  const isUnborn = mine[0]?.kind === 'create' && !mine[0].sent && mine[0].state !== 'sending'
  if (!held || isUnborn) for (const one of mine) if (one.state !== 'sending') replace(one, null)
  if (!isUnborn) append({ kind: 'delete', ref, id, patch: {}, held })
}

// Takes a held removal back. False if it is too late.
export function takeBack(ref: string): boolean {
  const held = changes.value.find((one) => one.ref === ref && one.held)
  if (held) replace(held, null)
  return Boolean(held)
}

export function release(): void {
  for (const one of changes.value.filter((each) => each.held)) {
    for (const other of changes.value)
      if (other.ref === one.ref && other !== one && other.state !== 'sending') replace(other, null)
    replace(one, { ...one, held: false })
  }
  pump()
}

export function retry(ref: string): void {
  for (const one of changes.value)
    if (one.ref === ref && one.state === 'failed')
      replace(one, { ...one, state: 'waiting', failure: undefined })
  pump()
}

export function discard(ref: string): void {
  for (const one of changes.value)
    if (one.ref === ref && one.state !== 'sending') replace(one, null)
}

// "Keep mine": sent again on top of their version. "Take theirs": `discard`.
export function keepMine(ref: string): void {
  for (const one of changes.value)
    if (one.ref === ref && one.state === 'conflict')
      replace(one, { ...one, state: 'waiting', seen: one.theirs, theirs: undefined })
  pump()
}

// The task was removed elsewhere: what was typed becomes a new task.
export function addAgain(ref: string, title: string, description: string | null): string {
  discard(ref)
  return addCreate(title, description)
}

// --- Sending ----------------------------------------------------------------------------------------

let timer: ReturnType<typeof setTimeout> | undefined
let pauseMs = 0
// Called when there is nothing to send but the way to the server is to be tried again.
let probe: () => Promise<unknown> = () => Promise.resolve()
export const onProbe = (action: () => Promise<unknown>) => (probe = action)

function nextToSend(): Change | undefined {
  const busy = new Set<string>()
  let creating = false
  let sending = 0
  for (const one of changes.value) {
    if (one.state === 'sending') sending++
    const blocked = busy.has(one.ref) || (creating && one.kind === 'create')
    if (one.state === 'waiting' && !one.held && !blocked && sending < limit()) return one
    if (one.state !== 'failed' || one.kind === 'create') busy.add(one.ref)
    // New tasks are sent one after the other, so that they get their dates in the order of typing.
    if (one.kind === 'create' && one.state !== 'failed') creating = true
  }
  return undefined
}

// While the server is silent, one change tries the way for all.
const limit = () => (link.value === 'up' ? PARALLEL : 1)

export function pump(): void {
  if (timer !== undefined || ended.value || !person.value) return
  for (let next = nextToSend(); next; next = nextToSend()) {
    const sending: Change = { ...next, state: 'sending', sent: true, tries: (next.tries ?? 0) + 1 }
    replace(next, sending)
    void deliver(sending)
  }
}

// Tries again now: the browser came online, the person looks at the page, or a session began.
export function wake(): void {
  clearTimeout(timer)
  timer = undefined
  if (!waiting.value && link.value !== 'up')
    void probe().finally(() => {
      if (link.value !== 'up') later()
    })
  pump()
}

function later(seconds = 0): void {
  if (timer !== undefined) return
  pauseMs = Math.min(MAX_PAUSE_MS, pauseMs ? pauseMs * 2 : 1000)
  timer = setTimeout(wake, seconds ? seconds * 1000 : pauseMs)
}

link.subscribe((now) => {
  if (now === 'up') {
    pauseMs = 0
    if (timer !== undefined) setTimeout(wake, 0)
  } else later()
})
ended.subscribe((isOver) => {
  if (!isOver) setTimeout(wake, 0)
})
addEventListener('online', wake)
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') wake()
})

async function deliver(change: Change): Promise<void> {
  try {
    await perform(change)
    replace(current(change.seq)!, null)
  } catch (failure) {
    const now = current(change.seq)
    if (now) await settle(now, failure as Failure)
  }
  pump()
}

async function perform(change: Change): Promise<void> {
  const { kind, ref, patch, user } = change
  if (kind === 'create') {
    const body = { title: patch.title!, description: patch.description ?? null }
    const { task, etag } = (await storedBefore(change)) ?? (await api.create(body, change.key!))
    names.set(task.id, ref)
    // Waiting changes of this row learn the id before the row changes hands.
    changes.value = changes.value.map((one) => {
      if (one.ref !== ref || one.seq === change.seq) return one
      const known = { ...one, id: task.id }
      void disk.writeChange(known)
      return known
    })
    base.put(task, etag)
    return tell({ kind: 'task', user, value: task })
  }
  const id = change.id!
  if (kind === 'delete') {
    await api.remove(id)
    base.drop(id)
    return tell({ kind: 'gone', user, value: id })
  }
  const isTextual = patch.title !== undefined || patch.description !== undefined
  const { task, etag } = isTextual
    ? await api.update(id, patch, await versionToMatch(change))
    : await api.complete(id, patch.completed!)
  base.put(task, etag)
  tell({ kind: 'task', user, value: task })
}

class Conflict extends Failure {
  constructor(readonly theirs: Task) {
    super(412)
  }
}

const CLOCKS_APART_MS = 600_000

// A creation whose answer got lost may have been stored, and not every server knows the key again. So
// before a repeat a look: the same text, newer than all that was known when it was typed.
async function storedBefore(change: Change): Promise<api.Versioned | null> {
  if ((change.tries ?? 0) < 2) return null
  const since = new Date(change.seq / 1000 - CLOCKS_APART_MS).toISOString()
  const { tasks } = await api.list({}, 50)
  const task = tasks.find((one) =>
    one.id > (change.after ?? 0) && one.created_at > since && !names.has(one.id) &&
    sameText(one, change.patch))
  return task ? { task, etag: null } : null
}

// Text is only written over the version that the person saw. The tag of that version does it; where
// there is none, a look at the present version does, which leaves a gap of one round trip.
async function versionToMatch({ id, seen }: Change): Promise<string | null> {
  if (!seen) return null
  const known = base.get(id!)
  const etag = base.etagOf(id!)
  if (etag && known?.updated_at === seen.updated_at) return etag
  const now = await api.read(id!)
  if (!sameText(now.task, seen)) throw new Conflict(now.task)
  return now.etag
}

async function settle(change: Change, failure: Failure): Promise<void> {
  const { status } = failure
  if (status === 412 && change.kind === 'update') {
    const theirs = failure instanceof Conflict
      ? failure.theirs
      : await api.read(change.id!).then((now) => now.task, () => undefined)
    if (theirs) {
      base.put(theirs)
      // Only ticked elsewhere: that does not concern the text.
      const state = change.seen && sameText(theirs, change.seen) ? 'waiting' : 'conflict'
      const seen = state === 'waiting' ? theirs : change.seen
      return replace(change, { ...change, state, seen, theirs, sent: false })
    }
    return replace(change, { ...change, state: 'waiting' })
  }
  if (status === 401) {
    replace(change, { ...change, state: 'waiting' })
    return ended.value ? undefined : later()
  }
  if (failure.isTemporary || status === 429 || status === 408 || status === 409) {
    replace(change, { ...change, state: 'waiting' })
    if (failure.isTemporary && link.value === 'up') link.value = status ? 'down' : 'offline'
    return later(failure.waitSeconds)
  }
  if (status === 404 && change.kind === 'update') {
    const typed = change.patch.title !== undefined || change.patch.description !== undefined
    const before = base.get(change.id!)
    base.drop(change.id!)
    tell({ kind: 'gone', user: change.user, value: change.id })
    if (!typed) return replace(change, null)
    return replace(change, { ...change, state: 'gone', seen: change.seen ?? before })
  }
  const { code, message, requestId, fields } = failure
  const field = Object.keys(fields).find((name) => name === 'title' || name === 'description')
  replace(change, {
    ...change, state: 'failed', sent: false, failure: { status, code, message, requestId, field },
  })
}

// --- Other tabs, other lives of this tab ---------------------------------------------------------------

const watched = new Set<string>([thisTab])

async function adopt(tab: string): Promise<void> {
  if (watched.has(tab)) return
  watched.add(tab)
  await whenGone(tab)
  const user = person.value?.id
  if (!user) return
  const left = ((await disk.readChanges<Change>(user)) ?? []).filter((one) => one.tab === tab)
  for (const one of left) {
    const mine: Change = {
      ...one, tab: thisTab, adopted: true, held: false, state: one.state === 'sending' ? 'waiting' : one.state,
    }
    if (!current(mine.seq)) changes.value = [...changes.value, mine].sort((a, b) => a.seq - b.seq)
    void disk.writeChange(mine)
  }
  watched.delete(tab)
  pump()
}

// Takes up what earlier pages of this person left unsent.
export async function open(user: string): Promise<void> {
  const left = (await disk.readChanges<Change>(user)) ?? []
  for (const tab of new Set(left.map((one) => one.tab))) void adopt(tab)
}

listen(({ kind, user, value }) => {
  if (user !== person.value?.id) return
  if (kind === 'changes' && canTellGone) void adopt(value as string)
  if (kind === 'task') base.put(value as Task)
  if (kind === 'gone') base.drop(value as number)
})

onLeave(() => {
  clearTimeout(timer)
  timer = undefined
  changes.value = []
  names.clear()
  watched.clear()
  watched.add(thisTab)
  base.clear()
})

// A held removal leaves with the page. What does not get through is on disk and is sent next time.
addEventListener('pagehide', () => {
  for (const one of changes.value) if (one.held && one.id) api.removeOnExit(one.id)
})
