import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as OpenApi from "@effect/platform/OpenApi"
import * as Schema from "effect/Schema"
import { AllocationIdFromDigits } from "../../Allocation.ts"
import { ReleaseFilter } from "../../AllocationFilter.ts"
import { AllocationNotFound } from "../../Errors.ts"
import { ReleaseManyResult, ReleaseResult } from "../Results.ts"

const IdPath = Schema.Struct({
  id: AllocationIdFromDigits.annotations({ jsonSchema: { type: "integer", format: "int64", minimum: 1 } })
})

/** `DELETE /v1/allocations/{id}` */
export const release = HttpApiEndpoint.del("release", "/v1/allocations/:id")
  .setPath(IdPath)
  .addSuccess(ReleaseResult)
  .addError(AllocationNotFound.body)
  .annotate(OpenApi.Summary, "Release one allocation")

/** `DELETE /v1/allocations` */
export const releaseMatching = HttpApiEndpoint.del("releaseMatching", "/v1/allocations")
  .setPayload(ReleaseFilter)
  .addSuccess(ReleaseManyResult)
  .annotate(OpenApi.Summary, "Release the allocations that match every filter given")
  .annotate(OpenApi.Description, "At least one filter is required. An empty text and port 0 are no filters.")
