import * as Command from "@port-server/command-line/command/Command"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { isLoopbackHost } from "@port-server/domain/Loopback"
import { type Address, isSocketAddress } from "@port-server/domain/ServerAddress"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { wayTo } from "../../client/Transport.ts"
import { CliError } from "../../errors/CliError.ts"
import * as Output from "../../output/Output.ts"
import * as Browser from "../../platform/Browser.ts"
import { usualAddress } from "../../settings/UsualAddress.ts"
import * as Options from "../Options.ts"

const OpenedPage = Schema.Struct({ url: Schema.String })

const opened = Effect.fnUntraced(function* (address: Address) {
  const client = yield* PortServerClient
  yield* client.health()
  const way = wayTo(address)
  if (isSocketAddress(way)) {
    return yield* CliError.make(`a browser cannot open ${way}: portctl dashboard opens the page where port-server runs`)
  }
  if (!isLoopbackHost(way.host)) {
    return yield* CliError.make(
      `a browser does not send the token that ${way} needs: portctl dashboard opens the page where port-server runs`
    )
  }
  const url = `http://${address}/`
  if (!(yield* Browser.open(url))) return yield* CliError.make(`there is no browser to open ${url} in`)
  return { url }
})

/** Open the server's page in the browser, and print its address. */
export const openPage = Effect.fnUntraced(function* (json: boolean) {
  const address = yield* usualAddress
  yield* Output.print(OpenedPage, { json })(opened(address), ({ url }) => `opened ${url}`)
})

/** `portctl dashboard` */
export const dashboard = Command.make(
  "dashboard",
  {
    summary: "Open the page with all ports in the browser",
    details: ["It is the page that port-server has at /. portctl open outside a project opens it too."],
    examples: ["portctl dashboard"],
    parameters: { json: Options.json }
  },
  ({ json }) => openPage(json)
)
