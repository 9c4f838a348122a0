// Stands for a component of the part that is loaded later.
import { signal } from '@preact/signals'
import { ComponentType, createElement } from 'preact'
import { useEffect } from 'preact/hooks'
import { t } from '../core/i18n'
import { Later } from './parts'

type Parts = typeof import('../more')

const parts = signal<Parts | null>(null)
let isLoading = false

export async function loadMore(): Promise<void> {
  if (isLoading || parts.peek()) return
  isLoading = true
  try {
    parts.value = await import('../more')
  } catch {
    // A browser remembers a module that failed; only a fresh page asks for it again. Once there is
    // a network the service worker has it, so this is rare enough for a reload by hand.
    setTimeout(() => (isLoading = false), 3000)
  }
}

type PropsOf<Part> = Part extends (props: infer P) => unknown ? P : object

export function More<K extends keyof Parts>({ part, ...props }: { part: K } & PropsOf<Parts[K]>) {
  useEffect(() => void loadMore(), [])
  const found = parts.value?.[part] as ComponentType<object> | undefined
  if (found) return createElement(found, props)
  return (
    <Later ms={200}>
      <div class="unknown" role="status"><span class="hidden">{t('loading')}</span></div>
    </Later>
  )
}
