// Where this person is logged in, and how to end it.
import { useEffect, useState } from 'preact/hooks'
import { announce } from '../core/announce'
import { ask, client, ended, sessionError, sessionToken } from '../core/auth'
import { t } from '../core/i18n'
import { Failure } from '../core/net'
import { sentence } from '../core/words'
import { Alert, Icon, Later, Time, WorkButton } from '../ui/parts'
import { Section } from './page'

interface Session {
  id: string
  token: string
  createdAt: string
  ipAddress: string | null
  userAgent: string | null
}

const BROWSERS: [RegExp, string][] = [
  [/Edg\//, 'Edge'], [/OPR\//, 'Opera'], [/Firefox\//, 'Firefox'], [/Chrom(e|ium)\//, 'Chrome'],
  [/Safari\//, 'Safari'], [/curl\//, 'curl'],
]
const SYSTEMS: [RegExp, string][] = [
  [/Android/, 'Android'], [/iPhone|iPad/, 'iOS'], [/Windows/, 'Windows'], [/Mac OS X/, 'macOS'],
  [/CrOS/, 'ChromeOS'], [/Linux/, 'Linux'],
]
const pick = (list: [RegExp, string][], agent: string) => list.find(([test]) => test.test(agent))?.[1]

// Good enough to recognise one's own devices; what cannot be told is shown as it came.
function deviceName(agent: string | null): string {
  const browser = pick(BROWSERS, agent ?? '')
  const system = pick(SYSTEMS, agent ?? '')
  if (browser && system) return t('sessions.device', { browser, system })
  return browser ?? system ?? (agent?.slice(0, 40) || t('sessions.unknown'))
}

export function Sessions() {
  const [sessions, setSessions] = useState<Session[] | null>(null)
  const [failure, setFailure] = useState<Failure | null>(null)
  const [busy, setBusy] = useState('')

  const load = () =>
    ask<Session[]>(client.listSessions()).then((all) => {
      setFailure(null)
      setSessions([...(all ?? [])].sort((a, b) => +isHere(b) - +isHere(a) ||
        +new Date(b.createdAt) - +new Date(a.createdAt)))
    }, setFailure)
  const isHere = (one: Session) => one.token === sessionToken.peek()
  // After a password was asked for again, this page may look once more.
  useEffect(() => {
    if (!ended.value && (sessionToken.value || sessionError.value)) void load()
  }, [ended.value, sessionToken.value, sessionError.value])

  const act = async (name: string, call: () => Promise<unknown>, done: string) => {
    if (busy) return
    setBusy(name)
    try {
      await ask(call())
      announce(done)
      await load()
      document.getElementById('sessions')?.focus()
    } catch (error) {
      setFailure(error as Failure)
    } finally {
      setBusy('')
    }
  }
  const isStale = failure?.code === 'SESSION_NOT_FRESH'

  return (
    <Section title={t('sessions')}>
      <p class="hint">{t('sessions.why')}</p>
      {failure && (
        <Alert>
          <p>{isStale ? t('sessions.stale') : sentence(failure)}</p>
          <button
            type="button"
            class="button small"
            onClick={() => (isStale ? (ended.value = true) : void load())}
          >
            {isStale ? t('login') : t('try')}
          </button>
        </Alert>
      )}
      {!sessions && !failure && (
        <Later ms={200}><p class="hint">{t('loading')}</p></Later>
      )}
      {sessions && (
        <ul class="sessions plain" id="sessions" tabIndex={-1} aria-label={t('sessions')}>
          {sessions.map((one) => (
            <li key={one.id}>
              <Icon name="device" />
              <div class="session-main">
                <p class="session-name">
                  {deviceName(one.userAgent)}
                  {isHere(one) && <span class="chip good">{t('sessions.this')}</span>}
                </p>
                <p class="meta">
                  {t('sessions.since')} <Time at={one.createdAt} />
                  {one.ipAddress && <> · <span dir="ltr">{one.ipAddress}</span></>}
                </p>
              </div>
              {!isHere(one) && (
                <WorkButton
                  type="button"
                  class="quiet small"
                  busy={busy === one.id}
                  aria-label={t('sessions.endName', { name: deviceName(one.userAgent) })}
                  onClick={() => void act(one.id, () => client.revokeSession({ token: one.token }),
                    t('sessions.ended'))}
                >
                  {t('sessions.end')}
                </WorkButton>
              )}
            </li>
          ))}
        </ul>
      )}
      {sessions && sessions.length > 1 && (
        <div class="actions">
          <WorkButton
            type="button"
            class="quiet"
            busy={busy === 'others'}
            onClick={() => void act('others', () => client.revokeOtherSessions(),
              t('sessions.othersEnded'))}
          >
            {t('sessions.endOthers')}
          </WorkButton>
        </div>
      )}
    </Section>
  )
}
