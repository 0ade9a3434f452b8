import { execFileSync } from "node:child_process"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"

const folder = fileURLToPath(new URL("../../tools/nodes/", import.meta.url))

/** A Node that is supported. */
export interface Node {
  readonly version: string
  /** The folder of its `node`, for PATH. */
  readonly folder: string
}

const at = (folder: string): Node => ({
  folder,
  version: execFileSync(`${folder}/node`, ["--version"], { encoding: "utf8" }).trim().slice(1)
})

/** The oldest and the newest Node that are supported, fetched as `tools/nodes` pins them, and the one of this test. */
export const supportedNodes = (): ReadonlyArray<Node> => {
  execFileSync("npm", ["ci", "--prefix", folder, "--ignore-scripts", "--silent", "--prefer-offline"], { cwd: folder })
  const fetched = ["22", "26"].map((major) =>
    at(`${folder}node_modules/node-${major}-${process.platform}-${process.arch}/bin`)
  )
  return [...fetched, at(dirname(process.execPath))]
}
