// The bearer token of the task routes: in memory only, renewed before it expires, one request for
// all who wait. Must not know: tasks, pages.
import { Failure, failureOf, send } from './net'

const EARLY_MS = 60_000

let token = ''
let subject = ''
let validUntil = 0
let flight: Promise<string> | null = null

interface Claims {
  sub?: string
  iat?: number
  exp?: number
}

function claimsOf(jwt: string): Claims {
  try {
    const part = jwt.split('.')[1].replace(/-/g, '+').replace(/_/g, '/')
    const bytes = Uint8Array.from(atob(part), (char) => char.charCodeAt(0))
    return JSON.parse(new TextDecoder().decode(bytes))
  } catch {
    return {}
  }
}

// The clocks of server and reader may differ by hours, so only the length of life is taken from the
// token, counted from now.
export function takeToken(jwt: string | null | undefined): void {
  if (!jwt) return
  const { sub = '', iat = 0, exp = 0 } = claimsOf(jwt)
  token = jwt
  subject = sub
  validUntil = Date.now() + (exp - iat) * 1000 - EARLY_MS
}

export function forgetToken(): void {
  token = subject = ''
  validUntil = 0
}

// For calls that must leave at once because the page is closing.
export const tokenAtHand = () => token

// Whose token it is; the cookie may have changed hands in another tab.
export const tokenSubject = () => subject

async function renew(): Promise<string> {
  const response = await send('/api/auth/token', { headers: { accept: 'application/json' } })
  if (!response.ok) throw await failureOf(response)
  const { token: jwt } = await response.json().catch(() => ({}))
  if (typeof jwt !== 'string') throw new Failure(502)
  takeToken(jwt)
  return jwt
}

// `refused`: the token that the server would not take; any other that came since is tried first.
// Throws Failure, 401 if the session is over.
export function getToken(refused?: string): Promise<string> {
  if (token && token !== refused && Date.now() < validUntil) return Promise.resolve(token)
  flight ??= renew().finally(() => (flight = null))
  return flight
}
