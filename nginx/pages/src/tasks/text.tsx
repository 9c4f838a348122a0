// What the add form and the editor share about the text of a task.
import { number, t } from '../core/i18n'
import { DESCRIPTION_MAX, TITLE_MAX, length } from '../core/task'

export function textErrors(title: string, description: string): Record<string, string> {
  const errors: Record<string, string> = {}
  if (!title) errors.title = t('title.missing')
  else if (length(title) > TITLE_MAX)
    errors.title = t('title.long', { max: TITLE_MAX, n: length(title) - TITLE_MAX })
  if (length(description) > DESCRIPTION_MAX)
    errors.description = t('description.long', {
      max: DESCRIPTION_MAX,
      n: length(description) - DESCRIPTION_MAX,
    })
  return errors
}

// Counts code points, near the limit only: far from it the number is noise.
export function Counter({ text, from, max }: { text: string; from: number; max: number }) {
  if (text.length < from) return null
  const count = length(text)
  if (count < from) return null
  return (
    <p class={count > max ? 'counter over' : 'counter'}>
      {number(count)} / {number(max)}
    </p>
  )
}

// A text box as tall as its text, within reason.
export function growBox(box: HTMLTextAreaElement): void {
  box.style.height = 'auto'
  box.style.height = `${Math.min(box.scrollHeight + 2, innerHeight * 0.4)}px`
}
