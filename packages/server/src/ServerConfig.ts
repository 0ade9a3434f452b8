import type { PortRange } from "@port-server/domain/Port"
import * as Context from "effect/Context"
import type * as Option from "effect/Option"

/** What a port-server was told at its start. */
export class ServerConfig extends Context.Tag("@port-server/server/ServerConfig")<
  ServerConfig,
  {
    /** TCP port to listen on; 0 for any free one. */
    readonly port: number
    /** Path of the SQLite database file; its folder exists. */
    readonly database: string
    /** The ports that auto-assignment hands out. */
    readonly range: PortRange
    /** Path of the file that takes what is printed, where it is not printed. */
    readonly log: Option.Option<string>
    /** Whether auto-assignment skips the ports that something listens on. */
    readonly probe: boolean
    /** Where the container engine is: an `EngineChoice`. */
    readonly engine: string
  }
>() {}
