import type { Operation } from "./Linearizability.ts"

/** What one port is: free (0) or held by an allocation, and the newest id that was given on it. */
export interface PortState {
  readonly holder: number
  readonly lastId: number
}

/** A port that nobody has had. */
export const unused: PortState = { holder: 0, lastId: 0 }

/** Tells states apart. */
export const keyOf = ({ holder, lastId }: PortState): string => `${holder},${lastId}`

/** When something was asked for and when its answer was there. */
export interface Interval {
  readonly start: number
  readonly end: number
}

/** Something that an answer says about one port at one moment of its interval. */
export type PortOperation = Operation<PortState>

const reads =
  (says: string, fits: (state: PortState) => boolean) =>
  ({ end, start }: Interval): PortOperation => ({
    start,
    end,
    text: `${says} [${start.toFixed(2)}, ${end.toFixed(2)}]`,
    changes: false,
    apply: (state) => (fits(state) ? state : undefined)
  })

const writes =
  (says: string, apply: (state: PortState) => PortState | undefined) =>
  ({ end, start }: Interval): PortOperation => ({
    start,
    end,
    text: `${says} [${start.toFixed(2)}, ${end.toFixed(2)}]`,
    changes: true,
    apply
  })

/** It was free and went to `id`, which is newer than every id that it went to before. */
export const allocated = (id: number) =>
  writes(`allocated ${id}`, (state) =>
    state.holder === 0 && id > state.lastId ? { holder: id, lastId: id } : undefined
  )

/** `id` had it and lost it. */
export const released = (id: number) =>
  writes(`released ${id}`, (state) => (state.holder === id ? { ...state, holder: 0 } : undefined))

/** One of `ids` had it and lost it. */
export const releasedOneOf = (ids: ReadonlySet<number>) =>
  writes(`released one of ${ids.size}`, (state) => (ids.has(state.holder) ? { ...state, holder: 0 } : undefined))

/** `id` did not have it. */
export const notHeldBy = (id: number) => reads(`not held by ${id}`, ({ holder }) => holder !== id)

/** None of `ids` had it. */
export const heldByNoneOf = (ids: ReadonlySet<number>) =>
  reads(`held by none of ${ids.size}`, ({ holder }) => !ids.has(holder))

/** `id` had it. */
export const heldBy = (id: number) => reads(`held by ${id}`, ({ holder }) => holder === id)

/** Somebody had it. */
export const held = reads("held", ({ holder }) => holder !== 0)

/** Nobody had it. */
export const free = reads("free", ({ holder }) => holder === 0)
