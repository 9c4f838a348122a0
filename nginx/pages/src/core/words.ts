// Sentences for failures: what the server says, else what its status means.
// Must not know: where they are shown.
import { Key, language, maybe, t } from './i18n'
import { Failure } from './net'

type Reason = Pick<Failure, 'status' | 'code' | 'message'> & Partial<Failure>

const BY_STATUS: Record<number, Key> = {
  0: 'error.offline', 401: 'error.401', 403: 'error.403', 404: 'error.404', 413: 'error.413',
  502: 'error.503', 503: 'error.503', 504: 'error.503',
}

export function sentence(reason: Reason): string {
  if (reason.status === 429) return t('error.429', { n: reason.waitSeconds || 10 })
  // The server speaks English; other languages have their own words for the codes that people meet.
  const translated = language.value === 'en' ? undefined : maybe(`code.${reason.code}`)
  if (translated) return translated
  if (reason.message && reason.status < 500) return reason.message
  const key = BY_STATUS[reason.status]
  if (key) return t(key)
  const words = reason.message || t('error.unknown')
  return reason.requestId ? `${words} ${t('error.id', { id: reason.requestId })}` : words
}
