// One task in the list. Drawn again only when the task itself changes.
import { signal } from '@preact/signals'
import { memo } from '../ui/memo'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import * as actions from '../core/actions'
import { t } from '../core/i18n'
import type { Item } from '../core/list'
import { prefs, setPrefs } from '../core/prefs'
import { link } from '../core/net'
import { go } from '../core/router'
import { More } from '../ui/more'
import { IconButton, Linked, Time } from '../ui/parts'
import { editPath, focusRow } from './list'

// The row that asks whether it is to be deleted.
export const asking = signal('')

export function askOrRemove(item: Item): void {
  if (prefs.peek().removal === 'undo') actions.remove([item])
  else asking.value = item.ref
}

export const Row = memo(function Row({ item, isCurrent, isAsked }: {
  item: Item
  isCurrent: boolean
  isAsked: boolean
}) {
  const { ref, task, change } = item
  const tab = isCurrent ? 0 : -1
  const title = `title-${ref}`
  const isTrouble = change && change.state !== 'waiting' && change.state !== 'sending'
  const isUnderWay = change?.state === 'sending'
  const isWaiting = change?.state === 'waiting' && link.value !== 'up'
  return (
    <li
      id={`row-${ref}`}
      data-ref={ref}
      class={task.completed ? 'row done' : 'row'}
      tabIndex={tab}
      aria-busy={isUnderWay || undefined}
    >
      <input
        type="checkbox"
        class="tick"
        checked={task.completed}
        aria-labelledby={title}
        tabIndex={tab}
        onChange={() => actions.toggle(item)}
      />
      <div class="row-main" onDblClick={() => go(editPath(item))}>
        <p class="title" id={title} dir="auto">{task.title}</p>
        {task.description && <Description text={task.description} tab={tab} />}
        <p class="meta">
          <Time at={task.created_at} />
          {isWaiting && <span class="chip">{t('row.waiting')}</span>}
          {isUnderWay && <span class="spinner" aria-hidden="true" />}
        </p>
      </div>
      <div class="row-actions">
        <IconButton
          icon="edit"
          label={t('row.edit', { title: task.title })}
          tabIndex={tab}
          onClick={() => go(editPath(item))}
        />
        <IconButton
          icon="delete"
          label={t('row.delete', { title: task.title })}
          tabIndex={tab}
          onClick={() => askOrRemove(item)}
        />
      </div>
      {isTrouble && <More part="Trouble" item={item} change={change} />}
      {isAsked && <Question item={item} />}
    </li>
  )
})

// Two lines, then "more". Only text that could be longer is measured: measuring costs a layout.
function Description({ text, tab }: { text: string; tab: number }) {
  const element = useRef<HTMLParagraphElement>(null)
  const [isOpen, setOpen] = useState(false)
  const [isCut, setCut] = useState(false)
  const mayBeCut = text.length > 30 || text.includes('\n')
  useEffect(() => {
    if (!mayBeCut) return
    const measure = () => {
      const box = element.current!
      if (!box.classList.contains('open')) setCut(box.scrollHeight > box.clientHeight + 1)
    }
    const watch = new ResizeObserver(measure)
    watch.observe(element.current!)
    return () => watch.disconnect()
  }, [text])
  return (
    <>
      <p ref={element} class={isOpen ? 'description open' : 'description'} dir="auto">
        <Linked text={text} tabIndex={tab} />
      </p>
      {mayBeCut && (isCut || isOpen) && (
        <button
          type="button"
          class="text-button tight"
          tabIndex={tab}
          aria-expanded={isOpen}
          onClick={() => setOpen(!isOpen)}
        >
          {t(isOpen ? 'row.less' : 'row.more')}
        </button>
      )}
    </>
  )
}

function Question({ item }: { item: Item }) {
  const button = useRef<HTMLButtonElement>(null)
  const [always, setAlways] = useState(false)
  // Before anything else is typed: the next key is for the question.
  useLayoutEffect(() => {
    button.current!.focus()
    button.current!.scrollIntoView({ block: 'nearest' })
  }, [])
  const close = () => {
    asking.value = ''
    focusRow(item.ref)
  }
  return (
    <div
      class="question"
      role="group"
      aria-label={t('delete.ask')}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return
        event.stopPropagation()
        close()
      }}
    >
      <p>{t('delete.ask')}</p>
      <div class="actions">
        <button
          ref={button}
          type="button"
          class="button danger small"
          onClick={() => {
            asking.value = ''
            // From now on the removal can be undone, and this one is the first.
            if (always) setPrefs({ removal: 'undo' })
            actions.remove([item])
          }}
        >
          {t('delete')}
        </button>
        <button type="button" class="button quiet small" onClick={close}>{t('cancel')}</button>
      </div>
      <label class="check">
        <input
          type="checkbox"
          checked={always}
          onChange={(event) => setAlways(event.currentTarget.checked)}
        />
        <span>{t('delete.always')}</span>
      </label>
    </div>
  )
}
