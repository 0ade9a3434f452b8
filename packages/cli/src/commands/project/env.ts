import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import { UsageError } from "@port-server/command-line/UsageError"
import { escapeControls } from "@port-server/domain/Name"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { projectEnvironment } from "../../compose/ProjectEnvironment.ts"
import * as EnvFile from "../../dotenv/EnvFile.ts"
import { assignment } from "../../dotenv/Quoting.ts"
import * as Output from "../../output/Output.ts"
import { instanceLabel } from "../../project/PlaceNotes.ts"
import { here, located } from "../../project/ProjectContext.ts"
import { refuseLedAway } from "../../project/RepositoryLinks.ts"
import * as SchemaOptions from "../SchemaOptions.ts"

const formats = ["dotenv", "export", "json"] as const

const format = Flag.choice("format", formats, "Format: dotenv (default), export for shells, or json").pipe(
  Flag.withDefault<(typeof formats)[number]>("dotenv")
)

const file = Flag.file({
  name: "write",
  placeholder: "FILE",
  description: "Write them to a marked block of this file"
}).pipe(Flag.optional)

const Answer = Schema.Struct({
  app: Schema.String,
  instance: Schema.String,
  env: Schema.Record({ key: Schema.String, value: Schema.String })
})

/** `portctl env` */
export const env = Command.make(
  "env",
  {
    summary: "Print the ports of this project's services as environment variables",
    details: [
      "The variables are those of portctl.json, otherwise WEB_PORT for web, and COMPOSE_PROJECT_NAME where there is a Compose file. Without --service, these are the services of portctl.json; without that file, those that already have ports, or else web."
    ],
    examples: ['eval "$(portctl env --format export)"', "portctl env --write .env.local"],
    parameters: { service: SchemaOptions.services, ...SchemaOptions.contextFlags, format, write: file },
    asksForJson: (args) => /(^|\0)--(json|format[=\0]json)(\0|$)/.test(args.join("\0"))
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
      const { ensured, env } = yield* projectEnvironment(yield* here(given), service)
      return { app: ensured.app, instance: ensured.instance, env }
    })
    if (Option.isNone(write)) {
      yield* Output.print(Answer, { json: format === "json" })(answer, (answer) =>
        [`# ${instanceLabel(answer)}`, ...lines(answer).values()].join("\n")
      )
      return
    }
    if (format === "json")
      return yield* new UsageError({ message: "--write takes --format dotenv or export, not json" })
    if (["", "-"].includes(write.value)) {
      return yield* new UsageError({ message: "--write needs the name of a file; without it they are printed" })
    }
    const writing = Effect.gen(function* () {
      const { top } = yield* located
      const target = yield* EnvFile.target(write.value)
      const isElsewhere = yield* refuseLedAway(write.value, top)
      yield* EnvFile.check(target)
      const found = yield* answer
      const { changed, dropped, former, setters } = yield* EnvFile.write(target, instanceLabel(found), lines(found))
      const name = escapeControls(write.value)
      yield* Console.log(
        changed
          ? `wrote ${Object.keys(found.env).join(", ")} of ${instanceLabel(found)} to ${name}`
          : `${name} has the ports of ${instanceLabel(found)} already`
      )
      // A copy of another worktree's file is meant to be changed, and a link to it is not.
      if (isElsewhere && former !== undefined) {
        yield* Console.error(`note: ${name} had the ports of ${escapeControls(former)}; its readers have these now`)
      }
      if (former !== undefined && dropped.length > 0) {
        yield* Console.error(`note: ${name} no longer sets ${dropped.join(", ")} of ${escapeControls(former)}`)
      }
      for (const { line, variable } of setters) {
        yield* Console.error(
          `note: line ${line} of ${name} sets ${variable} too, and which one counts depends on what reads the file`
        )
      }
    })
    yield* Output.toCliError(writing)
  })
)
