import { execFile } from "node:child_process"
import { ListenersUnavailable } from "@port-server/domain/Errors"
import type { Listener } from "@port-server/domain/Listener"
import type { PortRange } from "@port-server/domain/Port"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as SystemError from "../runtime/SystemError.ts"
import * as BindProbe from "./BindProbe.ts"
import { type ListenerInfo, type ListenerSnapshot, ownerError, type PortScanner } from "./PortScanner.ts"

/** How long lsof may take, in ms: it can hang on a network disk that does not respond. */
const timeout = 5_000

/** lsof failed, or its list is incomplete. */
class LsofFailed extends Data.TaggedError("LsofFailed")<{ readonly reason: string }> {}

/** The output of lsof. Status 1 without a message means that it found nothing. */
const lsof = (...args: ReadonlyArray<string>) =>
  Effect.async<string, LsofFailed>((resume) => {
    const child = execFile("lsof", args, { timeout, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null || (error.code === 1 && stderr === "")) return resume(Effect.succeed(stdout))
      const [message = ""] = stderr.trim().split("\n")
      if (error.killed === true) resume(new LsofFailed({ reason: `lsof took longer than ${timeout / 1_000} s` }))
      else if (message !== "") resume(new LsofFailed({ reason: message }))
      else if (error.signal) resume(new LsofFailed({ reason: `lsof was ended by ${error.signal}` }))
      else if (typeof error.code === "number")
        resume(new LsofFailed({ reason: `lsof exited with status ${error.code}` }))
      else resume(new LsofFailed({ reason: SystemError.errorReason(error) }))
    })
    return Effect.sync(() => child.kill())
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

/** A listening socket. */
interface Socket {
  readonly address: string
  readonly listener: Listener & { readonly pid: number }
}

/** Parses `lsof -FpcLtn`: one field per line, named by its first letter; a process comes before its files. */
const parse = (output: string): Map<number, Array<Socket>> => {
  const sockets = new Map<number, Array<Socket>>()
  let listener: Socket["listener"] = { pid: -1 }
  let family = ""
  for (const line of output.split("\n")) {
    const text = unescaped(line.slice(1))
    if (line.startsWith("p")) listener = { pid: Number(text) }
    else if (line.startsWith("c")) listener = { ...listener, command: text }
    else if (line.startsWith("L")) listener = { ...listener, user: text }
    else if (line.startsWith("t")) family = text
    else if (line.startsWith("n")) {
      const [, host = "", digits] = /^\[?(.*?)\]?:(\d+)$/.exec(text) ?? []
      if (digits === undefined) continue
      const wildcard = family === "IPv6" ? "::" : "0.0.0.0"
      const address = host === "*" ? wildcard : host.replace(/^::ffff:(?=\d+\.)/, "")
      sockets.set(Number(digits), [...(sockets.get(Number(digits)) ?? []), { address, listener }])
    }
  }
  return sockets
}

/** The working folder of each process. */
const foldersOf = (pids: ReadonlySet<number>) =>
  Effect.map(lsof("-w", "-a", "-p", [...pids].join(","), "-d", "cwd", "-Fn"), (output) => {
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

const snapshot = (sockets: ReadonlyMap<number, ReadonlyArray<Socket>>, others: ListenerSnapshot): ListenerSnapshot => {
  const at = (port: number) => sockets.get(port) ?? []
  return {
    listens: (port) => (sockets.has(port) ? Effect.succeed(true) : others.listens(port)),
    addresses: (port) => [...new Set(at(port).map(({ address }) => address))],
    owners: Effect.fnUntraced(function* (ports) {
      const found = ports.flatMap((port) => {
        const listener = at(port)[0]?.listener
        return listener === undefined ? [] : [[port, listener] as const]
      })
      const pids = new Set(found.map(([, { pid }]) => pid))
      const { error, folders } = yield* Effect.match(pids.size === 0 ? Effect.succeed(noFolders) : foldersOf(pids), {
        onFailure: ({ reason }) => ({ error: ownerError(reason), folders: noFolders }),
        onSuccess: (folders) => ({ error: {}, folders })
      })
      return new Map(
        found.map(([port, listener]): readonly [number, ListenerInfo] => {
          const cwd = folders.get(listener.pid)
          return [port, { listener: cwd === undefined ? listener : { ...listener, cwd }, ...error }]
        })
      )
    }),
    ports: () => Effect.succeed([...sockets.keys()].sort((one, other) => one - other))
  }
}

/** Listeners by lsof, which on macOS lists only the user's own. A port that it does not list is probed by binding it. */
export const make = (range: PortRange): Effect.Effect<PortScanner> =>
  Effect.map(BindProbe.make(range), (probe) =>
    lsof("-w", "-nP", "+c0", "-iTCP", "-sTCP:LISTEN", "-FpcLtn").pipe(
      Effect.map(parse),
      // lsof omits what it cannot read without a message, but port-server itself listens.
      Effect.filterOrFail(
        (sockets) => [...sockets.values()].flat().some(({ listener }) => listener.pid === process.pid),
        () => new LsofFailed({ reason: "lsof does not list port-server's own socket" })
      ),
      Effect.mapError(({ reason }) => ListenersUnavailable.of(reason)),
      Effect.zipWith(probe, snapshot)
    )
  )
