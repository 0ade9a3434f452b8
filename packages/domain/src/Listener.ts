import * as Schema from "effect/Schema"
import { Allocation } from "./Allocation.ts"

const field = (description: string) => Schema.optionalWith(Schema.String.annotations({ description }), { exact: true })

/** The process that listens on a port, as far as the server may read it. */
export const Listener = Schema.Struct({
  pid: Schema.optionalWith(Schema.Int.annotations({ description: "number of the process" }), { exact: true }),
  command: field("name of its program"),
  cwd: field("folder that it runs in"),
  user: field("name of the user whose it is")
}).annotations({ identifier: "Listener" })
/** The process that listens on a port, as far as the server may read it. */
export type Listener = typeof Listener.Type

/** Why less is known of a port's listener than there is to know; absent when everything could be read. */
export const listenerError = Schema.optionalWith(
  Schema.String.annotations({ description: "why what listens, or who it is, could not be read" }),
  { exact: true }
)

/** A port that something on this machine listens on, and the allocation of the port when it has one. */
export const ListeningPort = Schema.Struct({
  port: Schema.Int,
  addresses: Schema.Array(Schema.String).annotations({
    description: "local addresses, such as 0.0.0.0, 127.0.0.1, ::"
  }),
  listener: Listener,
  listener_error: listenerError,
  holder: Schema.optionalWith(Allocation, { exact: true })
}).annotations({ identifier: "ListeningPort" })
/** A port that something on this machine listens on. */
export type ListeningPort = typeof ListeningPort.Type
