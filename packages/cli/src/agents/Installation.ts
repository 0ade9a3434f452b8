import { existsSync, realpathSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { CliError } from "../errors/CliError.ts"
import * as DataFolder from "../platform/DataFolder.ts"
import { attempt } from "../platform/Process.ts"
import * as GitLocation from "../project/GitLocation.ts"
import { currentFolder } from "../project/ProjectContext.ts"
import { type CodingAgent, codingAgents, pieces, traces } from "./CodingAgents.ts"
import type { FileText } from "./Piece.ts"
import * as ProjectFiles from "./ProjectFiles.ts"

/** A file, and what an installation makes of it. */
export interface Change {
  readonly file: string
  readonly before: FileText
  readonly after: FileText
  /** A link to it, for which it is written. */
  readonly link: string | undefined
}

const realHome = () => {
  try {
    return realpathSync(DataFolder.home())
  } catch {
    // Without a home, nothing is in it.
    return undefined
  }
}

/** The top folder of the project here; never the home folder, whose files go for every project. */
export const projectTop = Effect.gen(function* () {
  const cwd = yield* currentFolder
  const git = yield* GitLocation.of(cwd)
  if (git._tag === "Refused") return yield* CliError.make(`${git.reason}; ${git.remedy}`)
  if (git._tag === "Repository") return yield* CliError.make(`${git.reason}; go to one`)
  const top = git.folder ?? cwd
  return top === realHome()
    ? yield* CliError.make(`${top} is your home folder, where files are for all projects: go to a project first`)
    : top
})

/** The file that one leads to: CLAUDE.md is often a link to AGENTS.md, and gets the same instructions. */
const targetOf = (top: string, file: string): string => {
  const target = "AGENTS.md"
  return file === "CLAUDE.md" && attempt(() => realpathSync(join(top, file))) === join(top, target) ? target : file
}

/** The agents whose files are in a project; for AGENTS.md alone where none of them has that, or there are none. */
export const usedIn = (top: string): ReadonlyArray<CodingAgent> => {
  const used = codingAgents.filter((agent) => traces[agent].some((file) => existsSync(join(top, file))))
  const others = used.filter((agent) => agent !== "agents-md")
  const files = others.flatMap((agent) => pieces[agent].map(({ file }) => targetOf(top, file)))
  // It may be there because portctl has made it for one of the others.
  if (files.includes("AGENTS.md")) return others
  return used.length > 0 ? used : ["agents-md"]
}

/** What adding the files of agents to a project, or taking them out of it, changes. Nothing is written. */
export const plan = Effect.fnUntraced(function* (
  top: string,
  chosen: ReadonlyArray<CodingAgent>,
  way: "added" | "removed"
) {
  const before = new Map<string, FileText>()
  const after = new Map<string, FileText>()
  const links = new Map<string, string>()
  const all = chosen.flatMap((agent) => pieces[agent])
  // Removed in the reverse order, so that the text is again what it was.
  for (const piece of way === "added" ? all : all.toReversed()) {
    const file = targetOf(top, piece.file)
    if (file !== piece.file) links.set(file, piece.file)
    if (!before.has(file)) {
      const text = yield* ProjectFiles.read(top, file)
      before.set(file, text)
      after.set(file, text)
    }
    const changed = yield* Effect.mapError(piece[way](after.get(file)), (problem) =>
      CliError.make(`${join(top, file)} ${problem}; nothing was written`)
    )
    after.set(file, changed)
  }
  return [...before].map(
    ([file, text]): Change => ({ file, before: text, after: after.get(file), link: links.get(file) })
  )
})

/** Make the changes of a plan: none where one of the files may not be written. */
export const carryOut = Effect.fnUntraced(function* (top: string, changes: ReadonlyArray<Change>) {
  const real = changes.filter(({ after, before }) => after !== before)
  yield* Effect.forEach(real, ({ file }) => ProjectFiles.checkWritable(top, file), { discard: true })
  yield* Effect.forEach(real, ({ after, file }) => ProjectFiles.put(top, file, after), { discard: true })
})
