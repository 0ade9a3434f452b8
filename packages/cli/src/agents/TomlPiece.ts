import * as Either from "effect/Either"
import * as ManagedBlock from "../dotenv/ManagedBlock.ts"
import * as BlockPiece from "./BlockPiece.ts"
import type { FileText, Piece } from "./Piece.ts"

const key = String.raw`(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')`
const keys = new RegExp(key, "g")

/** The beginning of a table's header, or of the line of a key; a byte order mark may be before it. */
const statement = new RegExp(
  String.raw`^(?:\u00ef\u00bb\u00bf)?[ \t]*(\[{0,2})[ \t]*(${key}(?:[ \t]*\.[ \t]*${key})*)[ \t]*[\]=](.*)`,
  "gm"
)

/** Comments and the strings that can have lines like any other; the other strings too, because they can have `#`. */
const skipped = /#[^\n]*|"""(?:\\[\s\S]|[^\\])*?"""|'''[\s\S]*?'''|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/g

const withoutSkipped = (text: string): string =>
  text.replace(skipped, (found) => (/^(?:#|"""|''')/.test(found) ? "" : found))

/** The keys of a dotted key, without their quotation marks. */
const partsOf = (dotted: string): ReadonlyArray<string> =>
  [...dotted.matchAll(keys)].map(([part]) => (/^["']/.test(part) ? part.slice(1, -1) : part))

/** Whether a text has a value at a path of keys, in whichever of TOML's ways; or that no table can be added there. */
const has = (text: string, path: readonly [string, string]): "no" | "yes" | "closed" => {
  let table: ReadonlyArray<string> = []
  for (const [, brackets, dotted = "", value = ""] of withoutSkipped(text).matchAll(statement)) {
    const parts = partsOf(dotted)
    if (brackets !== "") table = parts
    const full = brackets === "" ? [...table, ...parts] : parts
    if (path.every((each, index) => full[index] === each)) return "yes"
    // Nothing can be added to an inline table from outside.
    if (brackets === "" && full.length === 1 && full[0] === path[0]) return value.includes(path[1]) ? "yes" : "closed"
  }
  return "no"
}

/** A table of a TOML file, in a marked block; a file that has the table already stays as it is. */
export const make = (
  file: string,
  agent: string,
  path: readonly [string, string],
  lines: ReadonlyArray<string>
): Piece => {
  const block = BlockPiece.make(file, agent, [`[${path.join(".")}]`, ...lines])
  const added = (text: FileText) =>
    Either.flatMap(ManagedBlock.find(Buffer.from(text ?? "", "latin1")), ({ after, before }) => {
      const found = has(before + after, path)
      if (found === "closed") return Either.left(`has something else at ${path.join(".")}`)
      // A second one would make the file invalid.
      return found === "yes" ? block.removed(text) : block.added(text)
    })
  return { ...block, added }
}
