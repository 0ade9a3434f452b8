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

/** The default log of the server at a port; that of the default port has no number in its name. */
export const defaultLog = ({ port }: ServerAddress): string =>
  join(DataFolder.path(), port === Defaults.serverPort ? "port-server.log" : `port-server-${port}.log`)

/**
 * The log where no other one is set: in the data folder, or beside a database that is elsewhere, as the socket is, where
 * that folder cannot be used.
 *
 * @param folder the data folder, made or found
 * @param database the database that is set, if one is
 */
export const usualLog = (
  folder: Effect.Effect<string, DataFolder.DataFolderUnusable>,
  address: ServerAddress,
  database: string | undefined
): Effect.Effect<string, DataFolder.DataFolderUnusable> =>
  Effect.matchEffect(folder, {
    onFailure: (unusable) => (database === undefined ? unusable : Effect.succeed(`${database}.log`)),
    onSuccess: () => Effect.succeed(defaultLog(address))
  })
