// Ask port-server for a port, use it, give it back. With a port-server running: npm run example
import * as FetchHttpClient from "@effect/platform/FetchHttpClient"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { sentenceOf } from "@port-server/domain/EnvConfig"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const program = Effect.gen(function* () {
  const client = yield* PortServerClient
  const web = yield* client.allocate({ app: "example", instance: "main", service: "web" })
  yield* Console.log(`got port ${web.port}`)

  // The same port again: the error is a value that knows who holds it.
  yield* client
    .allocate({ app: "other", instance: "main", service: "web", port: web.port })
    .pipe(Effect.catchTag("PortTaken", ({ holder }) => Console.log(`port ${holder.port} belongs to ${holder.owner}`)))

  yield* client.release(web.id)
  yield* Console.log(`released port ${web.port}`)
})

program.pipe(
  Effect.provide(PortServerClient.Default.pipe(Layer.provide(FetchHttpClient.layer))),
  Effect.catchAll((error) =>
    Effect.zipRight(
      Console.error(`error: ${sentenceOf(error)}`),
      Effect.sync(() => {
        process.exitCode = 1
      })
    )
  ),
  Effect.runPromise
)
