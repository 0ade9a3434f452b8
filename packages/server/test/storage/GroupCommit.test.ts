import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SqlError } from "@effect/sql/SqlError"
import { expect, it } from "@effect/vitest"
import { StorageFull } from "@port-server/domain/Errors"
import * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as EventLoop from "../../src/runtime/EventLoop.ts"
import * as GroupCommit from "../../src/storage/GroupCommit.ts"
import { query, run } from "../../src/storage/Query.ts"
import { connect } from "../../src/storage/SqliteConnection.ts"

const rows = query(Schema.Struct({ name: Schema.String }))

/** A writer on a database of its own; which writes each transaction had, and how each ended. */
const setup = Effect.gen(function* () {
  const folder = yield* Effect.acquireRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "port-server-"))),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
  )
  const connection = yield* connect(join(folder, "writes.db"))
  yield* run(connection, "CREATE TABLE writes (name TEXT NOT NULL)")
  const transactions: Array<Array<string>> = []
  const ends: Array<"commit" | "rollback"> = []
  const submit = yield* GroupCommit.make({
    connection: Effect.succeed(connection),
    verifyFile: Effect.void,
    onBegin: () => Effect.sync(() => void transactions.push([])),
    onEnd: () => Effect.void,
    onCommit: Effect.sync(() => void ends.push("commit")),
    onRollback: () => void ends.push("rollback")
  })
  const write = (name: string, isLarge = false) =>
    submit<string, never>(
      (open) =>
        Effect.gen(function* () {
          transactions.at(-1)?.push(name)
          yield* run(open, "INSERT INTO writes VALUES (?)", [name])
          return name
        }),
      isLarge
    )
  const written = Effect.map(rows(connection, "SELECT name FROM writes ORDER BY rowid"), (found) =>
    found.map(({ name }) => name)
  )
  return { submit, write, written, transactions, ends }
})

const names = (count: number) => Array.from({ length: count }, (_, index) => `write ${index}`)

it.scopedLive("writes that arrive together share transactions of at most 128, in their order", () =>
  Effect.gen(function* () {
    const { ends, transactions, write, written } = yield* setup
    const all = names(300)
    expect(
      yield* Effect.all(
        all.map((name) => write(name)),
        { concurrency: "unbounded" }
      )
    ).toEqual(all)
    expect(transactions).toEqual([all.slice(0, 128), all.slice(128, 256), all.slice(256)])
    expect(ends).toEqual(["commit", "commit", "commit"])
    expect(yield* written).toEqual(all)
  })
)

it.scopedLive("a large write has a transaction of its own, and keeps its place", () =>
  Effect.gen(function* () {
    const { transactions, write } = yield* setup
    const all = [write("a"), write("large", true), write("b"), write("c"), write("larger", true)]
    yield* Effect.all(all, { concurrency: "unbounded" })
    expect(transactions).toEqual([["a"], ["large"], ["b", "c"], ["larger"]])
  })
)

it.scopedLive("what arrives during a transaction goes into the next one", () =>
  Effect.gen(function* () {
    const { submit, transactions, write } = yield* setup
    const [begun, goOn] = [yield* Deferred.make<void>(), yield* Deferred.make<void>()]
    const slow = yield* Effect.fork(
      submit<void, never>(() => Effect.zipRight(Deferred.succeed(begun, undefined), Deferred.await(goOn)))
    )
    yield* Deferred.await(begun)
    const others = yield* Effect.fork(Effect.all([write("a"), write("b")], { concurrency: "unbounded" }))
    yield* EventLoop.yieldToIO
    expect(transactions).toEqual([[]])
    yield* Deferred.succeed(goOn, undefined)
    yield* Fiber.join(slow)
    expect(yield* Fiber.join(others)).toEqual(["a", "b"])
    expect(transactions).toEqual([[], ["a", "b"]])
  })
)

it.scopedLive("an error of a write is its own; a storage error and a defect undo all that share the transaction", () =>
  Effect.gen(function* () {
    const { ends, submit, write, written } = yield* setup
    const together = <A, E>(other: Effect.Effect<A, E>) =>
      Effect.all([Effect.exit(write("beside")), Effect.exit(other)], { concurrency: "unbounded" })

    const refused = submit(() => Effect.fail("no" as const))
    expect(yield* together(refused)).toEqual([Exit.succeed("beside"), Exit.fail("no")])
    expect(yield* written).toEqual(["beside"])

    const full = new SqlError({ cause: Object.assign(new Error("disk full"), { code: "SQLITE_FULL" }) })
    for (const exit of yield* together(submit<string, never>(() => full))) {
      expect(Exit.isFailure(exit) && Cause.squash(exit.cause)).toBeInstanceOf(StorageFull)
    }

    const bug = submit(() => Effect.dieMessage("a bug"))
    for (const exit of yield* together(bug)) {
      expect(Exit.isFailure(exit) && Cause.isDie(exit.cause) && String(Cause.squash(exit.cause))).toMatch(/a bug/)
    }

    expect(ends).toEqual(["commit", "rollback", "rollback"])
    expect(yield* written).toEqual(["beside"])
    expect(yield* write("afterwards")).toBe("afterwards")
    expect(yield* written).toEqual(["beside", "afterwards"])
  })
)

it.scopedLive("a write whose caller is interrupted is done all the same, and the next ones too", () =>
  Effect.gen(function* () {
    const { write, written } = yield* setup
    const caller = yield* Effect.fork(write("left"))
    yield* Effect.yieldNow()
    yield* Fiber.interrupt(caller)
    expect(yield* write("next")).toBe("next")
    expect(yield* written).toEqual(["left", "next"])
  })
)
