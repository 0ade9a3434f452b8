import { statSync } from "node:fs"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { type PortServer, startServer } from "../../support/Programs.ts"
import { openDatabase } from "../../support/Sqlite.ts"
import { call } from "../../support/Wire.ts"

const mebibyte = 1024 * 1024
const sizeOf = (file: string) => statSync(file).size

/** Allocations of 2 MB. */
const allocations = Array.from({ length: 3_000 }, (_, index) => ({
  app: "app",
  instance: "x".repeat(200),
  service: `${index}`.padEnd(200, "y"),
  port: 10_000 + index
}))

/** Another program's transaction that reads what there is, until the end of the scope. */
const longReader = (database: string) =>
  Effect.gen(function* () {
    const reader = yield* openDatabase(database)
    const connection = yield* reader.reserve
    yield* connection.executeRaw("BEGIN", [])
    yield* connection.executeRaw("SELECT count(*) FROM allocations", [])
  }).pipe(Effect.orDie)

/** Write until the log is so large, in MiB. */
const fill = (server: PortServer, size: number) =>
  Effect.gen(function* () {
    while (sizeOf(`${server.database}-wal`) < size * mebibyte) {
      yield* call(server.port, "POST", "/v1/import", { version: 1, allocations })
      yield* call(server.port, "DELETE", "/v1/allocations", { app: "app" })
    }
  })

const truncated = (database: string) =>
  Effect.sync(() => sizeOf(`${database}-wal`)).pipe(
    Effect.delay("50 millis"),
    Effect.repeat({ until: (size) => size === 0 })
  )

it.scopedLive("the write-ahead log is truncated when the reader that held it ends, without another request", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    yield* Effect.gen(function* () {
      yield* longReader(server.database)
      yield* fill(server, 16)
      // However often it is tried, what the reader sees is kept.
      yield* Effect.sleep("2500 millis")
      expect(sizeOf(`${server.database}-wal`)).toBeGreaterThanOrEqual(16 * mebibyte)
    }).pipe(Effect.scoped)
    yield* truncated(server.database)
    yield* call(server.port, "POST", "/v1/import", { version: 1, allocations })
    expect((yield* call(server.port, "GET", "/v1/allocations")).json).toHaveLength(3_000)
  })
)

it.scopedLive("a log that a killed server left behind is truncated by the next one, when its reader ends", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    const reading = yield* Scope.make()
    yield* Scope.extend(longReader(server.database), reading)
    yield* fill(server, 10)
    server.process.kill("SIGKILL")
    yield* server.ended
    yield* startServer({ folder: server.home })
    expect(sizeOf(`${server.database}-wal`)).toBeGreaterThanOrEqual(10 * mebibyte)
    yield* Scope.close(reading, Exit.void)
    yield* truncated(server.database)
  })
)

it.scopedLive("a server stops although a reader holds its log", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    yield* longReader(server.database)
    yield* fill(server, 10)
    server.process.kill("SIGTERM")
    expect(yield* server.ended).toMatchObject({ code: 0, stderr: "" })
  })
)
