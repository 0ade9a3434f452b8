import * as Schema from "effect/Schema"

/** A working copy that has ports: its instance of an app, its folder and what git has checked out there. */
export const WorkingCopyInfo = Schema.Struct({
  app: Schema.String,
  instance: Schema.String,
  folder: Schema.String.annotations({ description: "the project's folder" }),
  branch: Schema.optionalWith(
    Schema.String.annotations({
      description: "the branch of git; absent outside git, on no branch, and where it cannot be read"
    }),
    { exact: true }
  )
}).annotations({ identifier: "WorkingCopyInfo" })
/** A working copy that has ports. */
export type WorkingCopyInfo = typeof WorkingCopyInfo.Type
