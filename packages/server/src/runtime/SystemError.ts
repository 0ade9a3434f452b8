import { getSystemErrorMap } from "node:util"
import * as Predicate from "effect/Predicate"

/** The system's code of an error, such as `EMFILE`. */
export const errorCode = (error: unknown): string | undefined =>
  Predicate.hasProperty(error, "code") && typeof error.code === "string" ? error.code : undefined

/** An error in the system's own words: `too many open files (EMFILE)`. */
export const errorReason = (error: unknown): string => {
  const code = errorCode(error)
  // Asked only now: Node takes 1.5 ms to make it.
  const [, description] = [...getSystemErrorMap().values()].find(([name]) => name === code) ?? []
  if (description !== undefined) return `${description} (${code})`
  return error instanceof Error ? error.message : String(error)
}
