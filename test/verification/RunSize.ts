/**
 * How much the verification battery does: `TRUST=short` for every change, with a fixed seed; otherwise the long form, with a
 * new seed each time, which is printed. `TRUST_SEED=<number>` repeats a run.
 */
const isShort = process.env["TRUST"] === "short"

const rounds = (long: number, short: number): number => (isShort ? short : long)

const given = process.env["TRUST_SEED"]

/** What every random choice of the battery follows from. */
export const seed: number = given === undefined ? (isShort ? 20250208 : Date.now() % 2 ** 31) : Number(given)

console.log(`TRUST_SEED=${seed}`)

/** Random sequences of commands against the model. */
export const model = { sequences: rounds(400, 20), commands: 60 }

/** Concurrent clients whose histories are checked. */
export const linearizable = { rounds: rounds(12, 3), clients: 32, operations: rounds(60, 25), tinyHistories: 3_000 }

/** Kills under load, traced commits, damaged write-ahead logs. */
export const crash = {
  kills: rounds(50, 5),
  clients: 16,
  tracedInOrder: rounds(60, 20),
  tracedAtOnce: rounds(240, 64),
  commitsInOrder: rounds(60, 12),
  allocationsAtOnce: rounds(320, 96),
  flipsPerFrame: rounds(6, 2)
}

/** Hostile input: rounds of the fuzzer before the memory is measured and after, requests side by side in each. */
export const hostile = {
  warmUpRounds: rounds(60, 15),
  rounds: rounds(600, 40),
  width: 12,
  /** Connections that send one byte a second. */
  slowConnections: 200
}

/** Readings that fail: rounds of requests for each kind of failure, and databases with rows of random types. */
export const readings = { rounds: rounds(25, 4), databases: rounds(60, 6) }

/** Clients that ensure their ports while the server is killed again and again. */
export const restarts = { clients: rounds(60, 8), rounds: rounds(3, 1) }
