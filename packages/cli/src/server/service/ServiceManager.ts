import { execFile } from "node:child_process"
import { isAbsolute, join } from "node:path"
import * as Effect from "effect/Effect"
import { CliError } from "../../errors/CliError.ts"
import * as ServerPaths from "../ServerPaths.ts"
import { type Format, names } from "./ServiceUnit.ts"

type Command = readonly [program: string, ...args: ReadonlyArray<string>]

/** What runs the user's services. */
export interface ServiceManager {
  readonly format: Format
  readonly name: string
  /** The file that describes the service. */
  readonly file: string
  /** Succeeds when it can be talked to, and changes nothing. */
  readonly check: Command
  /** After the file was written: have it started now and with every session. */
  readonly load: ReadonlyArray<Command>
  /** Before the file is removed: have it stopped. */
  readonly unload: Command
  /** After the file was removed. */
  readonly forget: ReadonlyArray<Command>
  /** Where a person finds what the service has said, whose server listens on a port. */
  readonly says: (port: number) => string
}

const configFolder = (): string => {
  const folder = process.env["XDG_CONFIG_HOME"] ?? ""
  // A relative one is to be ignored (XDG Base Directory Specification).
  return isAbsolute(folder) ? folder : join(ServerPaths.home(), ".config")
}

const systemctl = (...args: ReadonlyArray<string>): Command => ["systemctl", "--user", ...args]

const systemd = (): ServiceManager => ({
  format: "systemd",
  name: names.systemd,
  file: join(configFolder(), "systemd/user", names.systemd),
  check: systemctl("show-environment"),
  load: [systemctl("daemon-reload"), systemctl("enable", "--now", names.systemd)],
  unload: systemctl("disable", "--now", names.systemd),
  forget: [systemctl("daemon-reload")],
  says: () => `journalctl --user -u ${names.systemd}`
})

const launchd = (): ServiceManager => {
  const domain = `gui/${process.getuid?.() ?? 0}`
  const file = join(ServerPaths.home(), "Library/LaunchAgents", `${names.launchd}.plist`)
  return {
    format: "launchd",
    name: names.launchd,
    file,
    check: ["launchctl", "print", domain],
    load: [["launchctl", "bootstrap", domain, file]],
    unload: ["launchctl", "bootout", `${domain}/${names.launchd}`],
    forget: [],
    says: (port) => ServerPaths.logFile(ServerPaths.dataFolderPath(), port)
  }
}

/** The one of a format; by default that of this machine. */
export const serviceManager = (
  format: Format = process.platform === "darwin" ? "launchd" : "systemd"
): ServiceManager => (format === "systemd" ? systemd() : launchd())

/** A command as a person would type it. */
export const typed = (command: Command): string => command.join(" ")

/** Run a command of a service manager to its end. */
export const perform = (command: Command): Effect.Effect<void, CliError> =>
  Effect.async((resume) => {
    const [program, ...args] = command
    execFile(program, args, { timeout: 30_000 }, (error, _stdout, stderr) => {
      if (error === null) return resume(Effect.void)
      const [reason = ""] = stderr.split("\n").filter((line) => line !== "")
      resume(
        error.code === "ENOENT"
          ? CliError.make(
              `there is no ${program} on this machine, which runs a user's services (--dry-run prints the service)`
            )
          : CliError.make(`${typed(command)} failed${reason === "" ? "" : `: ${reason}`}`)
      )
    })
  })
