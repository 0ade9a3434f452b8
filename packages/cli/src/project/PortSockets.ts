import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import type { PortSocket } from "@port-server/domain/Listener"
import { maxListenersPorts, socketsOf } from "@port-server/domain/ListenerSockets"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"

/** The sockets on ports, and whether they belong to the project in a folder, by port. */
export const socketsOn = Effect.fnUntraced(function* (path: string, ports: ReadonlyArray<number>) {
  const client = yield* PortServerClient
  const parts = Chunk.chunksOf(Chunk.fromIterable(ports), maxListenersPorts)
  const found = yield* Effect.forEach(parts, (part) => client.listeners({ path, ports: Chunk.toReadonlyArray(part) }))
  return new Map(found.flat().map((each): [number, ReadonlyArray<PortSocket>] => [each.port, socketsOf(each)]))
})
