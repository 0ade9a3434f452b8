/**
 * Keeps of a list what did not change, so that a part of the page which shows the same is not rendered again. Values are
 * compared by their JSON.
 */
export const reuse = <A>(keyOf: (value: A) => string): ((values: ReadonlyArray<A>) => ReadonlyArray<A>) => {
  let known = new Map<string, { readonly json: string; readonly value: A }>()
  return (values) => {
    const next = new Map(
      values.map((value) => {
        const key = keyOf(value)
        const json = JSON.stringify(value)
        const before = known.get(key)
        return [key, before?.json === json ? before : { json, value }]
      })
    )
    known = next
    return values.map((value) => next.get(keyOf(value))?.value ?? value)
  }
}
