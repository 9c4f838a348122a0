// The page of tasks: heading, add form, toolbar, list, and the editor when the address names a task.
import { useEffect, useRef } from 'preact/hooks'
import { announce, spoken } from '../core/announce'
import { t } from '../core/i18n'
import * as list from '../core/list'
import { leaveTo, path } from '../core/router'
import { queryOf } from '../core/task'
import { More } from '../ui/more'
import { useTitle } from '../ui/parts'
import { AddForm } from './add-form'
import { List } from './list'
import { Toolbar } from './toolbar'

const editing = () => decodeURIComponent(path.value.slice('/tasks/'.length)) || null

export function TasksPage() {
  const { open, all } = list.tally.value
  const ready = list.known.value
  const ref = editing()
  useTitle(ready ? t('tasks.titleOpen', { n: open }) : t('tasks'))
  // What there is, or what a search or filter found, said when the typing has paused.
  const settled = ready && !list.loading.value
  const { search, status } = list.view.value
  const lastSaid = useRef('')
  useEffect(() => {
    if (!settled) return
    const before = spoken.peek()
    const timer = setTimeout(() => {
      const now = t('said.count', { n: list.found.peek() })
      const about = `${search} ${status} ${now}`
      // What the person did meanwhile matters more.
      if (about !== lastSaid.current && spoken.peek() === before) announce(now)
      lastSaid.current = about
    }, 700)
    return () => clearTimeout(timer)
  }, [settled, search, status])
  useEffect(() => list.refreshIfStale(), [])

  const close = () => leaveTo(`/tasks${queryOf(list.view.peek())}`)

  return (
    <>
      <div class="page-head">
        <h1 tabIndex={-1}>{t('tasks')}</h1>
        <p class="tally" id="tally">
          {ready && all > 0 && <>{t('tasks.open', { n: open })}<span> · {t('tasks.all', { n: all })}</span></>}
        </p>
      </div>
      <AddForm />
      <Toolbar />
      <List />
      {ref && <More key={ref} part="Editor" name={ref} onClose={close} />}
    </>
  )
}
