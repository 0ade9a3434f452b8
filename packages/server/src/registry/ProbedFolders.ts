import type { FolderState } from "../folders/FolderState.ts"
import { isSame } from "./FolderStatus.ts"

/** The folders that were probed before a transaction, and those that turned out in it to be needed as well. */
export class ProbedFolders {
  readonly states: ReadonlyMap<string, FolderState>
  readonly missing = new Set<string>()

  constructor(states: ReadonlyMap<string, FolderState>) {
    this.states = states
  }

  /** The state of a folder. One that is missing counts as unknown: nothing must be written then. */
  stateOf(path: string): FolderState | undefined {
    const state = this.states.get(path)
    if (state === undefined) this.missing.add(path)
    return state
  }

  /** What stays the same when a folder is moved; empty where it is absent or that is not known. */
  idOf(path: string): string {
    const state = this.stateOf(path)
    return state?._tag === "Present" ? state.id : ""
  }

  /** Whether two paths lead to one folder. */
  isSame(one: string, other: string): boolean {
    if (one === other) return true
    this.stateOf(one)
    this.stateOf(other)
    return isSame(one, other, this.states)
  }
}
