// Who is signed in: the official client's session as one signal, with what a page needs on top of
// it - a person known from last time while the server is silent, a session that ended in mid-use,
// a log-out that the server did not hear.
// Must not know: tasks; what is shown. Others subscribe to `leaving` and `person`.
import { computed, signal } from '@preact/signals'
import { createAuthClient } from 'better-auth/client'
import { Failure, send } from './net'
import { wipe } from './disk'
import { listen, tell } from './tabs'
import { forgetToken, takeToken } from './token'

export interface Person {
  id: string
  name: string
  email: string
  emailVerified: boolean
}

const PERSON_KEY = 'todo.person'
const UNHEARD_KEY = 'todo.logout'
const stored = (key: string) => {
  try {
    return localStorage.getItem(key)
  } catch {
    return null
  }
}
const store = (key: string, value: string | null) => {
  try {
    if (value === null) localStorage.removeItem(key)
    else localStorage.setItem(key, value)
  } catch {
    // Without storage the page works, it only remembers nobody.
  }
}

function remembered(): Person | null {
  // The link of a mail may have deleted the account a moment ago: the server is asked first.
  if (/[?&]deleted=/.test(location.search)) return null
  try {
    return JSON.parse(stored(PERSON_KEY) ?? 'null')
  } catch {
    return null
  }
}

// The person whose data this page may show. From last time until the server has answered.
export const person = signal<Person | null>(remembered())
// True once the server confirmed the session in this page's life.
export const confirmed = signal(false)
const answered = signal(false)
export const sessionToken = signal('')
export const sessionError = signal<Failure | null>(null)
// The session is over while the page is in use: the page stays and asks for the password.
export const ended = signal(false)
// The server did not hear the last log-out; its cookie still opens the door, so it is ignored here.
export const unheard = signal(stored(UNHEARD_KEY) !== null)

export const state = computed<'unknown' | 'guest' | 'user'>(() => {
  if (unheard.value) return 'guest'
  if (person.value) return 'user'
  return answered.value ? 'guest' : 'unknown'
})

const leaving: (() => void)[] = []
// Called when the data of the person must go from memory.
export const onLeave = (action: () => void) => leaving.push(action)

export const client = createAuthClient({
  basePath: '/api/auth',
  fetchOptions: {
    customFetchImpl: (input, init) => send(input as RequestInfo, init),
    onSuccess: ({ response }) => takeToken(response.headers.get('set-auth-jwt')),
  },
})

interface Answer<T> {
  data: T | null
  error: { status?: number; message?: string; code?: string } | null
}

// Runs a call of the auth client; its two ways to fail become one.
export async function ask<T>(call: Promise<unknown>): Promise<T> {
  const { data, error } = (await call) as Answer<T>
  if (error) throw new Failure(error.status ?? 0, { ...error })
  return data as T
}

interface SessionAnswer {
  user: Person
  session: { token: string }
}

function meet(answer: SessionAnswer): void {
  const { id, name, email, emailVerified } = answer.user
  const before = person.value
  store(PERSON_KEY, JSON.stringify({ id, name, email, emailVerified }))
  if (before && before.id !== id) {
    // Somebody else signed in: a fresh page is the one way to be sure that nothing of the first
    // person is left in it.
    void wipe().then(() => location.reload())
    person.value = null
    return
  }
  sessionToken.value = answer.session.token
  if (!before || before.name !== name || before.email !== email || !confirmed.value)
    person.value = { id, name, email, emailVerified }
  confirmed.value = true
  ended.value = false
}

client.useSession.subscribe(({ data, error, isPending, isRefetching }) => {
  if (isPending || isRefetching) return
  if (unheard.value) return
  sessionError.value = null
  const answer = data as unknown as SessionAnswer | null
  if (answer?.user) meet(answer)
  else if (error && (error as { status?: number }).status !== 401)
    sessionError.value = error instanceof Failure ? error : new Failure(error.status ?? 0)
  else if (confirmed.value) ended.value = true
  else {
    store(PERSON_KEY, null)
    person.value = null
  }
  if (!sessionError.value) answered.value = true
})

export const refetchSession = () => client.useSession.get().refetch()

// Called when the task routes refuse a fresh token.
export function sessionIsOver(): void {
  if (person.value) ended.value = true
}

function forget(): void {
  for (const action of leaving) action()
  forgetToken()
  store(PERSON_KEY, null)
  try {
    sessionStorage.clear()
  } catch {
    // Nothing was kept there then.
  }
  confirmed.value = ended.value = false
  answered.value = true
  sessionToken.value = ''
  person.value = null
}

export async function signIn(email: string, password: string, rememberMe: boolean): Promise<void> {
  await ask(client.signIn.email({ email, password, rememberMe }))
  store(UNHEARD_KEY, null)
  unheard.value = false
  await refetchSession()
  if (sessionError.value) throw sessionError.value
}

// True if the answer holds a session.
export async function signUp(name: string, email: string, password: string): Promise<boolean> {
  const callbackURL = '/verify-email'
  const answer = await ask<{ token: string | null }>(
    client.signUp.email({ name, email, password, callbackURL }),
  )
  if (!answer?.token) return false
  store(UNHEARD_KEY, null)
  unheard.value = false
  await refetchSession()
  return true
}

// Tells the server, then forgets everything here, whether or not the server heard it.
export async function signOut(): Promise<void> {
  const user = person.value?.id ?? ''
  const heard = await ask(client.signOut()).then(
    () => true,
    () => false,
  )
  if (!heard) {
    store(UNHEARD_KEY, '1')
    unheard.value = true
  }
  forget()
  await wipe()
  tell({ kind: 'logout', user })
}

// After the account is gone, or its sessions are: there is nothing to tell the server.
export async function forgetPerson(): Promise<void> {
  const user = person.value?.id ?? ''
  forget()
  await wipe()
  tell({ kind: 'logout', user })
}

listen(({ kind, user }) => {
  if (kind !== 'logout' || (person.value && person.value.id !== user)) return
  unheard.value = stored(UNHEARD_KEY) !== null
  forget()
})

async function tellAgain(): Promise<void> {
  if (!unheard.value) return
  await ask(client.signOut()).then(
    () => {
      store(UNHEARD_KEY, null)
      unheard.value = false
    },
    () => {},
  )
}
void tellAgain()
addEventListener('online', () => void tellAgain())
// A page from the back-forward cache may show tasks of a session that ended since.
addEventListener('pageshow', (event) => {
  if (event.persisted) location.reload()
})
