import { readdirSync } from "node:fs"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { mountsOf } from "@port-server/domain/Mounts"
import type { Address } from "@port-server/domain/ServerAddress"
import type { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { isElsewhere } from "./OtherNetwork.ts"

const idsOf = (pid: string): ReadonlySet<string> => new Set(mountsOf(pid).map(({ id }) => id))

/** Whether this program has the mounts of the first process; undefined where that is not known. */
const isOutside = (own: ReadonlySet<string>): boolean | undefined => {
  const first = mountsOf("1")
  return own.size === 0 || first.length === 0 ? undefined : first.some(({ id }) => own.has(id))
}

/** Whether this program is known to be in a sandbox; in one that has a first process of its own it is not. */
export const isSandboxed = (): boolean => isOutside(idsOf("self")) === false

/**
 * Whether a server is in a sandbox that this program is not in: it has other mounts, and is seen from here. From within a
 * sandbox, a server outside is not: either the processes out there are hidden, or the first one has other mounts too.
 */
export const isInSandbox = (address: Address, info: ServerInfo): boolean => {
  const { mount } = info
  if (mount === undefined || isElsewhere(address, info)) return false
  const own = idsOf("self")
  if (own.has(mount) || isOutside(own) !== true) return false
  return readdirSync("/proc").some((name) => /^\d+$/.test(name) && idsOf(name).has(mount))
}

/** The clients whose users know. */
const noted = new WeakSet<PortServerClient>()

/** Notes once that the server is in a sandbox. It asks the server, and so is only for answers that this makes doubtful. */
export const note: Effect.Effect<void, never, PortServerClient> = Effect.gen(function* () {
  const client = yield* PortServerClient
  if (noted.has(client)) return
  noted.add(client)
  if (!isInSandbox(client.address, yield* client.server())) return
  yield* Console.error(
    "note: port-server was started in a sandbox and does not see all folders and processes out here; to correct that: portctl restart, outside of sandboxes"
  )
}).pipe(Effect.ignore)
