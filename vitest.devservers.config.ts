import { defineConfig, mergeConfig } from "vitest/config"
import common from "./vitest.config.ts"

// Real development servers, which npm fetches: apart from the tests of every change.
const { test, ...packages } = common

export default mergeConfig(
  packages,
  defineConfig({
    test: {
      ...test,
      include: ["test/devservers/**/*.test.ts"],
      maxWorkers: 1,
      testTimeout: 300_000,
      hookTimeout: 900_000
    }
  })
)
