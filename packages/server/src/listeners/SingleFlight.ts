import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as EventLoop from "../runtime/EventLoop.ts"

/**
 * How old a reading may be, in ms since it began, to serve under load. A reading of the kernel's socket tables costs a
 * core some 9 ms, so that one in 75 ms leaves nearly all of the machine to the answers, and a program that is started
 * takes about as long to listen.
 */
const longestAge = 100

/** Under load, the age in ms at which the next reading begins, so that it is there when this one is too old. */
const refreshAge = 75

/** How many looks within {@link loadWindow} are load, when they come in {@link crowd}s. */
export const manyLooks = 32

/** In ms. */
const loadWindow = 50

/** How many looks in one turn of the event loop are more than a few programs that ask one thing after another come to. */
export const crowd = 8

/** A reading that is done. */
interface Done<A> {
  readonly value: A
  /** When it began. */
  readonly begun: number
}

/**
 * A reading of something outside that changes at any time, shared by those who ask for it together. It has begun after
 * they asked, always for one who asks alone; those who ask while one runs share the next one. Under load, which is
 * {@link manyLooks} and a {@link crowd} in the same turn of the event loop, it may be up to {@link longestAge} old.
 */
export const make = Effect.fnUntraced(function* <A, E>(read: Effect.Effect<A, E>) {
  const scope = yield* Effect.scope
  const clock = yield* Effect.clock
  const now = () => Number(clock.unsafeCurrentTimeNanos()) / 1e6

  /** When each of the last looks was asked for; `looks` is how many there were. */
  const times = new Float64Array(manyLooks).fill(Number.NEGATIVE_INFINITY)
  let looks = 0
  /** How many ask in this turn, and those of them who have no answer yet. */
  let together = 0
  let asking: Array<Deferred.Deferred<A, E>> = []
  /** Those who wait for a reading that has not begun. */
  let waiting: Array<Deferred.Deferred<A, E>> = []
  let isReading = false
  let latest: Done<A> | undefined

  const reading: Effect.Effect<void> = Effect.suspend(() => {
    const served = waiting
    waiting = []
    isReading = true
    const begun = now()
    return Effect.flatMap(Effect.exit(read), (exit) => {
      isReading = false
      if (exit._tag === "Success") latest = { value: exit.value, begun }
      for (const one of served) Deferred.unsafeDone(one, exit)
      return waiting.length === 0 ? Effect.void : reading
    })
  })

  /** The latest reading, where it may serve those who ask in this turn. */
  const recent = (): Done<A> | undefined => {
    if (latest === undefined || together < crowd) return undefined
    const time = now()
    const isLoad = time - (times[looks % manyLooks] ?? 0) <= loadWindow
    return isLoad && time - latest.begun <= longestAge ? latest : undefined
  }

  const serve = Effect.flatMap(EventLoop.turn, () => {
    const found = recent()
    const asked = asking
    asking = []
    together = 0
    if (found === undefined) {
      waiting.push(...asked)
      return isReading ? Effect.void : reading
    }
    for (const one of asked) Deferred.unsafeDone(one, Effect.succeed(found.value))
    return isReading || now() - found.begun < refreshAge ? Effect.void : reading
  })

  /** What is read, or was. One who goes away after asking leaves nobody without an answer: whoever is first is served. */
  return Effect.uninterruptibleMask((restore) =>
    Effect.suspend(() => {
      times[looks++ % manyLooks] = now()
      together++
      // The first of this turn wait for others, and see to the next reading; once they are many, nobody needs to wait.
      const found = recent()
      if (found !== undefined) return Effect.succeed(found.value)
      const answer = Deferred.unsafeMake<A, E>(FiberId.none)
      const isFirst = asking.push(answer) === 1
      return Effect.zipRight(
        isFirst ? Effect.forkIn(Effect.interruptible(serve), scope) : Effect.void,
        restore(Deferred.await(answer))
      )
    })
  )
})
