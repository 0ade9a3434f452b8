import * as Predicate from "effect/Predicate"

const reasons: ReadonlyMap<string, string> = new Map([
  ["ENOENT", "there is no such file"],
  ["EISDIR", "it is a folder"],
  ["ENOTDIR", "it is in something that is not a folder"],
  ["EACCES", "permission denied"],
  ["EPERM", "permission denied"],
  ["EROFS", "its disk is read-only"],
  // Our own: what the system would allow and these programs do not.
  ["ENOTFILE", "it is neither a file nor a folder"],
  ["EOTHERUSER", "it belongs to another user"],
  ["ENOSPC", "the disk is full"],
  ["EDQUOT", "the disk quota of its user is used up"],
  ["EFBIG", "it is too large"],
  ["ELOOP", "it is a link that leads nowhere"],
  ["ENAMETOOLONG", "its name is too long"]
])

/** The system's code of an error, or of what caused it, such as `ENOENT`; empty where there is none. */
export const errorCode = (error: unknown): string => {
  if (Predicate.hasProperty(error, "code") && typeof error.code === "string") return error.code
  return Predicate.hasProperty(error, "cause") ? errorCode(error.cause) : ""
}

/** An error with a code, as the system's have one. */
export const codedError = (code: string, message: string): Error & { readonly code: string } =>
  Object.assign(new Error(message), { code })

/** Why a file cannot be used, as the end of a sentence; undefined for a code that has no words here. */
export const fileReason = (error: unknown): string | undefined => reasons.get(errorCode(error))
