// A component that is drawn again only if one of its properties is another one. (Preact has this in
// its compatibility package, which is larger than all of it.)
import { Component, ComponentType, createElement } from 'preact'

export function memo<P extends object>(inner: ComponentType<P>): ComponentType<P> {
  return class Memo extends Component<P> {
    shouldComponentUpdate(next: Readonly<P>) {
      for (const name in next) if (next[name] !== this.props[name]) return true
      return false
    }
    render() {
      return createElement(inner, this.props as P)
    }
  }
}
