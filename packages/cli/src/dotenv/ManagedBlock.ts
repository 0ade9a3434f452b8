import * as Either from "effect/Either"

// Texts here are bytes as Latin-1, so that every byte around the block stays what it is, whatever it encodes.

const begin = /^# >>> portctl(:.*)?[ \t]*$/
const end = /^# <<< portctl[ \t]*$/
const byteOrderMark = "\u00ef\u00bb\u00bf"

interface Line {
  readonly start: number
  /** Where it ends, before its line break. */
  readonly end: number
  readonly text: string
}

const linesOf = (text: string): ReadonlyArray<Line> => {
  const first = text.startsWith(byteOrderMark) ? byteOrderMark.length : 0
  return [...text.slice(first).matchAll(/([^\n]*?)(\r?\n|$)/g)].map(({ 1: line = "", index }) => ({
    start: first + index,
    end: first + index + line.length,
    text: line
  }))
}

const lineBreakOf = (text: string): string => /\r?\n/.exec(text)?.[0] ?? "\n"

/** A text with the place of its block, which ends before the line break. */
interface Found {
  readonly before: string
  readonly after: string
  readonly lineBreak: string
}

/** Where the block of portctl is in a file, or, where it has none, goes: to its end. Or what is wrong with its marks. */
export const find = (bytes: Uint8Array): Either.Either<Found, string> => {
  const text = Buffer.from(bytes).toString("latin1")
  if (text.includes("\0")) return Either.left("is not UTF-8 text")
  const lines = linesOf(text)
  const [first, second] = lines.filter((line) => begin.test(line.text))
  const [last, other] = lines.filter((line) => end.test(line.text))
  const lineBreak = lineBreakOf(first === undefined ? text : text.slice(first.end))
  if (first === undefined && last === undefined) {
    const isOpen = text !== "" && text !== byteOrderMark && !text.endsWith("\n")
    return Either.right({ before: isOpen ? text + lineBreak : text, after: lineBreak, lineBreak })
  }
  if (second !== undefined || other !== undefined) return Either.left("has more than one block of portctl")
  if (first === undefined || last === undefined || last.start < first.start) {
    return Either.left(
      first === undefined
        ? "has the end of a block of portctl without its beginning"
        : "has the beginning of a block of portctl without its end"
    )
  }
  return Either.right({ before: text.slice(0, first.start), after: text.slice(last.end), lineBreak })
}

/** The file with the block of portctl: the lines, between its marks. */
export const withBlock = ({ after, before, lineBreak }: Found, title: string, lines: ReadonlyArray<string>): Buffer => {
  const block = [`# >>> portctl: ${title}`, ...lines, "# <<< portctl"].join(lineBreak)
  return Buffer.concat([Buffer.from(before, "latin1"), Buffer.from(block), Buffer.from(after, "latin1")])
}

/** The lines outside the block that set one of the variables too, by their numbers in the file. */
export const assignmentsOutside = (
  bytes: Uint8Array,
  variables: ReadonlyArray<string>
): ReadonlyArray<{ readonly variable: string; readonly line: number }> => {
  const lines = linesOf(Buffer.from(bytes).toString("latin1"))
  const [first, last] = [begin, end].map((mark) => lines.findIndex(({ text }) => mark.test(text)))
  return lines.flatMap(({ text }, index) => {
    const [, variable = ""] = /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=/.exec(text) ?? []
    const isInside = index > (first ?? -1) && index < (last ?? -1)
    return !isInside && variables.includes(variable) ? [{ variable, line: index + 1 }] : []
  })
}
