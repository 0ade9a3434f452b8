import * as Schema from "effect/Schema"

/** Answer of `GET /healthz`. */
export const Health = Schema.Struct({ status: Schema.Literal("ok") }).annotations({ identifier: "Health" })
