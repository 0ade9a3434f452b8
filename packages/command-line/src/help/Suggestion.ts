/** How many characters must be inserted, dropped, replaced or swapped with the next to make `b` of `a`. */
const distance = (a: string, b: string): number => {
  const rows: Array<Array<number>> = [Array.from({ length: b.length + 1 }, (_, column) => column)]
  const at = (row: number, column: number) => rows[row]?.[column] ?? 0
  for (let row = 1; row <= a.length; row++) {
    rows.push([row])
    for (let column = 1; column <= b.length; column++) {
      const [here, there] = [a[row - 1], b[column - 1]]
      const replaced = at(row - 1, column - 1) + (here === there ? 0 : 1)
      const swapped =
        row > 1 && column > 1 && here === b[column - 2] && a[row - 2] === there ? at(row - 2, column - 2) + 1 : replaced
      rows[row]?.push(Math.min(at(row - 1, column) + 1, at(row, column - 1) + 1, replaced, swapped))
    }
  }
  return at(a.length, b.length)
}

/** Longer than any name there is; nothing longer is looked at. */
const longest = 40

/** The name that was probably meant: one that the word begins, or that is at most two slips away. */
export const closest = (word: string, names: Iterable<string>): string | undefined => {
  const letters = word.replace(/^-+/, "")
  if (letters.length < 2 || word.length > longest) return undefined
  const [best] = [...names]
    .map((name) => ({ name, slips: name.startsWith(word) ? 0.5 : distance(word.toLowerCase(), name) }))
    .filter(({ slips }) => slips <= Math.min(2, letters.length / 2))
    .sort((left, right) => left.slips - right.slips)
  return best?.name
}
