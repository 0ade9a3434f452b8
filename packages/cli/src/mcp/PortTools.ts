import { randomUUID } from "node:crypto"
import { Allocation } from "@port-server/domain/Allocation"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { Port } from "@port-server/domain/Port"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { PortStory, storyOf } from "../client/PortStory.ts"
import * as PortSentence from "../output/PortSentence.ts"
import { privilegedReason } from "../platform/PortLimits.ts"
import { allocationsOf, ensureWished } from "../project/ProjectPorts.ts"
import * as Folder from "./Folder.ts"
import { here, services } from "./ProjectTools.ts"
import * as Tool from "./Tool.ts"

/** Most allocations of one list: what goes to a model has to be read by it. */
const mostListed = 200

const optionalPort = (description: string) => Schema.optionalWith(Port, { exact: true }).annotations({ description })

/** The port that a new service of the working copy here would get, if the preferred one is not free. */
const nextFree = Effect.gen(function* () {
  // A name that nothing has.
  const wished = [{ service: `free-${randomUUID()}` }]
  const { allocations } = yield* ensureWished(yield* here, wished, true)
  return allocations.map(({ port }) => port)
})

/** The tools about any port of the machine. */
export const portTools = (inFolder: Folder.InFolder): ReadonlyArray<Tool.Tool> => [
  Tool.make(
    "why_port",
    {
      title: "Who has a port",
      description:
        "Shows who holds a port, which processes and containers are on it and whose they are, and what happened to it last. Call it when a port is taken.",
      effects: "reads",
      input: Schema.Struct({ port: Schema.propertySignature(Port).annotations({ description: "the port" }) }),
      output: PortStory
    },
    ({ port }) => storyOf(port)
  ),
  Tool.make(
    "find_free_port",
    {
      title: "Find a free port",
      description:
        "Returns a port that is free at this moment: the requested one, or else another one, and why. It reserves nothing; a service that needs a port gets it from ensure_ports.",
      effects: "reads",
      input: Schema.Struct({ path: Folder.usualPath, port: optionalPort("the port that is wanted") }),
      output: Schema.Struct({
        port: Schema.Int,
        reason: Schema.optionalWith(Schema.String.annotations({ description: "why it is not the requested port" }), {
          exact: true
        })
      })
    },
    ({ path, port }) =>
      Effect.gen(function* () {
        const client = yield* PortServerClient
        const status = port === undefined ? undefined : yield* client.check(port)
        const isFree = status !== undefined && PortSentence.isFree(status)
        const privileged = isFree ? privilegedReason(status.port) : undefined
        if (isFree && privileged === undefined) return { port: status.port }
        const [found = 0] = yield* nextFree
        return status === undefined
          ? { port: found }
          : { port: found, reason: privileged ?? PortSentence.sentence(status) }
      }).pipe(inFolder(path))
  ),
  Tool.make(
    "list_ports",
    {
      title: "List allocated ports",
      description: `Lists the allocations of this machine, or those of the working copy in path; at most ${mostListed}.`,
      effects: "reads",
      input: Schema.Struct({
        path: Folder.path("absolute path of a folder: only the working copy that it is in"),
        services: services("only these services"),
        port: optionalPort("only this port")
      }),
      output: Schema.Struct({
        allocations: Schema.Array(Allocation),
        total: Schema.NonNegativeInt.annotations({ description: "how many there are, listed or not" })
      })
    },
    ({ path, port, services }) =>
      Effect.gen(function* () {
        const all = yield* path === undefined
          ? Effect.flatMap(PortServerClient, (client) => client.list(port === undefined ? {} : { port }))
          : Effect.flatMap(here, allocationsOf).pipe(inFolder(path))
        const found = all.filter(
          (each) => (port ?? each.port) === each.port && (services?.includes(each.service) ?? true)
        )
        return { allocations: found.slice(0, mostListed), total: found.length }
      })
  )
]
