// A newer version of the page that waits to be taken.
// Must not know: how it is found.
import { signal } from '@preact/signals'

export const newVersion = signal<ServiceWorker | null>(null)
let taken = false

// The page reloads only if its reader asked for it here: other tabs may hold unsaved text.
export const isTaken = () => taken

export function takeNewVersion(): void {
  taken = true
  newVersion.value?.postMessage('take over')
}
