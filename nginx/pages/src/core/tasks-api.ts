// The task routes as functions. Each takes care of the token: one that is refused is renewed once;
// a second refusal means that the session is over.
// Must not know: queues, lists on screen.
import { Failure, failureOf, send } from './net'
import { Task, View } from './task'
import { getToken, tokenAtHand, tokenSubject } from './token'
import { person, refetchSession, sessionIsOver } from './auth'

const BASE = '/api/tasks'

export interface Versioned {
  task: Task
  etag: string | null
}

interface Call {
  method?: string
  body?: unknown
  headers?: Record<string, string>
  signal?: AbortSignal
}

async function call(path: string, { method, body, headers, signal }: Call = {}): Promise<Response> {
  let refused: string | undefined
  for (;;) {
    const token = await getToken(refused).catch((failure) => {
      if (failure.status === 401) sessionIsOver()
      throw failure
    })
    if (tokenSubject() !== person.value?.id) {
      // The cookie changed hands in another tab: nothing of this person may be sent as the other.
      void refetchSession()
      throw new Failure(401)
    }
    const response = await send(BASE + path, {
      method: method ?? 'GET',
      signal,
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'application/json',
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
    if (response.ok) return response
    if (response.status !== 401) throw await failureOf(response)
    if (refused !== undefined) {
      sessionIsOver()
      throw await failureOf(response)
    }
    refused = token
  }
}

async function json<T>(response: Response): Promise<T> {
  try {
    return await response.json()
  } catch {
    throw new Failure(502) // a success that is not JSON comes from something in between
  }
}

async function versioned(response: Response): Promise<Versioned> {
  return { task: await json<Task>(response), etag: response.headers.get('etag') }
}

export interface Page {
  tasks: Task[]
  total: number
}

export async function list(
  view: Partial<View>,
  limit: number,
  offset = 0,
  signal?: AbortSignal,
): Promise<Page> {
  const query = new URLSearchParams({ limit: String(limit) })
  if (offset) query.set('offset', String(offset))
  if (view.status && view.status !== 'all') query.set('status', view.status)
  if (view.search?.trim()) query.set('search', view.search.trim())
  if (view.sort && view.sort !== 'created') query.set('sort', view.sort)
  const response = await call(`?${query}`, { signal })
  const tasks = await json<Task[]>(response)
  if (!Array.isArray(tasks)) throw new Failure(502)
  const total = response.headers.get('x-total-count')
  return { tasks, total: total === null ? tasks.length : Number(total) }
}

export const read = async (id: number) => versioned(await call(`/${id}`))

export const create = async (
  body: { title: string; description: string | null },
  key: string,
) => versioned(await call('', { method: 'POST', body, headers: { 'idempotency-key': key } }))

export const update = async (id: number, body: Partial<Task>, etag?: string | null) =>
  versioned(
    await call(`/${id}`, { method: 'PUT', body, headers: etag ? { 'if-match': etag } : {} }),
  )

// Sets the state instead of flipping it, so that a repeat is harmless.
export const complete = async (id: number, completed: boolean) =>
  versioned(await call(`/${id}/complete`, { method: 'PATCH', body: { completed } }))

export async function remove(id: number): Promise<void> {
  await call(`/${id}`, { method: 'DELETE' }).catch((failure: Failure) => {
    if (failure.status !== 404) throw failure // gone is what was wanted
  })
}

// While the page closes: nobody will hear the answer.
export function removeOnExit(id: number): void {
  const token = tokenAtHand()
  if (!token) return
  void fetch(`${BASE}/${id}`, {
    method: 'DELETE',
    keepalive: true,
    headers: { authorization: `Bearer ${token}` },
  }).catch(() => {})
}

// Every task there is, page by page, for export.
export async function everything(view: Partial<View> = {}): Promise<Task[]> {
  const found = new Map<number, Task>()
  for (let offset = 0; ; offset += 500) {
    const { tasks, total } = await list(view, 500, offset)
    for (const task of tasks) found.set(task.id, task)
    if (!tasks.length || offset + tasks.length >= total) return [...found.values()]
  }
}
