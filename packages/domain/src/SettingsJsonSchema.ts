import * as JSONSchema from "effect/JSONSchema"
import { Settings } from "./Settings.ts"

/** The JSON Schema (draft 7) of portctl's settings, for editors: a text that ends with a newline. */
export const settingsSchemaText = (): string => `${JSON.stringify(JSONSchema.make(Settings), undefined, 2)}\n`
