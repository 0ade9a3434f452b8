import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { EventKind, type EventQuery, largestEventPage, RegistryEvent } from "@port-server/domain/Event"
import * as Clock from "effect/Clock"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { type Block, follow } from "../../client/EventFollower.ts"
import * as EventFormat from "../../output/EventFormat.ts"
import * as Output from "../../output/Output.ts"
import { outputGone } from "../../output/OutputGone.ts"
import { limit, since, timeOf } from "../EventOptions.ts"
import * as Options from "../Options.ts"
import * as SchemaOptions from "../SchemaOptions.ts"

/** Events that are shown where neither `--since` nor `--limit` says how many. */
const usualLimit = 50

const Events = Schema.Array(RegistryEvent)
const fromJson = Schema.decode(Schema.parseJson(RegistryEvent))
const toJson = Schema.encodeSync(RegistryEvent)

const textOf = (events: ReadonlyArray<RegistryEvent>): string =>
  events.length === 0 ? "no events" : events.map(EventFormat.line).join("\n")

/** All events that match, page by page, from the oldest that is meant. */
const readAll = Effect.fnUntraced(function* (client: PortServerClient, query: EventQuery) {
  const all: Array<RegistryEvent> = []
  for (let after = 0; ; ) {
    const page = yield* client.events({ ...query, after, limit: largestEventPage })
    all.push(...page)
    const last = page.at(-1)
    if (page.length < largestEventPage || last === undefined) return all
    after = last.id
  }
})

const print = (event: RegistryEvent, json: boolean) =>
  Console.log(json ? Output.jsonText(toJson(event)) : EventFormat.line(event))

/** What a block of the stream tells; a server may know further events. */
const tell = ({ data, event }: Block, json: boolean) => {
  if (event === "reset") return Console.error("note: some events are missing: they are no longer kept")
  if (!Schema.is(EventKind)(event)) return Effect.void
  return Effect.flatMap(Effect.orDie(fromJson(data)), (each) => print(each, json))
}

/** `portctl log` */
export const log = Command.make(
  "log",
  {
    summary: "Show what happened to the ports: who took which, and when",
    details: [
      "The server keeps the newest 10,000 events. Times are UTC. In parentheses is what the client said about itself; nobody verifies it."
    ],
    examples: ["portctl log --port 3000", "portctl log --since 1h --follow"],
    parameters: {
      port: SchemaOptions.portFilter,
      app: Options.appFilter,
      instance: Options.instanceFilter,
      service: Options.serviceFilter,
      kind: Flag.choice("kind", EventKind.literals, "Only events of this kind", "KIND").pipe(Flag.optional),
      since,
      limit,
      follow: Flag.boolean("follow", "Go on with new events, until interrupted"),
      json: Options.json
    }
  },
  Effect.fnUntraced(function* ({ follow: isFollowed, json, kind, limit: wanted, since: from, ...owner }) {
    const client = yield* PortServerClient
    const now = yield* Clock.currentTimeMillis
    const ofKind = Option.match(kind, { onNone: () => ({}), onSome: (kind) => ({ kind }) })
    const read = (before?: number) => {
      const query: EventQuery = { ...owner, ...ofKind, ...(before === undefined ? {} : { before }) }
      return Option.match(from, {
        onNone: () => client.events({ ...query, limit: Option.getOrElse(wanted, () => usualLimit) }),
        onSome: (since) =>
          Effect.map(readAll(client, { ...query, since: timeOf(since, now) }), (all) =>
            all.slice(-Option.getOrElse(wanted, () => all.length))
          )
      })
    }
    if (!isFollowed) {
      yield* Output.print(Events, { json, indent: 2 })(read(), textOf)
      return
    }
    const { port, ...names } = owner
    let isBegun = false
    yield* follow({ ...names, ...ofKind, port: port === 0 ? "" : String(port), listeners: "false" }).pipe(
      Stream.runForEach((block) => {
        if (isBegun || block.id === undefined) return tell(block, json)
        // The first position: what is after it comes with the stream.
        isBegun = true
        return Effect.flatMap(read(Number(block.id) + 1), (events) =>
          Effect.forEach(events, (event) => print(event, json), { discard: true })
        )
      }),
      Effect.raceFirst(outputGone),
      Output.toCliError,
      Output.printError(json)
    )
  })
)
