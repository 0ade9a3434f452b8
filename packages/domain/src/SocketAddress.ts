import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

/** Most bytes in the path of a Unix socket (unix(7), and sys/un.h of macOS). */
export const maxSocketPath = process.platform === "darwin" ? 103 : 107

const form = /^unix:(?:\/\/)?(\/(?!\/)[^\0]+)$/

/** Where a port-server listens: the absolute path of a Unix socket. */
export class SocketAddress extends Schema.Class<SocketAddress>("SocketAddress")({ path: Schema.String }) {
  override toString(): string {
    return `unix:${this.path}`
  }

  /** The origin of URLs for an `HttpClient` that connects to the socket. */
  get url(): string {
    return "http://localhost"
  }
}

const addressText = Schema.String.annotations({ jsonSchema: { type: "string", pattern: "^unix:(//)?/[^/]" } })

/** {@link SocketAddress} written as `unix:/PATH`; `unix:///PATH` is the same. */
export const SocketAddressFromText = Schema.transformOrFail(addressText, Schema.typeSchema(SocketAddress), {
  strict: true,
  decode: (text, _, ast) => {
    const [, path] = form.exec(text) ?? []
    const fail = (message: string) => ParseResult.fail(new ParseResult.Type(ast, text, message))
    if (path === undefined) {
      return fail(`the address of a socket must be unix: and an absolute path, not ${JSON.stringify(text)}`)
    }
    return new TextEncoder().encode(path).length > maxSocketPath
      ? fail(`the path of a socket has at most ${maxSocketPath} bytes, which ${JSON.stringify(text)} exceeds`)
      : ParseResult.succeed(new SocketAddress({ path }))
  },
  encode: (address) => ParseResult.succeed(address.toString())
})
