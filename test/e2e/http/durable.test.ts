import { mkdir, readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate } from "../../support/Api.ts"
import { bin, type PortServer, start, startServer, temporaryFolder } from "../../support/Programs.ts"
import { call } from "../../support/Wire.ts"

const path = "/v1/allocations"

const all = (server: PortServer) => Effect.map(call(server.port, "GET", path), ({ json }) => json)

const stop = (server: PortServer, signal: NodeJS.Signals) =>
  Effect.suspend(() => {
    server.process.kill(signal)
    return server.ended
  })

const permissions = (file: string) => Effect.promise(async () => ((await stat(file)).mode & 0o777).toString(8))

describe("what was acknowledged", () => {
  for (const signal of ["SIGTERM", "SIGINT", "SIGKILL"] as const) {
    it.scopedLive(`is there after ${signal} and a new start, unchanged`, () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const first = yield* startServer({ folder })
        const one = yield* allocate(first.port, { app: "one" })
        const two = yield* allocate(first.port, { app: "two", port: 80 })
        yield* stop(first, signal)
        const second = yield* startServer({ folder })
        expect(yield* all(second)).toEqual([one, two])
        expect((yield* call(second.port, "GET", "/v1/ports/80")).json).toMatchObject({ holder: two })
      })
    )

    it.scopedLive(`stays released after ${signal} and a new start`, () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const first = yield* startServer({ folder })
        const one = yield* allocate(first.port, { app: "one" })
        const two = yield* allocate(first.port, { app: "two" })
        yield* call(first.port, "DELETE", `${path}/${one.id}`)
        yield* stop(first, signal)
        const second = yield* startServer({ folder })
        expect(yield* all(second)).toEqual([two])
        expect((yield* allocate(second.port, { app: "three" })).port).toBe(one.port)
      })
    )
  }
})

describe("an id", () => {
  it.scopedLive("is never given again after a release", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const first = yield* allocate(port, { app: "app" })
      yield* call(port, "DELETE", `${path}/${first.id}`)
      expect((yield* allocate(port, { app: "app" })).id).toBe(first.id + 1)
    })
  )

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    it.scopedLive(`is never given again after everything was released, ${signal} and a new start`, () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const first = yield* startServer({ folder })
        yield* allocate(first.port, { app: "app" })
        const { id } = yield* allocate(first.port, { app: "app" })
        yield* call(first.port, "DELETE", path, { app: "app" })
        yield* stop(first, signal)
        const second = yield* startServer({ folder })
        expect(yield* all(second)).toEqual([])
        expect((yield* allocate(second.port, { app: "app" })).id).toBe(id + 1)
      })
    )
  }

  it.scopedLive("is not used up by a conflict", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      yield* allocate(port, { app: "app", port: 80 })
      expect((yield* call(port, "POST", path, { app: "x", instance: "y", service: "z", port: 80 })).status).toBe(409)
      expect((yield* allocate(port, { app: "app" })).id).toBeGreaterThan(1)
    })
  )
})

describe("files", () => {
  it.scopedLive("the database with -wal, -shm and the socket is the user's alone, whatever the umask", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const running = yield* start("/bin/sh", [
        "-c",
        'umask 000; exec "$0" --port 0 --db "$1"',
        bin.portServer,
        join(folder, "ports.db")
      ])
      const [, digits] = yield* running.printed(/listening on http:\/\/127\.0\.0\.1:(\d+), /)
      yield* allocate(Number(digits), { app: "app" })
      const files = (yield* Effect.promise(() => readdir(folder))).sort()
      expect(files).toEqual(["ports.db", "ports.db-shm", "ports.db-wal", "ports.db.sock"])
      for (const file of files) expect(yield* permissions(join(folder, file)), file).toBe("600")
    })
  )

  for (const [title, prepare] of [
    ["is made 0700, whatever the umask", () => Promise.resolve()],
    [
      "is made 0700 also where it was there before",
      async (home: string) => {
        await mkdir(join(home, ".port_server"), { mode: 0o755 })
      }
    ]
  ] as const) {
    it.scopedLive(`~/.port_server ${title}, with the database in it`, () =>
      Effect.gen(function* () {
        const home = yield* temporaryFolder
        yield* Effect.promise(() => prepare(home))
        const running = yield* start("/bin/sh", ["-c", 'umask 000; exec "$0" --port 0', bin.portServer], {
          env: { HOME: home }
        })
        yield* running.printed(/listening on /)
        expect(yield* permissions(join(home, ".port_server"))).toBe("700")
        expect(yield* permissions(join(home, ".port_server", "ports.db"))).toBe("600")
      })
    )
  }
})
