// `{NAME}` in a text stands for a value, where NAME is known; `{{NAME}` is the text `{NAME}`. All else is itself, also a
// shell's `${NAME}`.
const placeholder = /\$\{+|\{?\{([^{}]*)\}/g

/** The text with the value of each placeholder whose name is known. */
export const fill = (text: string, values: ReadonlyMap<string, string>): string =>
  text.replace(placeholder, (found: string, name: string | undefined) => {
    const value = name === undefined ? undefined : values.get(name)
    if (value === undefined) return found
    return found.startsWith("{{") ? found.slice(1) : value
  })

/** The known names that a text has placeholders of. */
export const namesIn = (text: string, known: Iterable<string>): ReadonlyArray<string> => {
  const names = new Set(known)
  return [...text.matchAll(placeholder)].flatMap(([found, name]) =>
    name !== undefined && names.has(name) && !found.startsWith("{{") ? [name] : []
  )
}

/** The texts before, between and after the placeholders of known names: what {@link fill} leaves as it is. */
export const literalsIn = (text: string, known: Iterable<string>): ReadonlyArray<string> => {
  const names = new Set(known)
  const literals: Array<string> = []
  let literal = ""
  let end = 0
  for (const { 0: found, 1: name, index } of text.matchAll(placeholder)) {
    if (name === undefined || !names.has(name)) continue
    literal += text.slice(end, index)
    end = index + found.length
    if (found.startsWith("{{")) literal += found.slice(1)
    else {
      literals.push(literal)
      literal = ""
    }
  }
  return [...literals, literal + text.slice(end)]
}
