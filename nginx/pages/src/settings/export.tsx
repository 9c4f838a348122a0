// All tasks as a file, made in the page: nothing is uploaded, no address holds data.
import { useState } from 'preact/hooks'
import { t } from '../core/i18n'
import { Failure } from '../core/net'
import type { Task } from '../core/task'
import * as api from '../core/tasks-api'
import { sentence } from '../core/words'
import { Alert, WorkButton } from '../ui/parts'
import { Section } from './page'

const COLUMNS = ['id', 'title', 'description', 'completed', 'created_at', 'updated_at'] as const

function cell(value: unknown): string {
  let text = value === null || value === undefined ? '' : String(value)
  // A spreadsheet would run text that begins like a formula.
  if (typeof value === 'string' && /^[=+\-@\t\r]/.test(text)) text = `'${text}`
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text
}

const csv = (tasks: Task[]) =>
  '\ufeff' + [COLUMNS.join(','), ...tasks.map((task) => COLUMNS.map((name) => cell(task[name])).join(','))]
    .join('\r\n') + '\r\n'

const json = (tasks: Task[]) =>
  JSON.stringify(tasks.map((task) => Object.fromEntries(COLUMNS.map((name) => [name, task[name]]))),
    null, 2)

function save(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }))
  const anchor = document.createElement('a')
  anchor.href = url
  anchor.download = name
  anchor.click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}

export function Export() {
  const [busy, setBusy] = useState('')
  const [failure, setFailure] = useState<Failure | null>(null)
  const run = async (format: 'json' | 'csv') => {
    if (busy) return
    setBusy(format)
    setFailure(null)
    try {
      const tasks = await api.everything()
      const name = `tasks-${new Date().toISOString().slice(0, 10)}.${format}`
      if (format === 'json') save(name, 'application/json', json(tasks))
      else save(name, 'text/csv', csv(tasks))
    } catch (error) {
      setFailure(error as Failure)
    } finally {
      setBusy('')
    }
  }
  return (
    <Section title={t('export')}>
      <p class="hint">{t('export.why')}</p>
      {failure && <Alert>{sentence(failure)}</Alert>}
      <div class="actions">
        <WorkButton type="button" class="quiet" busy={busy === 'json'} onClick={() => void run('json')}>
          {t('export.json')}
        </WorkButton>
        <WorkButton type="button" class="quiet" busy={busy === 'csv'} onClick={() => void run('csv')}>
          {t('export.csv')}
        </WorkButton>
      </div>
    </Section>
  )
}
