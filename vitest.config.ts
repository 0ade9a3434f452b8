import { defineConfig } from "vitest/config"

// Most of a test's time is a child process's start, or a wait for one: four files at a time keep two cores busy. The
// time limits are for what hangs: a slow machine with other work takes ten times as long. The files share a worker's
// modules, which keep no state: loading them for each file took a quarter of the time. As many workers at least as at
// most: vitest ends with "Terminating worker thread" where it ends one that is idle while it ends them all.
const usual = {
  include: ["packages/*/test/**/*.test.ts", "test/*.test.ts", "test/e2e/**/*.test.ts"],
  maxWorkers: 4,
  minWorkers: 4,
  isolate: false,
  setupFiles: ["test/support/SharedModules.ts"],
  testTimeout: 300_000,
  hookTimeout: 300_000
}

const cli = "test/e2e/cli/**/*.test.ts"

// What needs an engine, a browser or other packages: one worker each. The gate runs two of these suites at a time.
const alone = { maxWorkers: 1, minWorkers: 1, fileParallelism: false, testTimeout: 300_000, hookTimeout: 300_000 }

/** What is apart from the tests of every change: `npm run test:NAME` sets TEST_SUITE to the name. */
const suites = {
  // Official clients of agents, one of which npm fetches, and many worktrees at once.
  agents: { ...alone, include: ["test/agents/**/*.test.ts"], hookTimeout: 900_000 },
  browser: { ...alone, include: ["test/browser/**/*.test.ts"] },
  // portctl as a process, some 2,500 times.
  cli: { ...usual, include: [cli] },
  compose: { ...alone, include: ["test/compose/**/*.test.ts"] },
  // Real development servers, which npm fetches.
  devservers: { ...alone, include: ["test/devservers/**/*.test.ts"], hookTimeout: 900_000 },
  // What users install, on every Node that is supported.
  packages: { ...alone, include: ["test/packages/**/*.test.ts"] },
  // `npm test`: rules, repositories, and the API of the server as a process.
  quick: { ...usual, exclude: [cli] },
  usual,
  // The proofs: random, concurrent and violent. Each brings its own load.
  verification: { ...alone, include: ["test/verification/**/*.verify.ts"], testTimeout: 900_000 }
}

const name = process.env["TEST_SUITE"] ?? "usual"
const [, suite] = Object.entries(suites).find(([each]) => each === name) ?? []
if (suite === undefined) throw new Error(`TEST_SUITE must be one of ${Object.keys(suites).join(", ")}, not ${name}`)

export default defineConfig({
  // The packages' sources, not what was last built of them.
  resolve: { conditions: ["@port-server/source"] },
  ssr: { resolve: { conditions: ["@port-server/source"], externalConditions: ["@port-server/source"] } },
  test: suite
})
