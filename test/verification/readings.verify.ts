import { mkdir, rm } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { leaveDescriptors, noDescriptorLimits, restoreDescriptors } from "../support/Descriptors.ts"
import { noFaultInjection, startFaulty } from "../support/FaultInjection.ts"
import { freePorts, hosts, listen } from "../support/Listening.ts"
import { bin, type PortServer, start, startServer, temporaryFolder } from "../support/Programs.ts"
import { execute, readDatabase } from "../support/Sqlite.ts"
import { type Answer, call, callOnOneConnection } from "../support/Wire.ts"
import * as RunSize from "./RunSize.ts"

const path = "/v1/allocations"

/** A test that needs something of the machine, and says so where that is missing. */
const needs = (missing: string | undefined) => {
  if (missing !== undefined) console.log(`SKIPPED in readings.verify.ts: ${missing}`)
  return missing === undefined ? it.scopedLive : it.scopedLive.skip
}

const portOf = Schema.decodeUnknownSync(Schema.Struct({ port: Schema.Int }))
const portsOf = Schema.decodeUnknownSync(Schema.Array(Schema.Struct({ port: Schema.Int })))
const allocationsOf = Schema.decodeUnknownSync(
  Schema.Struct({ allocations: Schema.Array(Schema.Struct({ port: Schema.Int })) })
)
const refusal = Schema.decodeUnknownSync(Schema.Struct({ error: Schema.NonEmptyString, unavailable: Schema.String }))
const statusOf = Schema.decodeUnknownSync(
  Schema.Struct({ listener: Schema.optional(Schema.Unknown), listener_error: Schema.optional(Schema.String) })
)

/** Whether it was refused because listeners cannot be read; any other failure fails the test. */
const isRefused = (answer: Answer): boolean => {
  if (answer.status < 400) return false
  expect(answer.status, answer.body).toBe(503)
  expect(refusal(answer.json).unavailable).toBe("listeners")
  return true
}

/** Ports in a row of which every other one is listened on, and the ones that are. */
const halfBusy = Effect.gen(function* () {
  const first = yield* freePorts(40)
  const busy = Array.from({ length: 20 }, (_, index) => first + 2 * index)
  yield* Effect.forEach(busy, (port, index) => listen(hosts[index % hosts.length] ?? "127.0.0.1", port))
  return { args: ["--range", `${first}-${first + 39}`], busy: new Set(busy) }
})

/** Whatever can be read now: nothing that is listened on is taken for free. Returns how much was refused. */
const expectNothingTakenForFree = (
  server: PortServer,
  busy: ReadonlySet<number>,
  round: number,
  ask: typeof call = call
) =>
  Effect.gen(function* () {
    const [one = 0, other = 0] = [...busy].slice(round % 19)
    const names = { app: `app-${round}`, instance: "dev" }
    let refused = 0
    const allocated = yield* ask(server.port, "POST", path, { ...names, service: "web" })
    if (isRefused(allocated)) refused++
    else expect(busy).not.toContain(portOf(allocated.json).port)

    const services = [{ service: "web" }, { service: "db", prefer: one }]
    const ensured = yield* ask(server.port, "POST", "/v1/ensure", { ...names, services })
    if (isRefused(ensured)) refused++
    else for (const { port } of allocationsOf(ensured.json).allocations) expect(busy).not.toContain(port)

    const listeners = yield* ask(server.port, "GET", "/v1/listeners")
    if (isRefused(listeners)) refused++
    else expect(portsOf(listeners.json).map(({ port }) => port)).toEqual(expect.arrayContaining([...busy]))

    const status = statusOf((yield* ask(server.port, "GET", `/v1/ports/${other}`)).json)
    expect(status.listener !== undefined || status.listener_error !== undefined).toBe(true)

    // Held for a folder that is gone, but listened on: never stale.
    const pruned = yield* ask(server.port, "POST", "/v1/prune", {})
    if (isRefused(pruned)) refused++
    else expect(allocationsOf(pruned.json).allocations).toEqual([])
    yield* ask(server.port, "DELETE", path, { app: names.app })
    return refused
  })

const holdForMissingFolder = (server: PortServer, port: number) =>
  Effect.gen(function* () {
    const folder = join(server.home, "project")
    yield* Effect.promise(() => mkdir(folder))
    const services = [{ service: "web", port }]
    yield* call(server.port, "POST", "/v1/ensure", { app: "gone", instance: "dev", path: folder, services })
    yield* Effect.promise(() => rm(folder, { recursive: true }))
  })

describe("nothing that is listened on is taken for free, and no list is silently short", () => {
  for (const error of ["EMFILE", "ENFILE", "EIO", "ENOMEM", "EACCES", "ENOENT"]) {
    for (const [file, when] of [
      ["/proc/net/tcp", ""],
      ["/proc/net/tcp", ":when=2+2"],
      ["/proc/net/tcp6", ":when=1+2"],
      ["/proc", ""],
      ["/etc/passwd", ""]
    ] as const) {
      needs(noFaultInjection)(`while opening ${file} fails with ${error}${when}`, () =>
        Effect.gen(function* () {
          // A machine without IPv6 has no such table: then nothing listens there.
          if (file === "/proc/net/tcp6" && error === "ENOENT") return
          const { args, busy } = yield* halfBusy
          const server = yield* startFaulty({ path: file, error: `${error}${when}` }, args)
          yield* holdForMissingFolder(server, [...busy][0] ?? 0)
          for (let round = 0; round < RunSize.readings.rounds; round++) {
            yield* expectNothingTakenForFree(server, busy, round)
          }
          expect(server.output.stderr).not.toMatch(/ERROR|bug/)
        })
      )
    }
  }

  needs(noDescriptorLimits)("while descriptors run out and come back", () =>
    Effect.gen(function* () {
      const { args, busy } = yield* halfBusy
      const server = yield* startServer({ args, probe: true })
      yield* holdForMissingFolder(server, [...busy][0] ?? 0)
      const ask = yield* callOnOneConnection
      yield* ask(server.port, "GET", "/healthz")
      for (let round = 0; round < 2 * RunSize.readings.rounds; round++) {
        yield* leaveDescriptors(server.pid, round % 5)
        const refused = yield* expectNothingTakenForFree(server, busy, round, ask)
        if (round % 5 < 2) expect(refused).toBeGreaterThan(0)
        yield* restoreDescriptors(server.pid)
        expect(yield* expectNothingTakenForFree(server, busy, round, ask)).toBe(0)
      }
      expect(server.output.stderr).not.toMatch(/ERROR|bug/)
    })
  )
})

// What another program may store in a column: SQLite keeps a value of another type where it cannot convert it.
const oddValue = FastCheck.constantFrom(
  "x'00ff'",
  "x''",
  "'text'",
  "1.5",
  "9007199254740993",
  "-9007199254740993",
  "'7'"
)
const oddRow = FastCheck.record({
  id: FastCheck.constantFrom("", "9007199254740992", "9223372036854775807", "-9007199254740992", "-3"),
  column: FastCheck.constantFrom("app", "instance", "service", "port", "created_at"),
  value: oddValue
})

describe("rows of any type", () => {
  const samples = FastCheck.sample(FastCheck.array(oddRow, { minLength: 1, maxLength: 6 }), {
    numRuns: RunSize.readings.databases,
    seed: RunSize.seed
  })
  for (const [index, rows] of samples.entries()) {
    it.scopedLive(`fail nothing, and --check names what is left out (${index})`, () =>
      Effect.gen(function* () {
        const folder = yield* temporaryFolder
        const first = yield* startServer({ folder })
        const good = yield* call(first.port, "POST", path, { app: "good", instance: "dev", service: "web", port: 3000 })
        first.process.kill("SIGTERM")
        yield* first.ended
        for (const [number, { column, id, value }] of rows.entries()) {
          const columns: Record<string, string> = {
            id: id === "" ? String(100 + number) : id,
            app: "'odd'",
            instance: "'dev'",
            service: `'s${number}'`,
            port: String(4000 + number),
            created_at: "'2025-02-08 15:04:05'"
          }
          columns[column] = value
          const values = ["id", "app", "instance", "service", "port", "created_at"].map((name) => columns[name])
          // One that is refused leaves nothing: OR IGNORE would leave its id in sqlite_sequence.
          const insert = execute(first.database, `INSERT INTO allocations VALUES (${values.join(", ")})`)
          yield* Effect.catchAllDefect(insert, () => Effect.void)
        }
        const server = yield* startServer({ folder })
        const listed = portsOf((yield* call(server.port, "GET", path)).json)
        expect(listed).toContainEqual(expect.objectContaining({ port: portOf(good.json).port }))
        for (const [method, target, body] of [
          ["POST", path, { app: "new", instance: "dev", service: "web" }],
          ["POST", "/v1/ensure", { app: "odd", instance: "dev", services: [{ service: "s0" }, { service: "new" }] }],
          ["POST", "/v1/prune", {}],
          ["GET", "/v1/listeners", undefined],
          ["GET", "/v1/ports/4000", undefined],
          ["GET", "/v1/server", undefined],
          ["POST", "/v1/import", { version: 1, allocations: [{ app: "i", instance: "i", service: "i", port: 5000 }] }],
          ["DELETE", path, { app: "new" }]
        ] as const) {
          const answer = yield* call(server.port, method, target, body)
          expect(answer.status, answer.body).toBeLessThan(300)
        }
        expect(server.output.stderr).not.toMatch(/ERROR|bug/)
        const all = yield* readDatabase(first.database, "SELECT CAST(id AS TEXT) AS id FROM allocations")
        const shown = yield* call(server.port, "GET", path)
        const ids = Schema.decodeUnknownSync(Schema.Array(Schema.Struct({ id: Schema.Int })))(shown.json)
        const stored = Schema.decodeUnknownSync(Schema.Array(Schema.Struct({ id: Schema.String })))(all)
        const hidden = stored.filter(({ id }) => !ids.some((row) => String(row.id) === id))
        const { ended } = yield* start(bin.portServer, ["--check", "--db", first.database])
        const { code, stderr } = yield* ended
        expect(code).toBe(hidden.length === 0 ? 0 : 1)
        for (const { id } of hidden) expect(stderr).toContain(`id ${id} (`)
      })
    )
  }
})
