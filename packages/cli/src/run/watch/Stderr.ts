import { closeSync, constants, fstatSync, openSync, write, writeSync } from "node:fs"
import { attempt } from "../../platform/Process.ts"

/** Writes lines to where the command's errors go, as far as the processes of the command have that open. */
export type Tell = (lines: ReadonlyArray<string>, pids: ReadonlyArray<number>) => void

/** To a stderr that this process has. It may be full, so the writing is left to another thread. */
export const heldStderr: Tell = (lines) => {
  for (const line of lines) write(2, `${line}\n`, () => {})
}

/** Opened for itself, a full pipe fails a write and does not delay it. */
const writeTo = (file: string, inode: string, text: string): boolean =>
  attempt(() => {
    const descriptor = openSync(file, constants.O_WRONLY | constants.O_NONBLOCK)
    try {
      return String(fstatSync(descriptor).ino) === inode && writeSync(descriptor, text) > 0
    } finally {
      closeSync(descriptor)
    }
  }) ?? false

/**
 * To a pipe that is not kept open: its reader would wait for this process. It is reached through those that have it as
 * stderr, for the time of a write.
 */
export const pipeOf = (inode: string): Tell => {
  let waiting: ReadonlyArray<string> = []
  return (lines, pids) => {
    waiting = [...waiting, ...lines]
    if (waiting.length === 0) return
    const text = waiting.map((line) => `${line}\n`).join("")
    if (pids.some((pid) => writeTo(`/proc/${pid}/fd/2`, inode, text))) waiting = []
  }
}
