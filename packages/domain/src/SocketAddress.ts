import * as Data from "effect/Data"

/** Most bytes in the path of a Unix socket (unix(7), and sys/un.h of macOS). */
export const maxSocketPath = process.platform === "darwin" ? 103 : 107

const form = /^unix:(?:\/\/)?(\/(?!\/)[^\0]+)$/

/** Where a port-server listens: the absolute path of a Unix socket. */
export class SocketAddress extends Data.Class<{ readonly path: string }> {
  override toString(): string {
    return `unix:${this.path}`
  }

  /** The origin of URLs for an `HttpClient` that connects to the socket. */
  get url(): string {
    return "http://localhost"
  }
}

/** The address in `unix:/PATH`, of which `unix:///PATH` is another form, or the sentence that says why it is none. */
export const socketAddressOf = (text: string): SocketAddress | string => {
  const [, path] = form.exec(text) ?? []
  if (path === undefined)
    return `the address of a socket must be unix: and an absolute path, not ${JSON.stringify(text)}`
  return new TextEncoder().encode(path).length > maxSocketPath
    ? `the path of a socket has at most ${maxSocketPath} bytes, which ${JSON.stringify(text)} exceeds`
    : new SocketAddress({ path })
}
