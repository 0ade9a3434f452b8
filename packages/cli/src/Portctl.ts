import * as Command from "@port-server/command-line/command/Command"
import type { ProgramInfo } from "@port-server/command-line/Program"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { serverAddress, version } from "@port-server/domain/Defaults"
import { sentenceOf } from "@port-server/domain/EnvConfig"
import { escapeControls, escapeJson } from "@port-server/domain/Name"
import type { ConfigError } from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ClientHeader from "./client/ClientHeader.ts"
import * as OwnServer from "./client/OwnServer.ts"
import * as ResilientHttpClient from "./client/ResilientHttpClient.ts"
import * as Transport from "./client/Transport.ts"
import { type SettingsUnusable, unavailable } from "./errors/ServerErrors.ts"
import { usualAddress } from "./settings/UsualAddress.ts"

/**
 * The client of the usual address. What a recovery needs is loaded only when a request fails. One layer: each takes a
 * short program 70 steps of Effect.
 */
const client = (recovery: "awaitRestart" | "autostart") => (command: string) =>
  Layer.effect(
    PortServerClient,
    Effect.map(usualAddress, (address) => {
      const recover: ResilientHttpClient.Recovery = (error) =>
        Effect.flatMap(
          Effect.promise(() => import("./server/Autostart.ts")),
          (module) => module[recovery](address)(error)
        )
      const own = ClientHeader.make(command, OwnServer.make(address, Transport.make(address)))
      return PortServerClient.over(address, ResilientHttpClient.make(address, recover, own), Duration.infinity)
    })
  )

const misuse = { 2: "The command line is wrong" }
const unreachable = { [unavailable]: "No port-server can be reached" }

/** Commands whose code is loaded when the command line names them: the others cost a short one nothing. */
const loading =
  (
    client: (command: string) => Layer.Layer<PortServerClient, ConfigError | SettingsUnusable>,
    exitCodes: Command.Command["exitCodes"]
  ) =>
  (name: string, load: () => Promise<Command.Command<PortServerClient>>): Command.Subcommand => ({
    name,
    load: Effect.map(Effect.promise(load), (command) =>
      Command.provide(client(name))(Command.withExitCodes(exitCodes)(command))
    )
  })

/** One of the five commands that fail with 1, whatever the reason is. */
const original = loading(client("awaitRestart"), {})

/** A command that needs a server. */
const command = loading(client("awaitRestart"), { ...misuse, ...unreachable })

/** A {@link command} that starts the server itself where none runs on this machine. */
const starting = loading(client("autostart"), { ...misuse, ...unreachable })

/** A command that needs no server. */
const local = loading(client("awaitRestart"), misuse)

/** What people type for a command. */
const otherNames: ReadonlyMap<string, string> = new Map([
  ["ls", "list"],
  ["ps", "list --live"],
  ["rm", "release"],
  ["delete", "release"],
  ["free", "release"],
  ["who", "why"],
  ["up", "start"],
  ["down", "stop"],
  ["version", "--version"]
])

/** The command that a mistyped word probably means; a port alone asks whose it is. */
const meant = (word: string, next = ""): string | undefined => {
  if (/^completions?$/.test(word)) return `--completions ${["zsh", "fish"].includes(next) ? next : "bash"}`
  const [, port] = /^:?([1-9]\d{0,4})$/.exec(word) ?? []
  return port === undefined ? otherNames.get(word) : `why --port ${port}`
}

/** The program `portctl`. */
export const portctl: ProgramInfo = {
  version,
  messageOf: sentenceOf,
  printable: escapeControls,
  jsonText: (value) => escapeJson(JSON.stringify(value)),
  values: async () => (await import("./client/CompletionValues.ts")).values,
  root: Command.group("portctl", {
    summary: "Ask port-server for this machine's ports.",
    meant,
    environment: [
      ["PORT_SERVER_ADDR", `Where port-server listens (default: ${serverAddress})`],
      ["PORT_SERVER_TOKEN", "Token for other host names (default: ~/.port_server/token)"],
      ["PORTCTL_AUTOSTART", "0: only start and restart start port-server"],
      ["NO_COLOR", "Not empty: no colour on a terminal"]
    ],
    groups: {
      Ports: [
        original("allocate", async () => (await import("./commands/ports/allocate.ts")).allocate),
        original("release", async () => (await import("./commands/ports/release.ts")).release),
        original("list", async () => (await import("./commands/ports/list.ts")).list),
        original("check", async () => (await import("./commands/ports/check.ts")).check),
        starting("why", async () => (await import("./commands/ports/why.ts")).why),
        command("log", async () => (await import("./commands/ports/log.ts")).log),
        starting("scan", async () => (await import("./commands/ports/scan.ts")).scan),
        starting("prune", async () => (await import("./commands/ports/prune.ts")).prune)
      ],
      "A project's ports": [
        local("init", async () => (await import("./commands/project/init.ts")).init),
        local("add", async () => (await import("./commands/project/add.ts")).add),
        local("remove", async () => (await import("./commands/project/remove.ts")).remove),
        starting("get", async () => (await import("./commands/project/get.ts")).get),
        starting("ensure", async () => (await import("./commands/project/ensure.ts")).ensure),
        starting("env", async () => (await import("./commands/project/env.ts")).env),
        starting("run", async () => (await import("./commands/project/run.ts")).run),
        starting("verify", async () => (await import("./commands/project/verify.ts")).verify),
        starting("kill", async () => (await import("./commands/project/kill.ts")).kill),
        starting("compose", async () => (await import("./commands/project/compose.ts")).compose),
        starting("open", async () => (await import("./commands/project/open.ts")).open)
      ],
      Agents: [
        starting("context", async () => (await import("./commands/agents/context.ts")).context),
        starting("agents", async () => (await import("./commands/agents/agents.ts")).agents),
        starting("mcp", async () => (await import("./commands/agents/mcp.ts")).mcp)
      ],
      "The server": [
        command("start", async () => (await import("./commands/server/start.ts")).start),
        command("stop", async () => (await import("./commands/server/stop.ts")).stop),
        command("restart", async () => (await import("./commands/server/restart.ts")).restart),
        command("status", async () => (await import("./commands/server/status.ts")).status),
        starting("dashboard", async () => (await import("./commands/server/dashboard.ts")).dashboard),
        local("doctor", async () => (await import("./commands/server/doctor.ts")).doctor),
        local("config", async () => (await import("./commands/server/config.ts")).config),
        local("service", async () => (await import("./commands/server/service.ts")).service),
        original("health", async () => (await import("./commands/server/health.ts")).health)
      ],
      Backup: [
        command("export", async () => (await import("./commands/ports/export.ts")).exportAll),
        command("import", async () => (await import("./commands/ports/import.ts")).importAll)
      ]
    }
  })
}
