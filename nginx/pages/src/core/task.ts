// A task, the rules for its text, and the order and choice of a list.
// Must not know: where tasks come from.
import { collator } from './i18n'

export interface Task {
  id: number
  title: string
  description: string | null
  completed: boolean
  created_at: string
  updated_at: string
}

export const TITLE_MAX = 200
export const DESCRIPTION_MAX = 5000

// Code points, as the server counts: `length` and `maxlength` count UTF-16 units.
export function length(text: string): number {
  let count = 0
  for (const _ of text) count++
  return count
}

// What will be stored: one line, nothing around it.
export const cleanTitle = (title: string) => title.replace(/[\r\n\u2028\u2029]+/g, ' ').trim()

type Text = Partial<Pick<Task, 'title' | 'description'>>

export const sameText = (a: Text, b: Text): boolean =>
  a.title === b.title && (a.description ?? '') === (b.description ?? '')

export type Status = 'all' | 'pending' | 'completed'
export const SORTS = ['created', 'created:asc', 'updated', 'title'] as const
export type Sort = (typeof SORTS)[number]

export interface View {
  status: Status
  search: string
  sort: Sort
}

const STATUSES: Record<string, Status> = {
  pending: 'pending', open: 'pending', active: 'pending',
  completed: 'completed', done: 'completed',
}

export function viewOf(query: URLSearchParams): View {
  const sort = query.get('sort') as Sort
  return {
    status: STATUSES[query.get('status') ?? ''] ?? 'all',
    search: query.get('search') ?? '',
    sort: SORTS.includes(sort) ? sort : 'created',
  }
}

// The same names as the task routes use, so that an address reads the same in both.
export function queryOf(view: View): string {
  const query = new URLSearchParams()
  if (view.status !== 'all') query.set('status', view.status)
  if (view.search) query.set('search', view.search)
  if (view.sort !== 'created') query.set('sort', view.sort)
  return query.size === 0 || !String(query) ? '' : `?${query}`
}

// As the server does it: a piece of title or description, letter case aside, nothing special.
export function matches(task: Task, { status, search }: View): boolean {
  if (status !== 'all' && task.completed !== (status === 'completed')) return false
  const piece = search.trim().toLowerCase()
  return (
    !piece ||
    task.title.toLowerCase().includes(piece) ||
    Boolean(task.description?.toLowerCase().includes(piece))
  )
}

const byText = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0)

export function comparator(sort: Sort): (a: Task, b: Task) => number {
  const newestId = (a: Task, b: Task) => (a.id === b.id ? 0 : b.id - a.id)
  // What the server has not dated yet is newer than all that it has: its clock may be another one.
  const undated = (a: Task, b: Task) => Number(b.id === Infinity) - Number(a.id === Infinity)
  if (sort === 'title') {
    const { compare } = collator()
    return (a, b) => compare(a.title, b.title) || newestId(a, b)
  }
  if (sort === 'updated') return (a, b) =>
    undated(a, b) || byText(b.updated_at, a.updated_at) || newestId(a, b)
  const newest = (a: Task, b: Task) =>
    undated(a, b) || byText(b.created_at, a.created_at) || newestId(a, b)
  return sort === 'created' ? newest : (a, b) => -newest(a, b)
}
