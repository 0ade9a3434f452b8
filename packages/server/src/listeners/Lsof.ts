import { execFile } from "node:child_process"
import { ListenersUnavailable } from "@port-server/domain/Errors"
import type { Listener, PortSocket } from "@port-server/domain/Listener"
import type { PortRange } from "@port-server/domain/PortRange"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Monotonic from "../runtime/Monotonic.ts"
import * as SystemError from "../runtime/SystemError.ts"
import * as BindProbe from "./BindProbe.ts"
import { byImportance, type ListenerSnapshot, ownerError, type PortScanner, type PortSockets } from "./PortScanner.ts"

/** How long lsof may take, in ms: it can hang on a network disk that does not respond. */
const timeout = 5_000

/** How long lsof is not run again after that, in ms: a request that needs it several times fails in time. */
const pause = 5_000

/** lsof failed, or its list is incomplete. */
class LsofFailed extends Data.TaggedError("LsofFailed")<{ readonly reason: string }> {}

/** Runs lsof with arguments; its output. */
type Run = (...args: ReadonlyArray<string>) => Effect.Effect<string, LsofFailed>

const tookTooLong = new LsofFailed({ reason: `lsof took longer than ${timeout / 1_000} s` })

/** The output of lsof. Status 1 without a message means that it found nothing. */
const lsof: Run = (...args) =>
  Effect.async((resume) => {
    const child = execFile("lsof", args, { timeout, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null || (error.code === 1 && stderr === "")) return resume(Effect.succeed(stdout))
      const [message = ""] = stderr.trim().split("\n")
      if (error.killed === true) resume(tookTooLong)
      else if (message !== "") resume(new LsofFailed({ reason: message }))
      else if (error.signal) resume(new LsofFailed({ reason: `lsof was ended by ${error.signal}` }))
      else if (typeof error.code === "number")
        resume(new LsofFailed({ reason: `lsof exited with status ${error.code}` }))
      else resume(new LsofFailed({ reason: SystemError.errorReason(error) }))
    })
    return Effect.sync(() => child.kill())
  })

/** {@link lsof}, which for a while after it hung fails at once. */
const pausing = Effect.sync((): Run => {
  let end = 0
  return (...args) =>
    Effect.suspend(() => (Monotonic.now() < end ? tookTooLong : lsof(...args))).pipe(
      Effect.tapError((error) =>
        Effect.sync(() => {
          if (error === tookTooLong && Monotonic.now() >= end) end = Monotonic.now() + pause
        })
      )
    )
})

/** Whether this machine has lsof. */
export const isAvailable: Effect.Effect<boolean> = Effect.match(
  // Lists this process alone, which has a working folder.
  lsof("-w", "-a", "-p", String(process.pid), "-d", "cwd", "-Fn"),
  { onFailure: () => false, onSuccess: (output) => output !== "" }
)

/** Decodes what lsof writes as `\xc3\xa4`: bytes that are not plain ASCII. */
const unescaped = (text: string) =>
  text.replace(/(?:\\x[0-9a-f]{2})+/g, (bytes) => Buffer.from(bytes.replaceAll("\\x", ""), "hex").toString("utf8"))

/** A socket with a local port. */
type Socket = PortSocket & { readonly pid: number }

/** Node's first thread, by whose name Linux calls the process. */
const commandOf = (text: string) => (text === "node-MainThread" ? "node" : text)

const stateOf = (text: string): PortSocket["state"] => {
  if (text === "LISTEN") return "listening"
  return ["CLOSED", "IDLE", "BOUND"].includes(text) ? "bound" : "connected"
}

/** Parses `lsof -FpcLtPnT`: one field per line, named by its first letter; a process comes before its files. */
const parse = (output: string): ReadonlyMap<number, ReadonlyArray<Socket>> => {
  const found: Array<{ readonly port: number; socket: Socket }> = []
  let process: Listener & { readonly pid: number } = { pid: -1 }
  let family = ""
  let protocol: PortSocket["protocol"] = "tcp"
  for (const line of output.split("\n")) {
    const text = unescaped(line.slice(1))
    const last = found.at(-1)
    if (line.startsWith("p")) process = { pid: Number(text) }
    else if (line.startsWith("c")) process = { ...process, command: commandOf(text) }
    else if (line.startsWith("L")) process = { ...process, user: text }
    else if (line.startsWith("t")) family = text
    else if (line.startsWith("P")) protocol = text === "UDP" ? "udp" : "tcp"
    else if (line.startsWith("TST=") && last !== undefined)
      last.socket = { ...last.socket, state: stateOf(line.slice("TST=".length)) }
    else if (line.startsWith("n")) {
      const [local = "", remote] = text.split("->")
      const [, host = "", digits] = /^\[?(.*?)\]?:(\d+)$/.exec(local) ?? []
      if (digits === undefined) continue
      const wildcard = family === "IPv6" ? "::" : "0.0.0.0"
      const address = host === "*" ? wildcard : host.replace(/^::ffff:(?=\d+\.)/, "")
      const state = remote !== undefined ? "connected" : protocol === "udp" ? "bound" : "listening"
      found.push({ port: Number(digits), socket: { protocol, address, state, ...process } })
    }
  }
  return groupByPort(found)
}

/** The sockets of each port; the ends of connections only where nothing listens or is bound. */
const groupByPort = (
  found: ReadonlyArray<{ readonly port: number; readonly socket: Socket }>
): ReadonlyMap<number, ReadonlyArray<Socket>> => {
  const ports = new Map<number, Map<string, Socket>>()
  for (const { port, socket } of found) {
    const others = ports.get(port) ?? new Map<string, Socket>()
    // A process can have one socket open twice.
    ports.set(port, others.set(`${socket.protocol} ${socket.address} ${socket.state} ${socket.pid}`, socket))
  }
  return new Map(
    [...ports].map(([port, sockets]) => {
      const each = [...sockets.values()]
      const held = each.filter(({ state }) => state !== "connected")
      return [port, (held.length === 0 ? each : held).toSorted(byImportance)]
    })
  )
}

/** The working folder of each process. */
const foldersOf = (run: Run, pids: ReadonlySet<number>) =>
  Effect.map(run("-w", "-a", "-p", [...pids].join(","), "-d", "cwd", "-Fn"), (output) => {
    const folders = new Map<number, string>()
    let pid = -1
    for (const line of output.split("\n")) {
      if (line.startsWith("p")) pid = Number(line.slice(1))
      // In place of a folder that it may not read, lsof prints a message.
      else if (line.startsWith("n/") && !/^n\/proc\/\d+\/cwd \(/.test(line)) folders.set(pid, unescaped(line.slice(1)))
    }
    return folders
  })

const noFolders: ReadonlyMap<number, string> = new Map()

const snapshot = (
  run: Run,
  table: ReadonlyMap<number, ReadonlyArray<Socket>>,
  others: ListenerSnapshot
): ListenerSnapshot => ({
  listens: (port) =>
    table.get(port)?.some(({ state }) => state !== "connected") ? Effect.succeed(true) : others.listens(port),
  sockets: Effect.fnUntraced(function* (ports) {
    const known = ports.filter((port) => table.has(port))
    const probed = yield* others.sockets(ports.filter((port) => !table.has(port)))
    const pids = new Set(known.flatMap((port) => (table.get(port) ?? []).map(({ pid }) => pid)))
    const { error, folders } = yield* Effect.match(pids.size === 0 ? Effect.succeed(noFolders) : foldersOf(run, pids), {
      onFailure: ({ reason }) => ({ error: ownerError(reason), folders: noFolders }),
      onSuccess: (folders) => ({ error: {}, folders })
    })
    const withFolder = (socket: Socket): PortSocket => {
      const cwd = folders.get(socket.pid)
      return cwd === undefined ? socket : { ...socket, cwd }
    }
    const found = known.map((port): readonly [number, PortSockets] => [
      port,
      { listeners: (table.get(port) ?? []).map(withFolder), ...error }
    ])
    return new Map([...found, ...probed])
  }),
  ports: () => Effect.succeed([...table.keys()].sort((one, other) => one - other))
})

/** Sockets by lsof, which on macOS lists only the user's own. A port that it does not list is probed by binding it. */
export const make = (range: PortRange): Effect.Effect<PortScanner> =>
  Effect.zipWith(BindProbe.make(range), pausing, (probe, run) =>
    run("-w", "-nP", "+c0", "-i", "-FpcLtPnT").pipe(
      Effect.map(parse),
      // lsof omits what it cannot read without a message, but port-server itself listens.
      Effect.filterOrFail(
        (sockets) => [...sockets.values()].flat().some(({ pid }) => pid === process.pid),
        () => new LsofFailed({ reason: "lsof does not list port-server's own socket" })
      ),
      Effect.mapError(({ reason }) => ListenersUnavailable.of(reason)),
      Effect.zipWith(probe, (table, others) => snapshot(run, table, others))
    )
  )
