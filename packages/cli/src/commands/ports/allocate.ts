import * as Command from "@port-server/command-line/command/Command"
import { UsageError } from "@port-server/command-line/UsageError"
import { Allocation } from "@port-server/domain/Allocation"
import { AllocationRequest } from "@port-server/domain/AllocationRequest"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { InvalidRequest } from "@port-server/domain/CommonErrors"
import { socketsOf } from "@port-server/domain/ListenerSockets"
import { escapeControls } from "@port-server/domain/Name"
import { Port } from "@port-server/domain/Port"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { reservationNote } from "../../output/ContainerFormat.ts"
import { byProcess, holds } from "../../output/ListenerFormat.ts"
import * as Output from "../../output/Output.ts"
import { privilegedNote } from "../../platform/PortLimits.ts"
import * as Options from "../Options.ts"
import * as SchemaOptions from "../SchemaOptions.ts"

const request = Schema.decodeUnknown(AllocationRequest)

/** Say that the port is in use: by the service itself, or by somebody who is in its way. */
const sayWhoListens = Effect.fnUntraced(function* (client: PortServerClient, port: number) {
  const status = yield* client.check(yield* Schema.decode(Port)(port))
  const { listener_error, reserved } = status
  const groups = byProcess(socketsOf(status))
  for (const group of groups) yield* Console.error(`note: ${holds(group, `port ${port}`)}`)
  if (reserved !== undefined) yield* Console.error(reservationNote(reserved, port))
  if (groups.length === 0 && listener_error !== undefined)
    yield* Console.error(`note: ${escapeControls(listener_error)}`)
})

/** `portctl allocate` */
export const allocate = Command.make(
  "allocate",
  {
    summary: "Allocate a port for a service",
    details: ["Without --port, or with 0, it is the first free one of the server's range."],
    examples: [
      "portctl allocate --app myapp --instance dev --service postgres",
      "PORT=$(portctl allocate --app myapp --instance dev --service web --quiet)"
    ],
    exitCodes: {
      0: "The port is allocated",
      1: "It belongs to another owner, or another error is on stderr"
    },
    parameters: {
      app: Options.app,
      instance: Options.instance,
      service: Options.service,
      port: SchemaOptions.wantedPort,
      json: Options.json,
      quiet: Options.quiet
    }
  },
  Effect.fnUntraced(function* ({ json, quiet, ...wanted }) {
    if (json && quiet) return yield* new UsageError({ message: "--json and --quiet exclude each other" })
    const payload = yield* Effect.mapError(
      request(wanted),
      (error) => new UsageError({ message: InvalidRequest.fromParseError(error).message })
    )
    const client = yield* PortServerClient
    const { port } = yield* Output.print(Allocation, { json })(client.allocate(payload), (allocation) =>
      quiet
        ? String(allocation.port)
        : `allocated port ${allocation.port} (id=${allocation.id}) for ${allocation.owner}`
    )
    if (wanted.port === 0) return
    const note = privilegedNote(port)
    if (note !== undefined) yield* Console.error(note)
    yield* Effect.ignore(sayWhoListens(client, port))
  })
)
