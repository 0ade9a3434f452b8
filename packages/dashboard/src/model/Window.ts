import type { WorkingCopy } from "./WorkingCopies.ts"

/** The first services of a long list, in their working copies: as many as are rendered. */
export const firstServices = (copies: ReadonlyArray<WorkingCopy>, count: number): ReadonlyArray<WorkingCopy> => {
  let left = count
  return copies.flatMap((copy) => {
    if (left <= 0) return []
    const services = copy.services.slice(0, left)
    left -= services.length
    return [services.length === copy.services.length ? copy : { ...copy, services }]
  })
}
