import * as Schema from "effect/Schema"

/** The folder is there. Devices are those of `stat`, as text. */
const Present = Schema.TaggedStruct("Present", {
  /** Its path without symbolic links. */
  real: Schema.String,
  /** The device of its parent folder. */
  device: Schema.String,
  /** What stays the same when it is moved; empty where its file system does not record when a folder was made. */
  id: Schema.String,
  /** Of a path to a `.git`: that it is a submodule's. */
  isSubmodule: Schema.optionalWith(Schema.Boolean, { exact: true }),
  /** Of a path to the `HEAD` of a git directory: its branch. */
  branch: Schema.optionalWith(Schema.String, { exact: true }),
  /** Of a path to the `gitdir` of a linked worktree's git directory: the worktree's folder. */
  worktree: Schema.optionalWith(Schema.String, { exact: true })
})

/** The folder is not there. */
const Absent = Schema.TaggedStruct("Absent", {
  /** Whether its parent folder is there. */
  hasParent: Schema.Boolean,
  /** Whether that is empty, as an unmounted mount point is. */
  isParentEmpty: Schema.Boolean,
  /** The device of the parent folder, or of the nearest folder above it that is there. */
  device: Schema.String
})

/** Whether it is there could not be found out: a failed probe is not an absent folder. */
const Unknown = Schema.TaggedStruct("Unknown", { reason: Schema.String })

/** What a probe found out about a folder. */
export const FolderState = Schema.Union(Present, Absent, Unknown)
/** What a probe found out about a folder. */
export type FolderState = typeof FolderState.Type

/** The file system did not respond in time. */
export const Hanging = Schema.TaggedStruct("Hanging", {})

/** A folder that could not be probed. */
export const unknown = (reason: string): FolderState => Unknown.make({ reason })
