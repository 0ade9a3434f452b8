import type * as Config from "effect/Config"
import * as Data from "effect/Data"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { serverAddress, serverHost, serverPort } from "./Defaults.ts"
import { variable } from "./EnvConfig.ts"
import { Port } from "./Port.ts"
import { SocketAddress, socketAddressOf } from "./SocketAddress.ts"

const form = /^(?:http:\/\/)?(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]+):([1-9][0-9]{0,4})\/?$/

/** Where a port-server listens by TCP: a host name or address (IPv6 in brackets) and a TCP port. */
export class ServerAddress extends Data.Class<{ readonly host: string; readonly port: Port }> {
  override toString(): string {
    return `${this.host}:${this.port}`
  }

  /** The address as the origin of URLs, `http://127.0.0.1:51234`. */
  get url(): string {
    return `http://${this}`
  }
}

/** The address in `host:port`, in front of which `http://` is allowed, or the sentence that says why it is none. */
const serverAddressOf = (text: string): ServerAddress | string => {
  const [, host, digits] = form.exec(text) ?? []
  const port = Number(digits)
  return host !== undefined && Schema.is(Port)(port) && URL.canParse(`http://${host}:${port}`)
    ? new ServerAddress({ host, port })
    : `the address must be host:port like ${serverAddress}, not ${JSON.stringify(text)}`
}

/** Where a port-server listens. */
export type Address = ServerAddress | SocketAddress

/** Whether an address is that of a Unix socket. */
export const isSocketAddress = (address: Address): address is SocketAddress => address instanceof SocketAddress

const anyText = Schema.String.annotations({
  jsonSchema: { type: "string", pattern: `${form.source}|^unix:(//)?/[^/]` }
})

/** An {@link Address} as `host:port`, or `unix:/PATH`. */
export const AddressFromText = Schema.transformOrFail(
  anyText,
  Schema.Union(Schema.instanceOf(ServerAddress), Schema.instanceOf(SocketAddress)),
  {
    strict: true,
    decode: (text, _, ast) => {
      const found = text.startsWith("unix:") ? socketAddressOf(text) : serverAddressOf(text)
      return typeof found === "string"
        ? ParseResult.fail(new ParseResult.Type(ast, text, found))
        : ParseResult.succeed(found)
    },
    encode: (address) => ParseResult.succeed(address.toString())
  }
)

/** `127.0.0.1:51234` */
export const defaultAddress = new ServerAddress({ host: serverHost, port: Port.make(serverPort, true) })

/** The address in `PORT_SERVER_ADDR`, or {@link defaultAddress}. */
export const addressFromEnv: Config.Config<Address> = variable<Address>(
  "PORT_SERVER_ADDR",
  AddressFromText,
  defaultAddress
)
