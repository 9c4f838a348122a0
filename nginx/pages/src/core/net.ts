// One HTTP call with a time limit, repeats where they are safe, and one kind of failure.
// Must not know: tokens, tasks, sessions, pages.
import { signal } from '@preact/signals'

const TIME_LIMIT_MS = 10_000
const PAUSES_MS = [500, 1000, 2000]

// What the last call says about the way to the server. Only calls decide: a server on this machine
// works without the internet, and a browser that thinks it is online may be wrong.
export const link = signal<'up' | 'offline' | 'down'>('up')

export class Failure extends Error {
  readonly status: number // 0: no answer came
  readonly code: string
  readonly fields: Record<string, string>
  readonly waitSeconds: number
  readonly requestId: string

  constructor(status: number, body: Record<string, unknown> = {}, headers?: Headers) {
    const words = body.message ?? body.detail
    super(typeof words === 'string' ? words : '')
    this.status = status
    this.code = String(body.code ?? body.error ?? '')
    this.fields = fieldsOf(body.details)
    this.waitSeconds = Number(headers?.get('retry-after') ?? headers?.get('x-retry-after')) || 0
    this.requestId = headers?.get('x-request-id') ?? ''
  }

  // Nothing can be said about the request itself: later it may well succeed.
  get isTemporary(): boolean {
    return this.status === 0 || isGateway(this.status)
  }
}

const isGateway = (status: number) => status === 502 || status === 503 || status === 504
const pause = (ms: number) => new Promise((done) => setTimeout(done, ms))

function fieldsOf(details: unknown): Record<string, string> {
  const found: Record<string, string> = {}
  if (!details || typeof details !== 'object') return found
  const { errors, field, ...named } = details as Record<string, unknown>
  for (const [name, words] of Object.entries(named))
    if (typeof words === 'string' && name !== 'constraint') found[name] = words
  if (Array.isArray(errors))
    for (const one of errors) if (one?.field) found[one.field] ??= String(one.message)
  if (typeof field === 'string') found[field] ??= ''
  return found
}

// A proxy may answer in HTML: then only the status counts.
export async function failureOf(response: Response): Promise<Failure> {
  const body = await response.json().catch(() => ({}))
  return new Failure(response.status, body && typeof body === 'object' ? body : {}, response.headers)
}

async function once(input: RequestInfo | URL, init: RequestInit): Promise<Response> {
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(), TIME_LIMIT_MS)
  const stop = () => limit.abort()
  init.signal?.addEventListener('abort', stop)
  try {
    // The limit covers the body too, so the body is read before the timer stops.
    const response = await fetch(input, { ...init, signal: limit.signal })
    const body = response.status === 204 || response.status === 304 ? null : await response.blob()
    if (!isGateway(response.status)) link.value = 'up'
    return new Response(body, response)
  } catch {
    if (!init.signal?.aborted) link.value = 'offline'
    throw new Failure(0)
  } finally {
    clearTimeout(timer)
    init.signal?.removeEventListener('abort', stop)
  }
}

// GET is repeated on a lost connection and on 502, 503, 504; the pause that the server asks for
// wins. Everything else is sent once: whoever wrote it knows whether a repeat is harmless.
// Throws Failure only if no answer came.
export async function send(input: RequestInfo | URL, init: RequestInit = {}): Promise<Response> {
  const repeats = (init.method ?? 'GET') === 'GET' && !init.keepalive ? PAUSES_MS : []
  for (let attempt = 0; ; attempt++) {
    let response: Response | undefined
    try {
      response = await once(input, init)
      if (!isGateway(response.status)) return response
    } catch (failure) {
      if (attempt >= repeats.length || init.signal?.aborted) throw failure
    }
    if (response && attempt >= repeats.length) {
      link.value = 'down'
      return response
    }
    const asked = Number(response?.headers.get('retry-after')) * 1000
    await pause(asked > 0 && asked < 30_000 ? asked : repeats[attempt] * (0.75 + Math.random() / 2))
    if (init.signal?.aborted) throw new Failure(0)
  }
}
