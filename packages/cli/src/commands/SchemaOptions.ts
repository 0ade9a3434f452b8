import * as Argument from "@port-server/command-line/command/Argument"
import * as Flag from "@port-server/command-line/command/Flag"
import * as Parameter from "@port-server/command-line/command/Parameter"
import { AllocationIdFromDigits } from "@port-server/domain/Allocation"
import { askedTwice, BlockSize } from "@port-server/domain/Block"
import type { RequestedService } from "@port-server/domain/Ensure"
import { escapeControls, Name } from "@port-server/domain/Name"
import { NumberFromDigits, PortFromDigits, RequestedPortFromDigits } from "@port-server/domain/Port"
import * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { name } from "./Options.ts"

// The flags that commands share and that schemas read. `completes` is the field of allocations whose values complete them.

export const wantedPort = Flag.number(
  { name: "port", placeholder: "PORT", description: "Exactly this port; 0 for the first free one (default)" },
  RequestedPortFromDigits
).pipe(Flag.withDefault(0))

/** The port of an allocation. */
export const port = Flag.number(
  { name: "port", placeholder: "PORT", description: "Port number", completes: "port" },
  PortFromDigits
)
export const id = Flag.number(
  {
    name: "id",
    placeholder: "ID",
    description: "The allocation with this id; no filter goes with it",
    completes: "id"
  },
  AllocationIdFromDigits.annotations({
    message: () => ({ message: "id must be a positive integer", override: true })
  })
).pipe(Flag.optional)

/** How many consecutive ports a service has. */
export const size = Flag.number(
  { name: "size", placeholder: "NUMBER", description: "Make each a block of this many consecutive ports" },
  Schema.compose(NumberFromDigits, Schema.typeSchema(BlockSize))
).pipe(Flag.optional)

export const portFilter = Flag.number(
  { name: "port", placeholder: "PORT", description: "Only this port", completes: "port" },
  RequestedPortFromDigits
).pipe(Flag.withDefault(0))

/** Which instance of which app, where it is not the one of the current folder. */
export const contextFlags = {
  app: name("app", "Application name (default: the repository's)", "PORTCTL_APP").pipe(
    Flag.withSchema(Name("app")),
    Flag.optional
  ),
  instance: name("instance", "Instance name, from now on (default: the worktree's)", "PORTCTL_INSTANCE").pipe(
    Flag.withSchema(Name("instance")),
    Flag.optional
  )
}

const Service = Schema.Struct({
  service: Name("service"),
  port: Schema.optionalWith(RequestedPortFromDigits, { exact: true })
})

const decodeService = ParseResult.decode(Service)

/** Services as the command line names them: `web`, or `db=5432` with its exact port. */
export const ServicesFromText = Schema.transformOrFail(
  Schema.Array(Schema.String),
  Schema.Array(Schema.typeSchema(Service)).pipe(Schema.filter(askedTwice)),
  {
    strict: true,
    // One by one: the message on a bad one does not depend on its place.
    decode: (items) =>
      Effect.forEach(items, (item) => {
        const [service = "", ...port] = item.trim().split("=")
        return decodeService(port.length === 0 ? { service } : { service, port: port.join("=") })
      }),
    encode: (services) =>
      ParseResult.succeed(services.map(({ port, service }) => (port === undefined ? service : `${service}=${port}`)))
  }
)

/** Names as words of their own, as `web db` or as `web,db`. */
export const splitAtCommas = Parameter.map((words: ReadonlyArray<string>) => words.flatMap((word) => word.split(",")))

const OneName = Schema.compose(Schema.Trim, Name("service")).pipe(
  Schema.filter((name) => !name.includes(",") || `one service is wanted, not ${escapeControls(name)}`)
)

const serviceList = (description: string) =>
  Flag.list({ name: "service", placeholder: "NAME[=PORT]", description, completes: "service" }).pipe(
    Flag.withSchema(ServicesFromText),
    Flag.withDefault<ReadonlyArray<RequestedService>>([])
  )

/** The services of a command, each with the exact port that is wanted for it, if any. */
export const services = serviceList("These services, not those of portctl.json")

/** Names of services. */
export const Names = Schema.Array(Schema.compose(Schema.Trim, Name("service")))

/** The services that a command is about, without ports. */
export const serviceNames = Flag.list({
  name: "service",
  placeholder: "NAME",
  description: "Only these services",
  completes: "service"
}).pipe(Flag.withSchema(Names), Flag.withDefault<ReadonlyArray<string>>([]))

/** The service whose processes a command ends. */
export const killedService = name("service", "The service whose port it is").pipe(
  Flag.withSchema(OneName),
  Flag.optional
)

/** The one service that a command must be given. */
export const requiredService = Argument.text({
  name: "SERVICE",
  description: "The service",
  completes: "service",
  forSeveral: "portctl ensure --service"
}).pipe(Parameter.withSchema(OneName))

/** The port on which a command ends processes. */
export const killedPort = Flag.number(
  { name: "port", placeholder: "PORT", description: "The port, whoever holds it", completes: "port" },
  PortFromDigits
).pipe(Flag.optional)

/** The services of a new project file, each with the port that it prefers, if any. */
export const newServices = serviceList("Its services (default: web), with the ports that they prefer")

/** The services that a command needs in addition to those of the project file. */
export const moreServices = serviceList("These services too; if it is only one, PORT is its port")

/** The one service of a command. */
export const oneService = name("service", "The service (default: the only one, or web)").pipe(
  Flag.withSchema(OneName),
  Flag.optional
)
