import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import { UsageError } from "@port-server/command-line/UsageError"
import { escapeControls } from "@port-server/domain/Name"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Record from "effect/Record"
import * as Schema from "effect/Schema"
import * as ComposeEnvironment from "../../compose/ComposeEnvironment.ts"
import * as EnvFile from "../../dotenv/EnvFile.ts"
import { assignment } from "../../dotenv/Quoting.ts"
import * as Output from "../../output/Output.ts"
import { ensureVariables, type Variables, valuesOf } from "../../project/PortVariables.ts"
import { currentFolder, type Here, here } from "../../project/ProjectContext.ts"
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

const answerOf = Effect.fnUntraced(function* (place: Here, variables: Variables) {
  const { app, instance } = variables.ensured
  const environment = Record.filter(process.env, Predicate.isNotUndefined)
  const project = yield* ComposeEnvironment.projectOf(place, variables.ensured, environment)
  const name = project === undefined ? {} : { [ComposeEnvironment.nameVariable]: project.name }
  return { app, instance, env: { ...Object.fromEntries(valuesOf(variables)), ...name } }
})

/** `portctl env` */
export const env = Command.make(
  "env",
  {
    summary: "Print the ports of this project's services as environment variables",
    details: [
      "The variables are those of portctl.json, otherwise WEB_PORT for web, and COMPOSE_PROJECT_NAME where there is a Compose file. Without --service, the services of portctl.json; without that file, those that have ports already, or web."
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
    const answer = Effect.gen(function* () {
      const place = yield* here(given)
      const isWhole = service.length === 0
      const asked = yield* requestedServices(place, service)
      const names = asked.map((each) => each.service)
      const composed = isWhole ? yield* ComposeEnvironment.heldServices(place, names) : []
      const variables = yield* ensureVariables(place, [...asked, ...composed], { isMain: isWhole, isWhole })
      return yield* answerOf(place, variables)
    })
    if (Option.isNone(write)) {
      yield* Output.print(Answer, { json: format === "json" })(answer, (answer) =>
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
      const found = yield* answer
      const { changed, setters } = yield* EnvFile.write(write.value, instanceLabel(found), lines(found))
      const name = escapeControls(write.value)
      yield* Console.log(
        changed
          ? `wrote ${Object.keys(found.env).join(", ")} of ${instanceLabel(found)} to ${name}`
          : `${name} has the ports of ${instanceLabel(found)} already`
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
