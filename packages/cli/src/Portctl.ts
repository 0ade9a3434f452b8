import * as Command from "@port-server/command-line/command/Command"
import type { ProgramInfo } from "@port-server/command-line/Program"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { serverAddress, version } from "@port-server/domain/Defaults"
import { sentenceOf } from "@port-server/domain/EnvConfig"
import { escapeControls } from "@port-server/domain/Name"
import type { ConfigError } from "effect/ConfigError"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LoopbackHttpClient from "./client/LoopbackHttpClient.ts"
import * as OwnServer from "./client/OwnServer.ts"
import * as ResilientHttpClient from "./client/ResilientHttpClient.ts"
import type { SettingsUnusable } from "./errors/ServerErrors.ts"
import { usualAddress } from "./settings/UsualAddress.ts"

/** The client of the usual address. What a recovery needs is loaded only when a request fails. */
const client = (recovery: "awaitRestart" | "autostart") =>
  Layer.unwrapEffect(
    Effect.map(usualAddress, (address) =>
      PortServerClient.at(address, Duration.infinity).pipe(
        Layer.provide(
          ResilientHttpClient.layer((error) =>
            Effect.flatMap(
              Effect.promise(() => import("./server/Autostart.ts")),
              (module) => module[recovery](address)(error)
            )
          )
        ),
        Layer.provide(OwnServer.layer(address)),
        Layer.provide(LoopbackHttpClient.layer)
      )
    )
  )

/** Commands whose code is loaded when the command line names them: the others cost a short one nothing. */
const loading =
  (client: Layer.Layer<PortServerClient, ConfigError | SettingsUnusable>) =>
  (name: string, load: () => Promise<Command.Command<PortServerClient>>): Command.Subcommand => ({
    name,
    load: Effect.map(Effect.promise(load), Command.provide(client))
  })

/** A command that needs a server, or none. */
const command = loading(client("awaitRestart"))

/** A {@link command} that starts the server itself where none runs on this machine. */
const starting = loading(client("autostart"))

/** The program `portctl`. */
export const portctl: ProgramInfo = {
  version,
  messageOf: sentenceOf,
  printable: escapeControls,
  values: async () => (await import("./client/CompletionValues.ts")).values,
  root: Command.group("portctl", {
    summary: "Ask port-server for this machine's ports.",
    environment: [
      ["PORT_SERVER_ADDR", `Where port-server listens (default: ${serverAddress})`],
      ["PORTCTL_AUTOSTART", "0: no command but start starts port-server"],
      ["NO_COLOR", "Not empty: no colour on a terminal"]
    ],
    groups: {
      Ports: [
        command("allocate", async () => (await import("./commands/ports/allocate.ts")).allocate),
        command("release", async () => (await import("./commands/ports/release.ts")).release),
        command("list", async () => (await import("./commands/ports/list.ts")).list),
        command("check", async () => (await import("./commands/ports/check.ts")).check),
        starting("why", async () => (await import("./commands/ports/why.ts")).why),
        starting("scan", async () => (await import("./commands/ports/scan.ts")).scan),
        starting("prune", async () => (await import("./commands/ports/prune.ts")).prune)
      ],
      "A project's ports": [
        command("init", async () => (await import("./commands/project/init.ts")).init),
        command("add", async () => (await import("./commands/project/add.ts")).add),
        command("remove", async () => (await import("./commands/project/remove.ts")).remove),
        starting("get", async () => (await import("./commands/project/get.ts")).get),
        starting("ensure", async () => (await import("./commands/project/ensure.ts")).ensure),
        starting("env", async () => (await import("./commands/project/env.ts")).env),
        starting("run", async () => (await import("./commands/project/run.ts")).run),
        starting("verify", async () => (await import("./commands/project/verify.ts")).verify),
        starting("kill", async () => (await import("./commands/project/kill.ts")).kill),
        starting("open", async () => (await import("./commands/project/open.ts")).open)
      ],
      "The server": [
        command("start", async () => (await import("./commands/server/start.ts")).start),
        command("stop", async () => (await import("./commands/server/stop.ts")).stop),
        command("restart", async () => (await import("./commands/server/restart.ts")).restart),
        command("status", async () => (await import("./commands/server/status.ts")).status),
        starting("dashboard", async () => (await import("./commands/server/dashboard.ts")).dashboard),
        command("doctor", async () => (await import("./commands/server/doctor.ts")).doctor),
        command("config", async () => (await import("./commands/server/config.ts")).config),
        command("service", async () => (await import("./commands/server/service.ts")).service),
        command("health", async () => (await import("./commands/server/health.ts")).health)
      ],
      Backup: [
        command("export", async () => (await import("./commands/ports/export.ts")).exportAll),
        command("import", async () => (await import("./commands/ports/import.ts")).importAll)
      ]
    }
  })
}
