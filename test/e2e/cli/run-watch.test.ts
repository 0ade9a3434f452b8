import { mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs"
import { type AddressInfo, connect, createServer, type Server as NetServer } from "node:net"
import { join } from "node:path"
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Server, sharedServer } from "../../support/Api.ts"
import { isAlive } from "../../support/Daemon.ts"
import { openFiles } from "../../support/Descriptors.ts"
import { expectAnswer } from "../../support/Expectations.ts"
import { temporaryRepository, worktree } from "../../support/Git.ts"
import { freePorts } from "../../support/Listening.ts"
import { bin, portctl, type Running, start } from "../../support/Programs.ts"

/** Listens on the ports that it is given, and on SIGUSR2 on the one after the last of them. */
const listening = `
const { createServer } = require("node:net")
const ports = process.argv.slice(1).map(Number)
let left = ports.length
for (const port of ports) createServer().listen(port, "127.0.0.1", () => --left || console.log("ready"))
process.on("SIGUSR2", () => createServer().listen(ports.at(-1) + 1, "127.0.0.1"))
`

/** The watcher that has this word among its arguments. */
const watcherWith = (word: string): number | undefined =>
  readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .find((other) => {
      try {
        const [, program = "", ...words] = readFileSync(`/proc/${other}/cmdline`, "utf8").split("\0")
        return program.endsWith("portctl-watch.cjs") && words.includes(word)
      } catch {
        return false
      }
    })

/** What is there of a watcher is found by the process that it watches. */
const watcherOf = (pid: number): number | undefined => watcherWith(String(pid))

/** A relay to a server whose first connection waits until `onFirst` has run. */
const gate = (server: { readonly port: number }, onFirst: () => void) => {
  let isOpen = false
  return Effect.acquireRelease(
    Effect.async<NetServer>((resume) => {
      const gate = createServer((from) => {
        if (!isOpen) onFirst()
        isOpen = true
        const to = connect({ port: server.port, host: "127.0.0.1" })
        for (const each of [from, to]) each.on("error", () => each.destroy())
        from.pipe(to).pipe(from)
      }).listen(0, "127.0.0.1", () => resume(Effect.succeed(gate)))
    }),
    (gate) => Effect.sync(() => gate.close())
  )
}

const eventually = <A>(look: () => A | undefined): Effect.Effect<A> =>
  Effect.suspend(() => {
    const found = look()
    return found === undefined ? Effect.delay(eventually(look), "20 millis") : Effect.succeed(found)
  })

/** Wait until so many notes are there, which have to be all. */
const notes = (running: Running, count: number) =>
  eventually(() => {
    const lines = running.output.stderr.match(/^note: .*$/gm) ?? []
    return lines.length < count ? undefined : lines
  })

/** A working copy of this name with the services web and db; ports that nobody has, which the kernel gives to nobody. */
const project = Effect.fnUntraced(function* (name: string) {
  const server = yield* Server
  const top = yield* temporaryRepository(name)
  writeFileSync(join(top, "portctl.json"), JSON.stringify({ services: { web: { env: "PORT" }, db: {} } }))
  const first = yield* freePorts(4)
  const ports = ["--service", `web=${first},db=${first + 1}`]
  yield* portctl(["ensure", ...ports], { server, cwd: top })
  const env = { PORT_SERVER_ADDR: server.address }
  return {
    first,
    server,
    top,
    env,
    run: (...args: ReadonlyArray<string>) => start(bin.portctl, ["run", ...args], { cwd: top, env }),
    bash: (script: string) =>
      Effect.flatMap(start("bash", ["-c", script, bin.portctl], { cwd: top, env }), ({ ended }) => ended)
  }
})

const listen = (...ports: ReadonlyArray<number>) => [
  "--",
  process.execPath,
  "-e",
  listening,
  "--",
  ...ports.map(String)
]

const linux = process.platform === "linux"

sharedServer({ probe: false })("portctl run: the watcher", (it) => {
  const linuxOnly = it.scoped.skipIf(!linux)

  linuxOnly("notes once what listens on another port than the one that it was given", () =>
    Effect.gen(function* () {
      const { first, run } = yield* project("other")
      const running = yield* run("--quiet", ...listen(first + 2))
      const wanted = [`note: node (pid ${running.pid}) listens on ${first + 2}, not on ${first} (PORT)`]
      expect(yield* notes(running, 1)).toEqual(wanted)
      yield* Effect.sleep("2 seconds")
      process.kill(running.pid)
      expect((yield* running.ended).stderr).toBe(`${wanted[0]}\n`)
    })
  )

  linuxOnly("takes a note back once the right port is listened on, as by a server that starts slowly", () =>
    Effect.gen(function* () {
      const { first, run, server, top } = yield* project("slow")
      writeFileSync(join(top, "portctl.json"), JSON.stringify({ services: { api: { env: "PORT" } } }))
      yield* portctl(["ensure", "--service", `api=${first + 3}`], { server, cwd: top })
      // First on the port of a debugger, then on the one that it was given.
      const running = yield* run("--quiet", ...listen(first + 2))
      const early = `note: node (pid ${running.pid}) listens on ${first + 2}, not on ${first + 3} (PORT)`
      expect(yield* notes(running, 1)).toEqual([early])
      process.kill(running.pid, "SIGUSR2")
      const later = `note: node (pid ${running.pid}) listens on ${first + 3} (PORT) now`
      expect(yield* notes(running, 2)).toEqual([early, later])
    })
  )

  linuxOnly("notes what a process far below does, also after its parent has ended", () =>
    Effect.gen(function* () {
      const { first, run } = yield* project("orphan")
      const script = '("$@" & echo "child $!"; exec sleep 60) & echo "parent $!"; exec sleep 60'
      const [, ...command] = listen(first + 2)
      const running = yield* run("--quiet", "--", "sh", "-c", script, "sh", ...command)
      const [, parent] = yield* running.printed(/parent (\d+)/)
      const [, child] = yield* running.printed(/child (\d+)/)
      yield* Effect.addFinalizer(() => Effect.sync(() => process.kill(Number(child))))
      const note = (port: number) => `note: node (pid ${child}) listens on ${port}, not on ${first} (PORT)`
      expect(yield* notes(running, 1)).toEqual([note(first + 2)])
      process.kill(Number(parent))
      process.kill(Number(child), "SIGUSR2")
      expect(yield* notes(running, 2)).toEqual([note(first + 2), note(first + 3)])
    })
  )

  linuxOnly("is not there where portctl was killed before it became the command", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project("killed-early")
      let pid = 0
      const { address } = yield* Effect.map(
        gate(server, () => {
          if (pid > 0) process.kill(pid, "SIGKILL")
        }),
        (opened) => ({ address: `127.0.0.1:${(opened.address() as AddressInfo).port}` })
      )
      const running = yield* start(bin.portctl, ["run", "--", "sleep", "60"], {
        cwd: top,
        env: { PORT_SERVER_ADDR: address }
      })
      pid = running.pid
      // What works out the variables has the outputs as long as it runs.
      expect((yield* running.ended).signal).toBe("SIGKILL")
      expect(watcherWith("killed-early/main")).toBeUndefined()
    })
  )

  linuxOnly("names all the ports where none is PORT", () =>
    Effect.gen(function* () {
      const { first, run, top } = yield* project("several")
      writeFileSync(join(top, "portctl.json"), JSON.stringify({ services: { web: {}, db: { env: "PGPORT" } } }))
      const running = yield* run("--quiet", ...listen(first + 2))
      expect(yield* notes(running, 1)).toEqual([
        `note: node (pid ${running.pid}) listens on ${first + 2}, not on ${first} (WEB_PORT) or ${first + 1} (PGPORT)`
      ])
    })
  )

  linuxOnly("notes a port that is listened on beside the right one", () =>
    Effect.gen(function* () {
      const { first, run } = yield* project("beside")
      const running = yield* run("--quiet", ...listen(first, first + 2))
      expect(yield* notes(running, 1)).toEqual([
        `note: node (pid ${running.pid}) listens on ${first + 2} too, which is no port of beside/main`
      ])
    })
  )

  linuxOnly("notes nothing when all is as given, beside ports that the kernel has chosen", () =>
    Effect.gen(function* () {
      const { first, run } = yield* project("right")
      const running = yield* run("--quiet", ...listen(first, first + 1, 0))
      yield* running.printed(/ready/)
      yield* eventually(() => watcherOf(running.pid))
      yield* Effect.sleep("4 seconds")
      process.kill(running.pid)
      expect((yield* running.ended).stderr).toBe("")
    })
  )

  linuxOnly("leaves what a run inside has started to that one's watcher", () =>
    Effect.gen(function* () {
      const { bash, first, server, top } = yield* project("inner")
      const tree = worktree(top, join(top, "../tree"))
      yield* portctl(["ensure", "--service", `web=${first + 3}`], { server, cwd: tree })
      const inner = `"$0" run --quiet -- timeout 4 ${process.execPath} -e '${listening}' -- ${first + 3}`
      const ended = yield* bash(`"$0" run --quiet -- sh -c 'cd ${tree} && ${inner.replaceAll("'", "'\\''")}' "$0"`)
      expect(ended.stderr).toBe("")
    })
  )

  linuxOnly("is not there with --no-watch, or where stderr is nowhere", () =>
    Effect.gen(function* () {
      const { bash, run } = yield* project("none")
      const running = yield* run("--quiet", "--no-watch", "--", "sh", "-c", "echo ready; exec sleep 60")
      yield* running.printed(/ready/)
      expect(watcherOf(running.pid)).toBeUndefined()
      const count = `sh -c 'sleep 1; grep -al "[p]ortctl-watch.cjs.$$" /proc/[0-9]*/cmdline | wc -l'`
      expectAnswer(yield* bash(`"$0" run --quiet -- ${count} 2>/dev/null`), "0\n")
    })
  )

  linuxOnly("holds nothing of the caller's but stderr, and is in a session of its own", () =>
    Effect.gen(function* () {
      const { env, top } = yield* project("holds")
      mkdirSync(join(top, "files"))
      const open = [7, 8, 17, 20, 63, 200].map((number) => `${number}>files/${number}`).join(" ")
      const running = yield* start(
        "bash",
        ["-c", `exec ${open}; exec "$0" run --quiet -- sh -c 'echo ready; exec sleep 60'`, bin.portctl],
        { cwd: top, env: { ...env, SECRET: "secret" } }
      )
      yield* running.printed(/ready/)
      const watcher = yield* eventually(() => watcherOf(running.pid))
      const files = () => openFiles(watcher)
      // It has what it watches open once it is at work.
      yield* eventually(() => [...files().values()].find((file) => file.endsWith("/statm")))
      expect(files().get("2")).toBe(readlinkSync(`/proc/${running.pid}/fd/2`))
      const others = [...files()].filter(([number, file]) => number !== "2" && !file.startsWith("anon_inode:"))
      // It reads in /proc by itself, now and then another file.
      const strange = others.filter(([, file]) => !/^(\/dev\/null|\/proc\/.*|pipe:\[\d+\])$/.test(file))
      expect(strange).toEqual([])
      expect(readlinkSync(`/proc/${watcher}/cwd`)).toBe("/")
      expect(readFileSync(`/proc/${watcher}/environ`, "utf8")).not.toContain("secret")
      const [, group, session] = (readFileSync(`/proc/${watcher}/stat`, "utf8").split(") ")[1] ?? "")
        .split(" ")
        .slice(1)
      expect([group, session]).toEqual([String(watcher), expect.not.stringMatching(new RegExp(`^${running.pid}$`))])
    })
  )

  linuxOnly("ends with the command, whatever ends it and even if nobody reads its note", () =>
    Effect.gen(function* () {
      const { bash, first, run } = yield* project("ends")
      for (const signal of ["SIGTERM", "SIGKILL"] as const) {
        const running = yield* run("--quiet", "--", "sleep", "60")
        const watcher = yield* eventually(() => watcherOf(running.pid))
        process.kill(running.pid, signal)
        yield* running.ended
        yield* eventually(() => (isAlive(watcher) ? undefined : true))
      }
      // The pipe is full before the note.
      const listener = `${process.execPath} -e '${listening}' -- ${first + 2}`
      const command = `head -c 65536 /dev/zero >&2; echo $$ > pid; exec timeout 5 ${listener}`
      const ended = yield* bash(
        `mkfifo pipe; exec 5<>pipe; "$0" run --quiet -- bash -c "${command.replace(/["$`\\]/g, "\\$&")}" 2>pipe; cat pid`
      )
      const pid = Number(/\d+\n$/.exec(ended.stdout)?.[0])
      expect(pid).toBeGreaterThan(0)
      yield* eventually(() => (watcherOf(pid) === undefined ? true : undefined))
    })
  )

  linuxOnly("keeps nobody waiting who reads stderr to its end", () =>
    Effect.gen(function* () {
      const { bash } = yield* project("waits")
      const see = "for p in /proc/[0-9]*; do grep -qa [p]ortctl-watch.cjs.$$ $p/cmdline && readlink $p/fd/2; done"
      const script = `sleep 1; ${see} 2>/dev/null; echo done`
      expectAnswer(yield* bash(`"$0" run -- sh -c '${script}' 2>&1 | tail -n 2`), "/dev/null\ndone\n")
      const capture = `import subprocess, sys; print(subprocess.run(sys.argv[1:], capture_output=True).stdout.decode())`
      expectAnswer(yield* bash(`python3 -c '${capture}' "$0" run --quiet -- sh -c 'sleep 1; echo done'`), "done\n\n")
    })
  )
})
