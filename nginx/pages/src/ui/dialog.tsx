// A modal dialog: the browser's own element keeps the focus inside and the rest of the page inert.
import type { ComponentChildren } from 'preact'
import { useLayoutEffect, useRef } from 'preact/hooks'
import { t } from '../core/i18n'
import { IconButton } from './parts'

let count = 0

export function Dialog(props: {
  title: string
  onClose?: () => void // none: the dialog cannot be left
  children: ComponentChildren
  class?: string
}) {
  const element = useRef<HTMLDialogElement>(null)
  const id = useRef(`dialog-${++count}`).current

  useLayoutEffect(() => {
    const dialog = element.current!
    const opener = document.activeElement as HTMLElement | null
    dialog.showModal()
    dialog.querySelector<HTMLElement>('[data-first]')?.focus()
    return () => {
      dialog.close()
      // The opener may have left with its row; then whoever closed the dialog says where to go.
      if (opener?.isConnected && opener !== document.body) opener.focus()
    }
  }, [])

  const refuse = (event: Event) => {
    event.preventDefault()
    props.onClose?.()
  }
  return (
    <dialog
      ref={element}
      class={`dialog ${props.class ?? ''}`}
      aria-labelledby={id}
      onCancel={refuse}
      onKeyDown={(event) => {
        // The second Escape in a row would close the dialog unasked if the first one got through.
        if (event.key === 'Escape' && !event.isComposing) {
          event.stopPropagation()
          refuse(event)
        }
      }}
      onMouseDown={(event) => event.target === element.current && props.onClose?.()}
    >
      <div class="dialog-body">
        <header class="dialog-head">
          <h2 id={id}>{props.title}</h2>
          {props.onClose && <IconButton icon="close" label={t('close')} onClick={props.onClose} />}
        </header>
        {props.children}
      </div>
    </dialog>
  )
}
