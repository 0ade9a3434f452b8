import { cp, mkdir, rename, rm, symlink, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate, expectError } from "../../support/Api.ts"
import { bin, start, temporaryFolder } from "../../support/Programs.ts"
import { call } from "../../support/Wire.ts"

const promise = <A>(run: () => Promise<A>) => Effect.promise(run)
const root = dirname(dirname(bin.portServer))

/** A copy of the built programs with the one package that they need, which the test may damage. */
const installation = Effect.gen(function* () {
  const folder = join(yield* temporaryFolder, "installation")
  const driver = join(folder, "node_modules/better-sqlite3")
  yield* promise(async () => {
    await mkdir(join(folder, "node_modules"), { recursive: true })
    await cp(join(root, "bin"), join(folder, "bin"), { recursive: true })
    await cp(join(root, "node_modules/better-sqlite3"), driver, { recursive: true })
    // A Node that was fetched into the checkout is started from there.
    const fetched = join(root, "tools/node")
    await mkdir(join(folder, "tools"))
    await symlink(fetched, join(folder, "tools/node"))
  })
  return { folder, driver, program: join(folder, "bin/port-server") }
})

const prebuilds = (driver: string) => join(driver, "prebuilds")

describe("a native module that cannot be loaded is named, not the database", () => {
  for (const [title, spoil, reason] of [
    [
      "whose package is missing",
      (driver: string) => rm(driver, { recursive: true }),
      "Cannot find module 'better-sqlite3'"
    ],
    [
      "whose binary is missing",
      (driver: string) => rm(prebuilds(driver), { recursive: true }),
      /Cannot find module '[^']+better_sqlite3\.node'/
    ],
    [
      "whose binary is of another kind",
      async (driver: string) => {
        await mkdir(join(driver, "build/Release"), { recursive: true })
        await writeFile(join(driver, "build/Release/better_sqlite3.node"), "not a library")
      },
      /\S+better_sqlite3\.node: \S.+/
    ]
  ] as const) {
    it.scopedLive(title, () =>
      Effect.gen(function* () {
        const { driver, folder, program } = yield* installation
        yield* promise(() => spoil(driver))
        const database = join(folder, "ports.db")
        for (const args of [["--port", "0"], ["--check"]]) {
          yield* promise(() => writeFile(database, ""))
          const ended = yield* (yield* start(program, [...args, "--db", database])).ended
          const pattern = reason instanceof RegExp ? reason.source : reason
          expect(ended).toMatchObject({ code: 1, stdout: "" })
          expect(ended.stderr).toMatch(
            new RegExp(
              `^error: cannot load better-sqlite3, the module that reads databases: ${pattern} \\(install port-server again\\)\n$`
            )
          )
        }
        // What needs no database works without it.
        const version = yield* (yield* start(program, ["--version"])).ended
        expect(version).toMatchObject({ code: 0, stderr: "" })
      })
    )
  }
})

it.scopedLive("a server whose installation is removed goes on, and says what it cannot show any more", () =>
  Effect.gen(function* () {
    const { folder, program } = yield* installation
    const home = yield* temporaryFolder
    const database = join(home, "ports.db")
    const server = yield* start(program, ["--port", "0", "--db", database])
    const [, digits] = yield* server.printed(/listening on http:\/\/127\.0\.0\.1:(\d+), /)
    const port = Number(digits)
    const ask = (method: string, target: string, body?: unknown) => call(port, method, target, body)
    yield* promise(() => rm(folder, { recursive: true }))

    const kept = yield* allocate(port, { app: "kept" })
    expect((yield* ask("GET", "/v1/allocations")).json).toEqual([kept])
    expect((yield* ask("GET", "/healthz")).json).toEqual({ status: "ok" })
    expect((yield* ask("GET", `/v1/ports/${port}`)).json).toMatchObject({ listener: { pid: server.pid } })
    expect((yield* ask("GET", "/v1/listeners")).status).toBe(200)
    expect((yield* ask("GET", "/v1/server")).json).toMatchObject({ allocations: 1 })
    const services = [{ service: "web" }]
    expect((yield* ask("POST", "/v1/ensure", { app: "new", instance: "dev", services })).status).toBe(200)
    expect((yield* ask("POST", "/v1/prune", {})).json).toEqual({ allocations: [] })
    expect((yield* ask("DELETE", "/v1/allocations", { app: "new" })).json).toEqual({ deleted: 1 })
    for (const [target, file] of [
      ["/docs", "docs.html"],
      ["/docs/swagger-ui.js", "swagger-ui.js"],
      ["/docs/swagger-ui.css", "swagger-ui.css"],
      ["/openapi.json", "openapi.json"],
      ["/portctl.schema.json", "portctl.schema.json"],
      ["/config.schema.json", "config.schema.json"]
    ] as const) {
      expectError(
        yield* ask("GET", target),
        503,
        `port-server's own file ${file} cannot be read: no such file or directory (ENOENT); if port-server was upgraded or removed, restart it`
      )
    }
    // A database that is put in place of the old one is opened all the same.
    yield* promise(() => rename(database, `${database}.old`))
    expect((yield* ask("GET", "/v1/allocations")).status).toBe(503)
    yield* promise(() => rename(`${database}.old`, database))
    expect((yield* ask("GET", "/v1/allocations")).json).toEqual([kept])
    server.process.kill("SIGTERM")
    expect(yield* server.ended).toMatchObject({ code: 0, stderr: "" })
  })
)
