import * as CliCommand from "@effect/cli/Command"
import * as Verb from "@port-server/command-line/command/Command"
import * as Program from "@port-server/command-line/Program"
import { PortServerClient, WhenUnreachable } from "@port-server/domain/api/PortServerClient"
import { serverAddress, version } from "@port-server/domain/Defaults"
import type { ConfigError } from "effect/ConfigError"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as LoopbackHttpClient from "./client/LoopbackHttpClient.ts"

const client = PortServerClient.Default.pipe(Layer.provide(LoopbackHttpClient.layer))

/** The client that starts the server where none runs; what that takes is loaded only then. */
const startingClient = Layer.provide(
  client,
  Layer.succeed(WhenUnreachable, (error) =>
    Effect.flatMap(
      Effect.promise(() => import("./server/Autostart.ts")),
      ({ autostart }) => autostart(error)
    )
  )
)

const loading =
  (client: Layer.Layer<PortServerClient, ConfigError>) =>
  <Name extends string, E, A>(
    name: Name,
    load: () => Promise<CliCommand.Command<Name, PortServerClient, E, A>>,
    rest?: string
  ): Program.Command => ({
    name,
    load: Effect.map(Effect.promise(load), (loaded) => Verb.make(CliCommand.provide(loaded, client), rest))
  })

/**
 * A command whose code is loaded when the command line names it: the others cost a short one nothing. The last parameter
 * is what follows `--` in its usage.
 */
const command = loading(client)

/** A {@link command} that starts the server itself where none runs on this machine. */
const starting = loading(startingClient)

Program.run(
  {
    name: "portctl",
    version,
    summary: "Ask port-server for this machine's ports.",
    groups: {
      Ports: ["allocate", "release", "list", "check", "why", "scan", "prune"],
      "A project's ports": ["init", "ensure", "env", "run", "open"],
      "The server": ["start", "stop", "restart", "status", "service", "health"],
      Backup: ["export", "import"]
    },
    environment: [
      ["PORT_SERVER_ADDR", `Where port-server listens (default ${serverAddress})`],
      ["PORTCTL_AUTOSTART", "0: no command but start starts port-server"],
      ["NO_COLOR", "Not empty: no colour on a terminal"]
    ],
    values: async () => (await import("./client/CompletionValues.ts")).values
  },
  [
    command("allocate", async () => (await import("./commands/ports/allocate.ts")).allocate),
    command("release", async () => (await import("./commands/ports/release.ts")).release),
    command("list", async () => (await import("./commands/ports/list.ts")).list),
    command("check", async () => (await import("./commands/ports/check.ts")).check),
    starting("why", async () => (await import("./commands/ports/why.ts")).why),
    starting("scan", async () => (await import("./commands/ports/scan.ts")).scan),
    command("init", async () => (await import("./commands/project/init.ts")).init),
    starting("ensure", async () => (await import("./commands/project/ensure.ts")).ensure),
    starting("env", async () => (await import("./commands/project/env.ts")).env),
    starting("run", async () => (await import("./commands/project/run.ts")).run, "COMMAND [ARGS...]"),
    starting("open", async () => (await import("./commands/project/open.ts")).open),
    starting("prune", async () => (await import("./commands/ports/prune.ts")).prune),
    command("start", async () => (await import("./commands/server/start.ts")).start),
    command("stop", async () => (await import("./commands/server/stop.ts")).stop),
    command("restart", async () => (await import("./commands/server/restart.ts")).restart),
    command("status", async () => (await import("./commands/server/status.ts")).status),
    command("service", async () => (await import("./commands/server/service.ts")).service),
    command("health", async () => (await import("./commands/server/health.ts")).health),
    command("export", async () => (await import("./commands/ports/export.ts")).exportAll),
    command("import", async () => (await import("./commands/ports/import.ts")).importAll)
  ]
)
