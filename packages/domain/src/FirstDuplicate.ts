/** The first value that occurs twice. */
export const firstDuplicate = <A>(values: ReadonlyArray<A>): A | undefined =>
  values.find((value, index) => values.indexOf(value) !== index)
