import * as Predicate from "effect/Predicate"

const reasons = new Map([
  ["ENOENT", "there is no such file"],
  ["EISDIR", "it is a folder"],
  ["EACCES", "it is not yours to read"]
])

/** The code of an error of Node's, such as `ENOENT`; empty where it has none. */
export const codeOf = (error: unknown): string =>
  Predicate.hasProperty(error, "code") && typeof error.code === "string" ? error.code : ""

/** Why a file cannot be read, in a sentence that names it. */
export const cannotRead = (file: string, error: unknown): string =>
  `cannot read ${JSON.stringify(file)}: ${reasons.get(codeOf(error)) ?? "it cannot be opened"}`
