// The tasks as the server last told them, without the changes that wait here.
// Must not know: the queue, what is shown.
import { signal } from '@preact/signals'
import { Task } from './task'

const tasks = new Map<number, Task>()
const etags = new Map<number, string>()
// When something was written or heard of, counted in events: a list that was asked for before that
// is older and must not undo it.
const touched = new Map<number, number>()
let clock = 0

export const version = signal(0)
let scheduled = false

// Many answers in a row give one new drawing.
function changed(): void {
  if (scheduled) return
  scheduled = true
  setTimeout(() => {
    scheduled = false
    version.value++
  }, 0)
}

export const all = (): IterableIterator<Task> => tasks.values()
export const get = (id: number): Task | undefined => tasks.get(id)
export const etagOf = (id: number): string | null => etags.get(id) ?? null
export const count = (): number => tasks.size

// Ids grow, so what is created later has a larger one.
export const newestId = (): number => {
  let newest = 0
  for (const id of tasks.keys()) if (id > newest) newest = id
  return newest
}

// A fresh task from the server, or from another tab. Older news are dropped.
export function put(task: Task, etag?: string | null): void {
  const known = tasks.get(task.id)
  if (known && known.updated_at > task.updated_at) return
  tasks.set(task.id, task)
  if (etag) etags.set(task.id, etag)
  else if (known?.updated_at !== task.updated_at) etags.delete(task.id)
  touched.set(task.id, ++clock)
  changed()
}

export function drop(id: number): void {
  tasks.delete(id)
  etags.delete(id)
  touched.set(id, ++clock)
  changed()
}

// To be taken before a list is asked for.
export const moment = (): number => clock

// Takes a list over. `since` is the moment when it was asked for; `whole`: what it does not hold
// does not exist.
export function takeList(list: Task[], since: number, whole: boolean): void {
  const isNewer = (id: number) => (touched.get(id) ?? 0) > since
  if (whole) {
    const listed = new Set(list.map((task) => task.id))
    for (const id of [...tasks.keys()])
      if (!listed.has(id) && !isNewer(id)) {
        tasks.delete(id)
        etags.delete(id)
      }
  }
  for (const task of list) {
    if (isNewer(task.id)) continue
    const known = tasks.get(task.id)
    // The same version keeps its identity, so that its row is not drawn again.
    if (known?.updated_at === task.updated_at && known.completed === task.completed) continue
    tasks.set(task.id, task)
    etags.delete(task.id)
  }
  version.value++
}

export function clear(): void {
  tasks.clear()
  etags.clear()
  touched.clear()
  version.value++
}
