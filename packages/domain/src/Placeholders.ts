// `{NAME}` in a text stands for a value, where NAME is known; `{{NAME}` is the text `{NAME}`. All else is itself.
const placeholder = /\{?\{([^{}]*)\}/g

/** The text with the value of each placeholder whose name is known. */
export const fill = (text: string, values: ReadonlyMap<string, string>): string =>
  text.replace(placeholder, (found: string, name: string) => {
    const value = values.get(name)
    if (value === undefined) return found
    return found.startsWith("{{") ? found.slice(1) : value
  })

/** The known names that a text has placeholders of. */
export const namesIn = (text: string, known: Iterable<string>): ReadonlyArray<string> => {
  const names = new Set(known)
  return [...text.matchAll(placeholder)].flatMap(([found, name = ""]) =>
    names.has(name) && !found.startsWith("{{") ? [name] : []
  )
}
