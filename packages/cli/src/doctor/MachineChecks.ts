import { accessSync, constants, existsSync, readFileSync } from "node:fs"
import { basename, delimiter, isAbsolute, join } from "node:path"
import type { ServerAddress } from "@port-server/domain/ServerAddress"
import * as Effect from "effect/Effect"
import * as DataFolder from "../platform/DataFolder.ts"
import { attempt } from "../platform/Process.ts"
import * as ServerPaths from "../server/ServerPaths.ts"
import * as ServiceCommand from "../server/service/ServiceCommand.ts"
import { serviceManager } from "../server/service/ServiceManager.ts"
import { type Check, error, ok, warning } from "./Check.ts"

const isReadable = (file: string): boolean => {
  try {
    accessSync(file, constants.R_OK)
    return true
  } catch {
    return false
  }
}

const textOf = (file: string): string => (isReadable(file) ? readFileSync(file, "utf8") : "")

const hasLsof = (): boolean =>
  (process.env["PATH"] ?? "").split(delimiter).some((folder) => isAbsolute(folder) && existsSync(join(folder, "lsof")))

const listeners = (): Check => {
  const others =
    process.getuid?.() === 0 ? "" : "; of processes of other users, only the user is known, for only root sees more"
  if (isReadable("/proc/net/tcp")) return ok("listeners", `what listens is read from /proc/net${others}`)
  return hasLsof()
    ? ok("listeners", `what listens is read from lsof${others}`)
    : warning("listeners", "ports are tried one by one: who listens on them is not known", "install lsof")
}

/** The service of the session, and whether it starts the server at an address as the settings have it. */
const service = Effect.fnUntraced(
  function* (address: ServerAddress) {
    const program = yield* ServerPaths.program
    const manager = serviceManager()
    const { file, name } = manager
    const text = textOf(file)
    if (text === "")
      return ok("service", `${name} is not installed; portctl service install starts it with your session`)
    if (!text.includes(program)) {
      return error("service", `${file} does not start this port-server, ${program}`, "portctl service install")
    }
    // Settings that cannot be used have a line of their own.
    return (yield* Effect.orElseSucceed(ServiceCommand.isOutdated(manager, address), () => false))
      ? warning(
          "service",
          `${name} starts the server at ${address} with your session, and otherwise than the settings have it`,
          ServiceCommand.renewal
        )
      : ok("service", `${name} starts ${program} with your session`)
  },
  Effect.catchAll(({ message }) => Effect.succeed(error("service", message, "install port-server again")))
)

/** The files in which completions are installed, as docs/cli.md has it. */
const completionFiles: Readonly<Record<string, ReadonlyArray<string>>> = {
  bash: [".bashrc", ".bash_profile", ".local/share/bash-completion/completions/portctl"],
  zsh: [".zshrc"],
  fish: [".config/fish/config.fish", ".config/fish/completions/portctl.fish"]
}

/** The line of a start-up file, as docs/cli.md has it. */
const lines: Readonly<Record<string, string>> = {
  bash: "source <(portctl --completions bash)",
  zsh: "source <(portctl --completions zsh)",
  fish: "portctl --completions fish | source"
}

/** Whether a file has what portctl prints, or a line in which a shell runs that: `<(…)`, `$(…)`, or with a `|` behind. */
const completes = (text: string, shell: string): boolean => {
  const printed = `portctl --completions ${shell}`
  return text.includes("__complete ") || new RegExp(`^[^#\n]*([(\`][^#\n]*${printed}|${printed} *\\|)`, "m").test(text)
}

const completion = (home: string): Check => {
  const shell = basename(process.env["SHELL"] ?? "")
  const files = completionFiles[shell]
  if (files === undefined) return ok("completion", "there is completion for bash, zsh and fish")
  const found = files.map((file) => join(home, file)).find((file) => completes(textOf(file), shell))
  return found === undefined
    ? warning("completion", `${shell} does not complete portctl`, `${lines[shell]}, in ~/${files[0]}`)
    : ok("completion", `${shell} completes portctl, by ${found}`)
}

/** The service and the shell, whose files are in the user's home. */
const homeChecks = Effect.fnUntraced(function* (address: ServerAddress) {
  const home = attempt(DataFolder.home)
  return home === undefined
    ? [warning("home", "there is no home folder: no settings are kept, and there is no service", "set HOME")]
    : [yield* service(address), completion(home)]
})

/** What of this machine matters: the sources of listeners, the service of the server at an address, the shell. */
export const machineChecks = (address: ServerAddress): Effect.Effect<ReadonlyArray<Check>> =>
  Effect.map(homeChecks(address), (found) => [listeners(), ...found])
