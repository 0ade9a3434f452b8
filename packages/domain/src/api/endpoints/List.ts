import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"
import { Allocation } from "../../Allocation.ts"
import { ListQuery } from "../../AllocationFilter.ts"

/** `GET /v1/allocations` */
export const list = HttpApiEndpoint.get("list", "/v1/allocations")
  .setUrlParams(ListQuery)
  .addSuccess(Schema.Array(Allocation))
  .annotate(OpenApi.Summary, "The allocations that match every filter given")
  .annotate(
    OpenApi.Description,
    "In the order of their ids. An empty filter is none. With `after` or `limit`, one page: the first `limit` allocations (500 without one) whose id is larger than `after`."
  )
