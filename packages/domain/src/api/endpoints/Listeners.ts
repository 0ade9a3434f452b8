import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"
import { ListenersUnavailable } from "../../Errors.ts"
import { ListenersQuery, ListeningPort } from "../../Listener.ts"

/** `GET /v1/listeners` */
export const listeners = HttpApiEndpoint.get("listeners", "/v1/listeners")
  .setUrlParams(ListenersQuery)
  .addSuccess(Schema.Array(ListeningPort))
  .addError(ListenersUnavailable.body)
  .annotate(OpenApi.Summary, "The ports that sockets of this machine hold, and whose they are")
  .annotate(
    OpenApi.Description,
    "With `ports`, those of them, each with its holder. With `path`, `belongs` is about the project in that folder, whoever holds the port."
  )
