import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type Engine, serving } from "./Engine.ts"

/** A container, of a Compose project where it has a folder, until the end of the scope; its id. */
export const container = (
  { docker }: Engine,
  options: { readonly name: string; readonly folder?: string; readonly port: number; readonly isStopped?: boolean }
): Effect.Effect<string, never, Scope.Scope> => {
  const labels = options.folder === undefined ? {} : { project: options.name, "project.working_dir": options.folder }
  const args = [
    ...Object.entries(labels).flatMap(([name, value]) => ["--label", `com.docker.compose.${name}=${value}`]),
    ...["--name", options.name, "--publish", `${options.port}:80`],
    ...serving(options.name)
  ]
  return Effect.acquireRelease(
    docker(options.isStopped === true ? ["create", ...args] : ["run", "--detach", ...args]),
    () => docker(["rm", "--force", options.name])
  )
}
