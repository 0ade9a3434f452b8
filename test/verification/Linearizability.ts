/**
 * Whether a concurrent history could have come from something that does one operation at a time, each at some moment
 * between its start and its end (Herlihy and Wing, "Linearizability", 1990).
 *
 * The search is Wing and Gong's, with Lowe's memory of what was tried, and one short cut: an operation that changes
 * nothing, fits the state and may come next is taken at once. Every order that has it later has it here as well, so
 * only the operations that change something have to be tried in different orders.
 */

/** One operation with the answer that it got. */
export interface Operation<State> {
  /** When it was asked for and when its answer was there, by one clock. */
  readonly start: number
  readonly end: number
  /** What it says of itself when no order can be found. */
  readonly text: string
  /** Whether the answer says that it changed the state. One that did not must leave every state as it was. */
  readonly changes: boolean
  /** The state after it, when that answer can be given in this state. */
  readonly apply: (state: State) => State | undefined
}

/** An order of the operations, or where the search got stuck. */
export type Verdict<State> =
  | { readonly order: ReadonlyArray<Operation<State>> }
  | {
      readonly stuck: {
        readonly state: State
        readonly next: ReadonlyArray<string>
        readonly before: ReadonlyArray<string>
      }
    }

/** @param key what tells states apart */
export const linearize = <State>(
  initial: State,
  history: ReadonlyArray<Operation<State>>,
  key: (state: State) => string
): Verdict<State> => {
  const operations = [...history].sort((a, b) => a.start - b.start)
  const done = new Set<number>()
  const order: Array<Operation<State>> = []
  const tried = new Set<string>()
  let farthest = -1
  let stuck = { state: initial, next: [""], before: [""] }

  /** What may come next: what no other operation that is left ended before. Everything before `from` is done. */
  const candidates = (from: number): Array<readonly [index: number, operation: Operation<State>]> => {
    const found: Array<readonly [number, Operation<State>]> = []
    let firstEnd = Number.POSITIVE_INFINITY
    for (let index = from; index < operations.length; index++) {
      const operation = operations[index]
      if (operation === undefined || operation.start > firstEnd) break
      if (done.has(index)) continue
      found.push([index, operation])
      firstEnd = Math.min(firstEnd, operation.end)
    }
    return found
  }

  const take = (index: number, operation: Operation<State>) => {
    done.add(index)
    order.push(operation)
  }

  const undoTo = (taken: ReadonlyArray<number>) => {
    for (const index of taken) done.delete(index)
    order.length -= taken.length
  }

  const visit = (start: number, state: State): boolean => {
    const reads: Array<number> = []
    let from = start
    for (;;) {
      while (done.has(from)) from++
      const fitting = candidates(from).filter(([, { apply, changes }]) => !changes && apply(state) !== undefined)
      if (fitting.length === 0) break
      for (const [index, operation] of fitting) {
        take(index, operation)
        reads.push(index)
      }
    }
    if (order.length === operations.length) return true
    const next = candidates(from)
    if (order.length > farthest) {
      farthest = order.length
      stuck = { state, next: next.map(([, { text }]) => text), before: order.slice(-8).map(({ text }) => text) }
    }
    const ahead = [...done].filter((index) => index > from).sort((a, b) => a - b)
    const place = `${from}|${ahead}|${key(state)}`
    if (!tried.has(place)) {
      tried.add(place)
      for (const [index, operation] of next) {
        const after = operation.changes ? operation.apply(state) : undefined
        if (after === undefined) continue
        take(index, operation)
        if (visit(from, after)) return true
        undoTo([index])
      }
    }
    undoTo(reads)
    return false
  }

  return visit(0, initial) ? { order } : { stuck }
}
