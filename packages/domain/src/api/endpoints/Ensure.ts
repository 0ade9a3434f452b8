import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as OpenApi from "@effect/platform/OpenApi"
import { EnsureRequest, EnsureResult } from "../../Ensure.ts"
import { InstanceTaken, ListenersUnavailable, PortTaken, RangeExhausted } from "../../Errors.ts"

/** `POST /v1/ensure` */
export const ensure = HttpApiEndpoint.post("ensure", "/v1/ensure")
  .setPayload(EnsureRequest)
  .addSuccess(EnsureResult)
  .addError(InstanceTaken.body)
  .addError(PortTaken.body)
  .addError(RangeExhausted.body)
  .addError(ListenersUnavailable.body)
  .annotate(OpenApi.Summary, "Give every service of a project its port")
  .annotate(
    OpenApi.Description,
    "The one that it has already, or a new one; all of them or none. An instance belongs to the first folder it was ensured for, as long as that exists; for another one it takes `share`."
  )
