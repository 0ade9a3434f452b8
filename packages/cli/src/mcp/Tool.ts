import type { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { InvalidRequest } from "@port-server/domain/CommonErrors"
import * as Effect from "effect/Effect"
import * as JSONSchema from "effect/JSONSchema"
import * as Schema from "effect/Schema"
import type { CliError } from "../errors/CliError.ts"
import type { CommandError } from "../output/ErrorText.ts"
import * as Notes from "../output/Notes.ts"
import { toCliError } from "../output/Output.ts"

/** A schema as the SDK takes it: it only describes; {@link Tool.call} decodes, so that errors are this program's own. */
const described = <A, I>(schema: Schema.Schema<A, I>) => {
  const json = (): Record<string, unknown> => ({ ...JSONSchema.make(schema, { target: "jsonSchema2020-12" }) })
  return {
    "~standard": {
      version: 1 as const,
      vendor: "effect",
      validate: (value: unknown) => ({ value }),
      jsonSchema: { input: json, output: json }
    }
  }
}

const Noted = Schema.Struct({
  notes: Schema.Array(Schema.String).annotations({ description: "what the command line would note on stderr" })
})

/** What a tool does to the registry. */
type Effects = "reads" | "adds" | "releases"

/** A tool of the server, by its name. */
export interface Tool {
  readonly name: string
  readonly isReadOnly: boolean
  readonly config: {
    readonly title: string
    readonly description: string
    readonly inputSchema: ReturnType<typeof described>
    readonly outputSchema: ReturnType<typeof described>
    readonly annotations: Readonly<Record<string, boolean>>
  }
  /** The structured result of a call with these arguments. */
  readonly call: (args: unknown) => Effect.Effect<object, CliError, PortServerClient>
}

/** A tool from the schemas of its arguments and its result, to which the notes are added. */
export const make = <A, I, B extends object, J extends object>(
  name: string,
  about: {
    readonly title: string
    readonly description: string
    readonly effects: Effects
    readonly input: Schema.Schema<A, I>
    readonly output: Schema.Schema<B, J>
  },
  run: (args: A) => Effect.Effect<B, CommandError, PortServerClient>
): Tool => {
  const { description, effects, input, output, title } = about
  const decode = Schema.decodeUnknown(input, { onExcessProperty: "error" })
  const result = Schema.extend(output, Noted)
  const encode = Schema.encodeSync(result)
  return {
    name,
    isReadOnly: effects === "reads",
    config: {
      title,
      description,
      inputSchema: described(input),
      outputSchema: described(result),
      annotations: {
        readOnlyHint: effects === "reads",
        destructiveHint: effects === "releases",
        idempotentHint: true,
        openWorldHint: false
      }
    },
    call: (args) =>
      Effect.mapError(decode(args), InvalidRequest.fromParseError).pipe(
        Effect.flatMap(run),
        Notes.collect,
        toCliError,
        Effect.map(([found, notes]) => encode({ ...found, notes }))
      )
  }
}
