import * as Either from "effect/Either"
import * as Predicate from "effect/Predicate"
import { parse } from "smol-toml"
import * as ManagedBlock from "../dotenv/ManagedBlock.ts"
import * as BlockPiece from "./BlockPiece.ts"
import type { FileText, Piece } from "./Piece.ts"

/** What a text of bytes as Latin-1 has as TOML; nothing where it is none. */
const read = (text: string): Either.Either<unknown, unknown> =>
  Either.try(() =>
    parse(
      Buffer.from(text, "latin1")
        .toString("utf8")
        .replace(/^\uFEFF/, "")
    )
  )

const has = (root: unknown, path: ReadonlyArray<string>): boolean => {
  let value = root
  for (const key of path) {
    if (!Predicate.isRecord(value) || !Object.hasOwn(value, key)) return false
    value = value[key]
  }
  return true
}

/** A table of a TOML file, in a marked block; a file that has the table already stays as it is. */
export const make = (file: string, agent: string, path: ReadonlyArray<string>, lines: ReadonlyArray<string>): Piece => {
  const block = BlockPiece.make(file, agent, [`[${path.join(".")}]`, ...lines])
  const added = (text: FileText) =>
    Either.gen(function* () {
      const { after, before } = yield* ManagedBlock.find(Buffer.from(text ?? "", "latin1"))
      const root = yield* Either.mapLeft(read(before + after), () => "is not valid TOML")
      // A second one would make the file invalid.
      if (has(root, path)) return yield* block.removed(text)
      const whole = yield* block.added(text)
      // Nothing can be added to an inline table from outside.
      yield* Either.mapLeft(read(whole ?? ""), () => `has something else at ${path.join(".")}`)
      return whole
    })
  return { ...block, added }
}
