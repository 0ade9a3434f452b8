import { execFileSync } from "node:child_process"
import { copyFileSync, cpSync, mkdirSync, rmSync, symlinkSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer } from "../support/Expectations.ts"
import { freePorts } from "../support/Listening.ts"
import { bin, start, temporaryFolder } from "../support/Programs.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const lines = (program: string, ...args: ReadonlyArray<string>) =>
  execFileSync(program, args, { encoding: "utf8" }).split("\n").filter(Boolean)

const version = /^\d+\.\d+\.\d+\n$/
const isRoot = process.platform === "linux" && process.getuid?.() === 0

/** BusyBox's tools, and no others, in the folders of a system below the given one. */
const tools = (system: string, busybox: string) => {
  for (const path of lines(busybox, "--list-full")) {
    mkdirSync(dirname(join(system, path)), { recursive: true })
    symlinkSync(busybox, join(system, path))
  }
}

const [busybox = ""] = lines("sh", "-c", "command -v busybox || :")

describe.skipIf(busybox === "")("where there are only BusyBox's tools (needs busybox)", () => {
  it.scopedLive("portctl starts with no other program on PATH", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      tools(folder, busybox)
      const PATH = ["bin", "sbin", "usr/bin", "usr/sbin"].map((name) => join(folder, name)).join(":")
      for (const command of [
        [bin.portctl],
        [join(folder, "bin/sh"), bin.portctl],
        [join(folder, "usr/bin/env"), bin.portServer]
      ] as const) {
        const running = yield* start(command[0], [...command.slice(1), "--version"], { env: { PATH } })
        const ended = yield* running.ended
        expectAnswer(ended, ended.stdout)
        expect(ended.stdout).toMatch(version)
      }
    })
  )

  it.scopedLive.skipIf(!isRoot)("a system of BusyBox and Node alone starts a server and runs commands (as root)", () =>
    Effect.gen(function* () {
      const system = yield* temporaryFolder
      const put = (file: string, place = file) => {
        mkdirSync(dirname(join(system, place)), { recursive: true })
        copyFileSync(file, join(system, place))
      }
      tools(system, "/bin/busybox")
      rmSync(join(system, "bin/busybox"), { force: true })
      put(busybox, "bin/busybox")
      for (const program of [busybox, process.execPath]) {
        const libraries = lines("sh", "-c", `ldd '${program}' 2> /dev/null || :`)
        for (const [, file = ""] of libraries.map((line) => /(\/\S+) \(0x/.exec(line) ?? [])) if (file) put(file)
      }
      put(process.execPath)
      for (const name of ["proc", "tmp", "home", "dev"]) mkdirSync(join(system, name), { recursive: true })
      cpSync(join(root, "bin"), join(system, root, "bin"), { recursive: true })
      const sqlite = join(root, "node_modules/better-sqlite3")
      cpSync(sqlite, join(system, sqlite), { recursive: true, dereference: true })
      const port = yield* freePorts(1)
      // The mounts are this command's own.
      const inside = 'mount -t proc proc "$0/proc"; mount --bind /dev "$0/dev"; exec chroot "$0" "$@"'
      const portctl = (...args: ReadonlyArray<string>) =>
        start("unshare", ["--mount", "sh", "-c", inside, system, bin.portctl, ...args], {
          cwd: "/",
          env: { HOME: "/home", PORT_SERVER_ADDR: `127.0.0.1:${port}` }
        }).pipe(
          Effect.flatMap(({ ended }) => ended),
          Effect.scoped
        )
      expect(yield* portctl("--version")).toMatchObject({ code: 0, stdout: expect.stringMatching(version), stderr: "" })
      yield* Effect.addFinalizer(() => portctl("stop"))
      const [, granted = ""] =
        /^web +(\d+)$/m.exec((yield* portctl("ensure", "--app", "a", "--instance", "b", "--service", "web")).stdout) ??
        []
      const run = [
        "run",
        "--quiet",
        "--app",
        "a",
        "--instance",
        "b",
        "--service",
        "web",
        "--",
        "sh",
        "-c",
        "echo $PORT; exit 7"
      ]
      expect(yield* portctl(...run)).toEqual({ code: 7, signal: null, stdout: `${granted}\n`, stderr: "" })
      expect((yield* portctl("restart")).code).toBe(0)
      expect((yield* portctl("stop")).code).toBe(0)
    })
  )
})
