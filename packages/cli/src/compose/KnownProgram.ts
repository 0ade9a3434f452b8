import { existsSync, readFileSync, statSync } from "node:fs"
import { delimiter, dirname, join } from "node:path"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as AtomicFile from "../platform/AtomicFile.ts"
import * as DataFolder from "../platform/DataFolder.ts"
import { attempt } from "../platform/Process.ts"

type Environment = Readonly<Record<string, string>>

/** A Compose that was found: how it is started, its version, and the files that decide on both. */
const Known = Schema.Struct({
  words: Schema.String,
  version: Schema.String,
  files: Schema.String,
  /** Whether the {@link plugin} is it. */
  isPlugin: Schema.optionalWith(Schema.Boolean, { default: () => false })
})

const decode = Schema.decodeUnknownOption(Schema.parseJson(Known))

/** Path of the file that keeps it. */
const path = () => join(DataFolder.path(), "compose-program.json")

/** Where Docker's programs look for plugins, after the folder of its settings. */
const pluginFolders = ["/usr/local/lib/docker", "/usr/local/libexec/docker", "/usr/lib/docker", "/usr/libexec/docker"]

/** The folder of Docker's settings. */
const settingsOf = ({ DOCKER_CONFIG = "", HOME = "" }: Environment): string => DOCKER_CONFIG || join(HOME, ".docker")

/** Where Compose may be as a plugin, in Docker's own order. */
const plugins = (env: Environment): ReadonlyArray<string> =>
  [settingsOf(env), ...pluginFolders].map((folder) => join(folder, "cli-plugins/docker-compose"))

/** The plugin that Docker probably runs. */
export const plugin = (env: Environment): string | undefined => plugins(env).find((file) => existsSync(file))

/** The files that decide which Compose runs, by their paths, sizes and times. */
export const filesOf = (env: Environment): string => {
  const { PATH = "" } = env
  const programs = PATH.split(delimiter).flatMap((folder) =>
    ["docker", "docker-compose", "podman-compose"].map((name) => join(folder, name))
  )
  return [...programs, ...plugins(env), join(settingsOf(env), "config.json")]
    .flatMap((file) => {
      const status = attempt(() => statSync(file, { throwIfNoEntry: false }))
      return status === undefined ? [] : [[file, status.ino, status.size, status.mtimeMs].join(" ")]
    })
    .join("\n")
}

/** Whether nobody but this user can write a file or a folder. */
const isOurs = (file: string): boolean => {
  const status = statSync(file)
  return DataFolder.isOwn(status) && (status.mode & 0o022) === 0
}

/** The Compose that was found before, while its files are as they were then. */
export const recall = (env: Environment): typeof Known.Type | undefined =>
  attempt(() => {
    const file = path()
    if (![dirname(file), file].every(isOurs)) return undefined
    const known = Option.getOrUndefined(decode(readFileSync(file, "utf8")))
    return known?.files === filesOf(env) ? known : undefined
  })

/** Keep which Compose was found; where that cannot be written, it is looked up each time. */
export const remember = (known: typeof Known.Type) =>
  DataFolder.make.pipe(
    Effect.andThen(Effect.try(() => AtomicFile.writeOwn(path(), Buffer.from(`${JSON.stringify(known)}\n`)))),
    Effect.ignore
  )
