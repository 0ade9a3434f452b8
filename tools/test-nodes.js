// Build and run the end-to-end tests on the oldest and the newest Node that are supported: tests and programs alike.
import { execFileSync } from "node:child_process"
import { fileURLToPath } from "node:url"
import { testNodes } from "./nodes.js"

process.chdir(fileURLToPath(new URL("..", import.meta.url)))

/** @param {string} folder @param {string[]} args */
const npm = (folder, ...args) =>
  execFileSync("npm", args, { stdio: "inherit", env: { ...process.env, PATH: `${folder}:${process.env["PATH"]}` } })

const [, , ...files] = process.argv
const nodes = testNodes.filter(({ major }) => major >= 22)
try {
  for (const { folder, version } of nodes) {
    console.log(`on Node ${version}`)
    npm(folder, "test", "--", ...(files.length === 0 ? ["test/e2e"] : files))
  }
} catch {
  process.exitCode = 1
} finally {
  // The programs in bin/ start on the Node of their build.
  execFileSync("npm", ["run", "build"], { stdio: "inherit" })
}
