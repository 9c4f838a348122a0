// Small pieces that pages are made of.
import type { ButtonHTMLAttributes, ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { fullDate, shortDate, t } from '../core/i18n'
import { follow } from '../core/router'

export type IconName =
  | 'add' | 'check' | 'close' | 'edit' | 'delete' | 'search' | 'settings' | 'list' | 'keys' | 'eye'
  | 'eye-off' | 'warn' | 'cloud' | 'device'

// Drawn by the sheet as a mask in the colour of the text.
export const Icon = ({ name }: { name: IconName }) => (
  <span class={`icon icon-${name}`} aria-hidden="true" />
)

type ButtonProps = Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'type' | 'icon'> & {
  type?: 'button' | 'submit'
}

export function IconButton({ icon, label, ...rest }: { icon: IconName; label: string } & ButtonProps) {
  return (
    <button type="button" {...rest} class={`icon-button ${rest.class ?? ''}`} aria-label={label} title={label}>
      <Icon name={icon} />
    </button>
  )
}

interface LinkProps {
  href: string
  class?: string
  'aria-current'?: 'page'
  children: ComponentChildren
}

export const Link = (props: LinkProps) => (
  <a {...props} onClick={follow} />
)

// A button that works: it keeps the focus, and shows a mark only if the work takes a while.
export function WorkButton({ busy, children, class: name, ...rest }: ButtonProps & { busy: boolean }) {
  return (
    <button type="submit" {...rest} class={`button ${name ?? ''}`} aria-disabled={busy || undefined}>
      {children}
      {busy && <span class="spinner" aria-hidden="true" />}
    </button>
  )
}

export const Time = ({ at }: { at: string | Date }) => (
  <time dateTime={new Date(at).toISOString()} title={fullDate(at)}>
    {shortDate(at)}
  </time>
)

// Shown only if it is still wanted after a moment: what comes at once needs no announcement.
export function Later({ ms, children }: { ms: number; children: ComponentChildren }) {
  const [due, setDue] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setDue(true), ms)
    return () => clearTimeout(timer)
  }, [])
  return due ? <>{children}</> : null
}

export const Alert = ({ children }: { children: ComponentChildren }) => (
  <div class="alert" role="alert">
    <Icon name="warn" />
    <div>{children}</div>
  </div>
)

export const Note = ({ children }: { children: ComponentChildren }) => (
  <div class="note" role="status">
    <Icon name="check" />
    <div>{children}</div>
  </div>
)

const LINK = /https?:\/\/[^\s<>"]+[^\s<>".,;:!?)\]}']/g

// Text as text, with its web addresses made clickable.
export function Linked({ text, tabIndex }: { text: string; tabIndex?: number }) {
  const parts: ComponentChildren[] = []
  let at = 0
  for (const found of text.matchAll(LINK)) {
    parts.push(text.slice(at, found.index))
    parts.push(
      <a href={found[0]} target="_blank" rel="noopener noreferrer nofollow" tabIndex={tabIndex}>
        {found[0]}
      </a>,
    )
    at = found.index! + found[0].length
  }
  parts.push(text.slice(at))
  return <>{parts}</>
}

// The heading of a page takes the focus when the page changes, so that reading starts there.
export function Heading({ children, focus = true }: { children: ComponentChildren; focus?: boolean }) {
  useEffect(() => {
    if (focus) document.querySelector<HTMLElement>('h1')?.focus({ preventScroll: true })
  }, [])
  return <h1 tabIndex={-1}>{children}</h1>
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = `${title} – ${t('app.name')}`
  }, [title])
}
