import { lstatSync, renameSync, type Stats, unlinkSync } from "node:fs"
import { connect, type Server } from "node:net"
import { dirname, join } from "node:path"
import { maxSocketPath } from "@port-server/domain/SocketAddress"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { link } from "../runtime/SecondName.ts"
import * as SystemError from "../runtime/SystemError.ts"

/** The socket cannot be listened on; `message` is the reason, as the rest of a sentence. */
export class SocketUnusable extends Data.TaggedError("SocketUnusable")<{ readonly message: string }> {}

/** How long a connection to a socket that may be stale can take, in ms. */
const patience = 1_000

/** How often a socket that others come and go on is tried. */
const maxTries = 5

const attempt = <A>(work: () => A) =>
  Effect.try({ try: work, catch: (error) => new SocketUnusable({ message: SystemError.errorReason(error) }) })

const statusOf = (path: string): Stats | undefined => lstatSync(path, { throwIfNoEntry: false })

/** A name in the folder of a path that nothing has. */
const unusedName = (path: string): string =>
  join(dirname(path), `.${Math.random().toString(36).slice(2, 7).padEnd(5, "0")}`)

/** Whether a server accepts connections on a socket; also where that cannot be found out. */
const isAnswered = (path: string): Effect.Effect<boolean> =>
  Effect.async((resume) => {
    const socket = connect({ path })
    const done = (answered: boolean) => {
      socket.destroy()
      resume(Effect.succeed(answered))
    }
    socket.setTimeout(patience, () => done(true)).on("connect", () => done(true))
    socket.on("error", (error) => done(!["ECONNREFUSED", "ENOENT"].includes(SystemError.errorCode(error) ?? "")))
  })

/** Bind the socket, readable and writable only by its owner from its first moment on: the bind itself makes the file. */
const bind = (server: Server, path: string) =>
  Effect.async<void, SocketUnusable>((resume) => {
    const mask = process.umask(0o177)
    server.once("error", (error) => resume(new SocketUnusable({ message: SystemError.errorReason(error) })))
    server.listen({ path }, () => resume(Effect.void))
    process.umask(mask)
  })

const isOwn = ({ uid }: Stats): boolean => process.getuid === undefined || uid === process.getuid()

/** Remove a socket that a server left behind when it was killed; fails for whatever else has the path. */
const removeStale = Effect.fnUntraced(function* (path: string) {
  const found = yield* attempt(() => statusOf(path))
  if (found === undefined) return
  if (found.isSymbolicLink()) return yield* new SocketUnusable({ message: "it is a symbolic link" })
  if (!found.isSocket()) return yield* new SocketUnusable({ message: "there is a file that is not a socket" })
  if (!isOwn(found)) return yield* new SocketUnusable({ message: "it belongs to another user" })
  if (yield* isAnswered(path)) return yield* new SocketUnusable({ message: "another server listens on it" })
  // Another server may replace it at this moment: what was moved aside is inspected, and put back if it is in use.
  const aside = unusedName(path)
  yield* attempt(() => renameSync(path, aside)).pipe(Effect.ignore)
  const taken = yield* attempt(() => statusOf(aside))
  if (taken === undefined) return
  if (taken.isSocket() && !(yield* isAnswered(aside))) return yield* attempt(() => unlinkSync(aside))
  yield* attempt(() => {
    // Where a third one has the path by now, the second is left without a name.
    link(aside, path)
    if (statusOf(aside) !== undefined) unlinkSync(aside)
  })
})

/**
 * Listen on a Unix socket until the end of the scope, which removes it unless something else has its path by then. It is
 * bound under another name, because libuv removes, at the close, whatever has the name that was bound.
 *
 * @returns whether the path is that of this socket now: servers that start at once can take it from each other
 */
export const listen = (server: Server, path: string): Effect.Effect<() => boolean, SocketUnusable, Scope.Scope> =>
  Effect.gen(function* () {
    const bytes = Buffer.byteLength(path)
    if (bytes > maxSocketPath) {
      return yield* new SocketUnusable({
        message: `its path has ${bytes} bytes, and that of a socket at most ${maxSocketPath}; --socket PATH chooses another`
      })
    }
    const bound = unusedName(path)
    yield* bind(server, bound)
    const { dev, ino } = yield* attempt(() => lstatSync(bound))
    const isPlaced = Effect.zipRight(
      removeStale(path),
      attempt(() => link(bound, path))
    )
    const placed = yield* Effect.repeat(isPlaced, { until: (done) => done, times: maxTries })
    if (!placed) return yield* new SocketUnusable({ message: "other servers keep replacing it" })
    const hasPath = () => {
      try {
        const found = statusOf(path)
        return found?.dev === dev && found.ino === ino
      } catch {
        return false
      }
    }
    yield* Effect.addFinalizer(() =>
      Effect.ignore(
        attempt(() => {
          if (hasPath()) unlinkSync(path)
        })
      )
    )
    yield* attempt(() => {
      if (statusOf(bound) !== undefined) unlinkSync(bound)
    })
    return hasPath
  }).pipe(Effect.onError(() => Effect.sync(() => server.close())))
