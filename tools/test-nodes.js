// Build and run end-to-end tests on the oldest and the newest Node that are supported: tests and programs alike.
// npm run test:nodes                  what Nodes differ in
// npm run test:nodes -- test/e2e      all of them, some ten minutes on each Node, and forty on a slow machine
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { testNodes } from "./nodes.js"

process.chdir(fileURLToPath(new URL("..", import.meta.url)))

/** The server and its API, what is built, and of the command what uses processes, sockets and signals. */
const usual = [
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

/** @param {string} folder @param {string[]} args */
const npm = (folder, ...args) =>
  execFileSync("npm", args, { stdio: "inherit", env: { ...process.env, PATH: `${folder}:${process.env["PATH"]}` } })

const [, , ...files] = process.argv
const nodes = testNodes.filter(({ major }) => major >= 22)
try {
  for (const { folder, version } of nodes) {
    console.log(`on Node ${version}`)
    npm(folder, "run", "pretest")
    npm(folder, "exec", "--", "vitest", "run", ...(files.length === 0 ? usual : files))
  }
} catch {
  process.exitCode = 1
} finally {
  // The programs in bin/ start on the Node of their build.
  execFileSync("npm", ["run", "build"], { stdio: "inherit" })
}
