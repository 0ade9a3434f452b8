// Write the JSON Schema of portctl.json, as the domain generates it, where the package publishes it.
import { writeFileSync } from "node:fs"
import { projectFileSchemaText } from "@port-server/domain/ProjectFileJsonSchema"

writeFileSync(new URL("../packages/domain/portctl.schema.json", import.meta.url), projectFileSchemaText())
