import { Component, type ComponentChild } from "preact"

/** Renders a value again only when it is another one. */
export class Memo<A> extends Component<{ readonly value: A; readonly render: (value: A) => ComponentChild }> {
  override shouldComponentUpdate(next: { readonly value: A }): boolean {
    return next.value !== this.props.value
  }

  override render() {
    return this.props.render(this.props.value)
  }
}
