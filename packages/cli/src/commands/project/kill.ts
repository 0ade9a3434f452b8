import * as Command from "@port-server/command-line/command/Command"
import { UsageError } from "@port-server/command-line/UsageError"
import { PortSocket } from "@port-server/domain/Listener"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as OtherMounts from "../../client/OtherMounts.ts"
import { isServerElsewhere } from "../../client/OtherNetwork.ts"
import { CliError } from "../../errors/CliError.ts"
import { holds, listenerName } from "../../output/ListenerFormat.ts"
import * as Output from "../../output/Output.ts"
import * as EndProcesses from "../../project/EndProcesses.ts"
import { nothingGiven } from "../../project/Given.ts"
import { serviceStates } from "../../project/PortStates.ts"
import { type Here, here } from "../../project/ProjectContext.ts"
import * as Options from "../Options.ts"
import * as SchemaOptions from "../SchemaOptions.ts"

const foreign = 3

/** What was ended on a port, or on those of a block, and what was left alone. */
const Result = Schema.Struct({
  port: Schema.Int,
  ports: Schema.optionalWith(Schema.Array(Schema.Int), { exact: true }),
  ended: Schema.Array(EndProcesses.Ended),
  kept: Schema.Array(PortSocket)
})

/** The port of a service, and the others of its block. */
const portsOf = Effect.fnUntraced(function* (place: Here, service: string) {
  const [first, ...others] = (yield* serviceStates(place, [service])).flatMap(({ port }) => port ?? [])
  if (first === undefined) return yield* CliError.make(`${service} has no port yet; portctl ensure gives it one`)
  return [first, ...others] as const
})

/** The ports of a service, which are one after the other where it is a block. */
const portsText = (ports: ReadonlyArray<number>): string =>
  ports.length === 1 ? `port ${ports[0]}` : `ports ${ports[0]}-${ports.at(-1)}`

const lines = (outcomes: ReadonlyArray<EndProcesses.Outcome>): ReadonlyArray<string> =>
  outcomes.flatMap(({ ended, port }) =>
    ended.map((each) => {
      const how = each.signal === "SIGKILL" ? " with SIGKILL, for it did not end on SIGTERM" : ""
      return `ended ${listenerName(each)} on port ${port}${how}`
    })
  )

/** The error on the processes that are left alone. */
const refusal = (result: typeof Result.Type, outcomes: ReadonlyArray<EndProcesses.Outcome>) => {
  const each = outcomes.flatMap(({ kept, port }) =>
    kept.map(({ reason, socket }) => `${holds({ first: socket }, `port ${port}`)} and ${reason}`)
  )
  const message = `${each.join(", ")}; ${each.length === 1 ? "it is" : "they are"} not ended`
  return new CliError({ message, body: { error: message, ...result }, exitCode: foreign })
}

/** `portctl kill` */
export const kill = Command.make(
  "kill",
  {
    summary: "End this project's own processes on one of its ports",
    details: [
      "It sends SIGTERM, and after 5 seconds SIGKILL. Only processes that belong to this working copy are ended (see portctl verify), never one of another user or one that portctl was started from. For a container, it prints the command that stops it."
    ],
    examples: ["portctl kill --service web", "portctl kill --port 3000"],
    exitCodes: {
      0: "They have ended, or there was none",
      [foreign]: "A process on the port is not this working copy's, or must not or cannot be ended"
    },
    parameters: { service: SchemaOptions.killedService, port: SchemaOptions.killedPort, json: Options.json }
  },
  Effect.fnUntraced(function* ({ json, port: given, service }) {
    if (Option.isSome(service) === Option.isSome(given)) {
      const message = Option.isSome(given)
        ? "--service and --port exclude each other"
        : "either --service or --port is required"
      return yield* new UsageError({ message })
    }
    const ending = Effect.gen(function* () {
      const place = yield* here(nothingGiven)
      const [port, ...others] = Option.isSome(given)
        ? ([given.value] as const)
        : yield* portsOf(
            place,
            Option.getOrElse(service, () => "")
          )
      if (yield* isServerElsewhere) {
        return yield* CliError.make(
          `port-server runs in another network and does not see what is on port ${port} in here; portctl kill works where port-server runs`
        )
      }
      const ports = [port, ...others]
      // One after the other: a process may be on several of them.
      const outcomes = yield* Effect.forEach(ports, (each) => EndProcesses.endOn(place.folder, each))
      const kept = outcomes.flatMap((each) => each.kept.map(({ socket }) => socket))
      const result: typeof Result.Type = {
        port,
        ...(others.length === 0 ? {} : { ports }),
        ended: outcomes.flatMap((each) => each.ended),
        kept
      }
      const text = lines(outcomes).join("\n")
      if (kept.length === 0) return { ...result, text }
      if (text !== "" && !json) yield* Console.log(text)
      if (kept.some(({ belongs }) => belongs !== "yes" && belongs !== "no")) yield* OtherMounts.note
      return yield* refusal(result, outcomes)
    })
    yield* Output.print(Result, { json })(ending, ({ port, ports = [port], text }) =>
      text === "" ? `nothing is listening on ${portsText(ports)}` : text
    )
  })
)
