import { readFileSync } from "node:fs"
import { attempt } from "../../platform/Process.ts"
import type { Listening } from "./Listening.ts"
import { nameOf, variableOf } from "./Processes.ts"

/** The input of a watcher. */
export interface Task {
  /** The working copy, such as `shop/main`. */
  readonly label: string
  /** The ports that the command was given, each with the variable that has it. */
  readonly given: ReadonlyArray<readonly [port: number, variable: string]>
  /** The variable that `portctl run` sets, and its value for this command. */
  readonly marker: readonly [name: string, value: string]
}

/** How long a listener is left alone, in ms: the one on the right port may come a little later. */
const patience = 1000

/** The ports that the kernel chooses from by itself. */
const ephemeral = (): readonly [first: number, last: number] => {
  const text = attempt(() => readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "latin1")) ?? ""
  const [, first = "32768", last = "60999"] = /(\d+)\s+(\d+)/.exec(text) ?? []
  return [Number(first), Number(last)]
}

const who = (pid: number): string => `${nameOf(pid)} (pid ${pid})`

/** Finds in readings, at their times in ms, what is to be noted of them, once each. */
export const notesOn = ({ given, label, marker }: Task) => {
  const givenPorts = new Map(given)
  const isMain = given.some(([, variable]) => variable === "PORT")
    ? (variable: string) => variable === "PORT"
    : () => true
  const main = given.filter(([, variable]) => isMain(variable))
  const seen = new Map<number, number>()
  const done = new Set<number>()
  /** Whether a note says that the right port is not listened on. */
  let isMissed = false
  const [first, last] = ephemeral()

  return (found: ReadonlyArray<Listening>, now: number): ReadonlyArray<string> => {
    const met = found.find(({ port }) => main.some(([right]) => right === port))
    // A server may begin to listen long after its debugger.
    const isLate = isMissed && met !== undefined
    const late = isLate ? [`note: ${who(met.pid)} listens on ${met.port} (${givenPorts.get(met.port)}) now`] : []
    if (isLate) isMissed = false
    const strays = found.flatMap(({ pid, port }) => {
      if (givenPorts.has(port) || done.has(port)) return []
      const since = seen.get(port) ?? now
      seen.set(port, since)
      if (now - since < patience) return []
      done.add(port)
      // What a run inside of this one has started is watched there.
      const inner = variableOf(pid, marker[0])
      if (inner !== undefined && inner !== marker[1]) return []
      if (met === undefined) {
        isMissed = true
        return [
          `note: ${who(pid)} listens on ${port}, not on ${main.map(([port, name]) => `${port} (${name})`).join(" or ")}`
        ]
      }
      // One that the kernel has chosen is in nobody's way.
      return port >= first && port <= last
        ? []
        : [`note: ${who(pid)} listens on ${port} too, which is no port of ${label}`]
    })
    return [...late, ...strays]
  }
}
