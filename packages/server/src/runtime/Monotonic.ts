/**
 * The time since this process started, in ms, by a clock that nobody sets. `performance.now()` is the same, but Node takes
 * 1 ms to make `performance`, and the first request would wait for that.
 */
export const now = (): number => process.uptime() * 1_000
