import * as Schema from "effect/Schema"

/** What a running port-server says about itself. */
export const ServerInfo = Schema.Struct({
  version: Schema.String,
  pid: Schema.Int.annotations({ description: "number of its process" }),
  user: Schema.optionalWith(
    Schema.String.annotations({
      description: "name of the user that it runs as, or the number of one without a name; an older server does not say"
    }),
    { exact: true }
  ),
  started_at: Schema.String.annotations({ description: "UTC, whole seconds", examples: ["2025-02-08T15:04:05Z"] }),
  socket: Schema.optionalWith(
    Schema.String.annotations({
      description: "path of the Unix socket that it listens on, too; not there when it listens on TCP alone"
    }),
    { exact: true }
  ),
  allow_hosts: Schema.optionalWith(
    Schema.Array(Schema.String).annotations({
      description: "the hosts, beside this machine, under which it accepts requests with a token; not there without any"
    }),
    { exact: true }
  ),
  network: Schema.optionalWith(
    Schema.String.annotations({
      description: "the network namespace whose ports it sees; not there where the system has none"
    }),
    { exact: true }
  ),
  mount: Schema.optionalWith(
    Schema.String.annotations({
      description: "the number of the mount that is its root folder; not there where the system has none"
    }),
    { exact: true }
  ),
  database: Schema.String.annotations({ description: "path of the database file" }),
  range: Schema.String.annotations({ description: "the ports that it hands out", examples: ["3000-9999"] }),
  probe: Schema.optionalWith(
    Schema.Boolean.annotations({
      description: "whether it skips ports that something listens on; an older server does not say"
    }),
    { exact: true }
  ),
  engine: Schema.optionalWith(
    Schema.String.annotations({
      description: "where it looks for the container engine; an older server does not say",
      examples: ["auto"]
    }),
    { exact: true }
  ),
  log: Schema.optionalWith(
    Schema.String.annotations({
      description: "path of its log file; not there when it prints its log, and an older server does not say"
    }),
    { exact: true }
  ),
  allocations: Schema.optionalWith(
    Schema.NonNegativeInt.annotations({
      description: "how many ports are allocated; not there when that cannot be read"
    }),
    { exact: true }
  )
}).annotations({ identifier: "ServerInfo" })
/** What a running port-server says about itself. */
export type ServerInfo = typeof ServerInfo.Type
