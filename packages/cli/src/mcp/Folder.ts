import { ProjectPath } from "@port-server/domain/ProjectPath"
import { fileReason } from "@port-server/domain/SystemError"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { CliError } from "../errors/CliError.ts"
import { codeOf } from "../errors/FileError.ts"

/** The folder that a call is about, as an argument. The description is on the property: a refinement would lose it. */
export const path = (description: string) =>
  Schema.optionalWith(ProjectPath, { exact: true }).annotations({ description })

/** The folder that most calls are about, by default the one of this server. */
export const usualPath = path(
  "absolute path of a folder in the working copy; default: the folder that this server was started in"
)

/** The folder of a call that has no default. */
export const requiredPath = (description: string) => Schema.propertySignature(ProjectPath).annotations({ description })

/** Runs an effect as if this program had been started in a folder, by default the one that it was started in. */
export type InFolder = (
  path: string | undefined
) => <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E | CliError, R>

const enter = (folder: string) =>
  Effect.try({
    try: () => process.chdir(folder),
    catch: (error) => {
      const reason = codeOf(error) === "ENOENT" ? "there is none" : (fileReason(error) ?? codeOf(error))
      return CliError.make(`cannot work in the folder ${folder}: ${reason}`)
    }
  })

/**
 * The current folder belongs to the process, and git, Compose and whatever else a call starts go by it; so there is one
 * call at a time.
 */
export const make: Effect.Effect<InFolder> = Effect.gen(function* () {
  const turn = yield* Effect.makeSemaphore(1)
  const start = process.cwd()
  // A worktree that is removed must not stay the current folder.
  const leave = Effect.orElse(enter(start), () => Effect.ignore(enter("/")))
  // Clients for the desktop start it there. Whoever calls cannot set PORTCTL_APP, which would be that of all folders.
  const isNowhere = start === "/" && !process.env["PORTCTL_APP"]
  const folderOf = (path: string | undefined) =>
    path === undefined && isNowhere
      ? CliError.make("path is needed: this MCP server was started in /, which is no working copy")
      : enter(path ?? start)
  return (path) => (effect) =>
    turn.withPermits(1)(
      Effect.acquireUseRelease(
        folderOf(path),
        () => effect,
        () => leave
      )
    )
})
