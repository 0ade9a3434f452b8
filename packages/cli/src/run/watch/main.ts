// The watcher of a command that `portctl run` has become: it notes on stderr what the command listens on beside the ports
// that it was given. A program of its own, on Node alone, because every run pays for its start.
import { openSync, readSync } from "node:fs"
import { attempt, startOf } from "../../platform/Process.ts"
import { listeningIn } from "./Listening.ts"
import { notesOn } from "./Notes.ts"
import { heldStderr, pipeOf } from "./Stderr.ts"

const [pid = "", start = "", pipe = "", label = "", markerName = "", markerValue = "", ...pairs] = process.argv.slice(2)
const given = pairs.map((pair) => {
  const [port = "", variable = ""] = pair.split("=")
  return [Number(port), variable] as const
})

/**
 * How often it is seen whether the command runs, in ms; less often where that costs more than this share of a processor.
 * Who reads stderr to its end waits for this process if it has it.
 */
const heartbeat = { least: pipe === "" ? 100 : 250, most: 500, share: 1 / 400 }

/** How often is read what listens, in ms: while processes and sockets come, for so long after that, and later on. */
const interval = { busy: 250, calm: 10_000, idle: 2000 }

/** At most this share of a processor goes into reading. */
const share = 1 / 600

const memory = attempt(() => openSync(`/proc/${pid}/statm`, "r"))
const buffer = Buffer.alloc(32)

/** A process that has ended has no memory, whether somebody has asked yet how it ended or not. */
const isRunning = (): boolean =>
  memory !== undefined &&
  attempt(() => readSync(memory, buffer, 0, buffer.length, 0) > 1 && buffer[0] !== 0x30) === true

const read = listeningIn(Number(pid))
const notes = notesOn({ given, label, marker: [markerName, markerValue] })
const tell = pipe === "" ? heldStderr : pipeOf(pipe)

let [last, next] = [performance.now(), 0]
const look = (): void => {
  const now = performance.now()
  if (now < next) return
  const before = process.cpuUsage()
  const { found, hasNews, pids } = read()
  if (hasNews) last = now
  tell(notes(found, now), pids)
  const { system, user } = process.cpuUsage(before)
  next = now + Math.max(now - last < interval.calm ? interval.busy : interval.idle, (system + user) / 1000 / share)
}

// Waiting here takes half as much as a timer: what the event loop would wait for, there is none.
const nothing = new Int32Array(new SharedArrayBuffer(4))
if (startOf(Number(pid)) === start && isRunning()) {
  let wait = heartbeat.least
  do {
    look()
    const before = process.cpuUsage()
    Atomics.wait(nothing, 0, 0, wait)
    const { system, user } = process.cpuUsage(before)
    wait = Math.min(Math.max((system + user) / 1000 / heartbeat.share, heartbeat.least), heartbeat.most)
  } while (isRunning())
}

// At once, also while a note waits in a full stderr.
process.kill(process.pid, "SIGKILL")
