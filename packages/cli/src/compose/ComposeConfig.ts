import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CliError } from "../errors/CliError.ts"
import type { ComposeArguments } from "./ComposeArguments.ts"
import { mayStartOther, modelFlags, valuesOf } from "./ComposeArguments.ts"
import { ComposeModel } from "./ComposeModel.ts"
import type { ComposeProgram, Ended } from "./ComposeProgram.ts"
import * as PodmanModel from "./PodmanModel.ts"
import { folderName } from "./ProjectName.ts"

/** Compose does not accept the project; the sentence is its own. */
const refusal = ({ status, stderr }: Ended): CliError => {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "" && !/level=warning|^WARN/.test(line))
  // Of an error of Python, the last line says what it is.
  const told = /^Traceback/m.test(stderr) ? lines.slice(-1) : lines
  const message = told.map((line) => line.trim()).join("; ") || "Compose cannot read the project"
  // Of a flag that it does not know, config ends with another status than all other commands.
  const exitCode = /^unknown (shorthand )?flag/.test(message) ? 16 : status
  return CliError.make(message, { exitCode: typeof exitCode === "number" ? exitCode : 1 })
}

const decode = Schema.decodeUnknown(ComposeModel)

/** The resolved model of the project in a folder, with the services of all profiles that Compose accepts. */
export const read = Effect.fnUntraced(function* (
  program: ComposeProgram,
  args: ComposeArguments,
  env: Readonly<Record<string, string>>,
  folder: string,
  more: ReadonlyArray<string> = []
) {
  const { isPodman, words } = program
  const config = (profiles: ReadonlyArray<string>) => {
    const flags = [...modelFlags(args), ...more, ...profiles.flatMap((profile) => ["--profile", profile])]
    return program.capture([...flags, "config", ...(isPodman ? [] : ["--format", "json"])], env)
  }
  const own = valuesOf(args, "--profile")
  // podman-compose knows no name for all profiles.
  const all = yield* config(isPodman ? own : ["*"])
  // Compose itself reads the profiles that are on, and a service of another one may lack a file or a network.
  const ended = all.status === 0 || isPodman ? all : yield* config(own)
  if (ended.status !== 0) return yield* refusal(ended)
  const said = valuesOf(args, "--project-name").at(-1) ?? env["COMPOSE_PROJECT_NAME"]
  const names = { said, usual: folderName(folder, "") }
  const text = isPodman
    ? Effect.tryPromise(() => PodmanModel.toJson(ended.stdout, names))
    : Effect.succeed(ended.stdout)
  const model = yield* Effect.mapError(
    Effect.flatMap(text, (text) => decode(text)),
    () => CliError.make(`${words.join(" ")} config prints no model that portctl understands`)
  )
  return ended !== all && mayStartOther(args, Object.keys(model.services)) ? yield* refusal(all) : model
})
