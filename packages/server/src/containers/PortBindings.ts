import type { PublishedPort } from "@port-server/domain/Container"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as EngineApi from "./EngineApi.ts"

const Bindings = Schema.Struct({
  HostConfig: Schema.Struct({
    PortBindings: Schema.optional(
      Schema.NullOr(
        Schema.Record({
          key: Schema.String,
          value: Schema.NullOr(
            Schema.Array(
              Schema.Struct({
                HostIp: Schema.optional(Schema.NullOr(Schema.String)),
                HostPort: Schema.optional(Schema.NullOr(Schema.String))
              })
            )
          )
        })
      )
    )
  })
})

const decode = Schema.decodeUnknown(Bindings)

/** Calls to an engine at a time. Where it is slow, nearly all of a call is waiting. */
const concurrency = 16

/** The ports that a start would need: not those of a range, of which one is chosen, and not random ones. */
const portsOf = ({ HostConfig }: typeof Bindings.Type): ReadonlyArray<PublishedPort> =>
  Object.entries(HostConfig.PortBindings ?? {}).flatMap(([target, bindings]) => {
    const protocol = target.endsWith("/udp") ? "udp" : "tcp"
    if (!/^\d+(\/(tcp|udp))?$/.test(target)) return []
    return (bindings ?? []).flatMap(({ HostIp, HostPort }): ReadonlyArray<PublishedPort> => {
      const port = Number(HostPort || 0)
      if (!Number.isInteger(port) || port < 1 || port > 65_535) return []
      return [{ port, protocol, ...(HostIp ? { address: HostIp } : {}) }]
    })
  })

/** The ports that containers were made with. An engine gives them for one container at a time; they never change. */
export const make = Effect.gen(function* () {
  const scope = yield* Effect.scope
  const known = new Map<string, ReadonlyArray<PublishedPort>>()
  let reading: Fiber.RuntimeFiber<void> | undefined

  const read = (socket: string, id: string) =>
    EngineApi.get(socket, `/containers/${encodeURIComponent(id)}/json`).pipe(
      Effect.flatMap(({ body }) => decode(body)),
      Effect.map(portsOf),
      // It was removed since it was listed.
      Effect.catchIf(
        (error) => error._tag === "EngineFailed" && error.status === 404,
        () => Effect.succeed([])
      ),
      Effect.map((found) => known.set(id, found)),
      Effect.ignore
    )

  return {
    /**
     * Read those that are not known, at most for a time; what takes longer is there at the next call. Returns of how many
     * containers they are not known then.
     */
    learn: Effect.fnUntraced(function* (socket: string, ids: ReadonlyArray<string>, milliseconds: number) {
      for (const id of known.keys()) if (!ids.includes(id)) known.delete(id)
      const missing = ids.filter((id) => !known.has(id))
      if (missing.length === 0) return 0
      if (reading === undefined || reading.unsafePoll() !== null) {
        const all = Effect.forEach(missing, (id) => read(socket, id), { concurrency, discard: true })
        reading = yield* Effect.forkIn(all, scope)
      }
      yield* Effect.timeoutOption(Fiber.join(reading), milliseconds)
      return missing.filter((id) => !known.has(id)).length
    }),

    /** Those of one container, as far as they are known. */
    portsOf: (id: string): ReadonlyArray<PublishedPort> => known.get(id) ?? []
  }
})
