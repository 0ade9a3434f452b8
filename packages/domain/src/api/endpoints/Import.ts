import * as HttpApiEndpoint from "@effect/platform/HttpApiEndpoint"
import * as OpenApi from "@effect/platform/OpenApi"
import { ImportRequest, ImportResult } from "../../Backup.ts"
import { ImportConflict } from "../../ImportConflict.ts"
import { MaxBody } from "../MaxBody.ts"

/** `POST /v1/import` */
export const importAll = HttpApiEndpoint.post("import", "/v1/import")
  .setPayload(ImportRequest)
  .addSuccess(ImportResult)
  .addError(ImportConflict.body)
  .annotate(OpenApi.Summary, "Allocate everything in a backup, or nothing")
  // Some 25,000 allocations.
  .annotate(MaxBody, 4 * 1024 * 1024)
