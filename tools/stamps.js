// What is installed and built, and whether it still fits the sources. Uses Node alone: it runs before an install.
import { createHash } from "node:crypto"
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"

const packages = readdirSync("packages").map((name) => `packages/${name}`)
const manifests = ["package.json", "package-lock.json", ...packages.map((path) => `${path}/package.json`)]
const sources = [
  ...manifests,
  "tsconfig.json",
  "tsconfig.build.json",
  "tools",
  "examples/allocate.ts",
  ...packages.flatMap((path) => [`${path}/src`, `${path}/assets`, `${path}/tsconfig.json`])
]

/** Whether it is for tests alone, which fetch things into it, or was installed. @param {string} path */
const isNoSource = (path) => path === "tools/engine" || path.endsWith("/node_modules")

/** @param {string} path @returns {string[]} */
const filesBelow = (path) => {
  if (!statSync(path).isDirectory()) return [path]
  return isNoSource(path) ? [] : readdirSync(path).flatMap((name) => filesBelow(`${path}/${name}`))
}

/** @param {string[]} paths */
const fingerprint = (paths) => {
  const hash = createHash("sha256").update(process.platform).update(process.arch)
  for (const file of paths.filter(existsSync).flatMap(filesBelow).sort()) hash.update(file).update(readFileSync(file))
  return hash.digest("hex")
}

const installed = "node_modules/.port-server-installed"
const npms = "node_modules/.package-lock.json"
const built = "bin/.built"

/** @param {string} stamp @param {string} current */
const fits = (stamp, current) => existsSync(stamp) && readFileSync(stamp, "utf8") === current

/** Remember that what is installed fits the manifests. */
export const markInstalled = () => writeFileSync(installed, fingerprint(manifests))

/** Whether what is installed fits the manifests: by our own mark, or because npm installed after they were written. */
export const isInstalled = () => {
  if (!existsSync("node_modules/.bin/tsc")) return false
  if (fits(installed, fingerprint(manifests))) return true
  return (
    !existsSync(installed) &&
    existsSync(npms) &&
    manifests.every((path) => statSync(path).mtimeMs <= statSync(npms).mtimeMs)
  )
}

// The programs start on the Node of their build.
const build = () => `${process.version} ${fingerprint(sources)}`

/** Remember that what is built fits the sources. */
export const markBuilt = () => writeFileSync(built, build())

/** Whether what is built fits the sources. */
export const isBuilt = () =>
  ["bin/port-server", "bin/portctl"].every((path) => existsSync(path)) && fits(built, build())
