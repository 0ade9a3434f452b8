import * as Predicate from "effect/Predicate"

const reasons = new Map([
  ["ENOENT", "there is no such file"],
  ["EISDIR", "it is a folder"],
  ["ENOTFILE", "it is neither a file nor a folder"],
  ["ENOTDIR", "it is in something that is not a folder"],
  ["EACCES", "it is not yours to open"],
  ["EPERM", "it is not yours to open"],
  ["EROFS", "its disk is read-only"],
  ["ENOSPC", "the disk is full"],
  ["ELOOP", "it is a link that leads nowhere"],
  ["ENAMETOOLONG", "its name is too long"]
])

/** The code of an error of Node's, such as `ENOENT`; empty where it has none. */
export const codeOf = (error: unknown): string =>
  Predicate.hasProperty(error, "code") && typeof error.code === "string" ? error.code : ""

/** Why a file cannot be read, in a sentence that names it. */
export const cannotRead = (file: string, error: unknown): string =>
  `cannot read ${JSON.stringify(file)}: ${reasons.get(codeOf(error)) ?? "it cannot be opened"}`

/** Why a file cannot be written, in a sentence that names it. */
export const cannotWrite = (file: string, error: unknown): string =>
  codeOf(error) === "ENOENT"
    ? `cannot write ${JSON.stringify(file)}: there is no such folder`
    : `cannot write ${JSON.stringify(file)}: ${reasons.get(codeOf(error)) ?? "it cannot be opened"}`
