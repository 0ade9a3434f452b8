// Check that the lock files pin each package by its integrity, and name no registry.
import { readFileSync } from "node:fs"

const root = new URL("../", import.meta.url)
const files = ["package-lock.json", "tools/node/package-lock.json", "tools/nodes/package-lock.json"]

const problems = files.flatMap((file) => {
  /** @type {{ packages: Record<string, { link?: boolean, integrity?: string, resolved?: string }> }} */
  const { packages } = JSON.parse(readFileSync(new URL(file, root), "utf8"))
  return Object.entries(packages).flatMap(([path, { integrity = "", link = false, resolved = "" }]) => [
    ...(path.includes("node_modules/") && !link && !integrity.startsWith("sha512-")
      ? [`${file}: ${path} has no integrity`]
      : []),
    ...(resolved.includes("://") ? [`${file}: ${path} names the host that it came from`] : [])
  ])
})

for (const problem of problems) console.error(`error: ${problem}`)
process.exitCode = problems.length === 0 ? 0 : 1
