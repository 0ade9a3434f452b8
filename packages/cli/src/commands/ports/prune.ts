import { createInterface } from "node:readline/promises"
import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import { NonZeroExit, UsageError } from "@port-server/command-line/UsageError"
import type { Allocation } from "@port-server/domain/Allocation"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { escapeControls } from "@port-server/domain/Name"
import { KeptReason, PruneResult } from "@port-server/domain/Prune"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { pruneInParts } from "../../client/PruneParts.ts"
import * as AllocationTable from "../../output/AllocationTable.ts"
import * as Output from "../../output/Output.ts"
import * as Progress from "../../output/Progress.ts"
import * as Options from "../Options.ts"

const sentences = (verb: string) => (allocations: ReadonlyArray<Allocation>) =>
  allocations
    .map(
      (allocation) =>
        `${verb} port ${allocation.port} of ${AllocationTable.ownerAndId(allocation)}: ${escapeControls(allocation.path ?? "")} is gone`
    )
    .join("\n") || "nothing is stale"

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

/** Most ids in one note. */
const manyIds = 20

/** The notes on what prune keeps, by reason. */
const keptNotes: Readonly<Record<KeptReason, (count: number, example: string, ids: string) => string>> = {
  parent_gone: (count, example, ids) =>
    `${count} allocation(s) belong to folders whose parent folder is gone too, like ${example}; portctl release --id gives one back: ${ids}`,
  not_mounted: (count, example, ids) =>
    `${count} allocation(s) belong to folders on a disk that seems not to be mounted, like ${example}; portctl release --id gives one back: ${ids}`,
  unknown: (count, example, ids) =>
    `${count} allocation(s) belong to folders that could not be probed, like ${example}; they are kept: ${ids}`,
  listening: (count, example, ids) =>
    `${count} allocation(s) of folders that are gone, like ${example}, are kept because something listens on their ports: ${ids}`
}

/** Note what is kept although its folder is not known to be there, and why. */
const noteKept = ({ kept = [] }: PruneResult) =>
  Effect.forEach(
    KeptReason.literals,
    (reason) => {
      const allocations = kept.flatMap((each) => (each.reason === reason ? [each.allocation] : []))
      const [first] = allocations
      if (first === undefined) return Effect.void
      const more = allocations.length > manyIds ? ` and ${allocations.length - manyIds} more` : ""
      const ids = allocations.slice(0, manyIds).map(({ id }) => id)
      return Console.error(
        `note: ${keptNotes[reason](allocations.length, escapeControls(first.path ?? ""), `${ids.join(", ")}${more}`)}`
      )
    },
    { discard: true }
  )

/** `portctl prune` */
export const prune = Command.make(
  "prune",
  {
    summary: "Release the ports of projects whose folder is gone",
    details: [
      "Stale is what was ensured for a folder that is gone while its parent is there, and whose port nothing listens on. Nothing is ever pruned by itself."
    ],
    examples: ["portctl prune --dry-run"],
    exitCodes: { 1: "The question was not answered with yes, or stderr says what went wrong" },
    parameters: {
      dryRun: Flag.boolean("dry-run", "Show what is stale, and release nothing"),
      yes: Flag.boolean("yes", "Release what is stale without asking"),
      json: Options.json
    }
  },
  Effect.fnUntraced(function* ({ dryRun, json, yes }) {
    if (dryRun && yes) return yield* new UsageError({ message: "--dry-run and --yes exclude each other" })
    const client = yield* PortServerClient
    const answer = (dry_run: boolean, ids?: ReadonlyArray<Allocation["id"]>) =>
      pruneInParts(client, ids === undefined ? { dry_run } : { dry_run, ids }, (total) =>
        Progress.show(dry_run ? "probing folders" : "releasing ports", total)
      )
    if (yes || dryRun) {
      const result = yield* Output.print(PruneResult, { json })(answer(dryRun), ({ allocations }) =>
        sentences(dryRun ? "would release" : "released")(allocations)
      )
      yield* noteKept(result)
      return
    }
    if (json) return yield* new UsageError({ message: "--json cannot ask; it needs --yes or --dry-run" })
    const found = yield* Output.print(PruneResult, { json })(answer(true), ({ allocations }) =>
      sentences("stale:")(allocations)
    )
    yield* noteKept(found)
    const { allocations } = found
    if (allocations.length === 0) return
    if (!(yield* confirm(`Release ${allocations.length} port(s)? [y/N] `))) {
      yield* Console.log("released nothing")
      return yield* new NonZeroExit({ status: 1 })
    }
    yield* Output.print(PruneResult, { json })(
      answer(
        false,
        allocations.map(({ id }) => id)
      ),
      ({ allocations }) => sentences("released")(allocations)
    )
  })
)
