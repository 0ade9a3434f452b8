import { createHash } from "node:crypto"
import { existsSync, realpathSync } from "node:fs"
import { delimiter, dirname, join, resolve } from "node:path"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CliError } from "../errors/CliError.ts"
import * as BoundedFile from "../platform/BoundedFile.ts"
import { type ComposeArguments, valuesOf } from "./ComposeArguments.ts"
import type { ComposeProgram } from "./ComposeProgram.ts"

type Environment = Readonly<Record<string, string>>

/** The Compose files of a project. */
export interface ComposeFiles {
  readonly paths: ReadonlyArray<string>
  /** The project's folder, to which Compose's relative paths are. */
  readonly folder: string
  /** Whether the command line names them. */
  readonly isNamed: boolean
  /** Tells these files from others of the project; empty for those that Compose finds by itself. */
  readonly variant: string
}

/** By the source of Compose: the first one there is, and the first override beside it. */
const defaultNames = ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"]
const overrideNames = [
  "compose.override.yml",
  "compose.override.yaml",
  "docker-compose.override.yml",
  "docker-compose.override.yaml"
]

const first = (folder: string, names: ReadonlyArray<string>): ReadonlyArray<string> =>
  names
    .map((name) => join(folder, name))
    .filter((file) => existsSync(file))
    .slice(0, 1)

/** The files that Compose finds by itself, in a folder or the nearest one above it. */
export const findDefault = (start: string): ReadonlyArray<string> => {
  for (let folder = start; ; folder = dirname(folder)) {
    const [file] = first(folder, defaultNames)
    if (file !== undefined) return [file, ...first(folder, overrideNames)]
    if (dirname(folder) === folder) return []
  }
}

/** The current folder as Compose knows it: by the path that leads there, which may have links. */
export const currentFolder = (env: Environment): string => {
  const { PWD = "" } = env
  try {
    if (PWD.startsWith("/") && realpathSync(PWD) === realpathSync(process.cwd())) return PWD
  } catch {
    // It leads nowhere.
  }
  return process.cwd()
}

const read = (file: string): string => {
  try {
    return BoundedFile.read(file).toString("utf8")
  } catch {
    // Compose reports what is wrong with it.
    return ""
  }
}

/** The text of each of the files. */
export const textsOf = ({ paths }: Pick<ComposeFiles, "paths">): ReadonlyArray<string> => paths.map(read)

/** Most files that are looked into for others. */
const maxFiles = 256

/** The files in which Compose looks for variables. */
const envFiles = (args: ComposeArguments, folder: string, env: Environment) => {
  const named = [...valuesOf(args, "--env-file"), ...(env["COMPOSE_ENV_FILES"] ?? "").split(",").filter(Boolean)]
  return named.length > 0 ? named.map((file) => resolve(currentFolder(env), file)) : [resolve(folder, ".env")]
}

/**
 * The text of the files, of those that they name, by `include` and `extends` and maybe for something else, and of those
 * for variables.
 */
export const textOf = (
  { folder, paths }: Pick<ComposeFiles, "folder" | "paths">,
  args: ComposeArguments,
  env: Environment
): string => {
  const texts = new Map<string, string>()
  const pending = [...paths, ...envFiles(args, folder, env)]
  for (let path = pending.shift(); path !== undefined && texts.size < maxFiles; path = pending.shift()) {
    if (texts.has(path)) continue
    const text = read(path)
    texts.set(path, text)
    const folder = dirname(path)
    const words = text.split(/[\s"'[\]{},:]+/)
    pending.push(...words.filter((word) => /\.ya?ml$/.test(word)).map((name) => resolve(folder, name)))
  }
  return [...texts.values()].join("\n")
}

/** A space of Compose's, without those that end a line for `^`. */
const space = "[ \\t\\v\\f\\u0085\\u00a0]"

/** Whether a file for variables sets one of these. */
export const setsInEnvFile = (args: ComposeArguments, folder: string, env: Environment, variable: string): boolean =>
  envFiles(args, folder, env).some((file) =>
    // With line breaks, each of many empty lines would be the beginning of a search through all others.
    new RegExp(`^${space}*(export${space}+)?${variable}${space}*[=:]`, "m").test(read(file))
  )

const Labels = Schema.parseJson(
  Schema.Struct({
    services: Schema.Struct({
      x: Schema.Struct({ labels: Schema.Record({ key: Schema.String, value: Schema.String }) })
    })
  })
)

const question = `name: portctl
services: {x: {image: x, labels: {file: "\${COMPOSE_FILE-}", separator: "\${COMPOSE_PATH_SEPARATOR-}"}}}
`

/** What Compose itself reads in the files for variables. */
const askCompose = Effect.fnUntraced(function* (program: ComposeProgram, args: ComposeArguments, env: Environment) {
  const flags = ["--env-file", "--project-directory"].flatMap((name) =>
    valuesOf(args, name).flatMap((value) => [name, value])
  )
  const { stdout } = yield* program.capture([...flags, "-f", "-", "config", "--format", "json"], env, question)
  const { services } = yield* Effect.orElseSucceed(Schema.decodeUnknown(Labels)(stdout), () => ({
    services: { x: { labels: {} as Environment } }
  }))
  return services.x.labels
})

/** The folder in which Compose begins to look for files. */
const startOf = (args: ComposeArguments, env: Environment): string => {
  const [given] = valuesOf(args, "--project-directory")
  return given === undefined ? currentFolder(env) : resolve(currentFolder(env), given)
}

/** Whether a command line names a project and there is no file: Compose knows its containers by the name. */
export const areNone = (args: ComposeArguments, env: Environment): boolean => {
  const start = startOf(args, env)
  const isNamed = valuesOf(args, "--project-name").length > 0 || Boolean(env["COMPOSE_PROJECT_NAME"])
  const isFileSaid = valuesOf(args, "--file").length > 0 || Boolean(env["COMPOSE_FILE"])
  return isNamed && !isFileSaid && !setsInEnvFile(args, start, env, "COMPOSE_FILE") && findDefault(start).length === 0
}

/** The files of the project that a command line is about. */
export const find = Effect.fnUntraced(function* <E>(
  finding: Effect.Effect<ComposeProgram, E>,
  args: ComposeArguments,
  env: Environment
) {
  const cwd = currentFolder(env)
  const start = startOf(args, env)
  const named = valuesOf(args, "--file")
  if (named.includes("-")) {
    return yield* CliError.make("portctl compose cannot read the Compose file from stdin: write it to a file for -f")
  }
  let paths = named
  if (paths.length === 0) {
    const isAsked = env["COMPOSE_FILE"] === undefined && setsInEnvFile(args, start, env, "COMPOSE_FILE")
    const labels = isAsked ? yield* askCompose(yield* finding, args, env) : {}
    const list = env["COMPOSE_FILE"] ?? labels["file"] ?? ""
    const separator = env["COMPOSE_PATH_SEPARATOR"] || labels["separator"] || delimiter
    paths = list === "" ? findDefault(start) : list.split(separator)
  }
  const [main] = paths
  const all = paths.map((path) => resolve(cwd, path))
  const files: ComposeFiles = {
    paths: all,
    // Where Compose finds no file, it says so.
    folder:
      main === undefined || valuesOf(args, "--project-directory").length > 0 ? start : dirname(resolve(cwd, main)),
    isNamed: named.length > 0,
    variant: named.length > 0 ? createHash("sha256").update(all.join("\0")).digest("hex").slice(0, 8) : ""
  }
  return files
})

/** The variables by which Compose reads the files that it would read by itself, and one more. */
export const variablesWith = ({ paths }: ComposeFiles, file: string): ReadonlyMap<string, string> => {
  const all = [...paths, file]
  const separator = [delimiter, "|", "\t", "\n"].find((each) => all.every((path) => !path.includes(each))) ?? delimiter
  return new Map([
    ["COMPOSE_FILE", all.join(separator)],
    ["COMPOSE_PATH_SEPARATOR", separator]
  ])
}
