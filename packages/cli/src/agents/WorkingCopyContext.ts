import type { Allocation } from "@port-server/domain/Allocation"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { servicesIn } from "../compose/ComposeEnvironment.ts"
import { ServiceState, serviceStates } from "../project/PortStates.ts"
import { ensureVariables, valuesOf } from "../project/PortVariables.ts"
import type { Here } from "../project/ProjectContext.ts"
import { heldPorts } from "../project/ProjectPorts.ts"

/** Another working copy of the same app, and the ports that it has. */
const Sibling = Schema.Struct({
  instance: Schema.String,
  folder: Schema.optionalWith(Schema.String, { exact: true }),
  ports: Schema.Array(Schema.Struct({ service: Schema.String, port: Schema.Int }))
})
type Sibling = typeof Sibling.Type

/** What there is to know of a working copy before something is started in it. */
export const WorkingCopyContext = Schema.Struct({
  app: Schema.String,
  instance: Schema.String,
  folder: Schema.String.annotations({ description: "the project's folder" }),
  services: Schema.Array(ServiceState),
  variables: Schema.Record({ key: Schema.String, value: Schema.String }).annotations({
    description: "the environment variables of portctl env, as far as their ports are allocated"
  }),
  siblings: Schema.Array(Sibling).annotations({
    description: "the other working copies of the app, whose ports and processes are not this one's"
  })
})
/** What there is to know of a working copy before something is started in it. */
export type WorkingCopyContext = typeof WorkingCopyContext.Type

const siblingsOf = (allocations: ReadonlyArray<Allocation>, { folder }: Here): ReadonlyArray<Sibling> => {
  const found = new Map<string, { readonly instance: string; readonly folder?: string; ports: Array<Allocation> }>()
  for (const each of allocations) {
    const { instance, path } = each
    if (path === folder) continue
    const key = JSON.stringify([instance, path])
    const sibling = found.get(key) ?? { instance, ...(path === undefined ? {} : { folder: path }), ports: [] }
    sibling.ports.push(each)
    found.set(key, sibling)
  }
  return [...found.values()].map(({ ports, ...sibling }) => ({
    ...sibling,
    ports: ports.map(({ port, service }) => ({ service, port }))
  }))
}

/** What there is to know of the working copy where a command runs. Nothing is allocated. */
export const contextOf = Effect.fnUntraced(function* (here: Here) {
  const { allocations, app, instance } = yield* heldPorts(here)
  const named = yield* servicesIn(here)
  const services = yield* serviceStates(here, named)
  const withPorts = allocations.map(({ service }) => service)
  const held = here.project === undefined ? withPorts : named.filter((name) => withPorts.includes(name))
  const variables = yield* ensureVariables(
    here,
    held.map((service) => ({ service })),
    { isMain: true, isWhole: true, isHeldOnly: true }
  )
  const client = yield* PortServerClient
  const context: WorkingCopyContext = {
    app,
    instance,
    folder: here.folder,
    services,
    variables: Object.fromEntries(valuesOf(variables)),
    siblings: siblingsOf(yield* client.list({ app }), here)
  }
  return context
})
