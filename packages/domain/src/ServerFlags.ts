import * as Schema from "effect/Schema"
import * as Defaults from "./Defaults.ts"
import { anyEngine, noEngine } from "./EngineChoice.ts"

// How a port-server is started: the flags of port-server that portctl passes on to it.

/** The name of a file, which is not empty. @param what what the message on an empty one calls it */
export const fileName = (what: string) =>
  Schema.String.pipe(
    Schema.filter((name) => {
      if (name === "") return `${what} must have a name`
      return !name.endsWith("/") || `${what} must not be a folder, as the slash at its end says`
    })
  )

/** The database file. */
export const db = {
  name: "db",
  placeholder: "FILE",
  description: `Database file (default ~/${Defaults.dataFolder}/${Defaults.databaseFile})`,
  variable: "PORT_SERVER_DB"
}

/** The Unix socket to listen on beside TCP. */
export const socket = {
  name: "socket",
  placeholder: "PATH",
  description: "Unix socket to listen on as well (default: the database file's name with .sock)",
  variable: "PORT_SERVER_SOCKET"
}

/** The hosts under which requests with a token are accepted. */
export const allowHost = {
  name: "allow-host",
  placeholder: "NAME",
  description: "Also accept requests for these hosts, which then need a token (see docs/sandboxes.md)",
  variable: "PORT_SERVER_ALLOW_HOST"
}

/** The ports to hand out. */
export const range = {
  name: "range",
  placeholder: "FIRST-LAST",
  description: `Ports to hand out (default ${Defaults.portRange.first}-${Defaults.portRange.last})`,
  variable: "PORT_SERVER_RANGE"
}

/** Where the container engine is. */
export const engine = {
  name: "engine",
  placeholder: "ENGINE",
  description: `Container engine: ${anyEngine} (default), ${noEngine}, unix:///PATH or a Docker context`,
  variable: "DOCKER_HOST"
}

/** Whether auto-assignment skips the check for what listens. */
export const noProbe = { name: "no-probe", description: "Hand out ports even while something listens on them" }
