import { existsSync } from "node:fs"
import { createInterface } from "node:readline/promises"
import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import { NonZeroExit, UsageError } from "@port-server/command-line/UsageError"
import { Allocation } from "@port-server/domain/Allocation"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { escapeControls } from "@port-server/domain/Name"
import { PruneResult } from "@port-server/domain/Prune"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as OtherMounts from "../../client/OtherMounts.ts"
import { notingReleased, pruneInParts } from "../../client/PruneParts.ts"
import * as ComposeProjects from "../../compose/ComposeProjects.ts"
import * as GoneProjects from "../../compose/GoneProjects.ts"
import * as AllocationTable from "../../output/AllocationTable.ts"
import * as Output from "../../output/Output.ts"
import * as Progress from "../../output/Progress.ts"
import { type KeptHere, KeptHereReason, keptNotes } from "../../output/PruneNotes.ts"
import { nothingGiven } from "../../project/Given.ts"
import { here, isInProject } from "../../project/ProjectContext.ts"
import { heldPorts } from "../../project/ProjectPorts.ts"
import { unnamedServices } from "../../project/UnnamedServices.ts"
import * as Options from "../Options.ts"

/** What is stale or was released, with what the project files no longer name. */
const Pruned = Schema.Struct({
  allocations: PruneResult.fields.allocations,
  kept: Schema.optionalWith(Schema.Array(Schema.Struct({ allocation: Allocation, reason: KeptHereReason })), {
    exact: true
  }),
  unnamed: Schema.optionalWith(Schema.Array(Schema.Struct({ allocation: Allocation, file: Schema.String })), {
    exact: true
  })
})
type Pruned = typeof Pruned.Type

const sentences =
  (verb: string) =>
  ({ allocations, unnamed = [] }: Pruned): string => {
    const line = (allocation: Allocation, reason: string) =>
      `${verb} port ${allocation.port} of ${AllocationTable.ownerAndId(allocation)}: ${escapeControls(reason)}`
    return (
      [
        ...allocations.map((each) => line(each, `${each.path ?? ""} is gone`)),
        ...unnamed.map(({ allocation, file }) => line(allocation, `${file} names no ${allocation.service}`))
      ].join("\n") || "nothing is stale"
    )
  }

/** What is stale, and what is kept: also all of a folder that is there for portctl, where the server may not see it. */
const stalePart = ({ allocations, kept = [] }: PruneResult) => {
  // One that could not be probed may hang.
  const absent = kept.flatMap(({ allocation, reason }) => (reason === "unknown" ? [] : [allocation]))
  const seen = new Set(foldersOf([...allocations, ...absent]).filter((path) => existsSync(path)))
  const isSeen = ({ path = "" }: Allocation) => seen.has(path)
  const keptHere = [
    ...allocations.filter(isSeen).map((allocation): KeptHere => ({ allocation, reason: "seen" })),
    ...kept.map((each): KeptHere => (isSeen(each.allocation) ? { ...each, reason: "seen" } : each))
  ]
  return { stale: allocations.filter((each) => !isSeen(each)), kept: keptHere }
}

/** The answer to a question that is yes or no: only `y` and `yes` are yes. */
const confirm = (question: string) =>
  Effect.acquireUseRelease(
    Effect.sync(() => createInterface({ input: process.stdin, output: process.stderr })),
    (terminal) =>
      Effect.async<boolean>((resume) => {
        // The end of the input, and Ctrl-C, are no.
        terminal.on("close", () => resume(Effect.succeed(false)))
        terminal.question(question).then(
          (answer) => resume(Effect.succeed(/^y(es)?$/i.test(answer.trim()))),
          () => resume(Effect.succeed(false))
        )
      }),
    (terminal) => Effect.sync(() => terminal.close())
  )

/** The folders of projects that have ports. */
const foldersOf = (allocations: ReadonlyArray<Allocation>) => [
  ...new Set(allocations.flatMap(({ path }) => path ?? []))
]

/** `portctl prune` */
export const prune = Command.make(
  "prune",
  {
    summary: "Release the ports of folders that are gone, and of former services",
    details: [
      "An allocation is stale if nothing listens on its port, and if its folder is gone while the parent folder is there, or the portctl.json of its folder no longer names its service. Nothing is pruned without this command. It first tells the server where the current folder is, if that was moved."
    ],
    examples: ["portctl prune --dry-run"],
    exitCodes: { 1: "The answer was not yes, or another error is on stderr" },
    parameters: {
      dryRun: Flag.boolean("dry-run", "Show what is stale, and release nothing"),
      yes: Flag.boolean("yes", "Release what is stale without asking"),
      json: Options.json
    }
  },
  Effect.fnUntraced(function* ({ dryRun, json, yes }) {
    if (dryRun && yes) return yield* new UsageError({ message: "--dry-run and --yes exclude each other" })
    if (json && !yes && !dryRun) {
      return yield* new UsageError({ message: "--json needs --yes or --dry-run, because it cannot ask" })
    }
    const client = yield* PortServerClient
    // A folder that was moved has its ports until it is told where it is now.
    if (yield* Effect.orElseSucceed(isInProject(nothingGiven), () => false)) {
      yield* Effect.ignore(Effect.flatMap(here(nothingGiven), heldPorts))
    }
    const prune = (dry_run: boolean, ids: ReadonlyArray<Allocation["id"]>) =>
      pruneInParts(client, { dry_run, ids }, (total) =>
        Progress.show(dry_run ? "probing folders" : "releasing ports", total)
      )
    const release = (stale: ReadonlyArray<Allocation>) =>
      stale.length === 0
        ? Effect.succeed<PruneResult>({ allocations: [] })
        : prune(
            false,
            stale.map(({ id }) => id)
          )
    const releaseUnnamed = ({ allocations, unnamed = [] }: Pruned) =>
      Effect.forEach(unnamed, ({ allocation }, index) =>
        client.release(allocation.id).pipe(
          notingReleased(allocations.length + index),
          Effect.catchTag("AllocationNotFound", () => Effect.void)
        )
      )
    const survey = Effect.fnUntraced(function* (dry_run: boolean) {
      const [all, listening] = [yield* client.list(), yield* client.listeners()]
      const named = yield* client.list({ named: "true" })
      const ids = all.flatMap(({ id, path }) => (path === undefined || id < 1 ? [] : [id]))
      const { kept, stale } = stalePart(yield* prune(true, ids))
      const released = dry_run ? { allocations: stale } : yield* release(stale)
      const result = { allocations: released.allocations, kept: [...kept, ...(released.kept ?? [])] }
      const gone = [...stale, ...kept.map(({ allocation }) => allocation)]
      const excluded = new Set(gone.flatMap(({ path }) => path ?? []))
      const composeProjects = ComposeProjects.seenIn(foldersOf(all))
      const unnamed = yield* unnamedServices(named, listening, excluded, (path, service) =>
        ComposeProjects.hasService(composeProjects, path, service)
      )
      return {
        allocations: result.allocations,
        ...(result.kept.length === 0 ? {} : { kept: result.kept }),
        ...(unnamed.length === 0 ? {} : { unnamed }),
        notes: keptNotes(result.kept, all, listening)
      }
    })
    const print = Output.print(Pruned, { json })
    /** @param stale what a dry run would release */
    const forget = Effect.fnUntraced(function* (isDryRun: boolean, stale: ReadonlyArray<Allocation> = []) {
      const ids = new Set(stale.map(({ id }) => id))
      const rest = (yield* client.list()).filter(({ id }) => !ids.has(id))
      const sentences = new Set(GoneProjects.forget(foldersOf(rest), isDryRun))
      for (const text of sentences) yield* Console.error(`note: ${escapeControls(text)}`)
    })
    const note = Effect.fnUntraced(function* ({ kept, notes }: Pruned & { readonly notes: ReadonlyArray<string> }) {
      yield* Effect.forEach(notes, (text) => Console.error(`note: ${text}`), { discard: true })
      if (kept?.some(({ reason }) => reason === "seen")) yield* OtherMounts.note
    })
    if (yes || dryRun) {
      const pruned = Effect.tap(survey(dryRun), (found) => (dryRun ? Effect.void : releaseUnnamed(found)))
      const found = yield* print(pruned, sentences(dryRun ? "would release" : "released"))
      yield* note(found)
      return yield* forget(dryRun, dryRun ? found.allocations : [])
    }
    const found = yield* print(survey(true), sentences("stale:"))
    yield* note(found)
    const { allocations, unnamed = [] } = found
    const count = allocations.length + unnamed.length
    if (count === 0) return yield* forget(false)
    if (!(yield* confirm(`Release ${count} port(s)? [y/N] `))) {
      yield* Console.log("released nothing")
      return yield* new NonZeroExit({ status: 1 })
    }
    const releasing = Effect.gen(function* () {
      // While the question was open, a service may have been named again.
      const again = unnamed.length === 0 ? [] : ((yield* survey(true)).unnamed ?? [])
      const now = new Set(again.map(({ allocation }) => allocation.id))
      const released = yield* release(allocations)
      const still = { ...released, unnamed: unnamed.filter(({ allocation }) => now.has(allocation.id)) }
      yield* releaseUnnamed(still)
      return still
    })
    yield* print(releasing, sentences("released"))
    yield* forget(false)
  })
)
