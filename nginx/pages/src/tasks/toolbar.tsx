// Search, filter and order. All of it lives in the address.
import { useEffect, useRef } from 'preact/hooks'
import { Key, number, t } from '../core/i18n'
import * as list from '../core/list'
import { go, path } from '../core/router'
import { SORTS, Sort, Status, View, queryOf } from '../core/task'
import { Icon } from '../ui/parts'

export function show(change: Partial<View>, replace = false): void {
  go(path.peek() + queryOf({ ...list.view.peek(), ...change }), { replace })
}

export const nextSort = (): Sort =>
  SORTS[(SORTS.indexOf(list.view.peek().sort) + 1) % SORTS.length]

const FILTERS: [Status, Key][] = [
  ['all', 'filter.all'],
  ['pending', 'filter.open'],
  ['completed', 'filter.done'],
]

export const sortName = (sort: Sort): string => t(`sort.${sort}` as Key)

export function Toolbar() {
  const { status, search, sort } = list.view.value
  const { all, open } = list.tally.value
  const counts: Record<Status, number> = { all, pending: open, completed: all - open }
  const field = useRef<HTMLInputElement>(null)
  // The field is the reader's while they type; the address only changes it from outside.
  useEffect(() => {
    // The latest, not the one of this drawing: letters may have been typed since.
    const now = list.view.peek().search
    if (field.current!.value !== now) field.current!.value = now
  }, [search])

  return (
    <div class="toolbar">
      <div class="search" role="search">
        <label class="hidden" for="search">{t('search')}</label>
        <Icon name="search" />
        <input
          ref={field}
          id="search"
          type="search"
          dir="auto"
          autoComplete="off"
          placeholder={t('search')}
          defaultValue={search}
          onInput={(event) => {
            const now = event.currentTarget.value
            // One step of history for one search, not one for each letter.
            show({ search: now }, Boolean(list.view.peek().search))
          }}
        />
      </div>
      <div class="filter" role="group" aria-label={t('filter')}>
        {FILTERS.map(([value, name]) => (
          <button
            key={value}
            type="button"
            aria-pressed={status === value}
            onClick={() => show({ status: value })}
          >
            {t(name)}
            <span class="count">{list.known.value ? number(counts[value]) : ''}</span>
          </button>
        ))}
      </div>
      <label class="sort">
        <span class="hidden">{t('sort')}</span>
        <select
          id="sort"
          value={sort}
          onChange={(event) => show({ sort: event.currentTarget.value as Sort })}
        >
          {SORTS.map((one) => <option key={one} value={one}>{sortName(one)}</option>)}
        </select>
      </label>
    </div>
  )
}
