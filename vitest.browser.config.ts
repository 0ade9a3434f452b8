import { defineConfig, mergeConfig } from "vitest/config"
import common from "./vitest.config.ts"

// The page at / in a real browser: apart from the tests of every change.
const { test, ...packages } = common

export default mergeConfig(
  packages,
  defineConfig({
    test: {
      ...test,
      include: ["test/browser/**/*.test.ts"],
      maxWorkers: 1,
      fileParallelism: false,
      testTimeout: 300_000
    }
  })
)
