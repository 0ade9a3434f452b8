import { defineConfig } from "vitest/config"

export default defineConfig({
  // The packages' sources, not what was last built of them.
  resolve: { conditions: ["@port-server/source"] },
  ssr: { resolve: { conditions: ["@port-server/source"], externalConditions: ["@port-server/source"] } },
  test: {
    include: ["packages/*/test/**/*.test.ts", "test/*.test.ts", "test/e2e/**/*.test.ts"],
    // Most of a test's time is a child process's start: two at a time keep two cores busy.
    maxWorkers: 2,
    minWorkers: 1,
    // A machine that does other work takes several times as long.
    testTimeout: 90_000,
    hookTimeout: 90_000
  }
})
