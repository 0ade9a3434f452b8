// Write the JSON Schemas of portctl.json and config.json, as the domain generates them, where the package publishes them.
import { writeFileSync } from "node:fs"
import { projectFileSchemaText } from "@port-server/domain/ProjectFileJsonSchema"
import { settingsSchemaText } from "@port-server/domain/SettingsJsonSchema"

const folder = new URL("../packages/domain/", import.meta.url)
writeFileSync(new URL("portctl.schema.json", folder), projectFileSchemaText())
writeFileSync(new URL("config.schema.json", folder), settingsSchemaText())
