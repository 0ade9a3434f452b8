import { defineConfig, mergeConfig } from "vitest/config"
import common from "./vitest.config.ts"

// The proof battery: random, concurrent and violent, so apart from the tests that every change waits for.
const { test, ...packages } = common

export default mergeConfig(
  packages,
  defineConfig({
    test: {
      ...test,
      include: ["test/verification/**/*.verify.ts"],
      // Each part brings its own load.
      maxWorkers: 1,
      testTimeout: 900_000,
      hookTimeout: 60_000
    }
  })
)
