import { existsSync, realpathSync } from "node:fs"
import { delimiter, dirname, isAbsolute, join } from "node:path"
import { version } from "@port-server/domain/Defaults"
import * as Effect from "effect/Effect"
import * as ServerPaths from "../server/ServerPaths.ts"
import { type Check, error, ok, outputOf, warning } from "./Check.ts"

/** The first file of a name on the PATH. */
const onPath = (name: string): string | undefined =>
  (process.env["PATH"] ?? "")
    .split(delimiter)
    .filter(isAbsolute)
    .map((folder) => join(folder, name))
    .find((file) => existsSync(file))

const node = (): Check => {
  const first = onPath("node")
  const isFirst = first !== undefined && realpathSync(first) === realpathSync(process.execPath)
  const where = isFirst ? "the first on PATH" : "not the first on PATH"
  return ok("node", `Node ${process.versions.node} at ${process.execPath}, ${where}`)
}

const programs = Effect.gen(function* () {
  const program = yield* ServerPaths.program
  const { failed, text } = yield* outputOf(program, ["--version"])
  const remedy = "install port-server again"
  if (failed) return error("programs", `${program} does not start: ${text}`, remedy)
  return text === version
    ? ok("programs", `portctl and port-server ${version} in ${dirname(program)}`)
    : error("programs", `portctl is ${version}, and ${program} is ${text}`, remedy)
}).pipe(Effect.catchAll(({ message }) => Effect.succeed(error("programs", message, "install port-server again"))))

const path = (): Check => {
  const first = onPath("portctl")
  const own = join(dirname(realpathSync(process.argv[1] ?? "")), "portctl")
  if (first === undefined) {
    return warning("path", "portctl is not on PATH", `add ${dirname(own)} to PATH, or npm install --global`)
  }
  return realpathSync(first) === own
    ? ok("path", `portctl on PATH is this one, ${first}`)
    : warning("path", `portctl on PATH is another one, ${first}; this one is ${own}`, `remove one, or change PATH`)
}

/** Which Node and which programs run. */
export const programChecks: Effect.Effect<ReadonlyArray<Check>> = Effect.map(programs, (found) => [
  node(),
  found,
  path()
])
