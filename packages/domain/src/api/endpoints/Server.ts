import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as OpenApi from "@effect/platform/OpenApi"
import { ServerInfo } from "../../ServerInfo.ts"

/** `GET /v1/server` */
export const server = HttpApiEndpoint.get("server", "/v1/server")
  .addSuccess(ServerInfo)
  .annotate(OpenApi.Summary, "What the server says about itself")
