import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { allocate } from "../../support/Api.ts"
import { expectAnswer, expectError } from "../../support/Expectations.ts"
import { bin, portctl, startServer, temporaryFolder } from "../../support/Programs.ts"
import { fill } from "../../support/Rows.ts"
import { execute } from "../../support/Sqlite.ts"
import { noTerminal, onTerminal } from "../../support/Terminals.ts"
import { call } from "../../support/Wire.ts"

const rows = 60_000
const listOf = Schema.decodeUnknownSync(Schema.Array(Schema.Struct({ id: Schema.Int, path: Schema.String })))
const backupOf = Schema.decodeUnknownSync(
  Schema.Struct({ allocations: Schema.Array(Schema.Struct({ id: Schema.Int })) })
)

describe("a registry of 60,000 allocations with folders", () => {
  it.scopedLive("is listed and exported whole, by id", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* fill(server.database, rows)
      const ids = Array.from({ length: rows }, (_, index) => index + 1)
      const listed = yield* portctl(["list", "--json"], { server })
      expect(listed).toMatchObject({ code: 0, stderr: "" })
      // More than one response may hold.
      expect(listed.stdout.length).toBeGreaterThan(16 * 1024 * 1024)
      expect(listOf(JSON.parse(listed.stdout)).map(({ id }) => id)).toEqual(ids)
      const exported = yield* portctl(["export"], { server })
      expect(exported).toMatchObject({ code: 0, stderr: "" })
      expect(backupOf(JSON.parse(exported.stdout)).allocations.map(({ id }) => id)).toEqual(ids)
      const table = yield* portctl(["list"], { server })
      expect(table.stdout.trimEnd().split("\n")).toHaveLength(rows + 1)
    })
  )

  it.scopedLive("is imported whole from what export wrote, and not at all where one port has another owner", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* fill(server.database, rows)
      const file = join(yield* temporaryFolder, "ports.json")
      const exported = yield* portctl(["export"], { server })
      writeFileSync(file, exported.stdout)

      const taken = yield* startServer()
      yield* allocate(taken.port, { app: "other", port: rows })
      expectError(
        yield* portctl(["import", file], { server: taken }),
        `1 port(s) already allocated, nothing was imported: ${rows} belongs to other/dev/web (id=1)`
      )
      expect((yield* call(taken.port, "GET", "/v1/allocations")).json).toMatchObject([{ app: "other" }])

      const empty = yield* startServer()
      const dry = yield* portctl(["import", file, "--dry-run"], { server: empty })
      expectAnswer(dry, `would import ${rows} allocation(s), 0 unchanged\n`)
      expectAnswer(yield* portctl(["import", file], { server: empty }), `imported ${rows} allocation(s), 0 unchanged\n`)
      expect((yield* portctl(["export"], { server: empty })).stdout).toBe(exported.stdout)
      expectAnswer(yield* portctl(["import", file], { server: empty }), `imported 0 allocation(s), ${rows} unchanged\n`)

      // Every port has another owner: the first are listed, and how many more there are.
      const all = yield* startServer()
      yield* execute(
        all.database,
        `INSERT INTO allocations (app, instance, service, port)
            WITH RECURSIVE ports (port) AS (SELECT 1 UNION ALL SELECT port + 1 FROM ports WHERE port < ${rows})
            SELECT 'foreign', 'dev', 'web', port FROM ports`
      )
      const { stderr } = yield* portctl(["import", file], { server: all })
      expect(stderr).toMatch(
        /^error: 60000 port\(s\) already allocated, nothing was imported: 1 belongs to foreign\/dev\/web \(id=1\), [^\n]*, and 59900 more\n$/
      )
    })
  )
})

describe("12,000 allocations whose folders are gone", () => {
  it.scopedLive.skipIf(noTerminal !== undefined)("are released after one question", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* fill(server.database, 12_000)
      yield* execute(server.database, "UPDATE folders SET path = '/no-such-folder-' || allocation")
      const ended = yield* onTerminal([bin.portctl, "prune"], {
        env: { PORT_SERVER_ADDR: server.address },
        typing: [[" port(s)? [y/N]", "y\r"]]
      })
      expect(ended.code).toBe(0)
      // Ports that something on this machine listens on are kept.
      const kept = listOf((yield* call(server.port, "GET", "/v1/allocations")).json).length
      expect(kept).toBeLessThan(200)
      expect(ended.stdout.match(/^released port \d+ of /gm)).toHaveLength(12_000 - kept)
    })
  )
})
