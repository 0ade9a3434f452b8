import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import * as Schema from "effect/Schema"

// Each error has a class, which programs catch, and a `body`, which is the wire: `{"error": "<sentence>"}` and a status.
// The bodies are written out one by one, because a helper over the classes loses their types. The classes themselves have
// no schema: nothing else encodes them, and one of `Schema.TaggedError` costs every start of a program 2 million
// instructions.

/** The `error` field of every body. */
export const sentence = Schema.String.annotations({ description: "one sentence for a person" })

/** The status and the name of a body. */
export const wire = <A>(status: number, identifier: string) =>
  HttpApiSchema.annotations<A>({ status, identifier, description: identifier })

/** The body of an error that is its sentence alone. */
export const sentenceBody = Schema.Struct({ error: sentence })
