/** A command line of bash up to the cursor, as bash would read it; nothing in it is ever expanded. */
export interface BashLine {
  /** Its words without quotes, the last one not yet finished. */
  readonly words: ReadonlyArray<string>
  /** How a value of the last word is written, so that bash puts it in place of what it takes for the current word. */
  readonly written: (value: string) => string | undefined
}

const safe = /[\p{Letter}\p{Number}\p{Mark}_./:=@%+,-]/u

const escaped = (text: string): string => [...text].map((char) => (safe.test(char) ? char : `\\${char}`)).join("")

/** The text as it stands between quotes that are open; `undefined` when it cannot. */
const within = (quote: string, text: string): string | undefined => {
  if (quote === "'") return text.replaceAll("'", "'\\''")
  // An exclamation mark in double quotes recalls the history, and no backslash is taken away again.
  return text.includes("!") ? undefined : text.replace(/["$`\\]/g, "\\$&")
}

/**
 * Read a command line.
 *
 * @param line from the name of the command to the cursor
 * @param breaks the characters at which bash's completion breaks words, `COMP_WORDBREAKS`
 */
export const parse = (line: string, breaks: string): BashLine => {
  const words: Array<string> = []
  // The word that is being read: what it says so far, whether there is one, and what it said where bash breaks it last.
  let text = ""
  let started = false
  let broken = 0
  let quote = ""
  for (let index = 0; index < line.length; index++) {
    const char = line[index] ?? ""
    if (quote === "'" ? char !== "'" : quote === '"' && char !== '"' && char !== "\\") {
      text += char
    } else if (char === "\\") {
      const next = line[index + 1] ?? ""
      text += quote === '"' && !/["$`\\]/.test(next) ? char : ""
      if (quote !== '"' || /["$`\\]/.test(next)) {
        text += next
        index++
      }
      started = true
    } else if (char === "'" || char === '"') {
      quote = quote === "" ? char : ""
      started = true
      broken = text.length
    } else if (/\s/.test(char)) {
      if (started) words.push(text)
      text = ""
      started = false
      broken = 0
    } else {
      text += char
      started = true
      if (breaks.includes(char)) broken = text.length
    }
  }
  const kept = text.slice(0, broken)
  return {
    words: [...words, text],
    written: (value) => {
      if (!value.startsWith(kept)) return undefined
      const rest = value.slice(kept.length)
      return quote === "" ? escaped(rest) : within(quote, rest)
    }
  }
}
