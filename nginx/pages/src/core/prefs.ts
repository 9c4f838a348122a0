// Choices of this person on this device. They are not personal data and outlive the log-out.
// Must not know: how a choice is shown.
import { effect, signal } from '@preact/signals'

export interface Prefs {
  language: '' | 'en' | 'de' | 'ur' // '': as the browser asks
  theme: 'system' | 'light' | 'dark'
  removal: 'confirm' | 'undo'
  letters: boolean // single-letter keys, WCAG 2.1.4
}

const KEY = 'todo.prefs'
const DEFAULTS: Prefs = { language: '', theme: 'system', removal: 'confirm', letters: true }

function read(): Prefs {
  try {
    return { ...DEFAULTS, ...JSON.parse(localStorage.getItem(KEY) ?? '{}') }
  } catch {
    return DEFAULTS
  }
}

export const prefs = signal<Prefs>(read())

export function setPrefs(change: Partial<Prefs>): void {
  prefs.value = { ...prefs.value, ...change }
  try {
    localStorage.setItem(KEY, JSON.stringify(prefs.value))
  } catch {
    // Storage may be full or forbidden; the choice then lasts as long as the page.
  }
}

addEventListener('storage', (event) => {
  if (event.key === KEY) prefs.value = read()
})

effect(() => {
  const { theme } = prefs.value
  const root = document.documentElement
  if (theme === 'system') root.removeAttribute('data-theme')
  else root.setAttribute('data-theme', theme)
  const scheme = document.querySelector('meta[name=color-scheme]')
  scheme?.setAttribute('content', theme === 'system' ? 'light dark' : theme)
})
