import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as OpenApi from "@effect/platform/OpenApi"
import { ListenersUnavailable } from "../../Errors.ts"
import { PruneRequest, PruneResult } from "../../Prune.ts"
import { MaxBody } from "../MaxBody.ts"

/** `POST /v1/prune` */
export const prune = HttpApiEndpoint.post("prune", "/v1/prune")
  .setPayload(PruneRequest)
  .addSuccess(PruneResult)
  .addError(ListenersUnavailable.body)
  .annotate(OpenApi.Summary, "Release what is stale")
  .annotate(
    OpenApi.Description,
    "Allocations whose project folder is gone while its parent is there, and whose port nothing listens on."
  )
  // The ids of all ports.
  .annotate(MaxBody, 1024 * 1024)
