// Tabs of one browser tell each other what happened, and notice when one of them is gone.
// Must not know: what the messages mean.
export interface Message {
  kind: 'task' | 'gone' | 'logout' | 'changes'
  user: string
  value?: unknown
}

const channel = typeof BroadcastChannel === 'function' ? new BroadcastChannel('todo') : null

const random = new Uint32Array(2)
crypto.getRandomValues(random)
export const thisTab = [...random].map((part) => part.toString(36)).join('')

// Held until this tab is gone, whatever ends it: a lock needs no good-bye. Only secure origins have
// locks.
navigator.locks?.request(`tab:${thisTab}`, () => new Promise(() => {})).catch(() => {})

export function tell(message: Message): void {
  channel?.postMessage(message)
}

export function listen(hear: (message: Message) => void): void {
  channel?.addEventListener('message', (event) => hear(event.data))
}

// Without locks nobody can tell a tab that is gone from one that is busy.
export const canTellGone = Boolean(navigator.locks)

// Resolves when that tab no longer exists. Without locks: at once, so ask only when a page opens, and
// make repeats harmless.
export async function whenGone(tab: string): Promise<void> {
  if (tab === thisTab) return
  await navigator.locks?.request(`tab:${tab}`, () => {})
}
