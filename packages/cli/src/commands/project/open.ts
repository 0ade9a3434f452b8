import * as Command from "@port-server/command-line/command/Command"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { socketsOf } from "@port-server/domain/ListenerSockets"
import { escapeControls } from "@port-server/domain/Name"
import { Port } from "@port-server/domain/Port"
import { servicesByName } from "@port-server/domain/ServiceSettings"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { isServerElsewhere } from "../../client/OtherNetwork.ts"
import { CliError } from "../../errors/CliError.ts"
import * as Output from "../../output/Output.ts"
import * as Browser from "../../platform/Browser.ts"
import type { Given } from "../../project/Given.ts"
import { instanceLabel } from "../../project/PlaceNotes.ts"
import { type Here, here, isInProject } from "../../project/ProjectContext.ts"
import { ensureServices, heldPorts, knownServices, placeFor } from "../../project/ProjectPorts.ts"
import * as Options from "../Options.ts"
import * as SchemaOptions from "../SchemaOptions.ts"
import { openPage } from "../server/dashboard.ts"

/** Which of a project's services is meant: the one named, that of the current folder, the only one, or `web`. */
const chosen = (place: Here, services: ReadonlyArray<string>, named: Option.Option<string>) => {
  const names = services.map(escapeControls).join(", ")
  const only = services.length === 1 ? services[0] : undefined
  const service = Option.getOrElse(named, () => place.service ?? only ?? "web")
  const known = new Set([...services, ...servicesByName(place.project?.contents.services ?? {}).keys()])
  if (known.has(service)) return Effect.succeed(service)
  return Effect.flatMap(heldPorts(place), (held) => {
    // The project file need not name it.
    if (held.allocations.some((each) => each.service === service)) return Effect.succeed(service)
    return CliError.make(
      Option.isSome(named)
        ? `${instanceLabel(held)} has no service ${escapeControls(service)}, only ${names}`
        : `${instanceLabel(held)} has several services; choose one with --service: ${names}`
    )
  })
}

/** What was opened. */
const Opened = Schema.Struct({
  url: Schema.String,
  app: Schema.String,
  instance: Schema.String,
  service: Schema.String,
  port: Port
})

const opened = Effect.fnUntraced(function* (given: Given, named: Option.Option<string>) {
  const own = yield* here(given)
  const place = Option.isSome(named) ? yield* placeFor(own, named.value, given) : own
  const service = yield* chosen(place, yield* knownServices(place), named)
  const { allocations, app, instance } = yield* ensureServices(place, [{ service }])
  const port = yield* Effect.orDie(Schema.decodeUnknown(Port)(allocations[0]?.port))
  const answer = { url: `http://localhost:${port}`, app, instance, service, port }
  const client = yield* PortServerClient
  const status = yield* client.check(port)
  const { listener_error } = status
  const isServed = socketsOf(status).some(({ protocol, state }) => protocol === "tcp" && state !== "connected")
  const isElsewhere = yield* isServerElsewhere
  if (!(yield* Browser.open(answer.url))) {
    return yield* CliError.make(`there is no browser to open ${answer.url} in (${nameOf(answer)})`)
  }
  if (listener_error !== undefined) yield* Console.error(`note: ${escapeControls(listener_error)}`)
  else if (!isServed && !isElsewhere) yield* Console.error(`note: nothing listens on port ${port} yet`)
  return answer
})

const nameOf = ({ service, ...place }: typeof Opened.Type): string =>
  `${instanceLabel(place)} ${escapeControls(service)}`

/** Whether a service is meant: one is named, or the folder is a project's or has ports. */
const isService = Effect.fnUntraced(function* (given: Given, named: Option.Option<string>) {
  if (Option.isSome(named) || (yield* isInProject(given))) return true
  const { allocations } = yield* here(given).pipe(
    Effect.flatMap(heldPorts),
    // A folder that gives no name has no ports.
    Effect.catchTag("CliError", () => Effect.succeed({ allocations: [] }))
  )
  return allocations.length > 0
})

/** `portctl open` */
export const open = Command.make(
  "open",
  {
    summary: "Open a service of this project in the browser",
    details: [
      "Outside a project it opens the page with all ports, as portctl dashboard does.",
      "On Linux this needs a display in DISPLAY or WAYLAND_DISPLAY, or a browser in BROWSER."
    ],
    examples: ["portctl open --service web"],
    parameters: { service: SchemaOptions.oneService, ...SchemaOptions.contextFlags, json: Options.json }
  },
  Effect.fnUntraced(function* ({ json, service, ...given }) {
    if (yield* isService(given, service)) {
      yield* Output.print(Opened, { json })(
        opened(given, service),
        (answer) => `opened ${answer.url} (${nameOf(answer)})`
      )
    } else yield* openPage(json)
  })
)
