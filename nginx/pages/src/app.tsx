// The frame around every page, and which page an address means.
import type { ComponentType } from 'preact'
import { useEffect } from 'preact/hooks'
import { spoken } from './core/announce'
import { ended, onLeave, person, sessionError, state, refetchSession } from './core/auth'
import { t } from './core/i18n'
import { go, path, query, safeNext } from './core/router'
import { sentence } from './core/words'
import { Login, Signup, Welcome } from './pages/entry'
import { helpOpen } from './tasks/keys'
import { TasksPage } from './tasks/page'
import { Alert, Heading, Icon, IconButton, Later, Link, useTitle } from './ui/parts'
import { More } from './ui/more'
import { Tray } from './ui/tray'

interface Route {
  page: ComponentType
  who: 'all' | 'guest' | 'user'
}

const Settings = () => <More part="SettingsPage" />
const Forgot = () => <More part="ForgotPassword" />
const Reset = () => <More part="ResetPassword" />
const Verify = () => <More part="VerifyEmail" />

const ROUTES: Record<string, Route> = {
  '/': { page: Welcome, who: 'guest' },
  '/signup': { page: Signup, who: 'guest' },
  '/login': { page: Login, who: 'guest' },
  '/forgot-password': { page: Forgot, who: 'all' },
  '/reset-password': { page: Reset, who: 'all' },
  '/verify-email': { page: Verify, who: 'all' },
  '/tasks': { page: TasksPage, who: 'user' },
  '/settings': { page: Settings, who: 'user' },
}

function NotFound() {
  useTitle(t('missing.title'))
  return (
    <div class="narrow center">
      <Heading>{t('missing.title')}</Heading>
      <p>{t('missing.lead')}</p>
      <Link class="button" href="/">{t('missing.home')}</Link>
    </div>
  )
}
const MISSING: Route = { page: NotFound, who: 'all' }

function routeOf(where: string): Route {
  const plain = where.length > 1 ? where.replace(/\/$/, '') : where
  if (/^\/tasks\/[^/]+$/.test(plain)) return ROUTES['/tasks']
  return Object.hasOwn?.(ROUTES, plain) ? ROUTES[plain] : MISSING
}

// Where somebody has to be instead, if not here.
function detour(route: Route): string | null {
  if (route.who === 'guest' && state.value === 'user') return safeNext(query.value.get('next'))
  if (route.who === 'user' && state.value === 'guest') {
    const here = path.value + location.search
    return here === '/tasks' ? '/login' : `/login?next=${encodeURIComponent(here)}`
  }
  return null
}

// After a log-out there is nothing to come back to.
onLeave(() => go('/login', { replace: true }))

function Page() {
  const route = routeOf(path.value)
  const to = detour(route)
  useEffect(() => {
    // Asked anew: the address may have changed since this was drawn.
    const now = detour(routeOf(path.peek()))
    if (now) go(now, { replace: true })
  }, [to])
  if (to) return null
  // Neither guest nor user yet: better nothing for a moment than the wrong page.
  if (state.value === 'unknown' && route.who !== 'all') return <Unknown />
  const { page: Current } = route
  return <Current key={route === MISSING ? 'missing' : undefined} />
}

function Unknown() {
  if (sessionError.value)
    return (
      <div class="narrow center">
        <Alert>
          <p>{sentence(sessionError.value)}</p>
          <button type="button" class="button small" onClick={() => void refetchSession()}>
            {t('try')}
          </button>
        </Alert>
      </div>
    )
  return (
    <Later ms={200}>
      <div class="unknown" role="status"><span class="hidden">{t('loading')}</span></div>
    </Later>
  )
}

export function App() {
  const isUser = state.value === 'user' && person.value
  const at = path.value
  const isTasks = at.startsWith('/tasks')
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault()
          document.querySelector<HTMLElement>('#main h1, #main')?.focus()
        }}
      >
        {t('skip')}
      </a>
      <header class="top">
        <div class="top-inner">
          <Link class="brand" href={isUser ? '/tasks' : '/'}>
            <span class="brand-mark" aria-hidden="true"><Icon name="check" /></span>
            <span class="brand-name">{t('app.name')}</span>
          </Link>
          {isUser && (
            <nav aria-label={t('nav')}>
              {isTasks && (
                <IconButton icon="keys" class="wide-only" label={t('keys.title')}
                  onClick={() => (helpOpen.value = true)} />
              )}
              <Link class="nav-link" href="/tasks" aria-current={isTasks ? 'page' : undefined}>
                <Icon name="list" />{t('tasks')}
              </Link>
              <Link class="nav-link" href="/settings"
                aria-current={at === '/settings' ? 'page' : undefined}>
                <Icon name="settings" />{t('settings')}
              </Link>
            </nav>
          )}
        </div>
      </header>
      <main id="main" tabIndex={-1}><Page /></main>
      <Tray />
      {helpOpen.value && <More part="KeysDialog" />}
      {ended.value && <More part="LoginAgain" />}
      <div class="hidden" role="status" aria-live="polite">{spoken.value}</div>
    </>
  )
}
