import { accessSync, constants, lstatSync, readlinkSync, realpathSync, statSync } from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import { codedError } from "@port-server/domain/SystemError"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { CliError } from "../errors/CliError.ts"
import { cannotRead, cannotWrite, codeOf } from "../errors/FileError.ts"
import * as BoundedFile from "../platform/BoundedFile.ts"
import * as SharedFile from "../platform/SharedFile.ts"
import * as ManagedBlock from "./ManagedBlock.ts"

/** The file that a path leads to, through links, whether it is there or not. */
const targetOf = (file: string): string => {
  try {
    return realpathSync(file)
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error
    const folder = realpathSync(dirname(file))
    const entry = join(folder, basename(file))
    const isLink = lstatSync(entry, { throwIfNoEntry: false })?.isSymbolicLink() === true
    return isLink ? targetOf(resolve(folder, readlinkSync(entry))) : entry
  }
}

const read = (file: string): Uint8Array | undefined => {
  const status = statSync(file, { throwIfNoEntry: false })
  if (status === undefined) return undefined
  if (!status.isFile()) throw codedError(status.isDirectory() ? "EISDIR" : "ENOTFILE", file)
  return BoundedFile.read(file)
}

/** The file that is written: the one that the path leads to, which may have another name for people. */
export interface Target {
  /** As it was asked for. */
  readonly file: string
  /** Without symbolic links. */
  readonly path: string
}

/** The file that is written. */
export const target = (file: string): Effect.Effect<Target, CliError> =>
  Effect.try({
    try: () => ({ file, path: targetOf(resolve(file)) }),
    catch: (error) => CliError.make(cannotWrite(file, error))
  })

const unfit = (file: string) => (wrong: string) => CliError.make(`${file} ${wrong}; it was left as it is`)

/** Whether a file can carry a block of variables: fails with what is wrong with it, and changes nothing. */
export const check = Effect.fnUntraced(function* ({ file, path }: Target) {
  const bytes = yield* Effect.try({
    try: () => read(path),
    catch: (error) => CliError.make(cannotRead(file, error))
  })
  yield* Effect.try({
    try: () => accessSync(bytes === undefined ? dirname(path) : path, constants.W_OK),
    catch: (error) => CliError.make(cannotWrite(file, error))
  })
  yield* Effect.mapError(ManagedBlock.find(bytes ?? new Uint8Array()), unfit(file))
})

/** What became of a file. */
export interface Written {
  readonly changed: boolean
  /** Whose block was there, where that is another one's. */
  readonly former: string | undefined
  /** The variables that only that one set. */
  readonly dropped: ReadonlyArray<string>
  /** The lines outside the block that set a variable of it too. */
  readonly setters: ReturnType<typeof ManagedBlock.assignmentsOutside>
}

/** Give the block of a file a title, and the lines that set the variables. */
export const write = Effect.fnUntraced(function* (
  { file, path }: Target,
  title: string,
  variables: ReadonlyMap<string, string>
) {
  let setters: Written["setters"] = []
  let former: string | undefined
  let dropped: Written["dropped"] = []
  const changed = yield* SharedFile.edit(path, (text) =>
    Either.map(ManagedBlock.find(text), (found) => {
      const wanted = ManagedBlock.withBlock(found, title, [...variables.values()])
      setters = ManagedBlock.assignmentsOutside(wanted, [...variables.keys()])
      const before = found.block?.title || title
      // What was written is read once more.
      if (before !== title) {
        former = before
        dropped = ManagedBlock.assignmentsOf(found).filter((name) => !variables.has(name))
      }
      return wanted
    })
  ).pipe(
    Effect.mapError((error) => {
      if (typeof error === "string") return unfit(file)(error)
      return CliError.make(
        error._tag === "SystemFailure"
          ? cannotWrite(file, error.cause)
          : `cannot write ${JSON.stringify(file)}: other programs keep changing it`
      )
    })
  )
  const written: Written = { changed, dropped, former, setters }
  return written
})
