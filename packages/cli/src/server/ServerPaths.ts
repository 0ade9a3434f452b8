import { existsSync, realpathSync } from "node:fs"
import { dirname, join } from "node:path"
import * as Defaults from "@port-server/domain/Defaults"
import type { ServerAddress } from "@port-server/domain/ServerAddress"
import * as Effect from "effect/Effect"
import { ServerNotStarted } from "../errors/ServerErrors.ts"
import * as DataFolder from "../platform/DataFolder.ts"

/** The port-server that belongs to this portctl: the file beside it. */
export const program: Effect.Effect<string, ServerNotStarted> = Effect.suspend(() => {
  const file = join(dirname(realpathSync(process.argv[1] ?? "")), "port-server")
  return existsSync(file)
    ? Effect.succeed(file)
    : new ServerNotStarted({
        message: `cannot start port-server: there is no ${file}; build or install it beside portctl`
      })
})

/** The log of the server that portctl starts at a port, unless another is set: the default port's has the plain name. */
export const defaultLog = ({ port }: ServerAddress): string =>
  join(DataFolder.path(), port === Defaults.serverPort ? "port-server.log" : `port-server-${port}.log`)
