// Words, plurals, numbers and dates in the reader's language. English is built in; others are
// files, loaded when they are asked for.
// Must not know: pages.
import { effect, signal } from '@preact/signals'
import english from '../messages/en.json'
import type moreEnglish from '../messages/en-more.json'
import { prefs } from './prefs'

export type Key = keyof typeof english | keyof typeof moreEnglish
type Message = string | Record<string, string>
type Params = Record<string, string | number>

export const LANGUAGES = { en: 'English', de: 'Deutsch', ur: 'اردو' } as const

export const language = signal<string>('en')
const messages = signal<Record<string, Message>>(english)
// Dates like "2 minutes ago" are written anew each minute.
export const minute = signal(0)
setInterval(() => minute.value++, 60_000)

function wanted(): string {
  const known = (tag: string) => tag.slice(0, 2).toLowerCase() in LANGUAGES
  return prefs.value.language || (navigator.languages.find(known) ?? 'en').slice(0, 2).toLowerCase()
}

// English words that come with a part of the page that is loaded later.
export function addEnglish(more: Record<string, Message>): void {
  Object.assign(english, more)
  messages.value = { ...more, ...messages.value }
}

async function use(tag: string): Promise<void> {
  let found: Record<string, Message> = english
  if (tag !== 'en') {
    const response = await fetch(LANGUAGE_FILES[tag]).catch(() => null)
    if (!response?.ok) return // English stays: readable beats empty
    found = { ...english, ...(await response.json()) }
  }
  if (wanted() !== tag) return
  messages.value = found
  language.value = tag
  document.documentElement.lang = tag
  document.documentElement.dir = tag === 'ur' ? 'rtl' : 'ltr'
}

// Resolves when the first language is there, so that the first words shown are the right ones.
export const ready: Promise<unknown> = wanted() === 'en' ? Promise.resolve() : use(wanted())
let first = true
effect(() => {
  const tag = wanted()
  if (!first) void use(tag)
  first = false
})

// The browser's full tag ("de-AT") where it fits the chosen language: regions differ in dates.
function locale(): string {
  const tag = language.value
  return navigator.languages.find((one) => one.slice(0, 2).toLowerCase() === tag) ?? tag
}

// Making a formatter costs more than a hundred uses of it, so each is made once for a locale.
const made = new Map<string, unknown>()
function formatter<T, O>(Kind: new (locale: string, options?: O) => T, options?: O, tag = locale()): T {
  const key = `${Kind.name} ${tag} ${JSON.stringify(options)}`
  if (!made.has(key)) made.set(key, new Kind(tag, options))
  return made.get(key) as T
}

export function t(key: Key, params?: Params): string {
  return fill(messages.value[key], params)
}

// A message that only some languages have, such as for a code of the server.
export function maybe(key: string): string | undefined {
  const message = messages.value[key]
  return message === undefined ? undefined : fill(message)
}

function fill(message: Message, params: Params = {}): string {
  let words = message as string
  if (typeof message !== 'string') {
    const form = formatter(Intl.PluralRules, {}, language.value).select(Number(params.n))
    words = message[form] ?? message.other
  }
  return words.replace(/\{(\w+)\}/g, (_, name) => {
    const value = params[name]
    return typeof value === 'number' ? number(value) : String(value)
  })
}

export const number = (value: number) => formatter(Intl.NumberFormat).format(value)

export const fullDate = (iso: string | Date) =>
  formatter(Intl.DateTimeFormat, { dateStyle: 'full', timeStyle: 'short' }).format(new Date(iso))

const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
]

// "2 hours ago" within a week, else the date.
export function shortDate(iso: string | Date): string {
  void minute.value
  const then = new Date(iso)
  const seconds = (Date.now() - then.getTime()) / 1000
  if (seconds > 7 * 86_400)
    return formatter(Intl.DateTimeFormat, { dateStyle: 'medium' }).format(then)
  const relative = formatter(Intl.RelativeTimeFormat, { numeric: 'auto', style: 'long' })
  for (const [unit, length] of STEPS)
    if (seconds >= length) return relative.format(-Math.floor(seconds / length), unit)
  return t('date.now')
}

export const collator = () => new Intl.Collator(locale(), { sensitivity: 'base', numeric: true })
