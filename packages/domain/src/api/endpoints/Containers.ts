import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as OpenApi from "@effect/platform/OpenApi"
import { Containers } from "../../Containers.ts"

/** `GET /v1/containers` */
export const containers = HttpApiEndpoint.get("containers", "/v1/containers")
  .addSuccess(Containers)
  .annotate(OpenApi.Summary, "The containers of this machine, and the ports that they publish")
  .annotate(
    OpenApi.Description,
    "Also stopped ones, with the ports that they need to start; `reserved` has those of these ports that are allocated, and whether the containers belong to the projects that hold them."
  )
