import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { created, expectError } from "../../support/Api.ts"
import { bin, start, temporaryFolder } from "../../support/Programs.ts"
import { openDatabase } from "../../support/Sqlite.ts"
import { call } from "../../support/Wire.ts"

const owner = { app: "myapp", instance: "dev", service: "web" }

/** A server whose clock jumps by so many ms each time it is read. */
const startWithJumps = (jump: number) =>
  Effect.gen(function* () {
    const home = yield* temporaryFolder
    const database = join(home, "ports.db")
    const hook = join(home, "clock.cjs")
    const script = `const now = Date.now; let offset = 0; Date.now = () => now() + (offset += ${jump})`
    yield* Effect.promise(() => writeFile(hook, script))
    const args = ["--require", hook, `${bin.portServer}.cjs`, "--port", "0", "--db", database]
    const server = yield* start(process.execPath, args, { env: { HOME: home } })
    const [, digits] = yield* server.printed(/listening on http:\/\/127\.0\.0\.1:(\d+), /)
    return { ...server, database, port: Number(digits) }
  })

/** Another program that holds the write lock for the time of an effect. */
const whileItIsLocked = <A>(database: string, effect: Effect.Effect<A>) =>
  Effect.gen(function* () {
    const other = yield* Effect.flatMap(openDatabase(database), (sql) => sql.reserve)
    yield* other.executeRaw("BEGIN IMMEDIATE", [])
    return yield* effect
  }).pipe(Effect.orDie, Effect.scoped)

const hour = 3_600_000

it.scopedLive("a write waits for a lock although the clock is set forward, again and again", () =>
  Effect.gen(function* () {
    const { database, port } = yield* startWithJumps(hour)
    const waiting = yield* whileItIsLocked(
      database,
      Effect.gen(function* () {
        const writing = yield* Effect.fork(call(port, "POST", "/v1/allocations", owner))
        // The lock is held for many tries.
        yield* Effect.sleep("500 millis")
        return writing
      })
    )
    created(yield* waiting)
  })
)

it.scopedLive("a write gives up waiting for a lock although the clock is set back, again and again", () =>
  Effect.gen(function* () {
    const { database, port } = yield* startWithJumps(-hour)
    const answer = yield* whileItIsLocked(database, call(port, "POST", "/v1/allocations", owner))
    expectError(answer, 503, /locked/)
    expect(answer.headers["retry-after"]).toBe("1")
  })
)
