/**
 * How much the battery of many worktrees does: the short form always with the same seed; with `AGENTS=long` more, and a new
 * seed each time. `AGENTS_SEED=<number>` repeats the choices of a run.
 */
const isLong = process.env["AGENTS"] === "long"

const given = process.env["AGENTS_SEED"]

/** What every random choice follows from. */
export const seed: number = given === undefined ? (isLong ? Date.now() % 2 ** 31 : 20261129) : Number(given)

console.log(`AGENTS_SEED=${seed}`)

/** The worktrees, and how many commands each agent runs in its own. */
export const many = { projects: 5, worktrees: 8, commands: isLong ? 12 : 3 }
