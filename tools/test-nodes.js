// Build and run end-to-end tests on the oldest and the newest Node that are supported: tests and programs alike.
// npm run test:nodes                  what Nodes differ in
// npm run test:nodes -- test/e2e      all of them, some ten minutes on each Node, and forty on a slow machine
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { testNodes } from "./nodes.js"

process.chdir(fileURLToPath(new URL("..", import.meta.url)))

/** What is built, the server, the wire of its API, and of the command what uses processes, sockets and signals. */
const usual = [
  "test/e2e/busybox.test.ts",
  "test/e2e/compiled-code.test.ts",
  "test/e2e/example.test.ts",
  "test/e2e/node.test.ts",
  "test/e2e/quickstart.test.ts",
  "test/e2e/server",
  ..."access allow-host bind body documents durable event-stream framing large-registry listeners protocol slow-clients sockets"
    .split(" ")
    .map((name) => `test/e2e/http/${name}.test.ts`),
  ..."check daemon listeners startup".split(" ").map((name) => `test/e2e/cli/${name}.test.ts`)
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
