import * as FileSystem from "@effect/platform/FileSystem"
import type { ListeningPort } from "@port-server/domain/Listener"
import * as Effect from "effect/Effect"
import { PortSet } from "./PortSet.ts"

/** What listened on this machine's ports at one moment. */
export interface Picture {
  /** Whether something listened on the port, on any address, IPv4 or IPv6. */
  readonly listens: (port: number) => Effect.Effect<boolean>
}

// A line of /proc/net/tcp: slot, local address:port, remote address:port, state; 0A is LISTEN.
const listening = /^ *\d+: [0-9A-F]+:([0-9A-F]{4}) [0-9A-F:]+ 0A /gm

/** What listens on the ports of this machine right now. */
export class Listeners extends Effect.Service<Listeners>()("@port-server/server/Listeners", {
  effect: Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const table = (file: string) => Effect.orElseSucceed(fs.readFileString(file), () => "")

    return {
      /** The ports that something listens on, in their order, and who does. */
      all: Effect.succeed<ReadonlyArray<Omit<ListeningPort, "holder">>>([]),

      picture: Effect.map(
        Effect.all([table("/proc/net/tcp"), table("/proc/net/tcp6")], { concurrency: 2 }),
        (tables): Picture => {
          const ports = new PortSet(
            tables.flatMap((text) =>
              [...text.matchAll(listening)].map(([, digits = ""]) => Number.parseInt(digits, 16))
            )
          )
          return { listens: (port) => Effect.succeed(ports.has(port)) }
        }
      )
    } as const
  })
}) {}
