import { defineConfig, mergeConfig } from "vitest/config"
import common from "./vitest.config.ts"

// What users install, on every Node that is supported: npm fetches packages, so apart from the tests of every change.
const { test, ...packages } = common

export default mergeConfig(
  packages,
  defineConfig({
    test: {
      ...test,
      include: ["test/packages/**/*.test.ts"],
      maxWorkers: 1,
      testTimeout: 300_000,
      hookTimeout: 300_000
    }
  })
)
