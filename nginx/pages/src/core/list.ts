// The list on screen: what the server told, with the waiting changes on top, chosen and ordered.
// Up to WHOLE tasks everything is here and the page chooses; beyond, the server does, page by page.
// Must not know: components.
import { computed, effect, signal, untracked } from '@preact/signals'
import * as api from './tasks-api'
import * as base from './base'
import * as disk from './disk'
import * as outbox from './outbox'
import { Change } from './outbox'
import { confirmed, onLeave, person, refetchSession, sessionError } from './auth'
import { language } from './i18n'
import { Failure, link } from './net'
import { path, query } from './router'
import { Task, View, comparator, matches, sameText, viewOf } from './task'

const WHOLE = 500
const PAGE = 100
const STALE_MS = 30_000

export interface Item {
  ref: string
  id: number | null
  task: Task // as shown: with the changes that are on their way
  change: Change | null // the one that the row has to tell about
}

export const view = computed<View>(() => viewOf(query.value))

export const loading = signal(false)
export const failure = signal<Failure | null>(null)
// There is something to show: an answer, or what was kept from last time.
export const known = signal(false)
export const isPaged = signal(false)
export const hasMore = signal(false)
const serverTotal = signal(0)
const serverOpen = signal(0)
const matchTotal = signal(0)
// Paged: the server's order of the ids, which this page must not second-guess.
let ranks = new Map<number, number>()
let askedAt = 0
let latest = 0
let abort: AbortController | null = null

// --- What is shown ------------------------------------------------------------------------------------

function shownTask(task: Task, changes: Change[]): Task {
  let shown = task
  for (const one of changes)
    if (one.kind === 'update' && (one.state === 'waiting' || one.state === 'sending'))
      shown = { ...shown, ...one.patch }
  return shown
}

function unborn({ patch, seq, user: _user }: Change): Task {
  const now = new Date(seq / 1000).toISOString()
  return {
    id: Infinity, title: patch.title ?? '', description: patch.description ?? null,
    completed: false, created_at: now, updated_at: now,
  }
}

const isTold = (one: Change) => one.state !== 'waiting' && one.state !== 'sending'
const tellable = (changes: Change[]): Change | null =>
  changes.find(isTold) ?? changes[changes.length - 1] ?? null

let items = new WeakMap<Task, Item>()

function itemOf(task: Task, changes: Change[] | undefined): Item | null {
  if (!changes) {
    const cached = items.get(task)
    if (cached && cached.ref === outbox.nameOf(task.id)) return cached
    const item = { ref: outbox.nameOf(task.id), id: task.id, task, change: null }
    items.set(task, item)
    return item
  }
  if (changes.some((one) => one.kind === 'delete' && one.state !== 'failed')) return null
  return {
    ref: outbox.nameOf(task.id), id: task.id, task: shownTask(task, changes),
    change: tellable(changes),
  }
}

// Every task known here, in no order.
const everyItem = computed<Item[]>(() => {
  void base.version.value
  const byRef = new Map<string, Change[]>()
  for (const one of outbox.changes.value) {
    const list = byRef.get(one.ref)
    if (list) list.push(one)
    else byRef.set(one.ref, [one])
  }
  const found: Item[] = []
  const take = (item: Item | null) => item && found.push(item)
  for (const task of base.all()) {
    const ref = outbox.nameOf(task.id)
    take(itemOf(task, byRef.get(ref)))
    byRef.delete(ref)
  }
  for (const [ref, changes] of byRef) {
    const [first] = changes
    // The earlier page left before it heard that its task was stored; the repeat will find out. Until
    // then it must not be seen twice.
    if (first.adopted && first.sent && found.some((item) => sameText(item.task, first.patch))) continue
    if (first.kind === 'create') {
      const task = shownTask(unborn(first), changes)
      take({ ref, id: null, task, change: tellable(changes) })
    } else if (first.state === 'gone' && first.seen) {
      take({ ref, id: first.id, task: { ...first.seen, ...first.patch }, change: first })
    }
  }
  return found
})

export const find = (ref: string): Item | undefined =>
  everyItem.value.find((item) => item.ref === ref || String(item.id) === ref)

export const shown = computed<Item[]>(() => {
  void language.value // decides the order of titles
  const now = view.value
  const chosen = everyItem.value.filter((item) => isTroubled(item) || matches(item.task, now))
  const compare = comparator(now.sort)
  const rank = (item: Item) => (item.id === null ? -1 : (ranks.get(item.id) ?? -1))
  return chosen.sort((a, b) =>
    isPaged.value && (rank(a) >= 0 || rank(b) >= 0)
      ? rank(a) - rank(b) : compare(a.task, b.task))
})

// A message on a row must not vanish behind a filter.
const isTroubled = (item: Item) => item.change !== null && isTold(item.change)

const localTally = computed(() => {
  const open = everyItem.value.filter((item) => !item.task.completed).length
  return { all: everyItem.value.length, open }
})

// How the waiting changes move the server's numbers.
const drift = computed(() => {
  let all = 0
  let open = 0
  for (const item of everyItem.value) {
    const told = item.id === null ? undefined : base.get(item.id)
    if (!told) all++
    open += Number(!item.task.completed) - Number(told ? !told.completed : 0)
  }
  for (const one of outbox.changes.value) {
    const told = one.kind === 'delete' && one.id ? base.get(one.id) : undefined
    if (told && one.state !== 'failed') {
      all--
      open -= Number(!told.completed)
    }
  }
  return { all, open }
})

export const tally = computed(() =>
  isPaged.value
    ? { all: serverTotal.value + drift.value.all, open: serverOpen.value + drift.value.open }
    : localTally.value)

export const found = computed(() =>
  isPaged.value ? Math.max(matchTotal.value, shown.value.length) : shown.value.length)

// --- Loading --------------------------------------------------------------------------------------------

const isPlain = (now: View) => now.status === 'all' && !now.search.trim() && now.sort === 'created'

async function loadWhole(signal: AbortSignal): Promise<boolean> {
  const since = base.moment()
  const { tasks, total } = await api.list({}, WHOLE, 0, signal)
  serverTotal.value = total
  const isWhole = tasks.length >= total
  base.takeList(tasks, since, true)
  isPaged.value = !isWhole
  if (isWhole) {
    hasMore.value = false
    ranks = new Map()
    return true
  }
  await countOpen(signal)
  if (isPlain(view.peek())) setRanks(tasks, total, 0)
  return isPlain(view.peek())
}

async function countOpen(signal?: AbortSignal): Promise<void> {
  serverOpen.value = (await api.list({ status: 'pending' }, 1, 0, signal)).total
}

function setRanks(tasks: Task[], total: number, from: number): void {
  if (!from) ranks = new Map()
  for (const task of tasks) if (!ranks.has(task.id)) ranks.set(task.id, ranks.size)
  matchTotal.value = total
  hasMore.value = ranks.size < total && tasks.length > 0
  base.version.value++
}

// The first page of a choice that the server makes.
async function loadFirstPage(signal: AbortSignal): Promise<void> {
  const since = base.moment()
  const { tasks, total } = await api.list(view.peek(), PAGE, 0, signal)
  base.takeList(tasks, since, true)
  setRanks(tasks, total, 0)
}

async function attempt(work: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  const mine = ++latest
  abort?.abort()
  abort = new AbortController()
  loading.value = true
  askedAt = Date.now()
  try {
    await work(abort.signal)
    if (mine !== latest) return
    failure.value = null
    known.value = true
    keep()
  } catch (error) {
    if (mine !== latest) return
    failure.value = error instanceof Failure ? error : new Failure(500)
  } finally {
    if (mine === latest) loading.value = false
  }
}

export async function load(): Promise<void> {
  if (confirmed.peek())
    return attempt(async (signal) => {
      if (!(await loadWhole(signal)) && isPaged.peek()) await loadFirstPage(signal)
    })
  // The list follows by itself once it is known whose it is.
  loading.value = true
  await refetchSession()
  if (sessionError.peek()) {
    failure.value = sessionError.peek()
    loading.value = false
  }
}

let growing: Promise<void> | null = null

// The next page, when the reader comes near the end of what is there.
export function grow(): Promise<void> {
  if (!hasMore.peek() || loading.peek()) return Promise.resolve()
  growing ??= (async () => {
    const mine = latest
    const since = base.moment()
    const offset = ranks.size
    try {
      const { tasks, total } = await api.list(view.peek(), PAGE, offset)
      if (mine !== latest) return
      base.takeList(tasks, since, false)
      setRanks(tasks, total, offset)
    } catch (error) {
      if (mine === latest) failure.value = error as Failure
    } finally {
      growing = null
    }
  })()
  return growing
}

// All that match, for actions on the whole choice.
export async function growAll(): Promise<void> {
  while (hasMore.peek() && !failure.peek()) await grow()
}

// Paged: another choice is another question to the server, asked when the typing pauses.
let asked = ''
let asking: ReturnType<typeof setTimeout> | undefined
effect(() => {
  const key = JSON.stringify(view.value)
  const isOnPage = path.value.startsWith('/tasks')
  untracked(() => {
    if (!isOnPage || key === asked) return
    asked = key
    if (!isPaged.value) return
    clearTimeout(asking)
    asking = setTimeout(() => void attempt(loadFirstPage), 200)
  })
})

// Paged: the numbers are the server's, so they are asked again when everything has been sent.
let wasBusy = false
effect(() => {
  const busy = outbox.changes.value.some((one) => !isTold(one))
  if (wasBusy && !busy && isPaged.peek()) void recount()
  wasBusy = busy
})
async function recount(): Promise<void> {
  try {
    const [{ total }] = await Promise.all([api.list({}, 1), countOpen()])
    serverTotal.value = total
  } catch {
    // The numbers of before stay until the next list.
  }
}

// --- Kept from last time --------------------------------------------------------------------------------

interface Kept {
  tasks: Task[]
  total: number
  open: number
}

let keeping: ReturnType<typeof setTimeout> | undefined
function keep(): void {
  clearTimeout(keeping)
  keeping = setTimeout(() => {
    const user = person.peek()?.id
    if (!user || !known.peek() || (isPaged.peek() && !isPlain(view.peek()))) return
    const tasks = [...base.all()].sort(comparator('created')).slice(0, WHOLE)
    void disk.writeList(user, { tasks, total: tally.peek().all, open: tally.peek().open })
  }, 300)
}
effect(() => {
  void base.version.value
  if (known.peek()) keep()
})

// Begins for this person: what was kept is shown while the list is on its way.
export async function open(user: string): Promise<void> {
  const since = base.moment()
  const kept = disk.readList<Kept>(user).then((list) => {
    if (!list || known.peek() || person.peek()?.id !== user) return
    base.takeList(list.tasks, since, false)
    serverTotal.value = list.total
    serverOpen.value = list.open
    if (list.total > list.tasks.length) {
      isPaged.value = true
      setRanks(list.tasks, list.total, 0)
      hasMore.value = false
    }
    known.value = true
  })
  await Promise.all([outbox.open(user), kept])
}

effect(() => {
  if (confirmed.value) untracked(() => void load())
})
effect(() => {
  if (sessionError.value && !confirmed.value) failure.value = sessionError.value
})

export function refreshIfStale(): void {
  if (person.peek() && !loading.peek() && Date.now() - askedAt > STALE_MS) void load()
}
document.addEventListener('visibilitychange', () => {
  if (document.visibilityState === 'visible') refreshIfStale()
})
addEventListener('focus', refreshIfStale)

outbox.onProbe(load)
link.subscribe((now) => {
  if (now === 'up' && failure.peek()) setTimeout(load, 0)
})

onLeave(() => {
  latest++
  abort?.abort()
  clearTimeout(keeping)
  items = new WeakMap()
  ranks = new Map()
  known.value = loading.value = isPaged.value = hasMore.value = false
  failure.value = null
  askedAt = 0
})
