import { shellWord } from "@port-server/command-line/command/ShellWord"
import type { EnsureResult } from "@port-server/domain/Ensure"
import { escapeControls } from "@port-server/domain/Name"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as OtherMounts from "../client/OtherMounts.ts"

/** The instance of an app, as answers name it: `myapp/main`. */
export const instanceLabel = ({ app, instance }: Pick<EnsureResult, "app" | "instance">): string =>
  escapeControls(`${app}/${instance}`)

/**
 * Note whose the ports were until now, from where the working copy was moved, and which instance it had and is given.
 *
 * @param outer the folder of a project above the current one
 */
export const notePlace = (
  { app, instance, instance_before, instead_of, moved_from, took_over, unseen }: EnsureResult,
  outer?: string
) =>
  Effect.gen(function* () {
    const subject = outer === undefined ? "this folder" : escapeControls(outer)
    const there = outer === undefined ? "" : " in it"
    // A container can have a folder where the host has none: only the server's own sandbox is worth a note.
    if (unseen === true) yield* OtherMounts.note
    if (took_over !== undefined) {
      yield* Console.error(`note: took over the ports of ${escapeControls(took_over)}, which is gone`)
    }
    const label = instanceLabel({ app, instance })
    if (moved_from !== undefined) {
      yield* Console.error(`note: ${escapeControls(moved_from)} was moved here; it keeps ${label} and its ports`)
    }
    if (instance_before !== undefined) {
      const before = instanceLabel({ app, instance: instance_before })
      yield* Console.error(
        `note: this folder was ${before}, and is ${label} from now on; portctl ensure --instance ${shellWord(instance_before)} makes it that again`
      )
    }
    if (instead_of !== undefined) {
      const wished = instanceLabel({ app, instance: instead_of.instance })
      yield* Console.error(
        `note: ${wished} belongs to ${escapeControls(instead_of.folder)}, so ${subject} is ${label}; portctl ensure --instance NAME${there} gives it another one`
      )
    }
  })
