import { accessSync, constants, existsSync, lstatSync, readFileSync, rmdirSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import { CliError } from "../errors/CliError.ts"
import { cannotRead, cannotWrite, codeOf } from "../errors/FileError.ts"
import * as AtomicFile from "../platform/AtomicFile.ts"
import * as CallerOwned from "../platform/CallerOwned.ts"
import * as User from "../platform/User.ts"
import type { FileText } from "./Piece.ts"

/** Each folder on the way from the top to a file, and the file. */
const steps = (top: string, file: string): ReadonlyArray<string> =>
  file.split("/").map((_, index, parts) => join(top, ...parts.slice(0, index + 1)))

/** The text of a file of a project; fails for a link, in whichever folder, and for what is another user's. */
export const read = Effect.fnUntraced(function* (top: string, file: string) {
  for (const path of steps(top, file)) {
    const status = lstatSync(path, { throwIfNoEntry: false })
    if (status === undefined) return undefined
    const isFile = path === join(top, file)
    const problem = status.isSymbolicLink()
      ? "is a link"
      : !User.isOwnUid(status.uid)
        ? "belongs to another user"
        : isFile !== status.isFile() || (!isFile && !status.isDirectory())
          ? `is not a ${isFile ? "file" : "folder"}`
          : undefined
    if (problem !== undefined) return yield* CliError.make(`${path} ${problem}; nothing was written`)
  }
  const path = join(top, file)
  return yield* Effect.try({
    try: (): FileText => readFileSync(path, "latin1"),
    catch: (error) => CliError.make(cannotRead(path, error))
  })
})

/** Give a file its text, with the folders that it needs. */
const write = (top: string, file: string, text: string): void => {
  const path = join(top, file)
  CallerOwned.makeFolder(dirname(path))
  const bytes = Buffer.from(text, "latin1")
  if (existsSync(path)) AtomicFile.replace(path, bytes)
  else AtomicFile.create(path, bytes)
}

/** Remove a file, and the folders that are empty then. */
const remove = (top: string, file: string): void => {
  rmSync(join(top, file))
  for (const folder of steps(top, file).slice(0, -1).toReversed()) {
    try {
      rmdirSync(folder)
    } catch (error) {
      if (codeOf(error) === "ENOTEMPTY" || codeOf(error) === "EEXIST") return
      throw error
    }
  }
}

/** Fail for a file that is there and that this user may not write. */
export const checkWritable = (top: string, file: string): Effect.Effect<void, CliError> => {
  const path = join(top, file)
  return Effect.try({
    try: () => {
      if (existsSync(path)) accessSync(path, constants.W_OK)
    },
    catch: (error) => CliError.make(cannotWrite(path, error))
  })
}

/** Give a file its text, or remove it. */
export const put = (top: string, file: string, text: FileText): Effect.Effect<void, CliError> =>
  Effect.try({
    try: () => (text === undefined ? remove(top, file) : write(top, file, text)),
    catch: (error) => CliError.make(cannotWrite(join(top, file), error))
  })
