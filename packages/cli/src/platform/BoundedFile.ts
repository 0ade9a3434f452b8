import { closeSync, constants, fstatSync, openSync, readSync, statSync } from "node:fs"
import { codedError } from "@port-server/domain/SystemError"

const { O_NONBLOCK, O_RDONLY } = constants

/** Of what people and their tools write for a project, the largest, in bytes. */
const mostBytes = 16 * 1024 * 1024

/**
 * The bytes of a file that somebody else may have made, such as a project's. Fails for a file that is larger, and for a
 * pipe or a device, which can be without end: a cloned repository can have a link to `/dev/zero`.
 */
export const read = (path: string, most = mostBytes): Buffer => {
  const fail = (code: string) => codedError(code, path)
  // Before it is opened, which is an action for some devices.
  if (!statSync(path).isFile()) throw fail("ENOTFILE")
  const file = openSync(path, O_RDONLY | O_NONBLOCK)
  try {
    const { size } = fstatSync(file)
    if (size > most) throw fail("EFBIG")
    const chunks: Array<Buffer> = []
    // Files of the kernel say that they are empty, and have no end.
    for (let length = 0; ; ) {
      const chunk = Buffer.allocUnsafe(Math.max(size - length + 1, 16 * 1024))
      const more = readSync(file, chunk)
      if (more === 0) return Buffer.concat(chunks, length)
      length += more
      if (length > most) throw fail("EFBIG")
      chunks.push(chunk.subarray(0, more))
    }
  } finally {
    closeSync(file)
  }
}
