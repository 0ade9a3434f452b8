// Install what is missing and build what is stale, and nothing else: what `npm start` and `npm test` do first.
// It runs before anything is installed, so it uses Node alone.
import { execSync } from "node:child_process"
import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"

process.chdir(new URL("..", import.meta.url).pathname)

/** @param {string} path @returns {string[]} */
const filesBelow = (path) =>
  statSync(path).isDirectory() ? readdirSync(path).flatMap((name) => filesBelow(`${path}/${name}`)) : [path]

/** @param {string[]} paths */
const fingerprint = (paths) => {
  const hash = createHash("sha256").update(process.version).update(process.platform).update(process.arch)
  for (const file of paths.filter(existsSync).flatMap(filesBelow).sort()) hash.update(file).update(readFileSync(file))
  return hash.digest("hex")
}

/** @param {string} stamp @param {string[]} sources @param {string[]} results @param {string} command */
const refresh = (stamp, sources, results, command) => {
  const current = fingerprint(sources)
  if (results.every((path) => existsSync(path)) && existsSync(stamp) && readFileSync(stamp, "utf8") === current) return
  execSync(command, { stdio: ["ignore", "inherit", "inherit"] })
  writeFileSync(stamp, current)
}

const packages = readdirSync("packages").map((name) => `packages/${name}`)
const manifests = ["package.json", "package-lock.json", ...packages.map((path) => `${path}/package.json`)]

refresh("node_modules/.port-server-installed", manifests, ["node_modules/.bin/tsc"], "npm ci")
refresh(
  "bin/.built",
  [
    ...manifests,
    "tsconfig.json",
    "tsconfig.build.json",
    "tools",
    "examples",
    ...packages.flatMap((path) => [`${path}/src`, `${path}/tsconfig.json`])
  ],
  ["bin/port-server", "bin/portctl"],
  "npm run --silent build"
)
