import { appendFileSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import { assignment } from "../dotenv/Quoting.ts"
import { CliError } from "../errors/CliError.ts"
import { cannotWrite } from "../errors/FileError.ts"
import { attempt } from "../platform/Process.ts"

/** Before each line that portctl wrote; not at its end, because Claude Code puts ` && ` and the command after the last one. */
const mark = "# portctl\n"
const ownLine = /^# portctl\n(export|unset) ([A-Za-z_][A-Za-z0-9_]*)\b/gm

/** Each hook of a session has a file of its own in one folder, and that of `CwdChanged` is emptied before each run. */
const hookFile = /^[a-z]+-hook-\d+\.sh$/

/** The files of a session, in the order in which they matter to this one: it is the last. */
const filesBeside = (file: string): ReadonlyArray<string> => {
  const name = basename(file)
  if (!hookFile.test(name)) return [file]
  const all = attempt(() => readdirSync(dirname(file))) ?? []
  return [...all.filter((each) => hookFile.test(each) && each !== name), name].map((each) => join(dirname(file), each))
}

/** The variables that lines of portctl in the files of a session have set and not unset since. */
const setBefore = (file: string): ReadonlyArray<string> => {
  const text = filesBeside(file).map((each) => attempt(() => readFileSync(each, "utf8")) ?? "")
  const isSet = new Map([...text.join("\n").matchAll(ownLine)].map(([, verb, name = ""]) => [name, verb === "export"]))
  return [...isSet].flatMap(([name, set]) => (set ? [name] : []))
}

/** Take portctl's lines out of the files beside one: a session that starts again has left the folders that they are of. */
const forgetBeside = (file: string): void => {
  for (const other of filesBeside(file).slice(0, -1)) {
    const text = attempt(() => readFileSync(other, "utf8")) ?? ""
    const rest = text.replace(/^# portctl\n.*\n/gm, "")
    if (rest !== text) attempt(() => writeFileSync(other, rest))
  }
}

/**
 * Set these variables in the commands of a Claude Code session, and no others of those that were set there before: it reads
 * the file in CLAUDE_ENV_FILE before each command.
 */
export const write = (env: Readonly<Record<string, string>>, isStart: boolean) =>
  Effect.suspend(() => {
    const { CLAUDE_ENV_FILE: file = "" } = process.env
    if (file === "") return Effect.void
    if (isStart) forgetBeside(file)
    const gone = setBefore(file).filter((name) => env[name] === undefined)
    const lines = [
      ...gone.map((name) => `unset ${name}`),
      ...Object.entries(env).map(([name, value]) => assignment("export", name, value))
    ]
    if (lines.length === 0) return Effect.void
    return Effect.try({
      try: () => appendFileSync(file, lines.map((line) => `${mark}${line}\n`).join("")),
      catch: (error) => CliError.make(cannotWrite(file, error))
    })
  })
