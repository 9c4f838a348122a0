// One polite live region for what happened. Errors have their own role=alert where they stand.
// Must not know: who speaks.
import { signal } from '@preact/signals'

export const spoken = signal('')

export function announce(words: string): void {
  // The same words twice are a new event to the listener, but not to a live region.
  spoken.value = spoken.value === words ? `${words}\u00a0` : words
}
