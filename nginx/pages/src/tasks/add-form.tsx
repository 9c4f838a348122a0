// The form for a new task. What is typed survives a reload until it is sent.
import { useEffect, useRef, useState } from 'preact/hooks'
import * as actions from '../core/actions'
import { t } from '../core/i18n'
import { go, path, query } from '../core/router'
import { DESCRIPTION_MAX, TITLE_MAX, cleanTitle } from '../core/task'
import { Counter, growBox, textErrors } from './text'

const DRAFT = 'todo.draft'

function draft(): { title: string; description: string } {
  try {
    return JSON.parse(sessionStorage.getItem(DRAFT) ?? 'null') ?? { title: '', description: '' }
  } catch {
    return { title: '', description: '' }
  }
}

function keepDraft(title: string, description: string): void {
  try {
    if (title || description) sessionStorage.setItem(DRAFT, JSON.stringify({ title, description }))
    else sessionStorage.removeItem(DRAFT)
  } catch {
    // Then it lives as long as the page.
  }
}

export function AddForm() {
  const before = useRef(draft()).current
  const [title, setTitle] = useState(query.peek().get('new') || before.title)
  const [description, setDescription] = useState(before.description)
  const [isOpen, setOpen] = useState(Boolean(before.description))
  const [errors, setErrors] = useState<Record<string, string>>({})
  const titleField = useRef<HTMLInputElement>(null)
  const descriptionField = useRef<HTMLTextAreaElement>(null)

  useEffect(() => {
    if (path.peek() === '/tasks') titleField.current!.focus({ preventScroll: true })
    if (query.peek().has('new')) go('/tasks', { replace: true })
  }, [])
  useEffect(() => keepDraft(title, description), [title, description])

  const submit = (event?: Event) => {
    event?.preventDefault()
    const clean = cleanTitle(title)
    const found = textErrors(clean, description)
    setErrors(found)
    if (found.title) return titleField.current!.focus()
    if (found.description) return descriptionField.current?.focus()
    actions.add(clean, description)
    setTitle('')
    setDescription('')
    setOpen(false)
    return titleField.current!.focus()
  }

  return (
    <form class="add card" noValidate onSubmit={submit} aria-label={t('add.form')}>
      <label class="caption" for="add-title">{t('add.label')}</label>
      <div class="add-row">
        <input
          ref={titleField}
          id="add-title"
          dir="auto"
          autoComplete="off"
          enterkeyhint="done"
          placeholder={t('add.placeholder')}
          value={title}
          aria-invalid={errors.title ? true : undefined}
          aria-describedby={errors.title ? 'add-title-error' : undefined}
          onInput={(event) => {
            setTitle(event.currentTarget.value)
            if (errors.title) setErrors({})
          }}
          onPaste={(event) => {
            // The browser would drop line breaks without a trace and glue the words together.
            const text = event.clipboardData?.getData('text') ?? ''
            if (!/[\r\n]/.test(text)) return
            event.preventDefault()
            const field = event.currentTarget
            field.setRangeText(text.trim().replace(/\s*[\r\n]+\s*/g, ' '), field.selectionStart!,
              field.selectionEnd!, 'end')
            setTitle(field.value)
          }}
        />
        <button class="button" type="submit">{t('add')}</button>
      </div>
      <Counter text={title} from={180} max={TITLE_MAX} />
      {errors.title && <p class="error" id="add-title-error" role="alert">{errors.title}</p>}
      {isOpen ? (
        <div class="field">
          <label class="caption" for="add-description">{t('description')}</label>
          <textarea
            ref={descriptionField}
            id="add-description"
            dir="auto"
            rows={2}
            value={description}
            aria-invalid={errors.description ? true : undefined}
            aria-describedby={errors.description ? 'add-description-error' : undefined}
            onInput={(event) => {
              setDescription(event.currentTarget.value)
              growBox(event.currentTarget)
            }}
            onKeyDown={(event) => {
              if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) submit(event)
            }}
          />
          <Counter text={description} from={4800} max={DESCRIPTION_MAX} />
          {errors.description && (
            <p class="error" id="add-description-error" role="alert">{errors.description}</p>
          )}
        </div>
      ) : (
        <button
          type="button"
          class="text-button"
          onClick={() => {
            setOpen(true)
            setTimeout(() => descriptionField.current?.focus())
          }}
        >
          {t('add.description')}
        </button>
      )}
    </form>
  )
}

