// Forms that say what is wrong, where, and lose nothing that was typed.
// Must not know: what the forms are for.
import type { ComponentChildren } from 'preact'
import { useEffect, useRef, useState } from 'preact/hooks'
import { t } from '../core/i18n'
import { Failure } from '../core/net'
import { sentence } from '../core/words'
import { Alert, IconButton } from './parts'

export type Values = Record<string, string>
export type Errors = Record<string, string>

let forms = 0

export interface FormState {
  id: string // of the first form of a page: "f"; two forms may have fields of the same name
  errors: Errors
  general: string
  busy: boolean
  onSubmit: (event: Event) => void
  setGeneral: (words: string) => void
}

// `check` finds what is wrong before anything is sent; `act` may throw a Failure, and `place` says at
// which field it belongs.
export function useForm(
  check: (values: Values) => Errors,
  act: (values: Values, form: HTMLFormElement) => Promise<void>,
  place: (failure: Failure) => string = () => '',
): FormState {
  const [errors, setErrors] = useState<Errors>({})
  const [general, setGeneral] = useState('')
  const [busy, setBusy] = useState(false)
  const working = useRef(false)
  const [id] = useState(() => (forms++ ? `f${forms}` : 'f'))
  useEffect(() => () => void forms--, [])

  const show = (form: HTMLFormElement, found: Errors) => {
    setErrors(found)
    const first = [...form.elements].find((one) => (one as HTMLInputElement).name in found)
    // After the messages are drawn, so that the field is read with its description.
    setTimeout(() => (first as HTMLElement | undefined)?.focus())
  }
  const onSubmit = async (event: Event) => {
    event.preventDefault()
    if (working.current) return
    const form = event.currentTarget as HTMLFormElement
    const values: Values = {}
    new FormData(form).forEach((value, name) => (values[name] = String(value)))
    const found = check(values)
    setGeneral('')
    show(form, found)
    if (Object.keys(found).length) return
    working.current = true
    setBusy(true)
    try {
      await act(values, form)
    } catch (error) {
      const failure = error instanceof Failure ? error : new Failure(500)
      const field = place(failure)
      if (field) show(form, { [field]: sentence(failure) })
      else setGeneral(sentence(failure))
    } finally {
      working.current = false
      setBusy(false)
    }
  }
  return { id, errors, general, busy, onSubmit, setGeneral }
}

export function Form({ state, children, label }: {
  state: FormState
  children: ComponentChildren
  label: string
}) {
  const wrong = Object.entries(state.errors)
  return (
    <form noValidate onSubmit={state.onSubmit} aria-label={label}>
      {state.general && <Alert>{state.general}</Alert>}
      {wrong.length > 1 && (
        <Alert>
          <p>{t('form.wrong', { n: wrong.length })}</p>
          <ul class="plain">
            {wrong.map(([name, words]) => (
              <li key={name}>
                <a
                  href={`#${state.id}-${name}`}
                  onClick={(event) => {
                    event.preventDefault()
                    document.getElementById(`${state.id}-${name}`)?.focus()
                  }}
                >
                  {words}
                </a>
              </li>
            ))}
          </ul>
        </Alert>
      )}
      {children}
    </form>
  )
}

interface FieldProps {
  state: FormState
  name: string
  label: string
  type?: 'text' | 'email' | 'password'
  autocomplete: string
  value?: string
  hint?: string
  readOnly?: boolean
  first?: boolean
}

export function Field(props: FieldProps) {
  const { state, name, label, type = 'text', hint } = props
  const [visible, setVisible] = useState(false)
  const id = `${state.id}-${name}`
  const error = state.errors[name]
  const described = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(' ')
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <div class="input-wrap">
        <input
          id={id}
          name={name}
          type={(visible ? 'text' : type) as 'text'}
          autoComplete={props.autocomplete as 'on'}
          autoCapitalize={type === 'text' ? undefined : 'none'}
          spellcheck={type === 'text' ? undefined : false}
          defaultValue={props.value}
          readOnly={props.readOnly}
          required
          aria-invalid={error ? true : undefined}
          aria-describedby={described || undefined}
          dir={type === 'text' ? 'auto' : 'ltr'}
          data-first={props.first || undefined}
        />
        {type === 'password' && (
          <IconButton
            icon={visible ? 'eye-off' : 'eye'}
            label={t(visible ? 'password.hide' : 'password.show')}
            aria-pressed={visible}
            onClick={() => setVisible(!visible)}
          />
        )}
      </div>
      {hint && <p class="hint" id={`${id}-hint`}>{hint}</p>}
      {error && <p class="error" id={`${id}-error`}>{error}</p>}
    </div>
  )
}

// The rules of the server for addresses and passwords, so that no request is needed to refuse one.
const EMAIL = /^[\w'+-]*(\.[\w'+-]+)*[\w+-]@([a-z\d][a-z\d-]*\.)+[a-z]{2,}$/i

export const isEmail = (text: string) => EMAIL.test(text)

export function passwordError(password: string): string | undefined {
  if (password.length < 8) return t('password.short')
  if (password.length > 128) return t('password.long')
  return undefined
}

export const present = (errors: Record<string, string | undefined | false>): Errors =>
  Object.fromEntries(Object.entries(errors).filter(([, words]) => words)) as Errors
