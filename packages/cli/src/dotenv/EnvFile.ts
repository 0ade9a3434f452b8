import * as NodeFs from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import { CliError } from "../errors/CliError.ts"
import { cannotRead, cannotWrite, codeOf } from "../errors/FileError.ts"
import * as AtomicFile from "../platform/AtomicFile.ts"
import * as ManagedBlock from "./ManagedBlock.ts"

/** The file that a path leads to, through links, whether it is there or not. */
const targetOf = (file: string): string => {
  try {
    return NodeFs.realpathSync(file)
  } catch (error) {
    if (codeOf(error) !== "ENOENT") throw error
    const folder = NodeFs.realpathSync(dirname(file))
    const entry = join(folder, basename(file))
    const isLink = NodeFs.lstatSync(entry, { throwIfNoEntry: false })?.isSymbolicLink() === true
    return isLink ? targetOf(resolve(folder, NodeFs.readlinkSync(entry))) : entry
  }
}

const read = (file: string): Uint8Array | undefined => {
  const status = NodeFs.statSync(file, { throwIfNoEntry: false })
  if (status === undefined) return undefined
  if (!status.isFile()) throw Object.assign(new Error(file), { code: status.isDirectory() ? "EISDIR" : "ENOTFILE" })
  return NodeFs.readFileSync(file)
}

/** The file as it is now, with the place of its block. */
const look = (file: string) =>
  Effect.gen(function* () {
    const target = yield* Effect.try({
      try: () => targetOf(resolve(file)),
      catch: (error) => CliError.make(cannotWrite(file, error))
    })
    const bytes = yield* Effect.try({
      try: () => read(target),
      catch: (error) => CliError.make(cannotRead(file, error))
    })
    const found = ManagedBlock.find(bytes ?? new Uint8Array())
    if (Either.isLeft(found)) return yield* CliError.make(`${file} ${found.left}; it was left as it is`)
    return { target, bytes, found: found.right }
  })

/** Whether a file can carry a block of variables: fails with what is wrong with it, and changes nothing. */
export const check = (file: string): Effect.Effect<void, CliError> => Effect.asVoid(look(file))

/** What became of a file. */
export interface Written {
  readonly changed: boolean
  /** The lines outside the block that set a variable of it too. */
  readonly setters: ReturnType<typeof ManagedBlock.assignmentsOutside>
}

/** Give the block of a file a title, and the lines that set the variables. */
export const write = (
  file: string,
  title: string,
  variables: ReadonlyMap<string, string>
): Effect.Effect<Written, CliError> =>
  Effect.flatMap(look(file), ({ bytes, found, target }) =>
    Effect.suspend(() => {
      const wanted = ManagedBlock.withBlock(found, title, [...variables.values()])
      const setters = ManagedBlock.assignmentsOutside(wanted, [...variables.keys()])
      if (bytes !== undefined && wanted.equals(bytes)) return Effect.succeed({ changed: false, setters })
      try {
        if (bytes === undefined) AtomicFile.create(target, wanted)
        else AtomicFile.replace(target, wanted)
        return Effect.succeed({ changed: true, setters })
      } catch (error) {
        // Somebody else made it in the meantime.
        return codeOf(error) === "EEXIST" && bytes === undefined
          ? write(file, title, variables)
          : CliError.make(cannotWrite(file, error))
      }
    })
  )
