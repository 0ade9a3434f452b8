import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"
import { WorkingCopyInfo } from "../../WorkingCopyInfo.ts"

/** `GET /v1/working-copies` */
export const workingCopies = HttpApiEndpoint.get("workingCopies", "/v1/working-copies")
  .addSuccess(Schema.Array(WorkingCopyInfo))
  .annotate(OpenApi.Summary, "The working copies that have ports, and their branches")
