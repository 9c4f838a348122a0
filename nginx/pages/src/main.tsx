// Starts the page: words first, then what is kept from last time, then everything else.
import { effect, untracked } from '@preact/signals'
import { render } from 'preact'
import { App } from './app'
import { person } from './core/auth'
import { whenIdle } from './core/idle'
import { ready } from './core/i18n'
import * as list from './core/list'
import { loadMore } from './ui/more'

let opened = ''
effect(() => {
  const user = person.value?.id ?? ''
  if (user && user !== opened) untracked(() => void list.open(user))
  opened = user
})

void ready.then(() => render(<App />, document.getElementById('app')!))
// The rest comes when the first view is done.
addEventListener('load', () => setTimeout(() => whenIdle(() => void loadMore()), 1000))
