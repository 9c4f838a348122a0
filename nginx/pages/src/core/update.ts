// The service worker: registered when the page is idle, asked for news when the page is looked at.
// Must not know: what is shown for a new version.
import { isTaken, newVersion } from './version'

const EVERY_MS = 60_000


// The page's own script names its version; a worker that waits with the same one replaces only an
// older worker, not the page.
async function offer(worker: ServiceWorker): Promise<void> {
  const own = document.querySelector('script[src]')?.getAttribute('src')
  const channel = new MessageChannel()
  const files = await new Promise<string[]>((done) => {
    channel.port1.onmessage = ({ data }) => done(data)
    worker.postMessage('files', [channel.port2])
  })
  if (own && files.includes(own)) worker.postMessage('take over')
  else newVersion.value = worker
}

function watch(registration: ServiceWorkerRegistration): void {
  const look = (worker: ServiceWorker | null) => {
    if (!worker) return
    const settle = () => {
      if (worker.state === 'installed' && registration.active) void offer(worker)
    }
    worker.addEventListener('statechange', settle)
    settle()
  }
  look(registration.waiting)
  registration.addEventListener('updatefound', () => look(registration.installing))
  let last = Date.now()
  const check = () => {
    if (document.visibilityState !== 'visible' || Date.now() - last < EVERY_MS) return
    last = Date.now()
    registration.update().catch(() => {})
  }
  document.addEventListener('visibilitychange', check)
  addEventListener('focus', check)
  setInterval(check, EVERY_MS)
}

export function startUpdates(): void {
  const workers = navigator.serviceWorker
  if (!workers) return // not on a secure origin
  workers.addEventListener('controllerchange', () => {
    if (isTaken()) location.reload()
  })
  // The address is fixed here, which is what the browser's guard wants to be told.
  const guard = window.trustedTypes?.createPolicy('worker', { createScriptURL: (url) => url })
  const url = (guard?.createScriptURL('/sw.js') ?? '/sw.js') as string
  workers.register(url).then(watch).catch(() => {})
}
