import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { connect, type Socket } from "node:net"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate, created } from "../support/Api.ts"
import { bin, start, startServer, temporaryFolder } from "../support/Programs.ts"
import { call } from "../support/Wire.ts"

// Facts about the platform that the server rests on and that no other test would notice.

const path = "/v1/allocations"
const canTrace = spawnSync("strace", ["-o", "/dev/null", "true"]).status === 0
if (!canTrace) console.log("SKIPPED in facts.verify.ts: strace is missing or may not trace")
const traced = canTrace ? it.scopedLive : it.scopedLive.skip

/** Run a server under strace; the calls that it made, in their order, once it has ended. */
const trace = (calls: string, use: (port: number) => Effect.Effect<void>) =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const log = join(folder, "trace")
    const database = join(folder, "ports.db")
    const args = [
      "-f",
      "-y",
      "-s",
      "200",
      "-e",
      `trace=${calls}`,
      "-o",
      log,
      bin.portServer,
      "--port",
      "0",
      "--db",
      database
    ]
    const running = yield* start("strace", args)
    const [, digits] = yield* running.printed(/listening on http:\/\/127\.0\.0\.1:(\d+), /)
    yield* use(Number(digits))
    // strace passes the signal of its own on to nobody: the server is the process that it started.
    const pid = Number(/^(\d+)/.exec(readFileSync(log, "utf8"))?.[1])
    process.kill(pid, "SIGTERM")
    yield* running.ended
    return { lines: readFileSync(log, "utf8").split("\n"), database }
  })

traced("every write is synced to the disk before it is answered (synchronous=FULL, also after the first write)", () =>
  Effect.gen(function* () {
    const { lines } = yield* trace("fdatasync,fsync,write,writev", (port) =>
      Effect.gen(function* () {
        const ids: Array<number> = []
        for (let index = 0; index < 5; index++)
          ids.push(created(yield* call(port, "POST", path, { app: "a", instance: "b", service: "c" })).id)
        yield* call(port, "DELETE", `${path}/${ids[0]}`)
        yield* call(port, "DELETE", path, { app: "a" })
      })
    )
    let synced = false
    let answers = 0
    for (const line of lines) {
      if (/f(data)?sync\(.*ports\.db-wal.*\) = 0/.test(line)) synced = true
      if (/ports\.db-wal/.test(line) && /write/.test(line)) synced = false
      if (/HTTP\/1\.1 20[01]/.test(line)) {
        answers++
        expect(synced, line).toBe(true)
        synced = false
      }
    }
    expect(answers).toBe(7)
  })
)

traced("nobody but SQLite opens the database file, whose locks the second opener's close would drop", () =>
  Effect.gen(function* () {
    const { lines, database } = yield* trace("openat,open,creat", (port) =>
      Effect.gen(function* () {
        for (let index = 0; index < 3; index++) {
          yield* allocate(port, { app: "a" })
          yield* call(port, "GET", path)
          yield* call(port, "GET", "/v1/ports/3000")
        }
      })
    )
    const opened = lines.filter((line) => line.includes(`"${database}"`) && !line.includes("= -1"))
    // SQLite asks for O_NOFOLLOW; Node's fs does not, and makes the file before SQLite has opened it.
    const byNode = opened.filter((line) => !line.includes("O_NOFOLLOW"))
    expect(byNode.length).toBeLessThanOrEqual(1)
    for (const line of byNode) {
      expect(line).toContain("O_EXCL")
      expect(opened.indexOf(line)).toBe(0)
    }
    expect(opened.length).toBeGreaterThan(1)
  })
)

it.scopedLive("2,000 half-open connections keep no other from its answer", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    const sockets: Array<Socket> = []
    yield* Effect.addFinalizer(() => Effect.sync(() => sockets.forEach((socket) => void socket.destroy())))
    yield* Effect.forEach(
      Array.from({ length: 2_000 }),
      () =>
        Effect.async<void>((resume) => {
          const socket = connect({ port: server.port, host: "127.0.0.1" })
          sockets.push(socket)
          socket.on("error", () => {})
          socket.on("connect", () => {
            socket.write("GET /healthz HTTP/1.1\r\nHost: local")
            resume(Effect.void)
          })
        }),
      { concurrency: 100, discard: true }
    )
    const began = performance.now()
    yield* allocate(server.port, { app: "honest" })
    expect((yield* call(server.port, "GET", path)).status).toBe(200)
    console.log(`2,000 half-open connections: a write and a read took ${Math.round(performance.now() - began)} ms`)
  })
)

it.scopedLive("a value of a wrong type is not echoed at length, and deep JSON overflows no stack", () =>
  Effect.gen(function* () {
    const { port } = yield* startServer()
    const big = "v".repeat(30_000)
    for (const body of [
      { app: [big], instance: "b", service: "c" },
      { app: { [big]: big }, instance: "b", service: "c" },
      { app: "a", instance: "b", service: "c", port: big },
      { app: "a", instance: "b", service: "c", [big]: 1 }
    ]) {
      const answer = yield* call(port, "POST", path, body)
      expect(answer.status).toBe(400)
      expect(answer.body.length).toBeLessThan(400)
    }
    const deep = `{"app":${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)},"instance":"b","service":"c"}`
    expect((yield* call(port, "POST", path, deep)).json).toEqual({ error: "invalid JSON" })
  })
)
