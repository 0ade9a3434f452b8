import * as Either from "effect/Either"

/** The text of a file, or `undefined` where there is none; bytes as Latin-1, so that all others stay what they are. */
export type FileText = string | undefined

/** Something that `install` puts into a file of a project, and `uninstall` takes out of it. */
export interface Piece {
  /** Path of the file below the project's top folder. */
  readonly file: string
  /** The text with it; or what is wrong with the file. */
  readonly added: (text: FileText) => Either.Either<FileText, string>
  /** The text without it, as it was before; or what is wrong with the file. */
  readonly removed: (text: FileText) => Either.Either<FileText, string>
}

const mark = "Written by portctl agents install; portctl agents uninstall removes it."

/** A file of portctl's own, with a mark in a comment. */
export const ownFile = (file: string, text: string): Piece => {
  const whole = `${text}\n<!-- ${mark} -->\n`
  const isOwn = (found: FileText) => found === undefined || found.includes(mark)
  return {
    file,
    added: (found) => (isOwn(found) ? Either.right(whole) : Either.left("is there already, and not from portctl")),
    removed: (found) => Either.right(isOwn(found) ? undefined : found)
  }
}
