import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import type { PortStatus } from "@port-server/domain/api/Results"
import { maxListenersPorts } from "@port-server/domain/ListenerSockets"
import { Port } from "@port-server/domain/Port"
import * as Effect from "effect/Effect"

/** Who has a port. */
export type PortHolder = Pick<PortStatus, "holder" | "listener" | "listeners" | "reserved"> & { readonly port: number }

/** The numbers in Compose files that may be ports: what they publish is known only when Compose has read them. */
export const portsIn = (text: string): ReadonlyArray<number> => {
  const numbers = new Set((text.match(/\b[1-9]\d{0,4}\b/g) ?? []).map(Number))
  return [...numbers].filter((number) => number <= 65535).slice(0, maxListenersPorts)
}

/** Find out who has a port; those on which something listens are asked for at once, which is enough for most. */
export const lookAt = Effect.fnUntraced(function* (ports: ReadonlyArray<number>) {
  const client = yield* PortServerClient
  // Where listeners cannot be read, the answer about each port says why.
  const found = ports.length === 0 ? [] : yield* Effect.orElseSucceed(client.listeners({ ports }), () => [])
  const known = new Map(found.map((each): [number, PortHolder] => [each.port, each]))
  return (port: number) => {
    const holder = known.get(port)
    return holder === undefined
      ? Effect.map(client.check(Port.make(port)), (status): PortHolder => status)
      : Effect.succeed(holder)
  }
})
