// Install what is missing and build what is stale, and nothing else: what `npm start` and `npm test` do first.
import { execSync } from "node:child_process"
import { fileURLToPath } from "node:url"

process.chdir(fileURLToPath(new URL("..", import.meta.url)))
const { isBuilt, isInstalled, markInstalled } = await import("./stamps.js")

/** @param {string} command @param {string} purpose */
const run = (command, purpose) => {
  console.error(`${purpose}: ${command}`)
  try {
    execSync(command, { stdio: ["ignore", "inherit", "inherit"] })
  } catch {
    console.error(`error: ${command} failed; what it printed above says why`)
    process.exit(1)
  }
}

if (!isInstalled()) {
  run("npm ci", "installing")
  markInstalled()
}
if (!isBuilt()) run("npm run --silent build", "building")
