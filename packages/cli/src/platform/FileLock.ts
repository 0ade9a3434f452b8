import { createServer } from "node:net"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { isForbidden } from "./ProcessLock.ts"

/** How often a lock is tried that another portctl has: for 10 s. It holds one for milliseconds. */
const tries = 1000

/** Another process has held the lock for too long. */
export class Locked extends Data.TaggedError("Locked") {}

/** The flag of BSD and macOS that locks a file while it is open; Linux has none, and there {@link lock} does it. */
export const exclusiveOpen = process.platform === "darwin" ? 0x20 : 0

const listen = (path: string) =>
  Effect.async<() => void, Locked>((resume) => {
    const server = createServer((socket) => socket.destroy())
    server.once("error", (error) => resume(isForbidden(error) ? Effect.succeed(() => {}) : new Locked()))
    server.listen({ path, exclusive: true }, () => resume(Effect.succeed(() => server.close())))
  })

/**
 * Keep other portctl processes from a file for as long as the scope is open. The lock is a name among Linux's abstract
 * sockets, which the kernel gives back however a process ends: a lock file (proper-lockfile) would outlive a kill.
 */
export const lock = ({
  dev,
  ino
}: {
  readonly dev: number
  readonly ino: number
}): Effect.Effect<void, Locked, Scope.Scope> =>
  process.platform === "linux"
    ? Effect.acquireRelease(
        Effect.retry(
          listen(`\0portctl-file-${dev}-${ino}`),
          Schedule.intersect(Schedule.spaced("10 millis"), Schedule.recurs(tries))
        ),
        (close) => Effect.sync(close)
      )
    : Effect.void
