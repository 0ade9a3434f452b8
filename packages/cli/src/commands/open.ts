import * as Command from "@effect/cli/Command"
import { escapeControls } from "@port-server/domain/Allocation"
import { describe } from "@port-server/program/Description"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Browser from "../Browser.ts"
import { ensureIn, placeOf } from "../Ensured.ts"
import * as Flags from "../Flags.ts"
import { type Given, type Here, here } from "../Here.ts"
import * as Output from "../Output.ts"
import { knownSome } from "../Variables.ts"

/** Which of a project's services is meant: the one named, the only one, or `web`. */
const chosen = (place: Here, services: ReadonlyArray<string>, named: Option.Option<string>) => {
  const names = services.map(escapeControls).join(", ")
  const only = services.length === 1 ? services[0] : undefined
  const service = Option.getOrElse(named, () => only ?? "web")
  if (services.includes(service)) return Effect.succeed(service)
  return Output.failed(
    Option.isSome(named)
      ? `${placeOf(place)} has no service ${escapeControls(service)}, only ${names}`
      : `${placeOf(place)} has several services; say one with --service: ${names}`
  )
}

const portOf = Effect.fnUntraced(function* (given: Given, named: Option.Option<string>) {
  const place = yield* here(given)
  const service = yield* chosen(place, yield* knownSome(place), named)
  const { allocations } = yield* ensureIn(place, given, [{ service }])
  return { allocation: allocations[0], name: `${placeOf(place)} ${escapeControls(service)}` }
})

/** `portctl open` */
export const open = Command.make(
  "open",
  { service: Flags.oneService, ...Flags.place },
  Effect.fnUntraced(function* ({ service, ...given }) {
    const { allocation, name } = yield* Output.inWords(portOf(given, service))
    const url = `http://localhost:${allocation?.port}`
    if (!(yield* Browser.open(url))) {
      return yield* Output.failed(`there is no browser to open ${url} in (${name})`)
    }
    yield* Console.log(`opened ${url} (${name})`)
  })
).pipe(
  describe("Open a service of this project in the browser", "portctl open --service web", [], {
    environment: Flags.placeVariables
  })
)
