import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"
import { PortFromDigits } from "../../Port.ts"
import { PortStatus } from "../Results.ts"

const PortPath = Schema.Struct({
  port: PortFromDigits.annotations({
    jsonSchema: { type: "integer", minimum: 1, maximum: 65535 },
    message: () => ({ message: "invalid port", override: true })
  })
})

/** `GET /v1/ports/{port}` */
export const check = HttpApiEndpoint.get("check", "/v1/ports/:port")
  .setPath(PortPath)
  .addSuccess(PortStatus)
  .annotate(OpenApi.Summary, "Whether a port is allocated, to whom, and which sockets hold it")
