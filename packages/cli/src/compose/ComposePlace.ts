import { statSync } from "node:fs"
import { escapeControls } from "@port-server/domain/Name"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { CliError } from "../errors/CliError.ts"
import { attempt } from "../platform/Process.ts"
import { isPartOf } from "../project/GitLocation.ts"
import { nothingGiven } from "../project/Given.ts"
import { instanceLabel } from "../project/PlaceNotes.ts"
import { type Here, here, placeIn } from "../project/ProjectContext.ts"
import { isWithin } from "../project/ProjectFileLoader.ts"
import { knownPlace } from "../project/ProjectPorts.ts"
import { type ComposeArguments, onlyShows, valuesOf } from "./ComposeArguments.ts"
import * as ComposeFiles from "./ComposeFiles.ts"
import * as ComposeProjects from "./ComposeProjects.ts"

/** Whether a Compose file's folder is in the working copy of a place. */
export const isInCopyOf = ({ folder: own, top = own }: Pick<Here, "folder" | "top">, folder: string): boolean =>
  isWithin(folder, top) && isPartOf(folder, top)

const isFolder = (path: string): boolean => attempt(() => statSync(path).isDirectory()) ?? false

/** Whether the command line, or a file for variables of the folder, says which files they are. */
const areSaid = (files: ComposeFiles.ComposeFiles, args: ComposeArguments, env: Readonly<Record<string, string>>) =>
  files.isNamed ||
  valuesOf(args, "--project-directory").length > 0 ||
  (!env["COMPOSE_FILE"] && ComposeFiles.setsInEnvFile(args, ComposeFiles.currentFolder(env), env, "COMPOSE_FILE"))

/**
 * Whose ports a Compose project has: those of the current folder. A file in another working copy that nobody names, found
 * above or by a variable, is that one's: it may be shown, and nothing is changed there.
 */
export const placeOf = Effect.fnUntraced(function* (
  files: ComposeFiles.ComposeFiles,
  args: ComposeArguments,
  env: Readonly<Record<string, string>>,
  isPlan: boolean
) {
  const own = yield* here(nothingGiven)
  const folder = ComposeProjects.realPath(files.folder)
  // Where there is no such folder, Compose says so.
  if (isInCopyOf(own, folder) || !isFolder(folder) || areSaid(files, args, env)) return { place: own, notes: [] }
  const place = yield* placeIn(folder, nothingGiven)
  const isSet = Boolean(env["COMPOSE_FILE"])
  // A shell still has the variable from another working copy of the same app; one of another app is meant.
  if (place.top === undefined || (isSet && place.app !== own.app)) return { place: own, notes: [] }
  const label = instanceLabel(Option.getOrElse(yield* knownPlace(place), () => place))
  const whose = escapeControls(`${files.paths[0] ?? folder} is the Compose file of ${label}, not of this working copy`)
  if (isPlan || onlyShows(args)) return { place, notes: [`note: ${whose}`] }
  const unset = isSet ? "unset COMPOSE_FILE, " : ""
  return yield* CliError.make(`${whose}; ${unset}go to ${folder}, or give it by -f`)
})
