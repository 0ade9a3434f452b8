import { execFile } from "node:child_process"
import { isAbsolute, join } from "node:path"
import type { ServerAddress } from "@port-server/domain/ServerAddress"
import * as Effect from "effect/Effect"
import { ServiceNotChanged } from "../../errors/ServerErrors.ts"
import * as DataFolder from "../../platform/DataFolder.ts"
import * as ServerPaths from "../ServerPaths.ts"
import { type Format, names } from "./ServiceUnit.ts"

type Command = readonly [program: string, ...args: ReadonlyArray<string>]

/** The program that runs the user's services. */
export interface ServiceManager {
  readonly format: Format
  readonly name: string
  /** The file that describes the service. */
  readonly file: string
  /** Succeeds when it responds; changes nothing. */
  readonly check: Command
  /** After the file was written: start it now and with every session. */
  readonly load: ReadonlyArray<Command>
  /** Before the file is removed: stop it. */
  readonly unload: Command
  /** After the file was removed. */
  readonly reload: ReadonlyArray<Command>
  /** Where the logs are of the service whose server has this address. */
  readonly logsLocation: (address: ServerAddress) => string
}

const configFolder = (): string => {
  const folder = process.env["XDG_CONFIG_HOME"] ?? ""
  // A relative one is to be ignored (XDG Base Directory Specification).
  return isAbsolute(folder) ? folder : join(DataFolder.home(), ".config")
}

const systemctl = (...args: ReadonlyArray<string>): Command => ["systemctl", "--user", ...args]

const systemd = (): ServiceManager => ({
  format: "systemd",
  name: names.systemd,
  file: join(configFolder(), "systemd/user", names.systemd),
  check: systemctl("show-environment"),
  load: [systemctl("daemon-reload"), systemctl("enable", "--now", names.systemd)],
  unload: systemctl("disable", "--now", names.systemd),
  reload: [systemctl("daemon-reload")],
  logsLocation: () => `journalctl --user -u ${names.systemd}`
})

const launchd = (): ServiceManager => {
  const domain = `gui/${process.getuid?.() ?? 0}`
  const file = join(DataFolder.home(), "Library/LaunchAgents", `${names.launchd}.plist`)
  return {
    format: "launchd",
    name: names.launchd,
    file,
    check: ["launchctl", "print", domain],
    load: [["launchctl", "bootstrap", domain, file]],
    unload: ["launchctl", "bootout", `${domain}/${names.launchd}`],
    reload: [],
    logsLocation: ServerPaths.defaultLog
  }
}

/** The service manager of a format; by default this machine's. */
export const serviceManager = (
  format: Format = process.platform === "darwin" ? "launchd" : "systemd"
): ServiceManager => (format === "systemd" ? systemd() : launchd())

/** A command as it is typed in a shell. */
export const toShell = (command: Command): string => command.join(" ")

/** Run a command of a service manager to its end. */
export const exec = (command: Command): Effect.Effect<void, ServiceNotChanged> =>
  Effect.async((resume) => {
    const [program, ...args] = command
    execFile(program, args, { timeout: 30_000 }, (error, _stdout, stderr) => {
      if (error === null) return resume(Effect.void)
      const [reason = ""] = stderr.split("\n").filter((line) => line !== "")
      const message =
        error.code === "ENOENT"
          ? `there is no ${program} on this machine, which runs a user's services (--dry-run prints the service)`
          : `${toShell(command)} failed${reason === "" ? "" : `: ${reason}`}`
      resume(new ServiceNotChanged({ message }))
    })
  })
