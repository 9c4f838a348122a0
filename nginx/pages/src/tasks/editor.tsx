// The dialog for one task. What is typed survives a reload; leaving with changes asks.
import { useEffect, useRef, useState } from 'preact/hooks'
import * as actions from '../core/actions'
import * as api from '../core/tasks-api'
import * as base from '../core/base'
import { t } from '../core/i18n'
import * as list from '../core/list'
import type { Failure } from '../core/net'
import { DESCRIPTION_MAX, TITLE_MAX, Task, cleanTitle, sameText } from '../core/task'
import { sentence } from '../core/words'
import { Dialog } from '../ui/dialog'
import { Alert, Time } from '../ui/parts'
import { Counter, growBox, textErrors } from './text'

const KEY = 'todo.edit'

interface Draft {
  name: string
  opened: Task
  title: string
  description: string
  completed: boolean
}

function keptDraft(name: string): Draft | null {
  try {
    const draft = JSON.parse(sessionStorage.getItem(KEY) ?? 'null') as Draft | null
    return draft?.name === name ? draft : null
  } catch {
    return null
  }
}

function keepDraft(draft: Draft | null): void {
  try {
    if (draft) sessionStorage.setItem(KEY, JSON.stringify(draft))
    else sessionStorage.removeItem(KEY)
  } catch {
    // Then it lives as long as the page.
  }
}

// Finds the task that the address names: here, else at the server.
export function Editor({ name, onClose }: { name: string; onClose: () => void }) {
  const [failure, setFailure] = useState<Failure | null>(null)
  const item = list.find(name)
  const isKnown = list.known.value
  const id = /^\d{1,16}$/.test(name) ? Number(name) : null
  useEffect(() => {
    if (item || !isKnown || list.loading.value) return
    if (id === null) return setFailure({ status: 404 } as Failure)
    api.read(id).then(({ task, etag }) => base.put(task, etag), setFailure)
  }, [name, isKnown, list.loading.value])

  if (item) return <EditForm name={name} item={item} onClose={onClose} />
  if (!failure) return null
  const isGone = failure.status === 404 || failure.status === 422
  return (
    <Dialog title={t(isGone ? 'editor.unknown' : 'editor.title')} onClose={onClose}>
      <p>{isGone ? t('editor.unknownWhy') : sentence(failure)}</p>
      <div class="actions">
        <button type="button" class="button" data-first onClick={onClose}>{t('back.tasks')}</button>
      </div>
    </Dialog>
  )
}

function EditForm({ name, item, onClose }: { name: string; item: list.Item; onClose: () => void }) {
  const kept = useRef(keptDraft(name)).current
  // The version that the person looked at when they began.
  const opened = useRef(kept?.opened ?? item.task).current
  const [title, setTitle] = useState(kept?.title ?? opened.title)
  const [description, setDescription] = useState(kept?.description ?? opened.description ?? '')
  const [completed, setCompleted] = useState(kept?.completed ?? opened.completed)
  const [errors, setErrors] = useState<Record<string, string>>({})
  const [isLeaving, setLeaving] = useState(false)
  const titleField = useRef<HTMLTextAreaElement>(null)
  const descriptionField = useRef<HTMLTextAreaElement>(null)
  const isDirty = title !== opened.title || description !== (opened.description ?? '') ||
    completed !== opened.completed

  useEffect(() => {
    growBox(titleField.current!)
    growBox(descriptionField.current!)
    // The latest version and its tag, so that a change from elsewhere is noticed when this is saved.
    if (item.id) void api.read(item.id).then(({ task, etag }) => base.put(task, etag), () => {})
  }, [])
  useEffect(() => {
    keepDraft(isDirty ? { name, opened, title, description, completed } : null)
  }, [title, description, completed])

  const leave = () => {
    keepDraft(null)
    onClose()
  }
  const close = () => {
    if (!isDirty) leave()
    else setLeaving(!isLeaving)
  }
  const save = (event?: Event) => {
    event?.preventDefault()
    const clean = title === opened.title ? title : cleanTitle(title)
    const found = textErrors(clean, description)
    setErrors(found)
    if (found.title) return titleField.current!.focus()
    if (found.description) return descriptionField.current!.focus()
    leave()
    return actions.edit(item, opened, { title: clean, description: description || null, completed })
  }
  const saveByKey = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.isComposing) return
    if (event.ctrlKey || event.metaKey) save(event)
  }
  const elsewhere = item.id !== null && base.get(item.id)
  const isStale = elsewhere && !sameText(elsewhere, opened) && !item.change

  return (
    <Dialog title={t('editor.title')} onClose={close} class="sheet">
      <form noValidate onSubmit={save} aria-label={t('editor.title')}>
        {isStale && <p class="note" role="status">{t('editor.stale')}</p>}
        <div class="field">
          <label for="edit-title">{t('title')}</label>
          <textarea
            ref={titleField}
            id="edit-title"
            class="one-line"
            data-first
            dir="auto"
            rows={1}
            value={title}
            aria-invalid={errors.title ? true : undefined}
            aria-describedby={errors.title ? 'edit-title-error' : undefined}
            onInput={(event) => {
              setTitle(event.currentTarget.value)
              growBox(event.currentTarget)
            }}
            onKeyDown={(event) => {
              if (event.key === 'Enter' && !event.isComposing) save(event)
            }}
          />
          <Counter text={title} from={180} max={TITLE_MAX} />
          {errors.title && <p class="error" id="edit-title-error" role="alert">{errors.title}</p>}
        </div>
        <div class="field">
          <label for="edit-description">{t('description')}</label>
          <textarea
            ref={descriptionField}
            id="edit-description"
            dir="auto"
            rows={4}
            value={description}
            aria-invalid={errors.description ? true : undefined}
            aria-describedby={errors.description ? 'edit-description-error' : undefined}
            onInput={(event) => {
              setDescription(event.currentTarget.value)
              growBox(event.currentTarget)
            }}
            onKeyDown={saveByKey}
          />
          <Counter text={description} from={4800} max={DESCRIPTION_MAX} />
          {errors.description && (
            <p class="error" id="edit-description-error" role="alert">{errors.description}</p>
          )}
        </div>
        <label class="check">
          <input
            type="checkbox"
            checked={completed}
            onChange={(event) => setCompleted(event.currentTarget.checked)}
          />
          <span>{t('completed')}</span>
        </label>
        <p class="meta">{t('editor.created')} <Time at={opened.created_at} /></p>
        {isLeaving ? (
          <Alert>
            <p>{t('editor.leave')}</p>
            <div class="actions">
              <button type="button" class="button danger small" onClick={leave}>
                {t('editor.discard')}
              </button>
              <button type="button" class="button quiet small" onClick={() => setLeaving(false)}>
                {t('editor.stay')}
              </button>
            </div>
          </Alert>
        ) : (
          <div class="actions">
            <button type="submit" class="button">{t('save')}</button>
            <button type="button" class="button quiet" onClick={leave}>{t('cancel')}</button>
          </div>
        )}
      </form>
    </Dialog>
  )
}
