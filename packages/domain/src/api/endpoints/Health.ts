import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as OpenApi from "@effect/platform/OpenApi"
import { Health } from "../Health.ts"

/** `GET /healthz` */
export const health = HttpApiEndpoint.get("health", "/healthz")
  .addSuccess(Health)
  .annotate(OpenApi.Summary, "Whether the server is up")
