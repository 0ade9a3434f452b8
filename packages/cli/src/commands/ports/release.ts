import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import { UsageError } from "@port-server/command-line/UsageError"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { ReleaseManyResult, ReleaseResult } from "@port-server/domain/api/Results"
import { escapeControls } from "@port-server/domain/Name"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Record from "effect/Record"
import * as Output from "../../output/Output.ts"
import * as Options from "../Options.ts"
import * as SchemaOptions from "../SchemaOptions.ts"

/** The name of a service stands for its whole block. */
const blockOf = (service: string) => (service === "" ? {} : { block: true })

/** Release what was ensured for the current worktree, of services or of all. */
const releaseHere = Effect.fnUntraced(function* (services: ReadonlyArray<string> | undefined) {
  // Loaded only when it is asked for.
  const [{ nothingGiven }, { here }, { releaseOwn }] = yield* Effect.promise(() =>
    Promise.all([
      import("../../project/Given.ts"),
      import("../../project/ProjectContext.ts"),
      import("../../project/ReleaseOwn.ts")
    ])
  )
  return yield* releaseOwn(yield* here(nothingGiven), services)
})

/** The filters, which tell an empty value from none. */
const selectors = {
  app: Options.onlyApp.pipe(Flag.optional),
  instance: Options.onlyInstance.pipe(Flag.optional),
  service: Options.onlyService.pipe(Flag.optional)
}

/** The services of a list like `web,db`. */
const namesIn = (list: string) => list.split(",").flatMap((name) => name.trim() || [])

/** `portctl release` */
export const release = Command.make(
  "release",
  {
    summary: "Release one allocation, or all that match every filter given",
    details: [
      "Give --id alone, or --here, alone or with --service web,db, or filters, among them --app or --port. For a block, --service workers releases all of its ports, and workers+1 one of them."
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
      id: SchemaOptions.id,
      here: Flag.boolean("here", "What was ensured for the current worktree"),
      ...selectors,
      port: SchemaOptions.portFilter,
      json: Options.json
    }
  },
  Effect.fnUntraced(function* ({ app, here, id, instance, json, port, service }) {
    const client = yield* PortServerClient
    const given = { app, instance, service }
    const filters = Record.map(given, (value) => Option.getOrElse(value, () => ""))
    const filtered = Object.values(given).some(Option.isSome) || port !== 0
    // Of a variable that a script has not set: without the filter, what others have would be released too.
    const [empty] = Object.entries(given).flatMap(([name, value]) => (Option.contains(value, "") ? [name] : []))
    const emptyValue = new UsageError({ message: `option --${empty} needs a value; without the option, it is for all` })
    if (here) {
      if (Option.isSome(app) || Option.isSome(instance) || port !== 0 || Option.isSome(id)) {
        return yield* new UsageError({ message: "--here takes no --id, and no filter but --service" })
      }
      if (empty !== undefined) return yield* emptyValue
      const services = Option.getOrUndefined(Option.map(service, namesIn))
      if (services?.length === 0) return yield* new UsageError({ message: "--service names no service" })
      yield* Output.print(ReleaseManyResult, { json })(
        releaseHere(services),
        ({ deleted, folder, places }) =>
          `released ${deleted} allocation(s) of ${escapeControls(folder)} (${places.join(", ")})`
      )
      return
    }
    if (Option.isSome(id)) {
      if (filtered) return yield* new UsageError({ message: "--id and filters exclude each other" })
      yield* Output.print(ReleaseResult, { json })(client.release(id.value), () => `released allocation ${id.value}`, {
        AllocationNotFound: `allocation ${id.value} not found`
      })
      return
    }
    if (!filters.app && port === 0) {
      return yield* new UsageError({ message: "--id, --here, or at least --app or --port, is required" })
    }
    if (empty !== undefined) return yield* emptyValue
    const { deleted } = yield* Output.print(ReleaseManyResult, { json })(
      client.releaseMatching({ ...filters, port, ...blockOf(filters.service) }),
      ({ deleted }) => `released ${deleted} allocation(s)`
    )
    if (deleted === 0 && filters.service.includes(",")) {
      yield* Console.error("note: with filters --service is one service, whose name may have commas")
    }
  })
)
