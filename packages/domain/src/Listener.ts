import * as Option from "effect/Option"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { Allocation, exact } from "./Allocation.ts"
import { Container } from "./Container.ts"
import { maxListenersPorts } from "./ListenerSockets.ts"
import { PortFromDigits } from "./Port.ts"
import { ProjectPath } from "./ProjectPath.ts"

const field = (description: string) => Schema.optionalWith(Schema.String.annotations({ description }), { exact: true })

/** The process that listens on a port, as far as the server may read it, and the container that it does so for. */
export const Listener = Schema.Struct({
  pid: Schema.optionalWith(Schema.Int.annotations({ description: "number of the process" }), { exact: true }),
  command: field("name of its program"),
  cwd: field("folder that it runs in"),
  user: field("name of the user whose it is"),
  container: Schema.optionalWith(
    Container.annotations({
      description: "the container that publishes the port, or in which the process has the network of this machine"
    }),
    { exact: true }
  )
}).annotations({ identifier: "Listener" })
/** The process that listens on a port, as far as the server may read it, and the container that it does so for. */
export type Listener = typeof Listener.Type

/** An instance of an app, and the folder that has it. */
export const SocketProject = Schema.Struct({
  app: Schema.String,
  instance: Schema.String,
  folder: Schema.String
}).annotations({ identifier: "SocketProject" })
/** An instance of an app, and the folder that has it. */
export type SocketProject = typeof SocketProject.Type
const belongs = (description: string) =>
  Schema.optionalWith(Schema.Literal("yes", "no", "unknown").annotations({ description }), { exact: true })

/** A socket that holds a port, and one process that has it open. */
export const PortSocket = Schema.Struct({
  protocol: Schema.Literal("tcp", "udp"),
  address: field("its local address, such as 0.0.0.0, 127.0.0.1, ::, where the system shows it"),
  state: Schema.Literal("listening", "bound", "connected").annotations({
    description: "connected: the local end of a connection, shown where nothing listens on the port or is bound to it"
  }),
  ...Listener.fields,
  belongs: belongs(
    "whether the process belongs to the project that holds the port: whether the deepest working copy that contains its folder, or that of its container's Compose project, is the project's"
  ),
  project: Schema.optionalWith(
    SocketProject.annotations({
      description: "the project that the process belongs to instead, where the registry knows its folder"
    }),
    { exact: true }
  )
}).annotations({ identifier: "PortSocket" })
/** A socket that holds a port, and one process that has it open. */
export type PortSocket = typeof PortSocket.Type

/** The sockets on a port; absent where there is none. */
export const portSockets = Schema.optionalWith(
  Schema.Array(PortSocket).annotations({
    description: "one for each socket on the port and process that has it open; the first of them is `listener`"
  }),
  { exact: true }
)

/** A stopped container that publishes a port: it could not be started if another had it. */
export const Reservation = Schema.Struct({
  container: Container,
  belongs: belongs("whether the container belongs to the project that holds the port"),
  others: Schema.optionalWith(
    Schema.Int.annotations({ description: "how many further stopped containers publish the port" }),
    { exact: true }
  )
}).annotations({ identifier: "Reservation" })
/** A stopped container that publishes a port. */
export type Reservation = typeof Reservation.Type

/** What is known of containers and a port. */
export const containerFields = {
  reserved: Schema.optionalWith(
    Reservation.annotations({ description: "absent where no stopped container publishes the port" }),
    { exact: true }
  ),
  container_error: Schema.optionalWith(
    Schema.String.annotations({ description: "why it is not known which containers publish the port" }),
    { exact: true }
  )
}

/** Why less is known of a port's listener than there is to know; absent when everything could be read. */
export const listenerError = Schema.optionalWith(
  Schema.String.annotations({ description: "why what listens, or who it is, could not be read" }),
  { exact: true }
)

/** A port that a socket of this machine holds, and the allocation of the port when it has one. */
export const ListeningPort = Schema.Struct({
  port: Schema.Int,
  addresses: Schema.Array(Schema.String).annotations({
    description: "local addresses, such as 0.0.0.0, 127.0.0.1, ::"
  }),
  listener: Listener,
  listeners: portSockets,
  listener_error: listenerError,
  ...containerFields,
  holder: Schema.optionalWith(Allocation, { exact: true })
}).annotations({ identifier: "ListeningPort" })
/** A port that a socket of this machine holds. */
export type ListeningPort = typeof ListeningPort.Type

const portsMessage = `ports must be at most ${maxListenersPorts} ports like 3000,3001`

const PortsFromText = Schema.transformOrFail(Schema.String, Schema.Array(Schema.Int), {
  strict: true,
  decode: (text, _, ast) => {
    const ports = text.split(",").map((digits) => Schema.decodeOption(PortFromDigits)(digits))
    return ports.length > maxListenersPorts || ports.some(Option.isNone)
      ? ParseResult.fail(new ParseResult.Type(ast, text, portsMessage))
      : ParseResult.succeed(ports.flatMap(Option.toArray))
  },
  encode: (ports) => ParseResult.succeed(ports.join(","))
})

/** Which listeners are meant: those on some ports, or all; and whether they belong to the project of a folder. */
export const ListenersQuery = Schema.Struct({
  ports: Schema.optionalWith(PortsFromText, { exact: true }),
  path: Schema.optionalWith(ProjectPath, { exact: true })
}).annotations(exact)
/** Which listeners are meant. */
export type ListenersQuery = typeof ListenersQuery.Type
