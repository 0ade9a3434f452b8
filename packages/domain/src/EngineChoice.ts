import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/** An engine that is found where engines usually are. */
export const anyEngine = "auto"

/** No engine is asked. */
export const noEngine = "none"

/** Where the container engine of this machine is: `auto`, `none`, the URL of its socket, or the name of a Docker context. */
export const EngineChoice = Schema.String.annotations({ message: () => "engine must be a string" }).pipe(
  Schema.filter(
    (text) =>
      /^unix:\/\/\/[^\0]+$/.test(text) ||
      /^[A-Za-z0-9][\w.+-]*$/.test(text) ||
      "engine must be auto, none, unix:///PATH or a Docker context; what is at tcp:// or ssh:// is another machine",
    { description: "where the container engine is: auto, none, unix:///PATH or a Docker context" }
  )
)

/** What Docker's own variables choose, as far as that may be on this machine. */
export const engineFromEnv: Effect.Effect<Option.Option<string>> = Effect.gen(function* () {
  const host = yield* Config.string("DOCKER_HOST").pipe(Config.withDefault(""))
  const context = yield* Config.string("DOCKER_CONTEXT").pipe(Config.withDefault(""))
  return Option.liftPredicate(Schema.is(EngineChoice))(host.startsWith("unix://") ? host : context)
}).pipe(Effect.orElseSucceed(Option.none))
