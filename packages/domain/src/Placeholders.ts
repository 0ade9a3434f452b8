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
