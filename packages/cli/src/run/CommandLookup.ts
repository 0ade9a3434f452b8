import { accessSync, constants, statSync } from "node:fs"
import { CliError } from "../errors/CliError.ts"
import { codeOf } from "../errors/FileError.ts"
import { type Bytes, toBytes } from "./CommandEnvironment.ts"

/** Why a file cannot be executed, as an error code; none: it can. */
const refusal = (file: Buffer): string | undefined => {
  try {
    if (!statSync(file).isFile()) return "EACCES"
    accessSync(file, constants.X_OK)
    return undefined
  } catch (error) {
    return codeOf(error)
  }
}

/** Why a command cannot be started, with the exit status that shells give it; none: nothing speaks against it. */
export const problemOf = (command: string, variables: Bytes): CliError | undefined => {
  const name = JSON.stringify(command)
  const notFound = CliError.make(`command not found: ${name}`, { exitCode: 127 })
  if (command === "") return notFound
  const path = variables.get("PATH")
  // Its bytes are lost here, or the system has its own idea of where to search.
  if (command.includes("\ufffd") || (path === undefined && !command.includes("/"))) return undefined
  const folders = command.includes("/") ? [""] : (path ?? "").split(":")
  const refusals = folders.map((folder) =>
    refusal(Buffer.from(`${folder === "" ? "" : `${folder}/`}${toBytes(command)}`, "latin1"))
  )
  if (refusals.includes(undefined)) return undefined
  return refusals.includes("EACCES")
    ? CliError.make(`cannot run ${name}: it is not an executable file`, { exitCode: 126 })
    : notFound
}
