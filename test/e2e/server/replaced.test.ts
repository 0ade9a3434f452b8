import { copyFileSync, renameSync, rmSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type PortServer, startServer, temporaryFolder } from "../../support/Programs.ts"
import { call } from "../../support/Wire.ts"

const allocate = (server: PortServer, app: string) =>
  call(server.port, "POST", "/v1/allocations", { app, instance: "main", service: "web" })

const apps = (server: PortServer) =>
  Effect.map(call(server.port, "GET", "/v1/allocations"), ({ json, status }) => ({
    status,
    apps: Array.isArray(json) ? json.map(({ app }) => String(app)) : []
  }))

const stop = (server: PortServer) =>
  Effect.suspend(() => {
    server.process.kill("SIGTERM")
    return server.ended
  })

/** A database file that a server wrote and closed. */
const prepared = (app: string, count: number) =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const server = yield* startServer({ folder })
    for (let index = 0; index < count; index++) yield* allocate(server, app)
    yield* stop(server)
    return server.database
  })

it.scopedLive("a file put in the database's place is what the next start finds, whatever the log held", () =>
  Effect.gen(function* () {
    const other = yield* prepared("new", 3)
    const folder = yield* temporaryFolder
    const server = yield* startServer({ folder })
    for (let index = 0; index < 5; index++) yield* allocate(server, "old")
    renameSync(other, server.database)
    expect((yield* stop(server)).code).toBe(0)
    const again = yield* startServer({ folder })
    expect(yield* apps(again)).toEqual({ status: 200, apps: ["new", "new", "new"] })
  })
)

it.scopedLive("two servers that meet a new file lose nothing that either acknowledged in it", () =>
  Effect.gen(function* () {
    const other = yield* prepared("new", 1)
    const folder = yield* temporaryFolder
    const one = yield* startServer({ folder })
    const two = yield* startServer({ folder })
    yield* allocate(one, "old")
    yield* allocate(two, "old")
    renameSync(other, one.database)
    for (const app of ["a", "b", "c"]) expect((yield* allocate(one, app)).status).toBe(201)
    expect((yield* allocate(two, "d")).status).toBe(201)
    const expected = { status: 200, apps: ["new", "a", "b", "c", "d"] }
    expect(yield* apps(one)).toEqual(expected)
    expect(yield* apps(two)).toEqual(expected)
  })
)

it.scopedLive("a log that is removed under the server costs nothing that was acknowledged", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const server = yield* startServer({ folder })
    yield* allocate(server, "before")
    rmSync(`${server.database}-wal`)
    expect((yield* allocate(server, "after")).status).toBe(201)
    server.process.kill("SIGKILL")
    yield* server.ended
    expect(yield* apps(yield* startServer({ folder }))).toEqual({ status: 200, apps: ["before", "after"] })
  })
)

it.scopedLive("a name that cannot be looked at is 503 for reads and writes, and all is well when it can be again", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const server = yield* startServer({ folder })
    yield* allocate(server, "kept")
    const aside = join(folder, "aside.db")
    renameSync(server.database, aside)
    symlinkSync(server.database, server.database)
    expect((yield* allocate(server, "lost")).status).toBe(503)
    expect((yield* apps(server)).status).toBe(503)
    rmSync(server.database)
    renameSync(aside, server.database)
    expect((yield* allocate(server, "more")).status).toBe(201)
    expect(yield* apps(server)).toEqual({ status: 200, apps: ["kept", "more"] })
  })
)

it.scopedLive("a backup copied in while the server is stopped is what it starts with", () =>
  Effect.gen(function* () {
    const other = yield* prepared("backup", 2)
    const folder = yield* temporaryFolder
    const server = yield* startServer({ folder })
    yield* allocate(server, "old")
    yield* stop(server)
    copyFileSync(other, server.database)
    expect((yield* apps(yield* startServer({ folder }))).apps).toEqual(["backup", "backup"])
  })
)
