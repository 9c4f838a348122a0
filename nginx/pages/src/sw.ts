// The service worker: keeps the page's own files, so that it opens without a network. It never
// touches the data: requests below /api/ pass it by.
// Must not know: users, tasks.
const CACHE = `pages-${VERSION}`
const PATIENCE_MS = 2000

// The parts of the worker's world that are used here; the page's own library does not know them.
interface Waiting extends Event {
  waitUntil(work: Promise<unknown>): void
}
interface Fetching extends Waiting {
  request: Request
  respondWith(answer: Promise<Response>): void
}
const worker = self as unknown as {
  skipWaiting(): void
  clients: { claim(): Promise<void> }
  addEventListener(kind: string, act: (event: never) => void): void
}

worker.addEventListener('install', (event: Waiting) => {
  event.waitUntil(
    caches.open(CACHE).then(async (cache) => {
      // Hashed files may come from the browser's own cache, the page itself must be today's.
      const requests = PRECACHE.map(
        (path) => new Request(path, { cache: path === '/' ? 'no-cache' : 'default' }),
      )
      await cache.addAll(requests)
    }),
  )
})

worker.addEventListener('activate', (event: Waiting) => {
  const clean = async () => {
    for (const name of await caches.keys())
      if (name.startsWith('pages-') && name !== CACHE) await caches.delete(name)
    await worker.clients.claim()
  }
  event.waitUntil(clean())
})

worker.addEventListener('message', (event: MessageEvent) => {
  if (event.data === 'take over') worker.skipWaiting()
  if (event.data === 'files') event.ports[0]?.postMessage(PRECACHE)
})

// The network first, for as long as a person would wait; the kept page is as good as the last visit.
async function page(request: Request): Promise<Response> {
  const kept = await caches.match('/')
  const fresh = fetch(request)
  if (!kept) return fresh
  const late = new Promise<Response>((done) => setTimeout(() => done(kept), PATIENCE_MS))
  const usable = fresh.then((response) => (response.ok ? response : kept), () => kept)
  return Promise.race([usable, late])
}

// Names with a hash never change what they stand for.
async function asset(request: Request): Promise<Response> {
  const kept = await caches.match(request)
  if (kept) return kept
  const fresh = await fetch(request)
  if (fresh.ok) await (await caches.open(CACHE)).put(request, fresh.clone())
  return fresh
}

worker.addEventListener('fetch', (event: Fetching) => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== location.origin) return
  if (request.mode === 'navigate' && !url.pathname.startsWith('/api/'))
    event.respondWith(page(request))
  else if (url.pathname.startsWith('/assets/')) event.respondWith(asset(request))
})
