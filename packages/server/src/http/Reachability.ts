import { mountsOf } from "@port-server/domain/Mounts"
import { networkNamespace } from "@port-server/domain/NetworkNamespace"
import type { ServerInfo } from "@port-server/domain/ServerInfo"
import * as Effect from "effect/Effect"
import { ServerConfig } from "../ServerConfig.ts"

/** Where this server can be reached, once it listens. */
export class Reachability extends Effect.Service<Reachability>()("@port-server/server/http/Reachability", {
  effect: Effect.map(ServerConfig, ({ allowHosts }) => {
    let socket: { readonly path: string; readonly hasPath: () => boolean } | undefined
    const network = networkNamespace()
    const mount = mountsOf("self").findLast(({ point }) => point === "/")?.id
    return {
      /** It listens on a Unix socket, too, as long as that has its path. */
      addSocket: (path: string, hasPath: () => boolean): void => {
        socket = { path, hasPath }
      },

      /** Adds this to what the server says about itself. */
      describe: (info: ServerInfo): ServerInfo => ({
        ...info,
        ...(socket?.hasPath() ? { socket: socket.path } : {}),
        ...(allowHosts.length === 0 ? {} : { allow_hosts: allowHosts }),
        ...(network === undefined ? {} : { network }),
        ...(mount === undefined ? {} : { mount })
      })
    }
  })
}) {}
