import { defineConfig, mergeConfig } from "vitest/config"
import common from "./vitest.config.ts"

// A real container engine, one at a time: apart from the tests of every change.
const { test, ...packages } = common

export default mergeConfig(
  packages,
  defineConfig({
    test: { ...test, include: ["test/compose/**/*.test.ts"], maxWorkers: 1, testTimeout: 300_000 }
  })
)
