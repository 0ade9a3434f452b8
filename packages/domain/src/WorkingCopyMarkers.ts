/** The directories by which other version control systems than git mark the top of a working copy. */
export const otherMarkers: ReadonlyArray<string> = [".jj", ".hg", ".sl", ".svn"]

/** What makes the folder above it a working copy; git's may be a file, in linked worktrees and submodules. */
export const markers: ReadonlyArray<string> = [".git", ...otherMarkers]
