import { chmodSync, existsSync, mkdirSync, realpathSync, statSync } from "node:fs"
import { homedir, userInfo } from "node:os"
import { dirname, join } from "node:path"
import * as Defaults from "@port-server/domain/Defaults"
import * as Effect from "effect/Effect"
import { CliError } from "../errors/CliError.ts"
import { codeOf } from "../errors/FileError.ts"

/** The port-server that belongs to this portctl: the file beside it. */
export const program = Effect.suspend(() => {
  const file = join(dirname(realpathSync(process.argv[1] ?? "")), "port-server")
  return existsSync(file)
    ? Effect.succeed(file)
    : CliError.make(`cannot start port-server: there is no ${file}; build or install it beside portctl`)
})

const own = (folder: string): boolean => {
  const { uid } = statSync(folder)
  return process.getuid === undefined || uid === process.getuid()
}

/** The user's home. */
export const home = (): string => homedir() || userInfo().homedir

/** Where the database and the logs of the user are. */
export const dataFolderPath = (): string => join(home(), Defaults.dataFolder)

/** The user's folder of the database and the logs, made where it is missing; nobody else can look into it. */
export const dataFolder = Effect.suspend(() => {
  const folder = dataFolderPath()
  try {
    try {
      mkdirSync(folder, { mode: 0o700 })
    } catch (error) {
      if (codeOf(error) !== "EEXIST") throw error
    }
    if (!own(folder)) return CliError.make(`the folder ${folder} belongs to another user (is HOME your own folder?)`)
    chmodSync(folder, 0o700)
    return statSync(folder).isDirectory() ? Effect.succeed(folder) : CliError.make(`${folder} is not a folder`)
  } catch {
    return CliError.make(`cannot make the folder ${folder} (is HOME your own folder?)`)
  }
})

/** The log of the server that portctl starts at a port: each has its own, and that of the usual port the plain name. */
export const logFile = (folder: string, port: number): string =>
  join(folder, port === Defaults.serverPort ? "port-server.log" : `port-server-${port}.log`)
