// The address bar as a signal. View state lives in the query, so back, reload and bookmarks work.
// Must not know: which pages exist.
import { computed, signal } from '@preact/signals'

const here = () => location.pathname + location.search

const address = signal(here())
export const path = computed(() => address.value.split('?')[0])
export const query = computed(() => new URLSearchParams(address.value.split('?')[1] ?? ''))

addEventListener('popstate', () => (address.value = here()))

export function go(to: string, how: { replace?: boolean } = {}): void {
  if (to === here()) return
  if (how.replace) history.replaceState({ inside: isInside() }, '', to)
  else history.pushState({ inside: true }, '', to)
  address.value = here()
}

// True if the page before this one in the history is ours, so that going back stays here.
const isInside = (): boolean => Boolean(history.state?.inside)

// Leaves a page that was opened from `to`, or by its address.
export function leaveTo(to: string): void {
  if (isInside()) history.back()
  else go(to, { replace: true })
}

// A place to go to after the log-in. Only a path of this origin counts: `//host` and `/\host` are
// other hosts to a browser.
export function safeNext(next: string | null): string {
  if (!next || !/^\/(?![/\\])/.test(next)) return '/tasks'
  try {
    const url = new URL(next, location.origin)
    return url.origin === location.origin ? url.pathname + url.search : '/tasks'
  } catch {
    return '/tasks'
  }
}

// For `onClick` of links within the site; leaves new tabs and downloads to the browser.
export function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey)
    return
  event.preventDefault()
  go((event.currentTarget as HTMLAnchorElement).getAttribute('href')!)
}
