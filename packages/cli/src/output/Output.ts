import * as Terminal from "@port-server/command-line/terminal/Terminal"
import { escapeJson } from "@port-server/domain/Name"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { CliError } from "../errors/CliError.ts"
import type { CommandError, MessageOverrides } from "./ErrorText.ts"

/** A value as JSON text that is safe to show on a terminal. */
export const jsonText = (value: unknown, indent?: number): string =>
  escapeJson(JSON.stringify(value, undefined, indent))

/** Turn the client's errors into those of the command line; nothing is printed. */
export const toCliError = <A, R>(
  call: Effect.Effect<A, CommandError, R>,
  overrides: MessageOverrides = {}
): Effect.Effect<A, CliError, R> =>
  Effect.catchAll(call, (error) =>
    // Loaded only then: it has the schema of every error.
    Effect.flatMap(
      Effect.promise(() => import("./ErrorText.ts")),
      ({ asCliError }) => asCliError(error, overrides)
    )
  )

/** Print an error, with `json`, in the API's own form; it is reported on stderr, too. */
export const printError =
  (json: boolean) =>
  <A, R>(effect: Effect.Effect<A, CliError, R>): Effect.Effect<A, CliError, R> =>
    json ? Effect.tapError(effect, ({ body }) => Console.log(jsonText(body))) : effect

/**
 * Print a result: as text by `format`, or with `json` in the API's own form, in which an error is printed too.
 *
 * @param schema the success schema of the endpoint that was called
 */
export const print =
  <A, I>(schema: Schema.Schema<A, I>, options: { readonly json: boolean; readonly indent?: number }) =>
  <R, B extends A = A>(
    call: Effect.Effect<B, CommandError, R>,
    format: (result: B, terminal: Terminal.Terminal) => string,
    overrides: MessageOverrides = {}
  ): Effect.Effect<B, CliError, R> =>
    toCliError(call, overrides).pipe(
      printError(options.json),
      Effect.tap((value) =>
        options.json
          ? Console.log(jsonText(Schema.encodeSync(schema)(value), options.indent))
          : Effect.flatMap(Terminal.stdout, (terminal) => Console.log(format(value, terminal)))
      )
    )
