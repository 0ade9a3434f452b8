import * as Config from "effect/Config"
import * as ConfigError from "effect/ConfigError"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { InvalidRequest } from "./CommonErrors.ts"

/**
 * An environment variable as its schema reads it; missing or empty, it is `fallback`. A bad value fails with a
 * `ConfigError` whose message is the schema's sentence.
 */
export const variable = <A>(name: string, schema: Schema.Schema<A, string>, fallback: A): Config.Config<A> =>
  Config.string(name).pipe(
    Config.mapOrFail((text) =>
      text === ""
        ? Either.right(fallback)
        : Either.mapLeft(Schema.decodeEither(schema)(text), (error) =>
            ConfigError.InvalidData([], `${name}: ${InvalidRequest.fromParseError(error).message}`)
          )
    ),
    Config.withDefault(fallback)
  )

/** What an error says, also one that {@link variable} failed with, whose own text is meant for developers. */
export const sentenceOf = (error: unknown): string => {
  if (ConfigError.isConfigError(error) && error._op === "InvalidData") return error.message
  return error instanceof Error ? error.message : String(error)
}
