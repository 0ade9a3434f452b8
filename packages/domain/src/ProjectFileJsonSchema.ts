import * as JSONSchema from "effect/JSONSchema"
import { ProjectFile } from "./ProjectFile.ts"

/** The JSON Schema (draft 7) of a project file, for editors: a text that ends with a newline. */
export const projectFileSchemaText = (): string => `${JSON.stringify(JSONSchema.make(ProjectFile), undefined, 2)}\n`
