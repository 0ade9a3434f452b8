import type { ServerAddress } from "@port-server/domain/ServerAddress"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import { ServerUnusable } from "../errors/ServerErrors.ts"
import * as ProcessLock from "../platform/ProcessLock.ts"

/** Longer than a restart takes at most: 15 s to stop, 15 s to start. */
const patience = "40 seconds"

/** Run alone among all portctl that start or stop the server at this address. */
export const withServerLock =
  (address: ServerAddress) =>
  <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<A, E | ServerUnusable, Exclude<R, Scope.Scope>> =>
    ProcessLock.hold(
      String(address),
      patience,
      () =>
        new ServerUnusable({
          message: `another portctl has been starting or stopping port-server at ${address} for ${patience}`
        })
    ).pipe(Effect.zipRight(work), Effect.scoped)

/** {@link withServerLock}, unless another portctl has the lock: then that one is awaited, and nothing is run. */
export const unlessLocked =
  (address: ServerAddress) =>
  <A, E, R>(work: Effect.Effect<A, E, R>): Effect.Effect<Option.Option<A>, E, Exclude<R, Scope.Scope>> =>
    Effect.flatMap(ProcessLock.tryHold(String(address)), (held) =>
      held ? Effect.asSome(work) : Effect.as(awaitOthers(address), Option.none())
    ).pipe(Effect.scoped)

/** Wait while another portctl starts or stops the server at this address; whether one did. */
export const awaitOthers = (address: ServerAddress): Effect.Effect<boolean> => ProcessLock.awaitRelease(String(address))
