import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { allocate, created, expectError } from "../../support/Api.ts"
import { startServer } from "../../support/Programs.ts"
import { execute, readDatabase } from "../../support/Sqlite.ts"
import { call } from "../../support/Wire.ts"

const decodeVersion = Schema.decodeUnknownSync(Schema.Tuple(Schema.Struct({ user_version: Schema.Int })))

const path = "/v1/allocations"
const owner = { app: "myapp", instance: "dev", service: "web" }

for (const [title, statements, sentence] of [
  [
    "a newer port-server migrated",
    ["ALTER TABLE allocations ADD COLUMN protocol TEXT", "PRAGMA user_version = 99"],
    "the database was migrated by a newer port-server: restart port-server with that version"
  ],
  [
    "another program restored from an older one",
    ["PRAGMA user_version = 1"],
    "the database was replaced by one of an older port-server: restart port-server"
  ]
] as const) {
  it.scopedLive(`a database that ${title} under the server is not written any more`, () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const ask = (method: string, target: string, body?: unknown) => call(server.port, method, target, body)
      const kept = yield* allocate(server.port, { app: "kept" })
      const [current] = decodeVersion(yield* readDatabase(server.database, "PRAGMA user_version"))
      yield* execute(server.database, ...statements)
      const before = yield* readDatabase(server.database, "SELECT * FROM allocations")
      const services = [{ service: "web" }]
      for (const [method, target, body] of [
        ["POST", path, owner],
        ["POST", path, { ...owner, port: 5000 }],
        ["POST", "/v1/ensure", { app: "kept", instance: "dev", services }],
        ["POST", "/v1/import", { version: 1, allocations: [{ ...owner, port: 5000 }] }],
        ["DELETE", `${path}/${kept.id}`, undefined],
        ["DELETE", path, { app: "kept" }]
      ] as const) {
        expectError(yield* ask(method, target, body), 503, sentence)
      }
      expect(yield* readDatabase(server.database, "SELECT * FROM allocations")).toEqual(before)
      // What can still be read is.
      expect((yield* ask("GET", path)).json).toEqual([kept])
      yield* execute(server.database, `PRAGMA user_version = ${current.user_version}`)
      expect(created(yield* ask("POST", path, owner)).id).toBe(kept.id + 1)
      expect(server.output.stderr).toBe("")
    })
  )
}

it.scopedLive("a database whose newer schema cannot be read any more is told as such, and not as a bug", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    yield* allocate(server.port, { app: "kept" })
    yield* execute(server.database, "DROP TABLE folders", "PRAGMA user_version = 99")
    for (const target of [path, "/v1/ports/3000", "/v1/listeners"]) {
      expectError(
        yield* call(server.port, "GET", target),
        503,
        "the database was migrated by a newer port-server: restart port-server with that version"
      )
    }
    expect((yield* call(server.port, "GET", "/v1/server")).status).toBe(200)
    expect(server.output.stderr).toBe("")
  })
)
