// Build and run end-to-end tests on the oldest and the newest Node that are supported: tests and programs alike.
// npm run test:nodes                  every one on one of both at least
// npm run test:nodes -- test/e2e      all of them on both, some ten minutes on each Node
import { execFileSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { testNodes } from "./nodes.js"

process.chdir(fileURLToPath(new URL("..", import.meta.url)))

/** Tests on every Node; of `test/e2e/cli`, what uses that in which Nodes differ: processes, sockets, signals. */
const everywhere = [
  "test/e2e/busybox.test.ts",
  "test/e2e/compiled-code.test.ts",
  "test/e2e/docs.test.ts",
  "test/e2e/example.test.ts",
  "test/e2e/node.test.ts",
  "test/e2e/quickstart.test.ts",
  "test/e2e/http",
  "test/e2e/server",
  "test/e2e/cli/check.test.ts",
  "test/e2e/cli/daemon.test.ts",
  "test/e2e/cli/listeners.test.ts",
  "test/e2e/cli/run-exec.test.ts",
  "test/e2e/cli/startup.test.ts"
]

/** Tests on one Node each: all of them on three Nodes would take the gate over an hour on a slow machine. */
const divided = readdirSync("test/e2e/cli")
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => `test/e2e/cli/${name}`)
  .filter((file) => !everywhere.includes(file))

/** @param {string} folder @param {string[]} args */
const npm = (folder, ...args) =>
  execFileSync("npm", args, { stdio: "inherit", env: { ...process.env, PATH: `${folder}:${process.env["PATH"]}` } })

const [, , ...files] = process.argv
const nodes = testNodes.filter(({ major }) => major >= 22)
try {
  for (const [index, { folder, version }] of nodes.entries()) {
    console.log(`on Node ${version}`)
    const usual = [...everywhere, ...divided.filter((_, each) => each % nodes.length === index)]
    npm(folder, "run", "pretest")
    npm(folder, "exec", "--", "vitest", "run", ...(files.length === 0 ? usual : files))
  }
} catch {
  process.exitCode = 1
} finally {
  // The programs in bin/ start on the Node of their build.
  execFileSync("npm", ["run", "build"], { stdio: "inherit" })
}
