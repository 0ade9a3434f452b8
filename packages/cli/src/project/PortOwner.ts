import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import * as Effect from "effect/Effect"
import { mainVariable, type Variables } from "./PortVariables.ts"

/**
 * Whose port a variable has that the user may not have chosen: that of another working copy, or, in PORT, that of another
 * service of this one.
 */
export const ownerElsewhere = ({ ensured: { app, instance }, outer, services }: Variables) =>
  Effect.fnUntraced(function* (port: number, variable: string) {
    const client = yield* PortServerClient
    const [other] = yield* client.list({ port })
    if (other?.path === undefined) return undefined
    const isOwn = other.app === app && other.instance === instance
    if (!isOwn && !outer.some((each) => each.port === port)) return other.owner
    const main = services.find(({ variables }) => variables.includes(mainVariable))
    return variable !== mainVariable || (isOwn && other.service === main?.service) ? undefined : other.owner
  })
