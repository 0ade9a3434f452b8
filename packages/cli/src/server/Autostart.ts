import { RequestError } from "@effect/platform/HttpClientError"
import { variable } from "@port-server/domain/EnvConfig"
import { isServerHost } from "@port-server/domain/Loopback"
import { type Address, isSocketAddress } from "@port-server/domain/ServerAddress"
import { errorCode } from "@port-server/domain/SystemError"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as OtherMounts from "../client/OtherMounts.ts"
import type { Recovery } from "../client/ResilientHttpClient.ts"
import type { ServerError } from "../errors/ServerErrors.ts"
import { awaitOthers } from "./ServerLock.ts"
import * as ServerProbe from "./ServerProbe.ts"
import * as ServerStart from "./ServerStart.ts"

const sandboxed =
  "note: that port-server is in this sandbox and does not see all folders and processes outside; to correct that: portctl restart, outside"

const isRefused = (error: RequestError) => errorCode(error) === "ECONNREFUSED"

/** Waits for the end of a stop or a restart; otherwise the request's own error stands. */
export const awaitRestart =
  (address: Address): Recovery =>
  (error) =>
    isRefused(error) && !isSocketAddress(address) && isServerHost(address.host)
      ? Effect.flatMap(awaitOthers(ServerProbe.onThisMachine(address.port)), (was) => (was ? Effect.void : error))
      : error

/**
 * Starts the server that a request did not find, unless it would be on another machine or `PORTCTL_AUTOSTART=0` forbids it;
 * then the request's own error stands. Reports it in one line on stderr. Where another program listens, or there is no
 * such host, that is the error.
 */
export const autostart =
  (usual: Address): Recovery =>
  (error) => {
    const because = (cause: ServerError) => new RequestError({ request: error.request, reason: "Transport", cause })
    return Effect.gen(function* () {
      const isAllowed = (yield* Effect.orDie(variable("PORTCTL_AUTOSTART", Schema.String, "1"))) !== "0"
      const code = errorCode(error)
      // Nothing more is known of one that takes the connection and does not respond in time.
      if (code === "") return yield* error
      if (!isRefused(error)) {
        const status = yield* ServerProbe.probe(usual)
        if (status._tag === "NotRunning" && isSocketAddress(usual)) return yield* error
        if (status._tag === "Running" || status._tag === "NotRunning") return
        return yield* because(ServerProbe.toError(status, usual))
      }
      if (!isAllowed || isSocketAddress(usual) || !isServerHost(usual.host)) return yield* awaitRestart(usual)(error)
      const address = ServerProbe.ofThisMachine(usual)
      const started = yield* Effect.mapError(ServerStart.startUnlessLocked(address), because)
      if (Option.isSome(started) && started.value.isNew) {
        yield* Console.error(ServerStart.describeStarted("started", started.value))
        if (OtherMounts.isSandboxed()) yield* Console.error(sandboxed)
      }
    })
  }
