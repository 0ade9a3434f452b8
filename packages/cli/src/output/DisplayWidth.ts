import { eastAsianWidth } from "get-east-asian-width"

const ascii = /^[\x20-\x7e]*$/

/** Whether it is drawn over the character before: marks, the joiners of emoji sequences, their variation selectors. */
const isOver = (char: string): boolean => /[\p{Mark}\p{Default_Ignorable_Code_Point}]/u.test(char)

const charWidth = (char: string): number => (isOver(char) ? 0 : eastAsianWidth(char.codePointAt(0) ?? 0))

/** How many columns of a terminal a text without control characters takes. */
export const displayWidth = (text: string): number => {
  if (ascii.test(text)) return text.length
  let width = 0
  for (const char of text) width += charWidth(char)
  return width
}

/** As many of the characters as fit, from the first on. */
const fitting = (chars: ReadonlyArray<string>, width: number): ReadonlyArray<string> => {
  let left = width
  const end = chars.findIndex((char) => {
    left -= charWidth(char)
    return left < 0
  })
  return end === -1 ? chars : chars.slice(0, end)
}

/** The text in at most `width` columns, `…` in place of what is cut off at one end. */
export const clip = (text: string, width: number, at: "start" | "end"): string => {
  if (displayWidth(text) <= width) return text
  const chars = [...text]
  return at === "end"
    ? `${fitting(chars, width - 1).join("")}…`
    : `…${[...fitting(chars.reverse(), width - 1)].reverse().join("")}`
}
