import * as NodeFs from "node:fs"
import { basename, dirname, join } from "node:path"

/** Write the bytes to a temporary file beside the one that they are for. */
const stage = (beside: string, bytes: Uint8Array, mode: number): string => {
  // In a folder with a unique name, so that what a killed process has left behind is never in the way.
  const folder = NodeFs.mkdtempSync(join(dirname(beside), `.${basename(beside).slice(0, 200)}.`))
  const temporary = join(folder, "new")
  try {
    const file = NodeFs.openSync(temporary, "wx", mode)
    try {
      NodeFs.writeFileSync(file, bytes)
      NodeFs.fsyncSync(file)
    } finally {
      NodeFs.closeSync(file)
    }
  } catch (error) {
    NodeFs.rmSync(folder, { recursive: true, force: true })
    throw error
  }
  return temporary
}

const withStaged = (beside: string, bytes: Uint8Array, mode: number, use: (temporary: string) => void): void => {
  const temporary = stage(beside, bytes, mode)
  try {
    use(temporary)
  } finally {
    NodeFs.rmSync(dirname(temporary), { recursive: true, force: true })
  }
}

/** Make a file with these bytes, complete from the start; fails with `EEXIST` where there is one. */
export const create = (file: string, bytes: Uint8Array): void =>
  withStaged(file, bytes, 0o666, (temporary) => NodeFs.linkSync(temporary, file))
