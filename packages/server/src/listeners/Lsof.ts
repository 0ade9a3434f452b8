import { execFile } from "node:child_process"
import type { Listener } from "@port-server/domain/Listener"
import type { PortRange } from "@port-server/domain/Port"
import * as Effect from "effect/Effect"
import * as BindProbe from "./BindProbe.ts"
import type { ListenerSnapshot, PortScanner } from "./PortScanner.ts"

/** How long lsof may take, in ms: it can hang on a network disk that is gone. */
const patience = 5_000

/** What lsof prints; it ends with an error also when it merely found nothing. */
const lsof = (...args: ReadonlyArray<string>) =>
  Effect.async<string>((resume) => {
    const options = { timeout: patience, maxBuffer: 64 * 1024 * 1024 }
    const child = execFile("lsof", args, options, (_, stdout) => resume(Effect.succeed(stdout)))
    return Effect.sync(() => child.kill())
  })

/** Whether this machine has lsof. */
export const isAvailable: Effect.Effect<boolean> = Effect.map(
  // Of this process alone, which has a working folder.
  lsof("-w", "-a", "-p", String(process.pid), "-d", "cwd", "-Fn"),
  (output) => output !== ""
)

/** Text as it was before lsof wrote what is not plain ASCII as `\xc3\xa4`. */
const unescaped = (text: string) =>
  text.replace(/(?:\\x[0-9a-f]{2})+/g, (bytes) => Buffer.from(bytes.replaceAll("\\x", ""), "hex").toString("utf8"))

/** A socket that listens. */
interface Socket {
  readonly address: string
  readonly listener: Listener & { readonly pid: number }
}

/** What `lsof -FpcLtn` tells: a line a field, named by its first letter; those of a process come before its files'. */
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

/** The folder that each of the processes runs in. */
const foldersOf = (pids: ReadonlySet<number>) =>
  Effect.map(lsof("-w", "-a", "-p", [...pids].join(","), "-d", "cwd", "-Fn"), (output) => {
    const folders = new Map<number, string>()
    let pid = -1
    for (const line of output.split("\n")) {
      if (line.startsWith("p")) pid = Number(line.slice(1))
      // Of a folder that it may not read, lsof says so in its place.
      else if (line.startsWith("n/") && !/^n\/proc\/\d+\/cwd \(/.test(line)) folders.set(pid, unescaped(line.slice(1)))
    }
    return folders
  })

const picture = (sockets: ReadonlyMap<number, ReadonlyArray<Socket>>, others: ListenerSnapshot): ListenerSnapshot => {
  const at = (port: number) => sockets.get(port) ?? []
  return {
    listens: (port) => (sockets.has(port) ? Effect.succeed(true) : others.listens(port)),
    addresses: (port) => [...new Set(at(port).map(({ address }) => address))],
    owners: Effect.fnUntraced(function* (ports) {
      const found = ports.flatMap((port) => {
        const listener = at(port)[0]?.listener
        return listener === undefined ? [] : [[port, listener] as const]
      })
      const folders = found.length === 0 ? undefined : yield* foldersOf(new Set(found.map(([, { pid }]) => pid)))
      return new Map(
        found.map(([port, listener]) => {
          const cwd = folders?.get(listener.pid)
          return [port, cwd === undefined ? listener : { ...listener, cwd }]
        })
      )
    }),
    ports: () => Effect.succeed([...sockets.keys()].sort((one, other) => one - other))
  }
}

/**
 * What listens, as lsof tells it. That is what its user may see, on macOS only what is the user's own: a port that it does
 * not name is tried by binding it.
 */
export const make = (range: PortRange): Effect.Effect<PortScanner> =>
  Effect.map(BindProbe.make(range), (probe) =>
    Effect.zipWith(lsof("-w", "-nP", "+c0", "-iTCP", "-sTCP:LISTEN", "-FpcLtn"), probe, (output, others) =>
      picture(parse(output), others)
    )
  )
