// Print the folder of a Node that is new enough for this checkout, or nothing where this one is. It is fetched into
// tools/node the first time. Runs on any Node that npm runs on, before anything is installed.
import { spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const home = fileURLToPath(new URL("node", import.meta.url))
const modules = join(home, "node_modules")

/** @param {string} file */
const json = (file) => JSON.parse(readFileSync(file, "utf8"))

const found = process.versions.node
/** @type {string} */
const needed = json(fileURLToPath(new URL("../package.json", import.meta.url))).engines.node.replace(">=", "")

const isEnough = () => {
  const [major = 0, minor = 0] = found.split(".").map(Number)
  const [neededMajor = 0, neededMinor = 0] = needed.split(".").map(Number)
  return major > neededMajor || (major === neededMajor && minor >= neededMinor)
}

/** @param {string} name @param {string} version */
const isFetched = (name, version) => {
  const manifest = join(modules, name, "package.json")
  return existsSync(manifest) && json(manifest).version === version
}

/** npm compares what it fetches with the integrity in the lock file. @param {string} name @param {string} version */
const fetchNode = (name, version) => {
  console.error(`Node ${found} is older than ${needed}: fetching Node ${version} into ${modules}`)
  // Another script may be fetching it too: the first to finish wins.
  const folder = mkdtempSync(join(home, ".fetch-"))
  try {
    for (const file of ["package.json", "package-lock.json"]) cpSync(join(home, file), join(folder, file))
    const args = ["ci", "--prefix", folder, "--ignore-scripts", "--include=optional", "--prefer-offline"]
    const npm = spawnSync("npm", args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] })
    const node = spawnSync(join(folder, "node_modules", name, "bin/node"), ["--version"], { encoding: "utf8" })
    if (node.stdout !== `v${version}\n`) {
      const cause = npm.status === 0 ? "it does not start on this machine" : npm.stderr?.trim().split("\n").at(-1)
      throw new Error(`could not fetch Node ${version}: ${cause || npm.error?.message || "npm failed"}`)
    }
    if (isFetched(name, version)) return
    rmSync(modules, { recursive: true, force: true })
    renameSync(join(folder, "node_modules"), modules)
  } catch (error) {
    if (!isFetched(name, version)) throw error
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const nodeFolder = () => {
  /** @type {[string, string][]} */
  const pinned = Object.entries(json(join(home, "package.json")).optionalDependencies)
  const [name, version] = pinned.find(([name]) => name.endsWith(`${process.platform}-${process.arch}`)) ?? []
  if (name === undefined || version === undefined) {
    throw new Error(`there is no Node to fetch for ${process.platform} on ${process.arch}`)
  }
  if (!isFetched(name, version)) fetchNode(name, version)
  return join(modules, name, "bin")
}

if (!isEnough()) {
  try {
    console.log(nodeFolder())
  } catch (error) {
    const reason = error instanceof Error ? error.message : error
    console.error(`error: port-server needs Node ${needed} or newer, this is Node ${found}; ${reason}`)
    process.exitCode = 1
  }
}
