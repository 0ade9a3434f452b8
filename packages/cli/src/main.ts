import * as Command from "@effect/cli/Command"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { version } from "@port-server/domain/Defaults"
import { PortServerClient } from "@port-server/domain/PortServerClient"
import * as Program from "@port-server/program/Program"
import * as Layer from "effect/Layer"
import { allocate } from "./commands/allocate.ts"
import { check } from "./commands/check.ts"
import { health } from "./commands/health.ts"
import { list } from "./commands/list.ts"
import { release } from "./commands/release.ts"

const portctl = Command.make("portctl").pipe(
  Command.withDescription("The port registry of this machine: hands out ports, and never one to two owners."),
  Command.withSubcommands([allocate, release, list, check, health]),
  Command.provide(PortServerClient.Default.pipe(Layer.provide(NodeHttpClient.layer)))
)

Program.run(portctl, { name: "portctl", version })
