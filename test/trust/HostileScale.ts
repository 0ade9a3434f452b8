/** TRUST=short: one fixed seed and few rounds. */
const isShort = process.env["TRUST"] === "short"

const given = Number(process.env["TRUST_SEED"] ?? Number.NaN)

/** How much the hostile tests do. A failure is repeated with TRUST_SEED and the seed that it printed. */
export const hostileScale = {
  seed: Number.isInteger(given) ? given : isShort ? 20250208 : Math.trunc(Math.random() * 0x7fffffff),
  /** Rounds of the fuzzer before the memory is measured, and after. */
  warmUpRounds: isShort ? 15 : 60,
  rounds: isShort ? 40 : 600,
  /** Requests of one round, sent side by side. */
  width: 12,
  /** Connections that send one byte a second. */
  slowConnections: 200
} as const
