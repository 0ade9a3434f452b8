import { spawnSync } from "node:child_process"
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { listed } from "../../support/Api.ts"
import { expectAnswer, expectError } from "../../support/Expectations.ts"
import { noFaultInjection } from "../../support/FaultInjection.ts"
import { git, realFolder, temporaryRepository, worktree } from "../../support/Git.ts"
import { bin, portctl, start, startServer, temporaryFolder } from "../../support/Programs.ts"

const here = ["env", "--app", "proj", "--instance", "main"]

/** A server, and a folder of its own for the files. */
const setting = Effect.gen(function* () {
  const server = yield* startServer()
  const folder = join(yield* temporaryFolder, "files")
  mkdirSync(folder)
  const write = (file: string, services: string) =>
    portctl([...here, "--service", services, "--write", file], { server, cwd: folder })
  return { server, folder, write, file: join(folder, "vars") }
})

const block = (...lines: ReadonlyArray<string>) =>
  ["# >>> portctl: proj/main", ...lines, "# <<< portctl", ""].join("\n")

const secrets = Array.from({ length: 40 }, (_, index) => `SECRET_${index}=${"s3cret".repeat(4)}${index}\n`)

describe.concurrent("the file of portctl env --write", () => {
  it.scopedLive("keeps every line that another program appends meanwhile, whether the block grows or shrinks", () =>
    Effect.gen(function* () {
      const { file, folder, write } = yield* setting
      writeFileSync(file, `A=1\n${block("X=1")}B=2\n`)
      const script =
        'i=0; while [ ! -e stop ]; do echo "LINE_$i=$i" >> vars; i=$((i+1)); [ $((i % 50)) = 0 ] && echo begun && sleep 0.01; done; echo end $i'
      const appender = yield* start("sh", ["-c", script], { cwd: folder })
      yield* appender.printed(/begun/)
      for (const services of ["web,db,mail", "web", "web,db", "web,db,mail,cache", "db", "web,db,mail"]) {
        expect(yield* write("vars", services)).toMatchObject({ code: 0, stderr: "" })
      }
      writeFileSync(join(folder, "stop"), "")
      const [, count = ""] = yield* appender.printed(/end (\d+)/)
      const text = readFileSync(file, "utf8")
      expect(text).toContain(block("WEB_PORT=3000", "DB_PORT=3001", "MAIL_PORT=3002"))
      const lines = text.split("\n")
      expect(lines.filter((line) => line.startsWith("LINE_"))).toEqual(
        Array.from({ length: Number(count) }, (_, index) => `LINE_${index}=${index}`)
      )
      expect(lines.filter((line) => line !== "" && !line.startsWith("LINE_"))).toEqual([
        "A=1",
        ...block("WEB_PORT=3000", "DB_PORT=3001", "MAIL_PORT=3002").trimEnd().split("\n"),
        "B=2"
      ])
    })
  )

  it.scopedLive.skipIf(noFaultInjection !== undefined)("is written in a sandbox that permits no Unix sockets", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const cwd = yield* temporaryRepository("sandboxed")
      const env = { PORT_SERVER_ADDR: server.address }
      const sandboxed = (...args: ReadonlyArray<string>) => {
        const strace = ["-f", "-qq", "-o", "/dev/null", "-e", "inject=bind:error=EPERM", bin.portctl]
        return Effect.flatMap(start("strace", [...strace, ...args], { cwd, env }), ({ ended }) => ended)
      }
      expect(yield* sandboxed("init")).toMatchObject({ code: 0, stderr: "" })
      expect(yield* sandboxed("add", "api")).toMatchObject({ code: 0, stderr: "" })
      expect(yield* sandboxed("env", "--write", ".env")).toMatchObject({ code: 0, stderr: "" })
      expect(readFileSync(join(cwd, ".env"), "utf8")).toMatch(/^API_PORT=\d+$/m)
    })
  )

  it.scopedLive("no longer sets what others had written, which is told", () =>
    Effect.gen(function* () {
      const { folder, server, write } = yield* setting
      yield* write("vars", "web,db")
      const other = ["env", "--app", "other", "--instance", "main", "--service", "api"]
      const args = [...other, "--write", "vars"]
      expect((yield* portctl(args, { server, cwd: folder })).stderr).toBe(
        "note: vars no longer sets WEB_PORT, DB_PORT of proj/main\n"
      )
      expect((yield* portctl(args, { server, cwd: folder })).stderr).toBe("")
    })
  )

  it.scopedLive("may be another worktree's by a link, which is told", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const main = yield* temporaryRepository("linking")
      const linked = worktree(main, join(main, "../linked"))
      symlinkSync(join(main, ".env"), join(linked, ".env"))
      const write = (cwd: string) => portctl(["env", "--write", ".env"], { server, cwd })
      expect(yield* write(main)).toMatchObject({ code: 0, stderr: "" })
      expect(yield* write(linked)).toMatchObject({
        code: 0,
        stderr: "note: .env had the ports of linking/main; its readers have these now\n"
      })
      expect(yield* write(linked)).toMatchObject({ code: 0, stderr: "" })
      expect(yield* write(main)).toMatchObject({ code: 0, stderr: "" })
    })
  )

  it.scopedLive("is not where a link leads that came with a working copy, out of it or into .git", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const cwd = yield* temporaryRepository("cloned")
      const outside = join(yield* realFolder, "bashrc")
      writeFileSync(outside, "")
      const config = readFileSync(join(cwd, ".git", "config"), "utf8")
      mkdirSync(join(cwd, "packages"))
      for (const [name, to] of [
        ["out", outside],
        ["new", join(cwd, "..", "none")],
        ["git", ".git/config"],
        ["folder", dirname(outside)],
        ["packages/.env", "../.env"]
      ] as const) {
        symlinkSync(to, join(cwd, name))
      }
      git(cwd, "add", ".")
      // Not the repository's, but somebody's own; one of them leads on to one of the repository's.
      symlinkSync(join(dirname(outside), "own"), join(cwd, "own"))
      symlinkSync("out", join(cwd, "own-out"))
      const other = join(dirname(outside), "other-name")
      symlinkSync(cwd, other)
      const write = (file: string) => portctl(["env", "--write", file], { server, cwd })
      const refused = (file: string, path: string) =>
        `${file} leads to ${path} by a link of the repository; nothing was written`
      expectError(yield* write("out"), refused("out", outside))
      expectError(yield* write("new"), refused("new", join(cwd, "..", "none")))
      expectError(yield* write("git"), refused("git", join(cwd, ".git", "config")))
      expectError(yield* write("folder/bashrc"), refused("folder/bashrc", outside))
      expectError(yield* portctl(["compose", "override", "--write", "out"], { server, cwd }), refused("out", outside))
      const long = "x".repeat(300)
      for (const command of [["env"], ["compose", "override"]]) {
        const ended = yield* portctl([...command, "--write", long], { server, cwd })
        expect(ended).toMatchObject({ code: 1, stdout: "" })
        expect(ended.stderr).toMatch(new RegExp(`^error: cannot write "${long}": .+\\n$`))
      }
      expectError(yield* write("own-out"), refused("own-out", outside))
      expectError(yield* write(join(other, "out")), refused(join(other, "out"), outside))
      expect(readFileSync(outside, "utf8")).toBe("")
      expect(readFileSync(join(cwd, ".git", "config"), "utf8")).toBe(config)
      expect((yield* write("packages/.env")).code).toBe(0)
      expect(readFileSync(join(cwd, ".env"), "utf8")).toContain("WEB_PORT=3000")
      for (const file of [outside, "own"]) expect((yield* write(file)).code).toBe(0)
    })
  )

  it.scopedLive("keeps its hard links, mode and extended attributes", () =>
    Effect.gen(function* () {
      const { file, folder, write } = yield* setting
      writeFileSync(file, "A=1\n")
      linkSync(file, join(folder, "other-name"))
      chmodSync(file, 0o660)
      const attribute = (code: string) =>
        spawnSync("python3", ["-c", `import os, sys; ${code}`, file], { encoding: "utf8" })
      const set = attribute("os.setxattr(sys.argv[1], 'user.note', b'kept')")
      expect(set).toMatchObject({ status: 0, stderr: "" })
      const { ino } = statSync(file)
      yield* write("vars", "web")
      yield* write("vars", "web,db")
      yield* write("vars", "db")
      expect(readFileSync(join(folder, "other-name"), "utf8")).toBe(`A=1\n${block("DB_PORT=3001")}`)
      expect(statSync(file)).toMatchObject({ ino, nlink: 2, mode: 0o100660 })
      expect(attribute("print(os.getxattr(sys.argv[1], 'user.note').decode())").stdout).toBe("kept\n")
    })
  )

  it.scopedLive("is refused when its user may not write it, and no port is allocated", () =>
    Effect.gen(function* () {
      const { file, folder, server } = yield* setting
      writeFileSync(file, "A=1\n")
      chmodSync(file, 0o444)
      chmodSync(folder, 0o777)
      chmodSync(join(folder, ".."), 0o755)
      // Root may write everything: another user has to try.
      const nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", bin.portctl]
      const [program, args] = process.getuid?.() === 0 ? ["setpriv", nobody] : [bin.portctl, []]
      const running = yield* start(program, [...args, ...here, "--service", "web", "--write", "vars"], {
        cwd: folder,
        env: { PORT_SERVER_ADDR: server.address }
      })
      expectError(yield* running.ended, 'cannot write "vars": permission denied')
      expect(readFileSync(file, "utf8")).toBe("A=1\n")
      expect(statSync(file).uid).toBe(process.getuid?.())
      expect(yield* listed(server.port, "proj")).toEqual([])
    })
  )

  it.scopedLive("is as it was when there is no room for all of the block, and is written when there is", () =>
    Effect.gen(function* () {
      const { file, folder, server, write } = yield* setting
      const limit = 4096
      // By the limit of a file's size, after which a write is cut as on a full disk.
      const within = (blocks: number) =>
        start(
          "bash",
          [
            "-c",
            `ulimit -f ${blocks}; exec "$@"`,
            "bash",
            bin.portctl,
            ...here,
            "--service",
            "web,db",
            "--write",
            "vars"
          ],
          {
            cwd: folder,
            env: { PORT_SERVER_ADDR: server.address }
          }
        ).pipe(Effect.flatMap(({ ended }) => ended))
      const filled = (rest: string) => `A=1\n#${"x".repeat(limit - 12 - rest.length)}\n${rest}`
      const wanted = block("WEB_PORT=3000", "DB_PORT=3001")
      for (const before of [filled(""), filled(`${block("X=1")}B=2\n`)]) {
        writeFileSync(file, before)
        expectError(yield* within(limit / 1024), 'cannot write "vars": it is too large')
        expect(readFileSync(file, "utf8")).toBe(before)
        expect((yield* write("vars", "web,db")).code).toBe(0)
        expect(readFileSync(file, "utf8").length).toBeGreaterThan(limit)
        expect(readFileSync(file, "utf8")).toContain(wanted)
      }
      rmSync(file)
      expectError(yield* within(0), 'cannot write "vars": it is too large')
      expect(readdirSync(folder)).toEqual([])
    })
  )

  const traced = spawnSync("strace", ["-V"]).status === 0
  const calls = ["mkdir", "openat", "pwrite64", "fsync", "ftruncate", "link", "rename", "chmod", "close"]
  const kills = new Map([
    ["openat", 3],
    ["close", 3],
    ["fsync", 3],
    ["pwrite64", 2],
    ["ftruncate", 1]
  ])
  for (const call of calls) {
    it.scopedLive.skipIf(!traced)(
      `of a portctl that was killed at ${call} has every line of others, and no copy is beside it`,
      () =>
        Effect.gen(function* () {
          const { file, folder, server, write } = yield* setting
          let killed = 0
          yield* write("prepared", "web,db,mail")
          for (const [before, services] of [
            [`${secrets.join("")}${block("X=1")}LAST=1\n`, "web,db,mail"],
            [`${secrets.join("")}${block("X=1", "Y=2", "Z=3", `Q=${"q".repeat(50)}`)}LAST=1\n`, "web"],
            [secrets.join(""), "web"]
          ] as const) {
            writeFileSync(file, before)
            // What it does with other files than this one does not count, but for those that it would make beside it.
            const only = kills.has(call) ? ["-P", file] : []
            const kill = ["-f", "-qq", "-o", "/dev/null", ...only, "-e", `inject=${call}:signal=KILL`]
            const args = [...kill, bin.portctl, ...here, "--service", services, "--write", "vars"]
            const running = yield* start("strace", args, { cwd: folder, env: { PORT_SERVER_ADDR: server.address } })
            const { code, signal } = yield* running.ended
            if (signal === "SIGKILL" || code === 137) killed++
            const kept = before.split("\n").filter((line) => /^(SECRET_|LAST)/.test(line))
            const lines = readFileSync(file, "utf8").split("\n")
            expect(lines.filter((line) => /SECRET_|LAST/.test(line))).toEqual(kept)
            expect(readdirSync(folder).sort()).toEqual(["prepared", "vars"])
            expect(yield* write("vars", services)).toMatchObject({ code: 0, stderr: "" })
          }
          // It renames nothing and makes no other file.
          expect(killed).toBe(kills.get(call) ?? 0)
        })
    )
  }

  it.scopedLive("that is made anew can be read by those whom the user's umask lets, and holds only the block", () =>
    Effect.gen(function* () {
      const { file, write } = yield* setting
      expectAnswer(yield* write("vars", "web"), "wrote WEB_PORT of proj/main to vars\n")
      expect(readFileSync(file, "utf8")).toBe(block("WEB_PORT=3000"))
      expect(statSync(file).mode & 0o777).toBe(0o666 & ~process.umask())
    })
  )
})
