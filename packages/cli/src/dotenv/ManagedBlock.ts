import * as Either from "effect/Either"

// Texts here are bytes as Latin-1, so that every byte around the block stays what it is, whatever it encodes.

/** The lines around a block, and how its first one is written. */
export interface Marks {
  readonly begin: RegExp
  readonly end: RegExp
  readonly lines: (title: string) => readonly [begin: string, end: string]
}

/** The marks in files whose comments begin with `#`. */
export const hash: Marks = {
  begin: /^# >>> portctl(:.*)?[ \t]*$/,
  end: /^# <<< portctl[ \t]*$/,
  lines: (title) => [`# >>> portctl: ${title}`, "# <<< portctl"]
}

/** The marks in Markdown: comments, which nothing shows. */
export const markdown: Marks = {
  begin: /^<!-- >>> portctl(:.*)? -->[ \t]*$/,
  end: /^<!-- <<< portctl -->[ \t]*$/,
  lines: (title) => [`<!-- >>> portctl: ${title} -->`, "<!-- <<< portctl -->"]
}

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
export interface Found {
  /** The block that is there: its title and its lines. */
  readonly block?: { readonly title: string; readonly lines: ReadonlyArray<string> }
  readonly before: string
  readonly after: string
  readonly lineBreak: string
}

/** Where portctl's block is in a file, or the end of the file if it has none; or what is wrong with the marks. */
export const find = (bytes: Uint8Array, { begin, end }: Marks = hash): Either.Either<Found, string> => {
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
  const [, title = ""] = begin.exec(first.text) ?? []
  const inside = lines.filter((line) => line.start > first.start && line.start < last.start)
  const block = { title: title.replace(/^:\s*/, ""), lines: inside.map((line) => line.text) }
  return Either.right({ block, before: text.slice(0, first.start), after: text.slice(last.end), lineBreak })
}

/** The file with the block of portctl: the lines, between its marks. */
export const withBlock = (
  { after, before, lineBreak }: Found,
  title: string,
  lines: ReadonlyArray<string>,
  marks: Marks = hash
): Buffer => {
  const [first, last] = marks.lines(title)
  const block = [first, ...lines, last].join(lineBreak)
  return Buffer.concat([Buffer.from(before, "latin1"), Buffer.from(block), Buffer.from(after, "latin1")])
}

/** The variable that a line sets. */
const assignedBy = (line: string): string | undefined =>
  /^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=/.exec(line)?.[1]

/** The variables that the block sets. */
export const assignmentsOf = ({ block }: Found): ReadonlyArray<string> =>
  block?.lines.flatMap((line) => assignedBy(line) ?? []) ?? []

/** The lines outside the block that set one of the variables too, by their numbers in the file. */
export const assignmentsOutside = (
  bytes: Uint8Array,
  variables: ReadonlyArray<string>
): ReadonlyArray<{ readonly variable: string; readonly line: number }> => {
  const lines = linesOf(Buffer.from(bytes).toString("latin1"))
  const [first, last] = [hash.begin, hash.end].map((mark) => lines.findIndex(({ text }) => mark.test(text)))
  return lines.flatMap(({ text }, index) => {
    const variable = assignedBy(text) ?? ""
    const isInside = index > (first ?? -1) && index < (last ?? -1)
    return !isInside && variables.includes(variable) ? [{ variable, line: index + 1 }] : []
  })
}
