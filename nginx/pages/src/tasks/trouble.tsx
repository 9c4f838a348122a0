// What a row says when its change did not get through, and what can be done about it.
import { useEffect, useRef } from 'preact/hooks'
import { announce } from '../core/announce'
import { t } from '../core/i18n'
import type { Item } from '../core/list'
import * as outbox from '../core/outbox'
import type { Change } from '../core/outbox'
import { sentence } from '../core/words'
import { edit, focusRow } from './list'

export function Trouble({ item, change }: { item: Item; change: Change }) {
  const { ref } = item
  if (change.state === 'failed') {
    const { failure, kind, patch } = change
    const intro = kind === 'create' ? t('failed.create')
      : kind === 'delete' ? t('failed.delete') : t('failed.update')
    return (
      <div class="trouble" role="alert">
        <p>{intro} {failure && sentence(failure)}</p>
        {patch.title !== undefined && kind === 'update' && <Version words={t('yours')} {...patch} />}
        <div class="actions">
          <button type="button" class="button small" onClick={() => outbox.retry(ref)}>{t('try')}</button>
          {kind === 'create' && (
            <button type="button" class="button quiet small" onClick={() => edit(item)}>{t('edit')}</button>
          )}
          <Discard item={item} isLast={kind === 'create'} />
        </div>
      </div>
    )
  }
  if (change.state === 'conflict') return <Conflict item={item} change={change} />
  if (change.state === 'gone') {
    const { title, description } = item.task
    return (
      <div class="trouble" role="alert">
        <p>{t('gone')}</p>
        <div class="actions">
          <button type="button" class="button small"
            onClick={() => focusRow(outbox.addAgain(ref, title, description))}>
            {t('gone.again')}
          </button>
          <Discard item={item} isLast />
        </div>
      </div>
    )
  }
  return null
}

function Discard({ item, isLast }: { item: Item; isLast?: boolean }) {
  return (
    <button
      type="button"
      class="button quiet small"
      onClick={() => {
        outbox.discard(item.ref)
        announce(t('said.discarded'))
        if (isLast) document.getElementById('add-title')?.focus()
        else focusRow(item.ref)
      }}
    >
      {t('discard')}
    </button>
  )
}

function Version(props: { words: string; title?: string; description?: string | null }) {
  return (
    <div class="version">
      <p class="caption">{props.words}</p>
      {props.title !== undefined && <p dir="auto">{props.title}</p>}
      {props.description && <p class="version-text" dir="auto">{props.description}</p>}
    </div>
  )
}

function Conflict({ item, change }: { item: Item; change: Change }) {
  const box = useRef<HTMLDivElement>(null)
  useEffect(() => box.current!.scrollIntoView({ block: 'nearest' }), [])
  const theirs = change.theirs!
  const mine = { title: theirs.title, description: theirs.description, ...change.patch }
  return (
    <div class="trouble" role="alert" ref={box}>
      <p>{t('conflict')}</p>
      <div class="versions">
        <Version words={t('yours')} title={mine.title} description={mine.description} />
        <Version words={t('theirs')} title={theirs.title} description={theirs.description} />
      </div>
      <div class="actions">
        <button
          type="button"
          class="button small"
          onClick={() => {
            outbox.keepMine(item.ref)
            focusRow(item.ref)
          }}
        >
          {t('conflict.mine')}
        </button>
        <button
          type="button"
          class="button quiet small"
          onClick={() => {
            outbox.discard(item.ref)
            focusRow(item.ref)
          }}
        >
          {t('conflict.theirs')}
        </button>
      </div>
    </div>
  )
}
