import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import { UsageError } from "@port-server/command-line/UsageError"
import { escapeControls } from "@port-server/domain/Name"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as EnvFile from "../../dotenv/EnvFile.ts"
import { assignment } from "../../dotenv/Quoting.ts"
import * as Output from "../../output/Output.ts"
import { ensureVariables, type Variables, valuesOf } from "../../project/PortVariables.ts"
import { currentFolder, here } from "../../project/ProjectContext.ts"
import { instanceLabel, requestedServices } from "../../project/ProjectPorts.ts"
import * as Options from "../Options.ts"

const formats = ["dotenv", "export", "json"] as const

const format = Flag.choice("format", formats, "How: dotenv (default), export for shells, or json").pipe(
  Flag.withDefault<(typeof formats)[number]>("dotenv")
)

const file = Flag.file({
  name: "write",
  placeholder: "FILE",
  description: "Keep them in a marked block of this file"
}).pipe(Flag.optional)

const Answer = Schema.Struct({
  app: Schema.String,
  instance: Schema.String,
  env: Schema.Record({ key: Schema.String, value: Schema.String })
})

const answerOf = (variables: Variables) => {
  const { app, instance } = variables.ensured
  return { app, instance, env: Object.fromEntries(valuesOf(variables)) }
}

/** `portctl env` */
export const env = Command.make(
  "env",
  {
    summary: "Print the ports of this project's services as environment variables",
    details: [
      "The variables are those of portctl.json, otherwise WEB_PORT for web. Without --service, the services of portctl.json; without that file, those that have ports already, or web."
    ],
    examples: ['eval "$(portctl env --format export)"', "portctl env --write .env.local"],
    parameters: { service: Options.services, ...Options.contextFlags, format, write: file }
  },
  Effect.fnUntraced(function* ({ format, service, write, ...given }) {
    const lines = ({ env }: typeof Answer.Type) =>
      new Map(
        Object.entries(env).map(([name, value]) => [
          name,
          assignment(format === "export" ? "export" : "dotenv", name, value)
        ])
      )
    const variables = Effect.gen(function* () {
      const place = yield* here(given)
      const isWhole = service.length === 0
      return yield* ensureVariables(place, yield* requestedServices(place, service), { isMain: isWhole, isWhole })
    })
    if (Option.isNone(write)) {
      yield* Output.print(Answer, { json: format === "json" })(Effect.map(variables, answerOf), (answer) =>
        [`# ${instanceLabel(answer)}`, ...lines(answer).values()].join("\n")
      )
      return
    }
    if (format === "json") return yield* new UsageError({ message: "--write keeps dotenv or export lines, not json" })
    if (["", "-"].includes(write.value)) {
      return yield* new UsageError({ message: "--write needs the name of a file; without it they are printed" })
    }
    const writing = Effect.gen(function* () {
      yield* currentFolder
      yield* EnvFile.check(write.value)
      const answer = answerOf(yield* variables)
      const { changed, setters } = yield* EnvFile.write(write.value, instanceLabel(answer), lines(answer))
      const name = escapeControls(write.value)
      yield* Console.log(
        changed
          ? `wrote ${Object.keys(answer.env).join(", ")} of ${instanceLabel(answer)} to ${name}`
          : `${name} has the ports of ${instanceLabel(answer)} already`
      )
      for (const { line, variable } of setters) {
        yield* Console.error(
          `note: line ${line} of ${name} sets ${variable} too, and which one counts depends on what reads the file`
        )
      }
    })
    yield* Output.toCliError(writing)
  })
)
