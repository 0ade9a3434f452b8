import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import * as Effect from "effect/Effect"
import { mainVariable, type Variables } from "./PortVariables.ts"

/** Whose the ports are that variables have already, seen from the project that a command runs in. */
export const portOwners = ({ ensured: { app, instance }, main, outer, services }: Variables) => ({
  /** Whether it is a port of this very project. */
  isOwn: (port: number): boolean => services.some((each) => each.port === port),

  /**
   * Whose port a variable has that the user may not have chosen: that of another working copy, or, in PORT, one of another
   * service where PORT is of a certain one.
   */
  ownerElsewhere: Effect.fnUntraced(function* (port: number, variable: string) {
    const client = yield* PortServerClient
    const [other] = yield* client.list({ port })
    if (other?.path === undefined) return undefined
    const isOwn = other.app === app && other.instance === instance
    if (!isOwn && !outer.some((each) => each.port === port)) return other.owner
    const isMeant = isOwn && (main.length === 0 || main.includes(other.service))
    return variable !== mainVariable || isMeant ? undefined : other.owner
  })
})
