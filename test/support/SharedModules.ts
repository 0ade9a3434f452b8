// Before each file. Files share their modules, and `layer` of @effect/vitest (0.30) replaces methods of the one `it` that
// all of them import: each file begins with the original ones.
import { it } from "@effect/vitest"
import { globalValue } from "effect/GlobalValue"

const original = globalValue("port-server/test/it", () => ({ ...it }))
Object.assign(it, original)
