import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import type { Containers } from "@port-server/domain/Containers"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"
import * as Record from "effect/Record"
import * as Transport from "../client/Transport.ts"
import * as ComposeProgram from "../compose/ComposeProgram.ts"
import type { Located } from "../server/ServerProbe.ts"
import { type Check, ok, warning } from "./Check.ts"

const engine = ({ containers, engine: { error = "", kind, socket, status } }: Containers): Check => {
  if (status === "none")
    return ok("engine", "no container engine responds; portctl config set engine says where one is")
  if (status === "unknown") {
    const remedy = /EACCES|EPERM/.test(error)
      ? "let your user use the engine (sudo usermod -aG docker $USER), log in again, then portctl restart"
      : "start the engine again, or choose another one with portctl config set engine"
    return warning("engine", `which containers have ports is unknown: ${error}`, remedy)
  }
  if (error !== "") {
    return warning(
      "engine",
      `which ports its stopped containers publish is not all known: ${error}`,
      "portctl doctor again in a moment; if it stays so, start the engine again"
    )
  }
  return ok("engine", `${kind === "podman" ? "Podman" : "Docker"} at ${socket}: ${containers.length} container(s)`)
}

/** What the server that was looked for knows of the container engine. One that does not respond is not asked again. */
export const engineCheck = ({ at, status }: Located): Effect.Effect<Check> =>
  Effect.gen(function* () {
    if (status._tag !== "Running") return yield* Effect.fail(status)
    return yield* PortServerClient.over(at, Transport.make(at)).containers()
  }).pipe(
    Effect.match({
      onFailure: () => ok("engine", "not known: port-server asks it, and does not respond"),
      onSuccess: engine
    })
  )

/** The Docker Compose that `portctl compose` would run. Who has none may not need one. */
export const composeCheck: Effect.Effect<Check> = Effect.suspend(() =>
  ComposeProgram.findNew(Record.filter(process.env, Predicate.isNotUndefined)).pipe(
    Effect.map(({ version, words }) => ok("compose", `${words.join(" ")} ${version}`)),
    Effect.catchAll(({ exitCode, message }) =>
      Effect.succeed(
        exitCode === undefined
          ? warning("compose", message, "install a newer one, docs.docker.com/compose/install")
          : ok("compose", "there is no Docker Compose, which portctl compose needs")
      )
    )
  )
)
