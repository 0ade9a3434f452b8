import { describe, expect, it } from "@effect/vitest"
import { Allocation } from "@port-server/domain/Allocation"
import { PortStatus, ReleaseManyResult, ReleaseResult } from "@port-server/domain/api/Results"
import { AllocationNotFound, PortTaken, RangeExhausted, StorageUnavailable } from "@port-server/domain/Errors"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as fc from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { startServer, temporaryFolder } from "../support/Programs.ts"
import { type Answer, allocations, answered, listPath, valueIn } from "./Api.ts"
import { linearize } from "./Linearizability.ts"
import {
  allocated,
  free,
  held,
  heldBy,
  heldByNoneOf,
  type Interval,
  keyOf,
  notHeldBy,
  type PortOperation,
  released,
  releasedOneOf,
  unused
} from "./PortHistory.ts"
import * as RunSize from "./RunSize.ts"

const fits = (history: ReadonlyArray<PortOperation>) => "order" in linearize(unused, history, keyOf)

const at = (start: number, end: number): Interval => ({ start, end })

describe("the checker", () => {
  it("accepts operations that overlap and fit in some order", () => {
    expect(fits([])).toBe(true)
    // The second allocation is answered before the release that made room for it.
    expect(fits([allocated(1)(at(0, 1)), released(1)(at(2, 9)), allocated(2)(at(3, 5)), heldBy(2)(at(6, 7))])).toBe(
      true
    )
    // While a release runs, one reader still sees the holder and another sees none, in this order.
    expect(fits([allocated(1)(at(0, 1)), released(1)(at(2, 9)), heldBy(1)(at(3, 4)), free(at(5, 6))])).toBe(true)
    // Asked for the other way round, but at the same time.
    expect(fits([free(at(0, 9)), heldBy(1)(at(0, 9)), allocated(1)(at(1, 8)), notHeldBy(1)(at(0, 9))])).toBe(true)
    expect(
      fits([allocated(1)(at(0, 1)), heldByNoneOf(new Set([2]))(at(2, 3)), releasedOneOf(new Set([1]))(at(4, 5))])
    ).toBe(true)
  })

  it("rejects two holders at a time", () => {
    expect(fits([allocated(1)(at(0, 1)), allocated(2)(at(2, 3))])).toBe(false)
    expect(fits([allocated(1)(at(0, 5)), allocated(2)(at(0, 5))])).toBe(false)
    expect(fits([allocated(1)(at(0, 1)), allocated(2)(at(2, 3)), released(1)(at(4, 5))])).toBe(false)
  })

  it("rejects what was released and is still held, or released twice", () => {
    expect(fits([allocated(1)(at(0, 1)), released(1)(at(2, 3)), heldBy(1)(at(4, 5))])).toBe(false)
    expect(fits([allocated(1)(at(0, 1)), released(1)(at(2, 5)), released(1)(at(2, 5))])).toBe(false)
    expect(fits([allocated(1)(at(0, 1)), notHeldBy(1)(at(2, 3)), released(1)(at(4, 5))])).toBe(false)
  })

  it("rejects answers out of order", () => {
    expect(fits([allocated(1)(at(0, 1)), free(at(2, 3))])).toBe(false)
    // Free, then held again by an id that the release had ended.
    expect(fits([allocated(1)(at(0, 1)), released(1)(at(2, 9)), free(at(3, 4)), heldBy(1)(at(5, 6))])).toBe(false)
    expect(fits([allocated(2)(at(0, 1)), released(2)(at(2, 3)), allocated(1)(at(4, 5))])).toBe(false)
    expect(fits([held(at(0, 1)), allocated(1)(at(2, 3))])).toBe(false)
  })

  it("agrees with trying every order, on tiny histories", () => {
    const interval = fc
      .tuple(fc.nat(12), fc.integer({ min: 1, max: 6 }))
      .map(([start, length]) => at(start, start + length))
    const what = fc.constantFrom(
      allocated(1),
      allocated(2),
      released(1),
      released(2),
      heldBy(1),
      heldBy(2),
      held,
      free,
      notHeldBy(1)
    )
    const histories = fc.array(
      fc.tuple(what, interval).map(([operation, when]) => operation(when)),
      { maxLength: 6 }
    )
    const anyOrder = (state: typeof unused, left: ReadonlyArray<PortOperation>): boolean =>
      left.length === 0 ||
      left.some((operation) => {
        const after = left.some(({ end }) => end < operation.start) ? undefined : operation.apply(state)
        return (
          after !== undefined &&
          anyOrder(
            after,
            left.filter((other) => other !== operation)
          )
        )
      })
    let accepted = 0
    fc.assert(
      fc.property(histories, (history) => {
        const expected = anyOrder(unused, history)
        if (expected) accepted++
        expect(fits(history)).toBe(expected)
      }),
      { seed: RunSize.seed, numRuns: RunSize.linearizable.tinyHistories }
    )
    expect(accepted).toBeGreaterThan(RunSize.linearizable.tinyHistories / 20)
  })
})

// Few ports, so that everybody meets; browsers refuse the first three.
const range = { first: 6667, last: 6672 }
const ports = [6667, 6668, 6669, 6670, 6671, 6672]
const handedOut = [6670, 6671, 6672, 6667, 6668, 6669]

type Plan =
  | { readonly do: "allocate"; readonly app: string; readonly port?: number }
  | { readonly do: "release"; readonly back: number }
  | { readonly do: "releaseMatching"; readonly port: number; readonly app?: string }
  | { readonly do: "check"; readonly port: number }
  | { readonly do: "list"; readonly port?: number }

const app = fc.constantFrom("a", "b")
const port = fc.constantFrom(...ports)
const plan: fc.Arbitrary<Plan> = fc.oneof(
  { weight: 8, arbitrary: app.map((app) => ({ do: "allocate", app }) as const) },
  { weight: 4, arbitrary: fc.tuple(app, port).map(([app, port]) => ({ do: "allocate", app, port }) as const) },
  { weight: 14, arbitrary: fc.nat(7).map((back) => ({ do: "release", back }) as const) },
  { weight: 1, arbitrary: port.map((port) => ({ do: "releaseMatching", port }) as const) },
  { weight: 1, arbitrary: fc.tuple(app, port).map(([app, port]) => ({ do: "releaseMatching", app, port }) as const) },
  { weight: 5, arbitrary: port.map((port) => ({ do: "check", port }) as const) },
  { weight: 1, arbitrary: fc.constant({ do: "list" } as const) },
  { weight: 1, arbitrary: port.map((port) => ({ do: "list", port }) as const) }
)

/** What all answers of one run say about each port. */
class Recorder {
  readonly histories = new Map(ports.map((port) => [port, [] as PortOperation[]]))
  /** The port of every id that an answer has named. */
  readonly portOf = new Map<number, number>()
  readonly idsOfApp = new Map([
    ["a", new Set<number>()],
    ["b", new Set<number>()]
  ])
  readonly allIds = new Set<number>()
  /** Ids in the order in which their answers came. */
  readonly known: Array<number> = []
  /** Those of them whose release nobody has been told of. */
  live: ReadonlyArray<number> = []
  operations = 0
  refused = 0

  says(port: number, operation: PortOperation): void {
    const history = this.histories.get(port)
    if (history === undefined) throw new Error(`an answer speaks of port ${port}`)
    history.push(operation)
  }

  holder(row: Allocation, interval: Interval): void {
    this.says(row.port, heldBy(row.id)(interval))
  }

  gave(row: Allocation, interval: Interval): void {
    this.says(row.port, allocated(row.id)(interval))
    expect(this.portOf.has(row.id), `id ${row.id} was given twice`).toBe(false)
    this.portOf.set(row.id, row.port)
    this.idsOfApp.get(row.app)?.add(row.id)
    this.allIds.add(row.id)
    this.known.push(row.id)
    this.live = [...this.live, row.id]
  }
}

/** Ask with the times before and after; nothing when the database was locked, which changes nothing. */
const timed = (recorder: Recorder, server: number, method: string, path: string, body?: unknown) =>
  Effect.gen(function* () {
    const start = performance.now()
    const answer = yield* answered(server, method, path, body)
    const interval = at(start, performance.now())
    recorder.operations++
    if (!Schema.is(StorageUnavailable.body)(answer.value)) return { answer, interval }
    recorder.refused++
    return undefined
  })

const whatAllocateSays = (recorder: Recorder, answer: Answer, interval: Interval, asked: number | undefined) => {
  if (asked !== undefined) {
    if (Schema.is(PortTaken.body)(answer.value)) recorder.holder(answer.value.holder, interval)
    else recorder.gave(valueIn(answer, Allocation), interval)
    return
  }
  if (Schema.is(RangeExhausted.body)(answer.value)) {
    for (const port of ports) recorder.says(port, held(interval))
    return
  }
  const row = valueIn(answer, Allocation)
  recorder.gave(row, interval)
  for (const port of handedOut.slice(0, handedOut.indexOf(row.port))) recorder.says(port, held(interval))
}

const whatListSays = (recorder: Recorder, answer: Answer, interval: Interval, of: ReadonlyArray<number>) => {
  const rows = valueIn(answer, Schema.Array(Allocation))
  expect(rows.map(({ id }) => id)).toEqual([...new Set(rows.map(({ id }) => id))].sort((a, b) => a - b))
  for (const port of of) {
    const row = rows.find((candidate) => candidate.port === port)
    if (row === undefined) recorder.says(port, free(interval))
    else recorder.holder(row, interval)
  }
  expect(rows.filter(({ port }) => !of.includes(port))).toEqual([])
}

const perform = (recorder: Recorder, server: number, plan: Plan): Effect.Effect<void> =>
  Effect.gen(function* () {
    switch (plan.do) {
      case "allocate": {
        const body = {
          instance: "i",
          service: "s",
          app: plan.app,
          ...(plan.port === undefined ? {} : { port: plan.port })
        }
        const got = yield* timed(recorder, server, "POST", allocations, body)
        if (got !== undefined) whatAllocateSays(recorder, got.answer, got.interval, plan.port)
        return
      }
      case "release": {
        const id = (plan.back < 6 ? recorder.live : recorder.known).at(-1 - plan.back)
        const port = id === undefined ? undefined : recorder.portOf.get(id)
        if (id === undefined || port === undefined) return
        const got = yield* timed(recorder, server, "DELETE", `${allocations}/${id}`)
        if (got === undefined) return
        if (Schema.is(AllocationNotFound.body)(got.answer.value)) {
          recorder.says(port, notHeldBy(id)(got.interval))
        } else {
          valueIn(got.answer, ReleaseResult)
          recorder.live = recorder.live.filter((other) => other !== id)
          recorder.says(port, released(id)(got.interval))
        }
        return
      }
      case "releaseMatching": {
        const { app, port } = plan
        const got = yield* timed(recorder, server, "DELETE", allocations, app === undefined ? { port } : { app, port })
        if (got === undefined) return
        const { deleted } = valueIn(got.answer, ReleaseManyResult)
        expect(deleted).toBeLessThanOrEqual(1)
        // Read when the history is checked: by then every id of the app is known.
        const ids = (app === undefined ? undefined : recorder.idsOfApp.get(app)) ?? recorder.allIds
        recorder.says(port, (deleted === 1 ? releasedOneOf(ids) : heldByNoneOf(ids))(got.interval))
        return
      }
      case "check": {
        const got = yield* timed(recorder, server, "GET", `/v1/ports/${plan.port}`)
        if (got === undefined) return
        const status = valueIn(got.answer, PortStatus)
        expect(status).toMatchObject({ port: plan.port, available: status.holder === undefined })
        if (status.holder === undefined) recorder.says(plan.port, free(got.interval))
        else recorder.holder(status.holder, got.interval)
        return
      }
      case "list": {
        const filter = plan.port === undefined ? {} : { port: plan.port }
        const got = yield* timed(recorder, server, "GET", listPath(filter))
        if (got !== undefined) {
          whatListSays(recorder, got.answer, got.interval, plan.port === undefined ? ports : [plan.port])
        }
        return
      }
    }
  })

for (const processes of [1, 2]) {
  const who = processes === 1 ? "one server" : `${processes} servers on one database`
  it.scopedLive(`${who}: every port's answers fit one order`, () =>
    Effect.gen(function* () {
      const { clients, operations, rounds } = RunSize.linearizable
      const totals = { operations: 0, said: 0, allocated: 0, refused: 0 }
      for (let round = 0; round < rounds; round++) {
        yield* Effect.gen(function* () {
          const folder = yield* temporaryFolder
          const args = ["--range", `${range.first}-${range.last}`]
          const servers = yield* Effect.forEach(Array.from({ length: processes }), () => startServer({ folder, args }))
          const recorder = new Recorder()
          const plans = fc.sample(fc.array(plan, { minLength: operations, maxLength: operations, size: "max" }), {
            seed: RunSize.seed + round,
            numRuns: clients
          })
          yield* Effect.forEach(
            plans,
            (mine, client) =>
              Effect.forEach(mine, (next) => perform(recorder, servers[client % processes]?.port ?? 0, next), {
                discard: true
              }),
            { concurrency: "unbounded", discard: true }
          )
          for (const { port } of servers) yield* perform(recorder, port, { do: "list" })
          for (const [port, history] of recorder.histories) {
            const verdict = linearize(unused, history, keyOf)
            if ("stuck" in verdict) {
              const told = JSON.stringify(verdict.stuck, null, 2)
              throw new Error(
                `seed ${RunSize.seed}, round ${round}: the answers about port ${port} fit no order: ${told}`
              )
            }
            totals.said += history.length
          }
          totals.operations += recorder.operations
          totals.allocated += recorder.known.length
          totals.refused += recorder.refused
        }).pipe(Effect.scoped)
      }
      yield* Console.log(
        `linearizable, ${who}: seed ${RunSize.seed}, ${rounds} histories, ${totals.operations} operations (${totals.allocated} allocated, ${totals.refused} refused as locked), ${totals.said} sayings about ports`
      )
    })
  )
}
