import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import * as Effect from "effect/Effect"
import type { Variables } from "./PortVariables.ts"

/** The owner of a port that was allocated for another working copy. */
export const ownerElsewhere = ({ ensured: { app, instance }, outer }: Variables) =>
  Effect.fnUntraced(function* (port: number) {
    const client = yield* PortServerClient
    const [other] = yield* client.list({ port })
    if (other?.path === undefined || (other.app === app && other.instance === instance)) return undefined
    if (outer.some((each) => each.port === port)) return undefined
    return other.owner
  })
