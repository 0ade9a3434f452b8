import type { Container, EngineStatus, PublishedPort, PublishingContainer } from "@port-server/domain/Container"
import type { Containers } from "@port-server/domain/Containers"

/** What was known of the containers of this machine at one moment. */
export interface ContainerView extends Pick<Containers, "containers" | "engine"> {
  /** Every container, by its id. */
  readonly byId: ReadonlyMap<string, Container>
  /** The ports that running containers publish. */
  readonly published: ReadonlyMap<number, ReadonlyArray<Publication>>
  /** The containers that would publish a port if they ran. */
  readonly reserved: ReadonlyMap<number, ReadonlyArray<Container>>
}

/** A port that a running container publishes. */
export interface Publication extends PublishedPort {
  readonly container: Container
}

const add = <A>(map: Map<number, Array<A>>, port: number, value: A) => {
  const others = map.get(port)
  if (others === undefined) map.set(port, [value])
  else others.push(value)
}

/** The containers, by what they are looked for. */
export const make = (engine: EngineStatus, containers: ReadonlyArray<PublishingContainer>): ContainerView => {
  const byId = new Map<string, Container>()
  const published = new Map<number, Array<Publication>>()
  const reserved = new Map<number, Array<Container>>()
  for (const { ports, state, ...container } of containers) {
    byId.set(container.id, container)
    if (state === "running") for (const each of ports) add(published, each.port, { ...each, container })
    else for (const port of new Set(ports.map(({ port }) => port))) add(reserved, port, container)
  }
  return { engine, containers, byId, published, reserved }
}
