import * as HttpApi from "@effect/platform/HttpApi"
import type * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as HttpApiGroup from "@effect/platform/HttpApiGroup"
import { InvalidRequest, StorageFull, StorageUnavailable } from "../CommonErrors.ts"

/** The API before its endpoints: the errors that each of them can have. */
export const baseApi = HttpApi.make("port-server")
  .addError(InvalidRequest.body)
  .addError(StorageFull.body)
  .addError(StorageUnavailable.body)

/** The group that all endpoints are in, before them. */
export const group = HttpApiGroup.make("registry", { topLevel: true })

/** The API as a client of one endpoint needs it: the schemas of the others take a short program longer than its request. */
export const only = <Endpoint extends HttpApiEndpoint.HttpApiEndpoint.Any>(endpoint: Endpoint) =>
  baseApi.add(group.add(endpoint))
