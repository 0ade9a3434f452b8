import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"
import * as EventLoop from "../runtime/EventLoop.ts"

/**
 * How old a reading may be under load, in ms since it began. A scan of the kernel's socket tables costs a core some 9 ms,
 * so one in 75 ms leaves most of the machine to the requests; a program takes about as long from its start to listening.
 */
const maxAge = 100

/** Under load, the age in ms at which the next reading begins, so that it is ready when this one is too old. */
const refreshAfter = 75

/** Calls within {@link loadWindow} that count as load, if they come in bursts. */
export const loadThreshold = 32

/** In ms. */
const loadWindow = 50

/** Calls in one event-loop tick that count as a burst. Sequential clients never reach it. */
export const burstThreshold = 8

interface Reading<A> {
  readonly value: A
  /** When it began. */
  readonly begun: number
}

/**
 * Coalesces concurrent reads of something that changes at any time. A caller gets a read that started after its call;
 * under load ({@link loadThreshold} and {@link burstThreshold} are both reached) it may get one up to {@link maxAge} old.
 */
export const make = Effect.fnUntraced(function* <A, E>(read: Effect.Effect<A, E>) {
  const scope = yield* Effect.scope
  const clock = yield* Effect.clock
  const now = () => Number(clock.unsafeCurrentTimeNanos()) / 1e6

  /** When each of the last calls came; `requests` is how many there were. */
  const times = new Float64Array(loadThreshold).fill(Number.NEGATIVE_INFINITY)
  let requests = 0
  let callCountThisTick = 0
  /** The callers of this tick that have no value yet. */
  let callersThisTick: Array<Deferred.Deferred<A, E>> = []
  let queuedForNextRead: Array<Deferred.Deferred<A, E>> = []
  let isReading = false
  let latest: Reading<A> | undefined

  const readForQueued: Effect.Effect<void> = Effect.suspend(() => {
    const callers = queuedForNextRead
    queuedForNextRead = []
    isReading = true
    const begun = now()
    return Effect.flatMap(Effect.exit(read), (exit) => {
      isReading = false
      if (exit._tag === "Success") latest = { value: exit.value, begun }
      for (const caller of callers) Deferred.unsafeDone(caller, exit)
      return queuedForNextRead.length === 0 ? Effect.void : readForQueued
    })
  })

  /** The latest reading, if the callers of this tick may get it. */
  const reusableReading = (): Reading<A> | undefined => {
    if (latest === undefined || callCountThisTick < burstThreshold) return undefined
    const time = now()
    const isLoad = time - (times[requests % loadThreshold] ?? 0) <= loadWindow
    return isLoad && time - latest.begun <= maxAge ? latest : undefined
  }

  const serveTick = Effect.flatMap(EventLoop.yieldToIO, () => {
    const reading = reusableReading()
    const callers = callersThisTick
    callersThisTick = []
    callCountThisTick = 0
    if (reading === undefined) {
      queuedForNextRead.push(...callers)
      return isReading ? Effect.void : readForQueued
    }
    for (const caller of callers) Deferred.unsafeDone(caller, Effect.succeed(reading.value))
    return isReading || now() - reading.begun < refreshAfter ? Effect.void : readForQueued
  })

  /** Interrupting a caller does not cancel the read for the others. */
  return Effect.uninterruptibleMask((restore) =>
    Effect.suspend(() => {
      times[requests++ % loadThreshold] = now()
      callCountThisTick++
      // The first callers of a tick wait for its end; once they are a burst, nobody needs to wait.
      const reading = reusableReading()
      if (reading !== undefined) return Effect.succeed(reading.value)
      const result = Deferred.unsafeMake<A, E>(FiberId.none)
      const isFirst = callersThisTick.push(result) === 1
      return Effect.zipRight(
        isFirst ? Effect.forkIn(Effect.interruptible(serveTick), scope) : Effect.void,
        restore(Deferred.await(result))
      )
    })
  )
})
