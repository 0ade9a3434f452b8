import * as Schema from "effect/Schema"

const field = (description: string) => Schema.optionalWith(Schema.String.annotations({ description }), { exact: true })

/** A container of this machine's container engine. */
export const Container = Schema.Struct({
  id: Schema.String,
  name: Schema.String,
  image: Schema.String,
  project: field("its Compose project"),
  service: field("its service in that"),
  folder: field("the working folder of its Compose project"),
  engine: Schema.optionalWith(Schema.Literal("podman").annotations({ description: "absent: Docker" }), { exact: true }),
  restarting: Schema.optionalWith(
    Schema.Literal(true).annotations({
      description: "it ended, and the engine is about to start it again by its restart policy"
    }),
    { exact: true }
  )
}).annotations({ identifier: "Container" })
/** A container of this machine's container engine. */
export type Container = typeof Container.Type

/** What is known of the container engine of this machine. */
export const EngineStatus = Schema.Struct({
  status: Schema.Literal("running", "none", "unknown").annotations({
    description: "none: nothing answers as one; unknown: it may not be asked, or does not answer"
  }),
  kind: Schema.optionalWith(Schema.Literal("docker", "podman"), { exact: true }),
  socket: field("path of its socket"),
  error: field("why it is unknown, or what of it is")
}).annotations({ identifier: "EngineStatus" })
/** What is known of the container engine of this machine. */
export type EngineStatus = typeof EngineStatus.Type

/** A port of this machine that a container publishes. */
export const PublishedPort = Schema.Struct({
  port: Schema.Int,
  protocol: Schema.Literal("tcp", "udp"),
  address: field("the local address, such as 0.0.0.0; absent: every one")
}).annotations({ identifier: "PublishedPort" })
/** A port of this machine that a container publishes. */
export type PublishedPort = typeof PublishedPort.Type

/** A container and the ports of this machine that it publishes, or would publish if it ran. */
export const PublishingContainer = Schema.Struct({
  ...Container.fields,
  state: Schema.Literal("running", "stopped"),
  ports: Schema.Array(PublishedPort)
}).annotations({ identifier: "PublishingContainer" })
/** A container and the ports of this machine that it publishes, or would publish if it ran. */
export type PublishingContainer = typeof PublishingContainer.Type
