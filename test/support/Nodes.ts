import { execFile } from "node:child_process"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"

/** A Node of another version than most tests run on. */
export interface Node {
  readonly major: number
  readonly version: string
  /** The folder of its `node`, for PATH. */
  readonly folder: string
}

/** One that is too old, the oldest and the newest that are supported, and the one of this test. */
export const nodes = async (): Promise<ReadonlyArray<Node>> => {
  const program = fileURLToPath(new URL("../../tools/nodes.js", import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, [program])
  const fetched: ReadonlyArray<Node> = JSON.parse(stdout)
  const { node: version } = process.versions
  return [...fetched, { major: Number.parseInt(version, 10), version, folder: dirname(process.execPath) }]
}

/** Whether it is one that is supported. */
export const isSupported = ({ major }: Node): boolean => major >= 22
