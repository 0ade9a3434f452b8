import type * as Config from "effect/Config"
import type * as Effect from "effect/Effect"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { serverAddress } from "./Defaults.ts"
import { variable } from "./EnvConfig.ts"
import { Port } from "./Port.ts"
import { SocketAddress, SocketAddressFromText } from "./SocketAddress.ts"

const form = /^(?:http:\/\/)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+):([1-9][0-9]{0,4})\/?$/

/** Where a port-server listens by TCP: a host name or address (IPv6 in brackets) and a TCP port. */
export class ServerAddress extends Schema.Class<ServerAddress>("ServerAddress")({ host: Schema.String, port: Port }) {
  override toString(): string {
    return `${this.host}:${this.port}`
  }

  /** The address as the origin of URLs, `http://127.0.0.1:51234`. */
  get url(): string {
    return `http://${this}`
  }
}

const addressText = Schema.String.annotations({ jsonSchema: { type: "string", pattern: form.source } })

/** {@link ServerAddress} written as `host:port`; `http://` in front of it is allowed. */
export const ServerAddressFromText = Schema.transformOrFail(addressText, Schema.typeSchema(ServerAddress), {
  strict: true,
  decode: (text, _, ast) => {
    const [, host, digits] = form.exec(text) ?? []
    const port = Number(digits)
    return host !== undefined && Schema.is(Port)(port)
      ? ParseResult.succeed(new ServerAddress({ host, port }))
      : ParseResult.fail(
          new ParseResult.Type(
            ast,
            text,
            `the address must be host:port like ${serverAddress}, not ${JSON.stringify(text)}`
          )
        )
  },
  encode: (address) => ParseResult.succeed(address.toString())
})

/** Where a port-server listens. */
export type Address = ServerAddress | SocketAddress

/** Whether an address is that of a Unix socket. */
export const isSocketAddress = (address: Address): address is SocketAddress => address instanceof SocketAddress

const anyText = Schema.String.annotations({
  jsonSchema: { type: "string", pattern: `${form.source}|^unix:(//)?/[^/]` }
})

const decodeSocket = ParseResult.decode(SocketAddressFromText)
const decodeServer = ParseResult.decode(ServerAddressFromText)

/** An {@link Address} as `host:port`, or `unix:/PATH`. */
export const AddressFromText = Schema.transformOrFail(
  anyText,
  Schema.Union(Schema.typeSchema(ServerAddress), Schema.typeSchema(SocketAddress)),
  {
    strict: true,
    decode: (text): Effect.Effect<Address, ParseResult.ParseIssue> =>
      text.startsWith("unix:") ? decodeSocket(text) : decodeServer(text),
    encode: (address) => ParseResult.succeed(address.toString())
  }
)

/** `127.0.0.1:51234` */
export const defaultAddress: ServerAddress = Schema.decodeSync(ServerAddressFromText)(serverAddress)

/** The address in `PORT_SERVER_ADDR`, or {@link defaultAddress}. */
export const addressFromEnv: Config.Config<Address> = variable<Address>(
  "PORT_SERVER_ADDR",
  AddressFromText,
  defaultAddress
)
