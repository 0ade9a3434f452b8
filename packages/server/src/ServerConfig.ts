import type { PortRange } from "@port-server/domain/Port"
import * as Context from "effect/Context"

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
    /** Whether auto-assignment skips the ports that something listens on. */
    readonly probe: boolean
  }
>() {}
