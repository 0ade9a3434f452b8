import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as OpenApi from "@effect/platform/OpenApi"
import { Allocation } from "../../Allocation.ts"
import { AllocationRequest } from "../../AllocationRequest.ts"
import { ListenersUnavailable, PortTaken, RangeExhausted } from "../../Errors.ts"

/** `POST /v1/allocations` */
export const allocate = HttpApiEndpoint.post("allocate", "/v1/allocations")
  .setPayload(AllocationRequest)
  .addSuccess(Allocation, { status: 201 })
  .addError(PortTaken.body)
  .addError(RangeExhausted.body)
  .addError(ListenersUnavailable.body)
  .annotate(OpenApi.Summary, "Allocate a port")
  .annotate(OpenApi.Description, "Exactly `port` where one is given, else the first free one of the range.")
