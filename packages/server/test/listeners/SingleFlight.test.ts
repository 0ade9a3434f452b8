import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as TestClock from "effect/TestClock"
import * as SingleFlight from "../../src/listeners/SingleFlight.ts"
import * as EventLoop from "../../src/runtime/EventLoop.ts"

/** Readings that the test ends one by one, each with its number, and looks at what is read. */
const setup = Effect.gen(function* () {
  const ends = yield* Queue.unbounded<void>()
  let begun = 0
  const look = yield* SingleFlight.make(
    Effect.suspend(() => {
      const number = ++begun
      return Effect.as(Queue.take(ends), number)
    })
  )
  const looks = (count: number) =>
    Effect.fork(
      Effect.all(
        Array.from({ length: count }, () => look),
        { concurrency: "unbounded" }
      )
    )
  /** Everything that can happen without a reading's end has happened. */
  const settle = Effect.repeatN(EventLoop.yieldToIO, 5)
  const end = Effect.zipRight(Queue.offer(ends, undefined), settle)
  return { begun: () => begun, end, look, looks, settle }
})

it.scoped("those who ask together share one reading, which begins after they asked", () =>
  Effect.gen(function* () {
    const { begun, end, looks, settle } = yield* setup
    const three = yield* looks(3)
    yield* settle
    expect(begun()).toBe(1)
    yield* end
    expect(yield* Fiber.join(three)).toEqual([1, 1, 1])
  })
)

it.scoped("one who goes away at any moment leaves the next one an answer", () =>
  Effect.gen(function* () {
    const { end, look, looks, settle } = yield* setup
    for (let steps = 1; steps <= 20; steps++) {
      const gone = yield* Effect.fork(Effect.withMaxOpsBeforeYield(look, steps))
      yield* Fiber.interrupt(gone)
      const one = yield* looks(1)
      yield* settle
      yield* end
      yield* end
      expect((yield* Fiber.join(one)).length).toBe(1)
    }
  })
)

it.scoped("those who ask during a reading wait for the next one, and share it", () =>
  Effect.gen(function* () {
    const { begun, end, looks, settle } = yield* setup
    const first = yield* looks(1)
    yield* settle
    const second = yield* looks(2)
    yield* settle
    const third = yield* looks(1)
    yield* settle
    expect(begun()).toBe(1)
    yield* end
    expect(yield* Fiber.join(first)).toEqual([1])
    expect(begun()).toBe(2)
    yield* end
    expect(yield* Fiber.join(second)).toEqual([2, 2])
    expect(yield* Fiber.join(third)).toEqual([2])
    expect(begun()).toBe(2)
  })
)

it.scoped("one who asks one thing after another gets a reading of its own each time, however fast it is", () =>
  Effect.gen(function* () {
    const { end, looks, settle } = yield* setup
    const rounds = 3 * SingleFlight.loadThreshold
    for (let round = 1; round <= rounds; round++) {
      const one = yield* looks(1)
      yield* settle
      yield* end
      expect(yield* Fiber.join(one)).toEqual([round])
    }
  })
)

it.scoped(
  "under load a reading serves until it is too old, and a few who ask together get a new one all the same",
  () =>
    Effect.gen(function* () {
      const { begun, end, looks, settle } = yield* setup
      const many = yield* looks(SingleFlight.loadThreshold)
      yield* settle
      yield* end
      expect(new Set(yield* Fiber.join(many))).toEqual(new Set([1]))

      yield* TestClock.adjust("10 millis")
      expect(new Set(yield* Fiber.join(yield* looks(SingleFlight.burstThreshold)))).toEqual(new Set([1]))
      expect(begun()).toBe(1)

      const few = yield* looks(SingleFlight.burstThreshold - 1)
      yield* settle
      expect(begun()).toBe(2)
      yield* end
      expect(new Set(yield* Fiber.join(few))).toEqual(new Set([2]))
    })
)

it.scoped("under load the next reading begins before the last one is too old, and serves once it is there", () =>
  Effect.gen(function* () {
    const { begun, end, looks, settle } = yield* setup
    yield* looks(SingleFlight.loadThreshold)
    yield* settle
    yield* end
    yield* TestClock.adjust("76 millis")
    expect(new Set(yield* Fiber.join(yield* looks(SingleFlight.loadThreshold)))).toEqual(new Set([1]))
    yield* settle
    expect(begun()).toBe(2)
    yield* end
    expect(new Set(yield* Fiber.join(yield* looks(SingleFlight.burstThreshold)))).toEqual(new Set([2]))
    expect(begun()).toBe(2)
  })
)

it.scoped("a reading older than 100 ms serves nobody, nor does any when few ask", () =>
  Effect.gen(function* () {
    const { end, looks, settle } = yield* setup
    yield* looks(SingleFlight.loadThreshold)
    yield* settle
    yield* end
    yield* TestClock.adjust("101 millis")
    const late = yield* looks(SingleFlight.loadThreshold)
    yield* settle
    yield* end
    expect(new Set(yield* Fiber.join(late))).toEqual(new Set([2]))

    yield* TestClock.adjust("51 millis")
    for (const expected of [3, 4]) {
      const few = yield* looks(2)
      yield* settle
      yield* end
      expect(yield* Fiber.join(few)).toEqual([expected, expected])
    }
  })
)

it.scoped("a reading that fails fails those who wait for it, and the next one is another", () =>
  Effect.gen(function* () {
    let count = 0
    const look = yield* SingleFlight.make(
      Effect.suspend(() => (++count === 1 ? Effect.dieMessage("broken") : Effect.succeed(count)))
    )
    expect(Exit.isFailure(yield* Effect.exit(look))).toBe(true)
    expect(yield* look).toBe(2)
  })
)
