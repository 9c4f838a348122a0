// What survives a reload: the list as last seen and the changes that wait, under the user's id.
// Every function gives up in silence where the browser has no database (private windows).
// Must not know: what a task or a change means.
const opened: Promise<IDBDatabase | null> = new Promise((done) => {
  try {
    const request = indexedDB.open('todo', 1)
    request.onupgradeneeded = () => {
      request.result.createObjectStore('lists')
      request.result.createObjectStore('changes', { keyPath: ['user', 'seq'] })
    }
    request.onsuccess = () => done(request.result)
    request.onerror = request.onblocked = () => done(null)
  } catch {
    done(null)
  }
})

type Store = 'lists' | 'changes'

async function run<T>(
  store: Store,
  mode: IDBTransactionMode,
  work: (objects: IDBObjectStore) => IDBRequest<T> | void,
): Promise<T | undefined> {
  const database = await opened
  if (!database) return undefined
  return new Promise((done) => {
    try {
      const transaction = database.transaction(store, mode)
      const request = work(transaction.objectStore(store))
      transaction.oncomplete = () => done(request?.result)
      transaction.onerror = transaction.onabort = () => done(undefined)
    } catch {
      done(undefined)
    }
  })
}

const ofUser = (user: string) => IDBKeyRange.bound([user], [user, []])

export const readList = <T>(user: string) => run<T>('lists', 'readonly', (all) => all.get(user))
export const writeList = (user: string, list: unknown) =>
  run('lists', 'readwrite', (all) => all.put(list, user))

export const readChanges = <T>(user: string) =>
  run<T[]>('changes', 'readonly', (all) => all.getAll(ofUser(user)))
export const writeChange = (change: { user: string; seq: number }) =>
  run('changes', 'readwrite', (all) => all.put(change))
export const dropChange = (user: string, seq: number) =>
  run('changes', 'readwrite', (all) => all.delete([user, seq]))

// Everything of everyone: on a shared machine the next person must not find what the last one left.
export async function wipe(): Promise<void> {
  await run('lists', 'readwrite', (all) => void all.clear())
  await run('changes', 'readwrite', (all) => void all.clear())
}
