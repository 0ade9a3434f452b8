import { spawnSync } from "node:child_process"
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate, listed } from "../../support/Api.ts"
import * as Daemon from "../../support/Daemon.ts"
import { expectAnswer, expectError, expectUsageError } from "../../support/Expectations.ts"
import { realFolder, repository, temporaryRepository, worktree } from "../../support/Git.ts"
import { bin, type PortServer, portctl, start, startServer } from "../../support/Programs.ts"

const services = { web: { env: "PORT", prefer: 4000 }, "my-db": {} }

/** A server and a repository named `proj` with a project file. */
const project = Effect.gen(function* () {
  const server = yield* startServer()
  const top = yield* temporaryRepository("proj")
  writeFileSync(join(top, "portctl.json"), JSON.stringify({ services }))
  return { server, top }
})

const env = (server: PortServer, cwd: string, ...args: ReadonlyArray<string>) =>
  portctl(["env", ...args], { server, cwd })

describe.concurrent("portctl env", () => {
  it.scopedLive("prints the ports of the project file's services as dotenv lines", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const lines = "# proj/main\nPORT=4000\nMY_DB_PORT=3000\n"
      expectAnswer(yield* env(server, top), lines)
      expectAnswer(yield* env(server, top, "--format", "dotenv"), lines)
      expectAnswer(
        yield* env(server, top, "--format", "export"),
        "# proj/main\nexport PORT=4000\nexport MY_DB_PORT=3000\n"
      )
      expectAnswer(
        yield* env(server, top, "--format=json"),
        '{"app":"proj","instance":"main","env":{"PORT":"4000","MY_DB_PORT":"3000"}}\n'
      )
    })
  )

  it.scopedLive("of services that are named, also of those that the file does not know", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      expectAnswer(
        yield* env(server, top, "--service", "mail=2525,web", "--service", "2fa"),
        "# proj/main\nMAIL_PORT=2525\nPORT=4000\n_2FA_PORT=3000\n"
      )
      expectAnswer(yield* env(server, top, "--service", "größe.x"), "# proj/main\nGR__E_X_PORT=3001\n")
    })
  )

  it.scopedLive("without a file and without services, of those that have ports; with none, of web", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const top = yield* temporaryRepository("proj")
      expectAnswer(yield* env(server, worktree(top, join(top, "../tree"))), "# proj/tree\nWEB_PORT=3000\n")
      yield* allocate(server.port, { app: "proj", instance: "main", service: "web", port: 3100 })
      yield* allocate(server.port, { app: "proj", instance: "main", service: "db" })
      yield* allocate(server.port, { app: "proj", instance: "other", service: "not-this" })
      expectAnswer(yield* env(server, top), "# proj/main\nWEB_PORT=3100\nDB_PORT=3001\n")
    })
  )

  it.scopedLive("refuses services that would share a variable, before it asks for a port", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      expectError(
        yield* env(server, top, "--service", "my-db,my.db"),
        'services "my-db" and "my.db" have the same variable MY_DB_PORT; give one another "env" in portctl.json'
      )
      expect(yield* listed(server.port, "proj")).toEqual([])
    })
  )

  it.scopedLive("refuses a format that it does not know, and json in a file", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const wrong = /--format must be dotenv, export or json/
      expectUsageError(yield* env(server, top, "--format", "yaml"), wrong, "portctl env")
      expectUsageError(yield* env(server, top, "--format", "json", "--write", "x"), /not json/, "portctl env")
      for (const words of [
        ["--format", "json", "--write", "x"],
        ["--format=json", "--bogus"],
        ["--format", "json", "--service", "a,a"]
      ]) {
        const { stderr, stdout } = yield* env(server, top, ...words)
        expect(`error: ${JSON.parse(stdout).error}`).toBe(stderr.split("\n")[0])
      }
      expect((yield* env(server, top, "--format", "export", "--bogus")).stdout).toBe("")
      expect(yield* listed(server.port, "proj")).toEqual([])
      expect(readdirSync(top).sort()).toEqual([".git", "portctl.json"])
    })
  )

  it.scopedLive("a name cannot break out of the comment", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const said = ["--app", "$(touch pwned) `touch pwned` ; touch pwned #", "--instance", "'\"\\"]
      const script = 'eval "$("$0" env --format export "$@")" && echo "$PORT"'
      const running = yield* start("sh", ["-c", script, bin.portctl, ...said], {
        cwd: top,
        env: { PORT_SERVER_ADDR: server.address }
      })
      expectAnswer(yield* running.ended, "4000\n")
      expect(readdirSync(top)).not.toContain("pwned")
    })
  )

  for (const shell of ["bash", "dash", "zsh"]) {
    const installed = spawnSync(shell, ["-c", "true"]).status === 0
    it.scopedLive.skipIf(!installed)(`eval "$(portctl env --format export)" works in ${shell}`, () =>
      Effect.gen(function* () {
        const { server, top } = yield* project
        const script = 'eval "$("$0" env --format export)" && sh -c \'echo "$PORT $MY_DB_PORT"\''
        const running = yield* start(shell, ["-c", script, bin.portctl], {
          cwd: top,
          env: { PORT_SERVER_ADDR: server.address }
        })
        expectAnswer(yield* running.ended, "4000 3000\n")
      })
    )
  }
})

const block = "# >>> portctl: proj/main\nPORT=4000\nMY_DB_PORT=3000\n# <<< portctl"
const wrote = (file: string) => `wrote PORT, MY_DB_PORT of proj/main to ${file}\n`
const already = (file: string) => `${file} has the ports of proj/main already\n`

describe.concurrent("portctl env --write", () => {
  it.scopedLive("makes the file, and the second time changes nothing", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      expectAnswer(yield* env(server, top, "--write", ".env.local"), wrote(".env.local"))
      const file = join(top, ".env.local")
      expect(readFileSync(file, "utf8")).toBe(`${block}\n`)
      const before = statSync(file)
      expectAnswer(yield* env(server, top, "--write", ".env.local"), already(".env.local"))
      expect(statSync(file)).toMatchObject({ ino: before.ino, mtimeMs: before.mtimeMs })
    })
  )

  const crlf = block.replaceAll("\n", "\r\n")
  const files: ReadonlyArray<readonly [name: string, before: string, after: string]> = [
    ["an empty file", "", `${block}\n`],
    ["a file with lines", "A=1\n\nB=2\n", `A=1\n\nB=2\n${block}\n`],
    ["a file without a last line break", "A=1\nB=2", `A=1\nB=2\n${block}\n`],
    ["one line without a line break", "A=1", `A=1\n${block}\n`],
    ["line breaks of Windows", "A=1\r\nB=2\r\n", `A=1\r\nB=2\r\n${crlf}\r\n`],
    ["line breaks of Windows, without a last one", "A=1\r\nB=2", `A=1\r\nB=2\r\n${crlf}\r\n`],
    ["bytes that are not UTF-8", "A=\xff\xfe\x80\n", `A=\xff\xfe\x80\n${block}\n`],
    ["a byte order mark alone", "\xef\xbb\xbf", `\xef\xbb\xbf${block}\n`],
    ["a byte order mark before the block", `\xef\xbb\xbf${block.replace("4000", "1")}\n`, `\xef\xbb\xbf${block}\n`],
    [
      "an older block between lines",
      "A=1\n# >>> portctl: old/name\nPORT=1\nMY_DB_PORT=2\n# <<< portctl\n\n  B=2  ",
      `A=1\n${block}\n\n  B=2  `
    ],
    ["an older block at the end without a line break", `A=1\n${block.replace("4000", "1")}`, `A=1\n${block}`],
    ["an older block of Windows", `A=1\n${crlf.replace("4000", "1")}\r\nB=2\n`, `A=1\n${crlf}\r\nB=2\n`],
    [
      "a line that only looks like a mark",
      "#>>> portctl\nX=# <<< portctl\n",
      `#>>> portctl\nX=# <<< portctl\n${block}\n`
    ]
  ]
  for (const [name, before, after] of files) {
    it.scopedLive(`keeps every byte around the block: ${name}`, () =>
      Effect.gen(function* () {
        const { server, top } = yield* project
        const file = join(top, "vars")
        writeFileSync(file, before, "latin1")
        expectAnswer(yield* env(server, top, "--write", "vars"), wrote("vars"))
        expect(readFileSync(file, "latin1")).toBe(after)
        expectAnswer(yield* env(server, top, "--write", file), already(file))
        expect(readFileSync(file, "latin1")).toBe(after)
        expect(readdirSync(top).sort()).toEqual([".git", "portctl.json", "vars"])
      })
    )
  }

  const begin = "# >>> portctl: proj/main"
  const end = "# <<< portctl"
  const broken: ReadonlyArray<readonly [name: string, text: string, wrong: string]> = [
    [
      "a beginning without an end",
      `A=1\n${begin}\nPORT=1\n`,
      "has the beginning of a block of portctl without its end"
    ],
    ["an end without a beginning", `PORT=1\n${end}\n`, "has the end of a block of portctl without its beginning"],
    ["an end before its beginning", `${end}\n${begin}\n`, "has the beginning of a block of portctl without its end"],
    ["two blocks", `${block}\n${block}\n`, "has more than one block of portctl"],
    ["two beginnings", `${begin}\n${begin}\n${end}\n`, "has more than one block of portctl"],
    ["two ends", `${begin}\n${end}\n${end}\n`, "has more than one block of portctl"],
    ["UTF-16", Buffer.from("\ufeffA=1\n", "utf16le").toString("latin1"), "is not UTF-8 text"]
  ]
  for (const [name, text, wrong] of broken) {
    it.scopedLive(`refuses a file with ${name}, leaves it as it is, and asks for no port`, () =>
      Effect.gen(function* () {
        const { server, top } = yield* project
        const file = join(top, "vars")
        writeFileSync(file, text, "latin1")
        expectError(yield* env(server, top, "--write", "vars"), `vars ${wrong}; it was left as it is`)
        expect(readFileSync(file, "latin1")).toBe(text)
        expect(yield* listed(server.port, "proj")).toEqual([])
      })
    )
  }

  it.scopedLive("with export lines and with fewer services the block becomes what was asked for", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      yield* env(server, top, "--write", ".envrc")
      const args = ["--write", ".envrc", "--format", "export", "--service", "web"]
      expectAnswer(yield* env(server, top, ...args), "wrote PORT of proj/main to .envrc\n")
      expect(readFileSync(join(top, ".envrc"), "utf8")).toBe(
        "# >>> portctl: proj/main\nexport PORT=4000\n# <<< portctl\n"
      )
    })
  )

  it.scopedLive("writes through links, also to a file that is not there yet, and keeps the mode", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const store = join(yield* realFolder, "store")
      mkdirSync(store)
      writeFileSync(join(store, "real"), "A=1\n")
      chmodSync(join(store, "real"), 0o640)
      symlinkSync(join(store, "real"), join(store, "hop"))
      symlinkSync("hop", join(store, "link"))
      symlinkSync(join(store, "link"), join(top, "vars"))
      symlinkSync("../../store/new", join(store, "unused"))
      symlinkSync(join(store, "new"), join(top, "fresh"))
      expectAnswer(yield* env(server, top, "--write", "vars"), wrote("vars"))
      expect(readFileSync(join(store, "real"), "utf8")).toBe(`A=1\n${block}\n`)
      expect(statSync(join(store, "real")).mode & 0o7777).toBe(0o640)
      expect(readlinkSync(join(top, "vars"))).toBe(join(store, "link"))
      expectAnswer(yield* env(server, top, "--write", "fresh"), wrote("fresh"))
      expect(lstatSync(join(store, "new")).isFile()).toBe(true)
      expect(readlinkSync(join(top, "fresh"))).toBe(join(store, "new"))
    })
  )

  const unwritable: ReadonlyArray<readonly [path: string, sentence: string]> = [
    [".", 'cannot read ".": it is a folder'],
    [".git", 'cannot read ".git": it is a folder'],
    ["nowhere/vars", 'cannot write "nowhere/vars": there is no such folder'],
    ["portctl.json/vars", 'cannot write "portctl.json/vars": it is in something that is not a folder'],
    ["/dev/null", 'cannot read "/dev/null": it is neither a file nor a folder'],
    ["x".repeat(300), `cannot write "${"x".repeat(300)}": its name is too long`]
  ]
  for (const [path, sentence] of unwritable) {
    it.scopedLive(`tells that it cannot write to ${JSON.stringify(path.slice(0, 20))}, and asks for no port`, () =>
      Effect.gen(function* () {
        const { server, top } = yield* project
        expectError(yield* env(server, top, "--write", path), sentence)
        expect(yield* listed(server.port, "proj")).toEqual([])
      })
    )
  }

  it.scopedLive("refuses an empty name and a dash, which are no files, and asks for no port", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      for (const name of ["", "-"]) {
        const ended = yield* env(server, top, "--write", name)
        expectUsageError(ended, /^error: --write needs the name of a file; without it they are printed$/, "portctl env")
      }
      expect(yield* listed(server.port, "proj")).toEqual([])
      expect(readdirSync(top).sort()).toEqual([".git", "portctl.json"])
    })
  )

  it.scopedLive("tells the lines outside the block that set one of its variables too", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      const others = ["# PORT=1", "PORT=2", "PORTS=3", ""].join("\n")
      writeFileSync(join(top, "vars"), `${others}${block}\n  export MY_DB_PORT = 4\nX=PORT=5\n`)
      const note = (line: number, name: string) =>
        `note: line ${line} of vars sets ${name} too, and which one counts depends on what reads the file\n`
      expect(yield* env(server, top, "--write", "vars")).toEqual({
        code: 0,
        signal: null,
        stdout: "vars has the ports of proj/main already\n",
        stderr: `${note(2, "PORT")}${note(8, "MY_DB_PORT")}`
      })
      expect(yield* env(server, top, "--write", "vars", "--service", "web")).toMatchObject({
        stdout: "wrote PORT of proj/main to vars\n",
        stderr: note(2, "PORT")
      })
    })
  )

  it.scopedLive(
    "of eight at once in a new project, each succeeds, also where they start the server, and the file is whole",
    () =>
      Effect.gen(function* () {
        const user = yield* Daemon.user
        const top = yield* temporaryRepository("proj")
        writeFileSync(join(top, "portctl.json"), JSON.stringify({ services: { web: {}, db: {} } }))
        const runs = yield* Effect.forEach(
          Array.from({ length: 8 }),
          () => user.portctl("env --write .env", { cwd: top, env: { PORT_SERVER_RANGE: "4000-4100" } }),
          { concurrency: "unbounded" }
        )
        for (const { code, stderr } of runs)
          expect({ code, stderr: stderr.replace(/^started .*\n/, "") }).toEqual({ code: 0, stderr: "" })
        const [, web, db] =
          /^# >>> portctl: proj\/main\nWEB_PORT=(\d+)\nDB_PORT=(\d+)\n# <<< portctl\n$/.exec(
            readFileSync(join(top, ".env"), "utf8")
          ) ?? []
        expect(yield* listed(user.port, "proj")).toMatchObject([
          { service: "web", port: Number(web) },
          { service: "db", port: Number(db) }
        ])
        expect(readdirSync(top).sort()).toEqual([".env", ".git", "portctl.json"])
      })
  )

  it.scopedLive("what others write at the same time is whole: each file has one block", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      writeFileSync(join(top, "vars"), "A=1\n")
      const targets = ["vars", "new", "vars", "new", "vars", "new", "vars", "new"]
      const runs = yield* Effect.forEach(targets, (file) => env(server, top, "--write", file), {
        concurrency: "unbounded"
      })
      for (const { code, stderr } of runs) expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
      expect(readFileSync(join(top, "vars"), "utf8")).toBe(`A=1\n${block}\n`)
      expect(readFileSync(join(top, "new"), "utf8")).toBe(`${block}\n`)
      expect(readdirSync(top).sort()).toEqual([".git", "new", "portctl.json", "vars"])
    })
  )

  it.scopedLive("each worktree's file has that worktree's ports", () =>
    Effect.gen(function* () {
      const { server, top } = yield* project
      yield* env(server, top, "--write", "vars")
      const other = repository(join(top, "../other"))
      writeFileSync(join(other, "vars"), readFileSync(join(top, "vars")))
      expect(yield* env(server, other, "--service", "web", "--write", "vars")).toMatchObject({
        stdout: "wrote WEB_PORT of other/main to vars\n",
        stderr: "note: vars no longer sets PORT, MY_DB_PORT of proj/main\n"
      })
      expect(readFileSync(join(other, "vars"), "utf8")).toBe(
        "# >>> portctl: other/main\nWEB_PORT=3001\n# <<< portctl\n"
      )
    })
  )
})
