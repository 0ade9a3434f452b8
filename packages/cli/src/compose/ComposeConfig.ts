import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CliError } from "../errors/CliError.ts"
import type { ComposeArguments } from "./ComposeArguments.ts"
import { modelFlags } from "./ComposeArguments.ts"
import { ComposeModel } from "./ComposeModel.ts"
import type { ComposeProgram, Ended } from "./ComposeProgram.ts"

/** Compose does not accept the project; the sentence is its own. */
const refusal = ({ status, stderr }: Ended): CliError => {
  const lines = stderr.split("\n").filter((line) => line.trim() !== "" && !/level=warning|^WARN/.test(line))
  return CliError.make(lines.map((line) => line.trim()).join("; ") || "Compose cannot read the project", {
    exitCode: typeof status === "number" ? status : 1
  })
}

const decode = Schema.decodeUnknown(ComposeModel)

/** The resolved model of a project, with the services of all profiles. */
export const read = Effect.fnUntraced(function* (
  program: ComposeProgram,
  args: ComposeArguments,
  env: Readonly<Record<string, string>>,
  more: ReadonlyArray<string> = []
) {
  const flags = [...modelFlags(args), ...more, "--profile", "*"]
  const ended = yield* program.capture([...flags, "config", "--format", "json"], env)
  if (ended.status !== 0) return yield* refusal(ended)
  return yield* Effect.mapError(decode(ended.stdout), () =>
    CliError.make(`${program.words.join(" ")} config prints no model that portctl understands`)
  )
})
