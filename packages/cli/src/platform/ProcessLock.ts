import { closeSync, constants, openSync } from "node:fs"
import { connect, createServer, type Socket } from "node:net"
import { join } from "node:path"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import { codeOf } from "../errors/FileError.ts"
import * as DataFolder from "./DataFolder.ts"

// A lock that the kernel ends with its process and that no child inherits: Node has no flock, and a file with a process id
// in it can outlive its process.

interface Kind {
  /** Take the lock now, if it is free; the result releases it. */
  readonly take: (name: string) => Effect.Effect<Option.Option<Effect.Effect<void>>>
  /** Wait until the holder of the lock releases it or dies; returns whether there was one. */
  readonly awaitRelease: (name: string) => Effect.Effect<boolean>
}

/** Whether this program may have no Unix socket at all, as in the sandboxes of agents: then no other one in there has. */
export const isForbidden = (error: unknown): boolean => /^(EPERM|EACCES|EAFNOSUPPORT)$/.test(codeOf(error))

const socketName = (name: string) => `\0port-server/${process.getuid?.() ?? 0}/${name}`

/**
 * A name in the abstract socket namespace of Linux (unix(7)), which needs no file. Those who wait connect to it: their
 * connections close with the lock, and nobody polls.
 */
const abstractSocket: Kind = {
  take: (name) =>
    Effect.async((resume) => {
      const waiting = new Set<Socket>()
      const server = createServer((socket) => {
        waiting.add(socket.unref().on("error", () => {}))
      })
      const release = Effect.async<void>((done) => {
        server.close(() => done(Effect.void))
        for (const socket of waiting) socket.destroy()
      })
      server.once("error", (error) => {
        if (isForbidden(error)) resume(Effect.succeed(Option.some(Effect.void)))
        else resume(codeOf(error) === "EADDRINUSE" ? Effect.succeed(Option.none()) : Effect.die(error))
      })
      server.listen(socketName(name), () => {
        server.unref()
        resume(Effect.succeed(Option.some(release)))
      })
    }),
  awaitRelease: (name) =>
    Effect.async((resume) => {
      let wasHeld = false
      const socket = connect({ path: socketName(name) }, () => {
        wasHeld = true
      })
      socket.on("error", () => {}).on("close", () => resume(Effect.succeed(wasHeld)))
      return Effect.sync(() => socket.destroy())
    })
}

/** macOS's O_EXLOCK (open(2)), which libuv passes on. */
const exclusiveLock = 0x20

/** A file that is opened with {@link exclusiveLock}, where there are no abstract sockets. */
const exclusiveFile: Kind = {
  take: (name) =>
    Effect.flatMap(Effect.orDie(DataFolder.make), (folder) =>
      Effect.sync(() => {
        const { O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants
        const flags = O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | exclusiveLock
        try {
          const file = openSync(join(folder, `${name}.lock`), flags, 0o600)
          return Option.some(Effect.sync(() => closeSync(file)))
        } catch (error) {
          if (/^(EAGAIN|EWOULDBLOCK)$/.test(codeOf(error))) return Option.none()
          throw error
        }
      })
    ),
  awaitRelease: (name) => {
    const isHeld = Effect.flatMap(
      exclusiveFile.take(name),
      Option.match({ onNone: () => Effect.succeed(true), onSome: (release) => Effect.as(release, false) })
    )
    return Effect.tap(isHeld, (held) =>
      held ? Effect.repeat(isHeld, { while: (held) => held, schedule: Schedule.spaced("50 millis") }) : Effect.void
    )
  }
}

const { awaitRelease, take } = process.platform === "linux" ? abstractSocket : exclusiveFile

export { awaitRelease }

/** Hold the lock until the scope closes, if it is free; whether it was. */
export const tryHold = (name: string): Effect.Effect<boolean, never, Scope.Scope> =>
  Effect.acquireRelease(take(name), Option.match({ onNone: () => Effect.void, onSome: (release) => release })).pipe(
    Effect.map(Option.isSome)
  )

/** Hold the lock until the scope closes, waiting for a process that has it; fails after `patience` with `onTimeout`. */
export const hold = <E>(
  name: string,
  patience: Duration.DurationInput,
  onTimeout: () => E
): Effect.Effect<void, E, Scope.Scope> =>
  tryHold(name).pipe(
    Effect.tap((held) => (held ? Effect.void : awaitRelease(name))),
    Effect.repeat({ until: (held) => held }),
    Effect.timeoutFail({ duration: patience, onTimeout }),
    Effect.asVoid
  )
