import { subscribe, unsubscribe } from "node:diagnostics_channel"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { expect, it } from "@effect/vitest"
import { Port } from "@port-server/domain/Port"
import { PortRangeFromText } from "@port-server/domain/PortRange"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import { freePorts, listen } from "../../../../test/support/Listening.ts"
import { ContainerEngine } from "../../src/containers/ContainerEngine.ts"
import { FolderProbe } from "../../src/folders/FolderProbe.ts"
import { Listeners } from "../../src/listeners/Listeners.ts"
import { MovedFolders } from "../../src/registry/MovedFolders.ts"
import { MovedWorktrees } from "../../src/registry/MovedWorktrees.ts"
import { OwnPorts } from "../../src/registry/OwnPorts.ts"
import { PortAllocator } from "../../src/registry/PortAllocator.ts"
import { SocketProjects } from "../../src/registry/SocketProjects.ts"
import { ServerConfig } from "../../src/ServerConfig.ts"
import { AllocationRepository } from "../../src/storage/AllocationRepository.ts"
import { Database } from "../../src/storage/Database.ts"

/** The settings of a server with a database of its own. */
const config = (range: string) =>
  Layer.scoped(
    ServerConfig,
    Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "port-server-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
    ).pipe(
      Effect.map((folder) => ({
        port: 0,
        range: Schema.decodeSync(PortRangeFromText)(range),
        database: join(folder, "ports.db"),
        socket: join(folder, "ports.db.sock"),
        allowHosts: [],
        log: Option.none(),
        probe: true,
        engine: "none"
      }))
    )
  )

const allocator = OwnPorts.Default.pipe(
  Layer.provideMerge(PortAllocator.Default),
  Layer.provide(SocketProjects.Default),
  Layer.provide(Layer.mergeAll(MovedFolders.Default, MovedWorktrees.Default)),
  Layer.provide(FolderProbe.Default),
  Layer.provide(Listeners.Default),
  Layer.provide(ContainerEngine.Default),
  Layer.provideMerge(AllocationRepository.Default),
  Layer.provide(Database.Default),
  Layer.provide(NodeContext.layer)
)

/** Allocate so many ports at once. */
const allocate = (count: number) =>
  Effect.gen(function* () {
    const store = yield* AllocationRepository
    const picker = yield* (yield* PortAllocator).picker
    const one = store.write((write) =>
      Effect.flatMap(picker.nextFree(write), (port) =>
        write.insert({ app: "shop", instance: "dev", service: "web" }, port)
      )
    )
    const found = yield* Effect.all(
      Array.from({ length: count }, () => one),
      { concurrency: "unbounded" }
    )
    return found.flatMap((allocation) => (allocation === undefined ? [] : [allocation.port]))
  })

/** The ports that this process tries to listen on from here to the end of the scope. */
const tries = Effect.gen(function* () {
  const ports: Array<unknown> = []
  const onListen = (message: unknown) => {
    if (!Predicate.hasProperty(message, "options")) return
    const { options } = message
    ports.push(Predicate.hasProperty(options, "port") ? options.port : options)
  }
  const channel = "tracing:net.server.listen:asyncStart"
  yield* Effect.acquireRelease(
    Effect.sync(() => subscribe(channel, onListen)),
    () => Effect.sync(() => unsubscribe(channel, onListen))
  )
  return ports
})

it.scopedLive.skipIf(process.platform !== "linux")("writes of one transaction try a port that is held once", () =>
  Effect.gen(function* () {
    const first = yield* freePorts(6)
    yield* listen("127.0.0.1", first)
    const { close } = yield* listen("127.0.0.1", first + 1)
    yield* Effect.gen(function* () {
      const tried = yield* tries
      expect(yield* allocate(3)).toEqual([first + 2, first + 3, first + 4])
      expect(tried).toEqual([first, first + 1, first + 2, first + 3, first + 4])
      // The next transaction tries again.
      yield* close
      expect(yield* allocate(1)).toEqual([first + 1])
    }).pipe(Effect.provide(Layer.provide(allocator, config(`${first}-${first + 5}`))))
  })
)

it.scopedLive.skipIf(process.platform !== "linux")("a preferred port that is allocated is not tried", () =>
  Effect.gen(function* () {
    const first = yield* freePorts(3)
    yield* Effect.gen(function* () {
      expect(yield* allocate(1)).toEqual([first])
      const tried = yield* tries
      const services = [first, first + 1].map((port) => ({ service: "web", prefer: Port.make(port) }))
      yield* Effect.flatMap(OwnPorts, ({ picker }) => picker("/", services))
      expect(tried).toEqual([first + 1])
    }).pipe(Effect.provide(Layer.provide(allocator, config(`${first}-${first + 2}`))))
  })
)
