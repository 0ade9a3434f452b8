import * as Schema from "effect/Schema"
import { isWellFormed } from "./Name.ts"

/** Longest path of a folder, in UTF-16 units: Linux's `PATH_MAX`. */
export const maxPathLength = 4096

const isAbsolute = /^(\/|[A-Za-z]:[\\/])/

/** A project's folder: an absolute path. */
export const ProjectPath = Schema.String.annotations({ message: () => "path must be a string" }).pipe(
  Schema.filter(
    (path) =>
      (isAbsolute.test(path) && path.length <= maxPathLength && !path.includes("\0") && isWellFormed(path)) ||
      "path must be the absolute path of a folder",
    { identifier: "ProjectPath", description: "absolute path of the project's folder" }
  )
)
