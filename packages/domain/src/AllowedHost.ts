import * as Schema from "effect/Schema"
import { isLoopbackHost } from "./Loopback.ts"

const form =
  /^(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*|\[[0-9a-f:.]+\])$/i

const sentence = (host: string): string =>
  isLoopbackHost(host)
    ? `${host} is allowed without a token already`
    : `an allowed host must be a name like host.docker.internal, without a port, not ${JSON.stringify(host.slice(0, 100))}`

/** A Host, without its port, under which requests with a token are accepted. */
export const AllowedHost = Schema.String.annotations({ message: () => "an allowed host must be a string" }).pipe(
  Schema.filter((host) => (form.test(host) && !isLoopbackHost(host)) || sentence(host), {
    description: "a host name without a port",
    jsonSchema: { pattern: "^[A-Za-z0-9_.:\\[\\]-]+$" }
  })
)

/** Several of them. */
export const AllowedHosts = Schema.Array(AllowedHost).annotations({
  description: "the hosts, beside this machine, under which requests with a token are accepted"
})

const split = (text: string): ReadonlyArray<string> =>
  text
    .split(",")
    .map((host) => host.trim())
    .filter((host) => host !== "")

/** {@link AllowedHosts} with commas between them. */
export const AllowedHostsFromText = Schema.transform(Schema.String, AllowedHosts, {
  strict: true,
  decode: split,
  encode: (hosts) => hosts.join(",")
})
