import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { chmod, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { userInfo } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import { PortRangeFromText } from "@port-server/domain/PortRange"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { freePorts, hasIpv6, hosts, listen, listeningProgram } from "../../../../test/support/Listening.ts"
import { start, temporaryFolder } from "../../../../test/support/Programs.ts"
import { connected, listener } from "../../../../test/support/Sockets.ts"
import * as BindProbe from "../../src/listeners/BindProbe.ts"
import * as Lsof from "../../src/listeners/Lsof.ts"
import type { PortScanner } from "../../src/listeners/PortScanner.ts"
import * as ProcNet from "../../src/listeners/ProcNet.ts"
import * as WildcardBind from "../../src/listeners/WildcardBind.ts"

const range = Schema.decodeSync(PortRangeFromText)
const promise = <A>(run: () => Promise<A>) => Effect.promise(run)

/** The sources that this machine does not have, whose tests are skipped; CI's has both. */
const missing: Readonly<Record<string, boolean>> = {
  "/proc/net/tcp": process.platform !== "linux",
  lsof: spawnSync("lsof", ["-v"]).error !== undefined
}

const procNet = Effect.flatMap(WildcardBind.make, ({ whileScanning }) => ProcNet.make(whileScanning))

// lsof waits for a mount that hangs, which another test may have made: longer than the server waits for lsof.
const unhurried = (scan: PortScanner): PortScanner =>
  Effect.retry(scan, {
    while: ({ message }) => message.endsWith("lsof took longer than 5 s"),
    schedule: Schedule.spaced("1 second"),
    times: 40
  })

const sources: ReadonlyArray<readonly [name: string, make: (first: number) => Effect.Effect<PortScanner>]> = [
  ["/proc/net/tcp", () => procNet],
  ["lsof", (first) => Effect.map(Lsof.make(range(`${first}-${first + 7}`)), unhurried)],
  ["the bind probe", (first) => BindProbe.make(range(`${first}-${first + 7}`))]
]

describe("the rows of the kernel's tables", () => {
  const socket = { port: 3000, protocol: "tcp", state: "listening", address: "0.0.0.0", uid: 0 } as const

  it("count once that come twice, and are all counted where they are no longer anybody's", () => {
    const [one, other] = [
      { ...socket, inode: "7" },
      { ...socket, inode: "8" }
    ]
    expect(ProcNet.groupByPort([one, other, one])).toEqual(new Map([[3000, [one, other]]]))
    const left = { ...socket, inode: "0" }
    expect(ProcNet.groupByPort([left, left])).toEqual(new Map([[3000, [left, left]]]))
  })
})

/** As port-server does, this process listens as long as it runs. */
const own = createServer()
beforeAll(() => new Promise<void>((resolve) => void own.listen(0, "127.0.0.1", resolve)))
afterAll(() => void own.close())

const describing = (name: string) => (missing[name] ? describe.skip : describe)

for (const [name, make] of sources) {
  describing(name)(missing[name] ? `${name} (skipped: not on this machine)` : name, () => {
    for (const host of hosts) {
      it.scopedLive(`sees what listens on ${host}, and no longer once it is closed`, () =>
        Effect.gen(function* () {
          const first = yield* freePorts(2)
          const source = yield* make(first)
          const { close, port } = yield* listen(host, first)
          const during = yield* source
          expect(yield* during.listens(port)).toBe(true)
          expect(yield* during.listens(port + 1)).toBe(false)
          expect(yield* during.ports(Effect.succeed([]))).toContain(port)
          yield* close
          const after = yield* source
          expect(yield* after.listens(port)).toBe(false)
          expect(yield* after.ports(Effect.succeed([port]))).not.toContain(port)
          expect(yield* (yield* source).listens(port)).toBe(false)
        })
      )
    }
  })
}

it.scopedLive("the bind probe tries the ports that are likely besides its range, and knows nobody", () =>
  Effect.gen(function* () {
    const first = yield* freePorts(4)
    const source = yield* BindProbe.make(range(`${first}-${first + 1}`))
    yield* listen("127.0.0.1", first)
    yield* listen("127.0.0.1", first + 3)
    const { ports, sockets } = yield* source
    expect(yield* ports(Effect.succeed([first + 3, first + 2]))).toEqual([first, first + 3])
    expect(yield* sockets([first, first + 1])).toEqual(
      new Map([[first, { listeners: [{ protocol: "tcp", state: "bound" }] }]])
    )
  })
)

it.scopedLive("many probes of one port at a time do not see each other", () =>
  Effect.gen(function* () {
    const first = yield* freePorts(1)
    const source = yield* BindProbe.make(range(`${first}-${first}`))
    const looks = Effect.flatMap(source, ({ listens }) => listens(first))
    const seen = yield* Effect.all(
      Array.from({ length: 32 }, () => looks),
      { concurrency: "unbounded" }
    )
    expect(new Set(seen)).toEqual(new Set([false]))
  })
)

describe("lsof", () => {
  /** A source whose lsof is a shell script. */
  const scripted = (script: string) =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const file = join(folder, "lsof")
      yield* promise(() => writeFile(file, `#!/bin/sh\n${script}\n`))
      yield* promise(() => chmod(file, 0o755))
      const before = process.env["PATH"] ?? ""
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          process.env["PATH"] = folder
        }),
        () =>
          Effect.sync(() => {
            process.env["PATH"] = before
          })
      )
      return { first: yield* freePorts(1), file }
    })

  for (const [title, script, reason] of [
    ["prints an error", "echo 'lsof: no memory' >&2; exit 1", "lsof: no memory"],
    [
      "prints an error after some sockets",
      "echo p1; echo n*:80; echo 'lsof: no memory' >&2; exit 1",
      "lsof: no memory"
    ],
    ["is killed", "kill -9 $$", "lsof was ended by SIGKILL"],
    ["exits with another status", "exit 3", "lsof exited with status 3"],
    ["lists nothing", "exit 1", "lsof does not list port-server's own socket"],
    ["lists some of what it should", "echo p1; echo n*:80", "lsof does not list port-server's own socket"]
  ] as const) {
    it.scopedLive(`is a failed reading where it ${title}`, () =>
      Effect.gen(function* () {
        const { first } = yield* scripted(script)
        const error = yield* Effect.flip(yield* Lsof.make(range(`${first}-${first}`)))
        expect(error._tag).toBe("ListenersUnavailable")
        expect(error.message).toBe(`what listens on this machine's ports cannot be read: ${reason}`)
      })
    )
  }

  it.scopedLive("is a failed reading where it hangs, and is not run again at once", () =>
    Effect.gen(function* () {
      const { file, first } = yield* scripted('echo >> "$0.runs"; exec /bin/sleep 60')
      const scan = yield* Lsof.make(range(`${first}-${first}`))
      const message = "what listens on this machine's ports cannot be read: lsof took longer than 5 s"
      for (let count = 0; count < 3; count++) expect((yield* Effect.flip(scan)).message).toBe(message)
      expect(yield* promise(() => readFile(`${file}.runs`, "utf8"))).toBe("\n")
    })
  )

  it.scopedLive("is a failed reading where it cannot be started", () =>
    Effect.gen(function* () {
      const { file, first } = yield* scripted("exit 0")
      yield* promise(() => writeFile(file, "#!/nowhere/sh\n"))
      const error = yield* Effect.flip(yield* Lsof.make(range(`${first}-${first}`)))
      expect(error.message).toMatch(/: no such file or directory \(ENOENT\)$/)
    })
  )

  it.scopedLive("tells who listens also where the folders cannot be read, and why", () =>
    Effect.gen(function* () {
      const script =
        'case "$*" in *cwd*) echo "lsof: no memory" >&2; exit 1;; *) printf "p$PPID\\ncnode\\nPTCP\\nn*:80\\nTST=LISTEN\\n";; esac'
      const { first } = yield* scripted(script)
      const { sockets } = yield* yield* Lsof.make(range(`${first}-${first}`))
      expect((yield* sockets([80])).get(80)).toEqual({
        listeners: [{ protocol: "tcp", address: "0.0.0.0", state: "listening", pid: process.pid, command: "node" }],
        listener_error: "who listens cannot be read: lsof: no memory"
      })
    })
  )
})

describe("an address of the kernel's table", () => {
  const cases = [
    ["0100007F", "127.0.0.1"],
    ["00000000", "0.0.0.0"],
    ["0A00A8C0", "192.168.0.10"],
    ["00000000000000000000000001000000", "::1"],
    ["00000000000000000000000000000000", "::"],
    ["0000000000000000FFFF00000100007F", "127.0.0.1"],
    ["0000000000000000FFFF000000000000", "0.0.0.0"],
    ["B80D01200000000067452301EFCDAB89", "2001:db8::123:4567:89ab:cdef"],
    ["000080FE00000000FF00525401000000", "fe80::5452:ff:0:1"]
  ] as const
  for (const [hex, address] of cases) {
    it(`${hex} is ${address}`, () => expect(ProcNet.addressOf(hex)).toBe(address))
  }
})

const tables = sources.filter(([name]) => name !== "the bind probe")
const user = userInfo().username

for (const [name, make] of tables) {
  describing(name)(`who listens, by ${name}${missing[name] ? " (skipped: not on this machine)" : ""}`, () => {
    const who = (port: number) =>
      Effect.gen(function* () {
        const { sockets } = yield* yield* make(port)
        return (yield* sockets([port])).get(port)?.listeners
      })

    it.scopedLive("tells the process, its program, its folder and its user", () =>
      Effect.gen(function* () {
        const cwd = join(yield* temporaryFolder, "ein Ordner mit ü")
        yield* promise(() => mkdir(cwd))
        const { pid, port } = yield* listeningProgram({ cwd })
        // lsof on Linux shows what the kernel does, which may be the name of Node's first thread.
        const isThread = name === "lsof" && process.platform === "linux"
        const comm = isThread ? readFileSync(`/proc/${pid}/comm`, "utf8").trim() : "node"
        const command = comm === "node-MainThread" ? "node" : comm
        const place = { protocol: "tcp", address: "127.0.0.1", state: "listening" }
        expect(yield* who(port)).toEqual([{ ...place, pid, command, cwd, user }])
      })
    )

    it.scopedLive("tells the addresses of a port that several programs listen on, one family each", () =>
      Effect.gen(function* () {
        const cwd = yield* temporaryFolder
        const port = yield* freePorts(1)
        yield* listeningProgram({ cwd, port })
        if (hasIpv6) yield* listen("::1", port)
        const addresses = (yield* who(port))?.map(({ address }) => address)
        expect(addresses?.sort()).toEqual(hasIpv6 ? ["127.0.0.1", "::1"] : ["127.0.0.1"])
      })
    )

    it.scopedLive("tells nobody for a port that nothing listens on", () =>
      Effect.gen(function* () {
        const port = yield* freePorts(1)
        expect(yield* who(port)).toBeUndefined()
      })
    )
  })
}

describing("/proc/net/tcp")("the name of a program in /proc", () => {
  const commandOf = (port: number) =>
    Effect.gen(function* () {
      const { sockets } = yield* yield* procNet
      return (yield* sockets([port])).get(port)?.listeners[0]?.command
    })

  const linked = (name: string) =>
    Effect.gen(function* () {
      const cwd = yield* temporaryFolder
      const file = join(cwd, name)
      yield* promise(() => symlink(process.execPath, file))
      return { cwd, file }
    })

  it.scopedLive("is whole where the kernel cuts it at 15 characters", () =>
    Effect.gen(function* () {
      for (const name of ["shortname", "exactly-15-long", "a-web-server-with-a-long-name"]) {
        const { port } = yield* listeningProgram(yield* linked(name))
        expect(yield* commandOf(port)).toBe(name)
      }
    })
  )

  it.scopedLive("is the program's where the kernel has its first thread's, and else what it calls itself", () =>
    Effect.gen(function* () {
      const options = yield* linked("my-server")
      for (const thread of ["MainThread", "node-MainThread"]) {
        const main = yield* listeningProgram({ ...options, thread })
        expect(yield* commandOf(main.port)).toBe("my-server")
      }
      const chosen = yield* listeningProgram({ ...options, thread: "fifteen-letters" })
      expect(yield* commandOf(chosen.port)).toBe("fifteen-letters")
    })
  )

  it.scopedLive("many that come or go between two snapshots are all seen", () =>
    Effect.gen(function* () {
      const first = yield* freePorts(60)
      const source = yield* procNet
      yield* source
      // Beyond a page of either table, with connections behind them.
      const opened = yield* Effect.forEach(
        Array.from({ length: 60 }, (_, index) => index),
        (index) => listen(hosts[index % hosts.length] ?? "127.0.0.1", first + index)
      )
      const other = yield* listener()
      for (let count = 0; count < 8; count++) yield* connected(other.port)
      const seen = new Set(yield* (yield* source).ports(Effect.succeed([])))
      expect(opened.map(({ port }) => port).filter((port) => !seen.has(port))).toEqual([])
      yield* Effect.forEach(opened, ({ close }) => close)
      const left = new Set(yield* (yield* source).ports(Effect.succeed([])))
      expect(opened.map(({ port }) => port).filter((port) => left.has(port))).toEqual([])
    })
  )

  it.scopedLive("neither end of a connection is taken for a listener", () =>
    Effect.gen(function* () {
      const { port } = yield* listener()
      const near = yield* connected(port)
      const { listens, sockets } = yield* yield* procNet
      expect(yield* listens(port)).toBe(true)
      expect(yield* listens(near.port)).toBe(false)
      const found = yield* sockets([port, near.port])
      expect(found.get(port)?.listeners).toMatchObject([{ state: "listening", pid: process.pid }])
      expect(found.get(near.port)?.listeners).toMatchObject([
        { protocol: "tcp", address: "127.0.0.1", state: "connected", pid: process.pid }
      ])
    })
  )

  it.scopedLive("a folder that was removed is told as the kernel does", () =>
    Effect.gen(function* () {
      const cwd = join(yield* temporaryFolder, "gone")
      yield* promise(() => mkdir(cwd))
      const { port } = yield* listeningProgram({ cwd })
      yield* promise(() => rm(cwd, { recursive: true }))
      const { sockets } = yield* yield* procNet
      expect((yield* sockets([port])).get(port)?.listeners[0]?.cwd).toBe(`${cwd} (deleted)`)
    })
  )

  it.scopedLive("processes that come and go while the owners are looked for disturb nobody", () =>
    Effect.gen(function* () {
      const cwd = yield* temporaryFolder
      const { pid, port } = yield* listeningProgram({ cwd })
      yield* start("sh", ["-c", "while :; do true & true & true & true & sh -c : & sh -c : & wait; done"])
      for (let round = 0; round < 20; round++) {
        // A source that remembers nothing looks through everything.
        const { sockets } = yield* yield* procNet
        expect((yield* sockets([port])).get(port)).toMatchObject({ listeners: [{ pid, cwd }] })
      }
    })
  )

  it.scopedLive("an owner that is gone is not told from memory", () =>
    Effect.gen(function* () {
      const cwd = yield* temporaryFolder
      const source = yield* procNet
      const one = yield* listeningProgram({ cwd })
      expect((yield* (yield* source).sockets([one.port])).get(one.port)).toMatchObject({
        listeners: [{ pid: one.pid }]
      })
      one.process.kill("SIGKILL")
      yield* one.ended
      const other = yield* listeningProgram({ cwd, port: one.port })
      const found = yield* (yield* source).sockets([one.port])
      expect(found.get(one.port)).toMatchObject({ listeners: [{ pid: other.pid }] })
    })
  )
})
