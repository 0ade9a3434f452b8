import * as NodeFs from "node:fs"
import { basename, dirname, join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as AtomicFile from "./AtomicFile.ts"
import { cannotRead, cannotWrite, codeOf } from "./FileProblem.ts"
import * as MarkedBlock from "./MarkedBlock.ts"
import * as Output from "./Output.ts"

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

/**
 * A file that is to carry a block of variables, looked at before anything is changed. It can be written once, with the
 * block's title and lines; whether that changed it is the answer.
 */
export const open = (file: string) =>
  Effect.gen(function* () {
    const target = yield* Effect.try({
      try: () => targetOf(resolve(file)),
      catch: (error) => Output.failed(cannotWrite(file, error))
    })
    const bytes = yield* Effect.try({
      try: () => read(target),
      catch: (error) => Output.failed(cannotRead(file, error))
    })
    const found = MarkedBlock.find(bytes ?? new Uint8Array())
    if (Either.isLeft(found)) return yield* Output.failed(`${file} ${found.left}; it was left as it is`)
    return {
      write: (title: string, lines: ReadonlyArray<string>) =>
        Effect.try({
          try: () => {
            const wanted = MarkedBlock.withBlock(found.right, title, lines)
            if (bytes === undefined) AtomicFile.create(target, wanted)
            else if (wanted.equals(bytes)) return false
            else AtomicFile.replace(target, wanted)
            return true
          },
          catch: (error) => Output.failed(cannotWrite(file, error))
        })
    }
  })
