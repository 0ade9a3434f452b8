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

const ownCommands = new Map(
  Object.entries({
    bun: "a add audit build c completions create exec feedback help i info init install link list outdated patch patch-commit pm publish r remove repl rm test unlink update upgrade why x",
    pnpm: "access add adduser approve-builds audit bin bugs c cache cat-file cat-index ci config create dedupe deploy deprecate dist-tag dlx docs doctor edit env exec fetch find-hash help home i ignored-builds import info init install install-test issues it la licenses link list ll ln login logout ls outdated owner pack patch patch-commit patch-remove ping pkg prefix profile prune publish rb rebuild recursive remove repo rm root s search se self-update server set set-script setup show star stars store team token un uninstall unlink unpublish unstar up update upgrade v version view whoami why xmas",
    yarn: "add audit autoclean bin cache check config constraints create dedupe dlx exec explain generate-lock-entry global help import info init install licenses link list login logout node npm outdated owner pack patch patch-commit plugin policies publish rebuild remove search set stage tag team unlink unplug up update upgrade upgrade-interactive version versions why workspace workspaces"
  }).map(([manager, names]) => [manager, names.split(" ")] as const)
)

/** Whether a package manager takes a word, without `run`, for a command of its own and not for a script. */
export const isOwnCommand = (manager: string, word: string): boolean =>
  ownCommands.get(manager)?.includes(word) ?? false

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
