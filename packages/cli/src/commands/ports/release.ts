import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import { UsageError } from "@port-server/command-line/UsageError"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { ReleaseManyResult, ReleaseResult } from "@port-server/domain/api/Results"
import { escapeControls } from "@port-server/domain/Name"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Output from "../../output/Output.ts"
import * as Options from "../Options.ts"

/** The name of a service stands for its whole block. */
const blockOf = (service: string) => (service === "" ? {} : { block: true })

/** Release what was ensured for the current worktree, of one service or of all; `other` is another folder with ports of the same instance. */
const releaseHere = Effect.fnUntraced(function* (service: string) {
  // Loaded only when it is asked for.
  const [{ here }, { heldPorts, instanceLabel }] = yield* Effect.promise(() =>
    Promise.all([import("../../project/ProjectContext.ts"), import("../../project/ProjectPorts.ts")])
  )
  const place = yield* here({ app: Option.none(), instance: Option.none() })
  const { folder } = place
  const client = yield* PortServerClient
  const { app, instance } = yield* heldPorts(place)
  const own = yield* client.list({ path: folder, service })
  const { deleted } = yield* client.releaseMatching({ path: folder, service, ...blockOf(service) })
  const places = own.length === 0 ? [instanceLabel({ app, instance })] : [...new Set(own.map(instanceLabel))]
  const [other] = (yield* client.list({ app, instance })).flatMap(({ path = folder }) =>
    path === folder ? [] : [path]
  )
  return { deleted, folder, places, place: instanceLabel({ app, instance }), other }
})

/** `portctl release` */
export const release = Command.make(
  "release",
  {
    summary: "Release one allocation, or all that match every filter given",
    details: [
      "Either --id alone, or --here, of one --service or of all, or filters with at least --app or --port. The --service of a block is all of its ports; workers+1 is one of them."
    ],
    examples: [
      "portctl release --id 7",
      "portctl release --app myapp --instance dev",
      "portctl release --here --service db"
    ],
    exitCodes: {
      0: "It is released, or no allocation matches the filters",
      1: "No allocation has the id, or another error is on stderr"
    },
    parameters: {
      id: Options.id,
      here: Flag.boolean("here", "What was ensured for the current worktree"),
      app: Options.appFilter,
      instance: Options.instanceFilter,
      service: Options.serviceFilter,
      port: Options.portFilter,
      json: Options.json
    }
  },
  Effect.fnUntraced(function* ({ here, id, json, ...selector }) {
    const client = yield* PortServerClient
    const filtered = Object.values(selector).some(Boolean)
    if (here) {
      if (selector.app || selector.instance || selector.port || Option.isSome(id)) {
        return yield* new UsageError({ message: "--here goes without --id and filters but --service" })
      }
      const { other, place } = yield* Output.print(ReleaseManyResult, { json })(
        releaseHere(selector.service),
        ({ deleted, folder, places }) =>
          `released ${deleted} allocation(s) of ${escapeControls(folder)} (${places.join(", ")})`
      )
      if (other !== undefined)
        yield* Console.error(`note: ${place} has ports of ${escapeControls(other)} too; they stay`)
      return
    }
    if (Option.isSome(id)) {
      if (filtered) return yield* new UsageError({ message: "--id and filters exclude each other" })
      yield* Output.print(ReleaseResult, { json })(client.release(id.value), () => `released allocation ${id.value}`, {
        AllocationNotFound: `allocation ${id.value} not found`
      })
      return
    }
    if (!selector.app && !selector.port) {
      return yield* new UsageError({ message: "--id, --here, or at least --app or --port, is required" })
    }
    yield* Output.print(ReleaseManyResult, { json })(
      client.releaseMatching({ ...selector, ...blockOf(selector.service) }),
      ({ deleted }) => `released ${deleted} allocation(s)`
    )
  })
)
