// The Nodes that only tests need, fetched as tools/nodes pins them. Run as a program, it prints them as JSON.
import { spawnSync } from "node:child_process"
import { existsSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const home = fileURLToPath(new URL("nodes", import.meta.url))

/** @param {string} file */
const json = (file) => JSON.parse(readFileSync(file, "utf8"))

/** @type {Record<string, string>} */
const pinned = json(`${home}/package.json`).optionalDependencies
const system = `-${process.platform}-${process.arch}`
const nodes = Object.entries(pinned)
  .filter(([name]) => name.endsWith(system))
  .map(([name, spec]) => ({
    major: Number(name.split("-")[1]),
    version: spec.slice(spec.lastIndexOf("@") + 1),
    manifest: `${home}/node_modules/${name}/package.json`,
    folder: `${home}/node_modules/${name}/bin`
  }))

const isFetched = nodes.every(({ manifest, version }) => existsSync(manifest) && json(manifest).version === version)
if (!isFetched) {
  const args = ["ci", "--prefix", home, "--ignore-scripts", "--include=optional", "--prefer-offline"]
  const { status } = spawnSync("npm", args, { cwd: home, stdio: ["ignore", "ignore", "inherit"] })
  if (status !== 0) throw new Error(`cannot fetch the Nodes of ${home}: npm ci ended with ${status}`)
}

/** @type {ReadonlyArray<{ major: number, version: string, folder: string }>} */
export const testNodes = nodes.map(({ folder, major, version }) => ({ major, version, folder }))

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(JSON.stringify(testNodes))
