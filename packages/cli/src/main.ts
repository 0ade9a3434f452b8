import * as Command from "@effect/cli/Command"
import { version } from "@port-server/domain/Defaults"
import { PortServerClient } from "@port-server/domain/PortServerClient"
import * as Program from "@port-server/program/Program"
import * as Verb from "@port-server/program/Verb"
import * as Layer from "effect/Layer"
import { allocate } from "./commands/allocate.ts"
import { check } from "./commands/check.ts"
import { exportAll } from "./commands/export.ts"
import { health } from "./commands/health.ts"
import { importAll } from "./commands/import.ts"
import { list } from "./commands/list.ts"
import { release } from "./commands/release.ts"
import * as LoopbackHttpClient from "./LoopbackHttpClient.ts"

const client = PortServerClient.Default.pipe(Layer.provide(LoopbackHttpClient.layer))

const withClient = <Name extends string, E, A>(command: Command.Command<Name, PortServerClient, E, A>) =>
  Verb.make(Command.provide(command, client))

Program.run(
  {
    name: "portctl",
    version,
    summary: "Ask port-server for this machine's ports.\nIt listens at PORT_SERVER_ADDR, by default 127.0.0.1:51234."
  },
  [
    withClient(allocate),
    withClient(release),
    withClient(list),
    withClient(check),
    withClient(health),
    withClient(exportAll),
    withClient(importAll)
  ]
)
