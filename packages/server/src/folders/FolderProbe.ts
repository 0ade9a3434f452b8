import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as RcMap from "effect/RcMap"
import * as Monotonic from "../runtime/Monotonic.ts"
import { type FolderState, unknown } from "./FolderState.ts"
import * as Mounts from "./Mounts.ts"
import { ProbeProcess, type ProbeResult } from "./ProbeProcess.ts"

/** Paths in one request: others get their turn between two. */
const batchSize = 100

/** Mounts that one call probes at a time. */
const concurrency = 8

/** Longest time for all the paths of one call. */
const callTimeout = "7 seconds"

/** How long what was found hanging is not probed again, in ms. */
const hangMemory = 30_000

/** Most processes, also such as were killed and cannot end while their mount hangs. */
const maxProcesses = 4

const noResponse = unknown("its file system does not respond")
const noProcess = unknown("folders cannot be probed now")
const noTime = unknown("there was no time to probe it")

/** The process was killed, for the sake of another request perhaps; or none could be started. */
class ProcessLost extends Data.TaggedError("ProcessLost") {}

/** What was found hanging: mounts, and paths where a symbolic link may lead to one. */
class HangingPlaces {
  readonly #until = new Map<string, number>()

  has(place: string): boolean {
    return (this.#until.get(place) ?? 0) > Monotonic.now()
  }

  add(place: string): void {
    const now = Monotonic.now()
    for (const [other, until] of this.#until) if (until <= now) this.#until.delete(other)
    this.#until.set(place, now + hangMemory)
  }
}

const makeProcesses = () => {
  let running = 0
  let current: ProbeProcess | undefined
  return {
    /** The process for the next request; fails when it cannot be started. */
    current: Effect.try({
      try: () => {
        if (current?.isUsable) return current
        if (running === maxProcesses) throw new Error("too many processes hang")
        current = new ProbeProcess(() => running--)
        running++
        return current
      },
      catch: () => new ProcessLost()
    }),
    end: Effect.sync(() => current?.kill())
  }
}

/**
 * Probes folders in a child process, which is started by the first probe and ends when there are none for a while: a
 * mount that hangs holds nothing but the probes of its own folders, each for a second, and is then left alone for a while.
 */
export class FolderProbe extends Effect.Service<FolderProbe>()("@port-server/server/folders/FolderProbe", {
  scoped: Effect.gen(function* () {
    const processes = yield* Effect.acquireRelease(Effect.sync(makeProcesses), ({ end }) => end)
    const hanging = new HangingPlaces()
    /** One request at a time for each mount. */
    const turns = yield* RcMap.make({ lookup: (_mount: string) => Effect.makeSemaphore(1) })

    const request = (mount: string, paths: ReadonlyArray<string>) =>
      Effect.flatMap(processes.current, (process) =>
        Effect.async<ReadonlyArray<ProbeResult>, ProcessLost>((resume) =>
          process.request(paths, (results) => {
            if (results === undefined) return resume(new ProcessLost())
            const hung = paths.filter((_, index) => results[index]?._tag === "Hanging")
            for (const path of hung) hanging.add(path)
            // When the root itself hangs, nothing works; one slow response must not stop all probes.
            if (hung.length > 0 && mount !== "/") hanging.add(mount)
            if (hung.length > 0) process.kill()
            resume(Effect.succeed(results))
          })
        )
      ).pipe(Effect.retry({ times: 3 }))

    /** The states of the first of the paths, at least of one. */
    const batch = (mount: string, paths: ReadonlyArray<string>) => {
      if (hanging.has(mount)) return Effect.succeed(paths.map(() => noResponse))
      const end = paths.findIndex((path) => hanging.has(path))
      if (end === 0) return Effect.succeed([noResponse])
      const probed = end === -1 ? paths : paths.slice(0, end)
      return request(mount, probed).pipe(
        Effect.map((results) => results.map((result) => (result._tag === "Hanging" ? noResponse : result))),
        Effect.orElseSucceed(() => probed.map(() => noProcess))
      )
    }

    const probeMount = (mount: string, paths: ReadonlyArray<string>, states: Map<string, FolderState>) =>
      Effect.gen(function* () {
        const turn = yield* RcMap.get(turns, mount)
        for (let at = 0; at < paths.length; ) {
          const some = paths.slice(at, at + batchSize)
          const found = yield* turn.withPermits(1)(Effect.suspend(() => batch(mount, some)))
          for (const [index, state] of found.entries()) states.set(some[index] ?? "", state)
          at += found.length
        }
      }).pipe(Effect.scoped)

    return {
      /** The state of each of the folders. Never fails, and takes seconds at most. */
      probe: Effect.fnUntraced(function* (folders: Iterable<string>) {
        const paths = new Set(folders)
        const states = new Map<string, FolderState>()
        if (paths.size === 0) return states
        const mountOf = Mounts.read()
        const mounts = new Map<string, Array<string>>()
        for (const path of paths) {
          const mount = mountOf(path)
          const others = mounts.get(mount)
          if (others === undefined) mounts.set(mount, [path])
          else others.push(path)
        }
        yield* Effect.forEach(mounts, ([mount, some]) => probeMount(mount, some, states), {
          concurrency,
          discard: true
        }).pipe(Effect.timeoutOption(callTimeout))
        for (const path of paths) if (!states.has(path)) states.set(path, noTime)
        return states
      })
    } as const
  })
}) {}
