import { dirname, join } from "node:path"
import * as Schema from "effect/Schema"
import { codeOf } from "../errors/FileError.ts"
import * as BoundedFile from "../platform/BoundedFile.ts"

const Manifest = Schema.parseJson(
  Schema.Struct({ scripts: Schema.optional(Schema.Record({ key: Schema.String, value: Schema.Unknown })) })
)
const decode = Schema.decodeUnknownSync(Manifest)

/** The script of this name in the nearest package.json, as package managers find it. */
export const scriptNamed = (name: string, start: string = process.cwd()): string | undefined => {
  for (let folder = start; ; folder = dirname(folder)) {
    try {
      const { scripts = {} } = decode(BoundedFile.read(join(folder, "package.json")).toString("utf8"))
      const script = Object.hasOwn(scripts, name) ? scripts[name] : undefined
      // Package managers leave out what is no text.
      return typeof script === "string" ? script : undefined
    } catch (error) {
      // What is wrong with it, the package manager reports.
      if (codeOf(error) !== "ENOENT" || dirname(folder) === folder) return undefined
    }
  }
}

/** A variable that is set before a command, in the same line. */
export const isAssignment = (word: string): boolean => /^[A-Za-z_][A-Za-z0-9_]*=/.test(word)

/** The words of a script that is one simple command, behind variables that it sets; nothing for any other. */
export const simpleWords = (script: string): ReadonlyArray<string> | undefined => {
  if (/[&|;<>()`#$\\\n*?~]/.test(script)) return undefined
  const quoted = /"[^"]*"|'[^']*'/g
  if (/["']/.test(script.replace(quoted, ""))) return undefined
  const words = script.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? []
  const plain = words.map((word) => word.replace(quoted, (text) => text.slice(1, -1)))
  return plain.every(isAssignment) ? undefined : plain
}
