import { Allocation } from "@port-server/domain/Allocation"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { ListeningPort } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { toCliError } from "../output/Output.ts"
import { allocationsOf } from "../project/ProjectPorts.ts"
import type { InFolder } from "./Folder.ts"
import { here } from "./ProjectTools.ts"

const Allocations = Schema.Struct({ folder: Schema.String, allocations: Schema.Array(Allocation) })
const Listeners = Schema.Array(ListeningPort)

/** The URI of the machine's listeners. */
export const listenersUri = "port-server://machine/listeners"

/** The beginning of the URI of a working copy's allocations; its folder's path follows. */
const copies = "port-server://working-copy"

/** The URI template of the allocations of a working copy. */
export const copiesTemplate = `${copies}{+path}`

const uriOf = (folder: string): string => copies + folder.split("/").map(encodeURIComponent).join("/")

/** What is on the ports of this machine. */
export const listeners = toCliError(
  Effect.flatMap(PortServerClient, (client) => client.listeners()).pipe(Effect.map(Schema.encodeSync(Listeners)))
)

/** The allocations of the working copy whose folder the URI has. */
export const allocations = (inFolder: InFolder, { pathname }: URL) =>
  Effect.gen(function* () {
    const place = yield* here
    return Schema.encodeSync(Allocations)({ folder: place.folder, allocations: yield* allocationsOf(place) })
  }).pipe(inFolder(decodeURIComponent(pathname)), toCliError)

/** The working copies that have ports, each as a resource. */
export const workingCopies = Effect.gen(function* () {
  const client = yield* PortServerClient
  const found = new Map(
    (yield* client.list()).flatMap(({ app, instance, path }) =>
      path === undefined ? [] : [[path, { uri: uriOf(path), name: `${app}/${instance}` }] as const]
    )
  )
  return [...found.values()]
}).pipe(toCliError)
