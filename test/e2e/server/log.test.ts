import { execFileSync } from "node:child_process"
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { expectClean, expectError } from "../../support/Expectations.ts"
import { freePorts } from "../../support/Listening.ts"
import { bin, start, temporaryFolder } from "../../support/Programs.ts"
import { call } from "../../support/Wire.ts"

const modeOf = (file: string) => statSync(file).mode & 0o777

/** What is in a folder: names, modes and sizes. */
const snapshot = (folder: string) =>
  readdirSync(folder).map((name) => {
    const { mode, size } = lstatSync(join(folder, name))
    return { name, mode, size }
  })

const mebibyte = 1024 * 1024

/** What is in the log and in what was put aside, by name. */
const logs = (folder: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(folder)
      .filter((name) => name.startsWith("server.log"))
      .map((name) => [name, readFileSync(join(folder, name), "utf8")])
  )

/** Whether the log has a text; not while it is put aside, between the look at the folder and the one at the file. */
const says = (folder: string, text: string): boolean => {
  try {
    return Object.values(logs(folder)).some((log) => log.includes(text))
  } catch {
    return false
  }
}

/** Let a server with a log listen, answer and stop. */
const served = (folder: string, ...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const port = yield* freePorts(1)
    const all = ["--port", String(port), "--db", join(folder, "ports.db"), "--log", "server.log", ...args]
    const running = yield* start(bin.portServer, all, { env: { HOME: folder }, cwd: folder })
    yield* Effect.sync(() => says(folder, `:${port},`)).pipe(
      Effect.repeat({ until: (listens) => listens, schedule: Schedule.spaced("10 millis") })
    )
    expect((yield* call(port, "GET", "/healthz")).status).toBe(200)
    running.process.kill("SIGTERM")
    return { ...(yield* running.ended), port }
  }).pipe(Effect.scoped)

it.scopedLive(
  "with --log, port-server prints nothing: what it says is in the file, with the time, for the user alone",
  () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const ended = yield* served(folder)
      expect(ended).toMatchObject({ code: 0, stdout: "", stderr: "" })
      const { "server.log": text = "", ...others } = logs(folder)
      expect(others).toEqual({})
      const line = `port-server listening on http://127.0.0.1:${ended.port}, database ${join(folder, "ports.db")}, range 3000-9999`
      expect(text).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z [^\n]+\n$/)
      expect(text.trimEnd().endsWith(` ${line}`)).toBe(true)
      expect(modeOf(join(folder, "server.log"))).toBe(0o600)
    })
)

it.scopedLive("appends to a log that is there, and leaves its mode as it is", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    writeFileSync(join(folder, "server.log"), "of an older server\n")
    chmodSync(join(folder, "server.log"), 0o644)
    yield* served(folder)
    expect(logs(folder)["server.log"]).toMatch(/^of an older server\n[^\n]+listening[^\n]+\n$/)
    expect(modeOf(join(folder, "server.log"))).toBe(0o644)
  })
)

it.scopedLive("a log of 1 MiB is put aside, and three such are kept", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const ports: Array<number> = []
    for (let round = 1; round <= 5; round++) {
      writeFileSync(join(folder, "server.log"), `round ${round}\n${"x".repeat(mebibyte - 50)}\n`, { flag: "a" })
      ports.push((yield* served(folder)).port)
    }
    const found = logs(folder)
    expect(Object.keys(found).sort()).toEqual(["server.log", "server.log.1", "server.log.2", "server.log.3"])
    for (const [index, name] of ["server.log.1", "server.log.2", "server.log.3"].entries()) {
      const text = found[name] ?? ""
      expect(text.startsWith(`round ${5 - index}\n`), name).toBe(true)
      expect(text).toContain(`:${ports[4 - index]},`)
      expect(text.length).toBeLessThan(mebibyte + 1000)
    }
    for (const name of Object.keys(found)) expect(modeOf(join(folder, name)) & 0o077, name).toBe(0)
  })
)

it.scopedLive("a start that fails says so on stderr and in the log", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const database = join(folder, "missing/ports.db")
    const args = ["--port", "0", "--db", database, "--log", join(folder, "server.log")]
    const { ended } = yield* start(bin.portServer, args, { env: { HOME: folder } })
    const sentence = `cannot open the database ${database}: the folder ${join(folder, "missing")} does not exist`
    expectError(yield* ended, sentence)
    expect(logs(folder)["server.log"]?.endsWith(`Z error: ${sentence}\n`)).toBe(true)
  })
)

it.scopedLive("a port that is taken leaves the log of the one who has it alone", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const first = yield* start(bin.portServer, ["--port", "0", "--db", join(folder, "ports.db")], {
      env: { HOME: folder }
    })
    const [, port = ""] = yield* first.printed(/127\.0\.0\.1:(\d+)/)
    const args = ["--port", port, "--db", join(folder, "ports.db"), "--log", join(folder, "server.log")]
    const { ended } = yield* start(bin.portServer, args, { env: { HOME: folder } })
    expect((yield* ended).stderr).toMatch(/^error: port \d+ is already in use/)
    expect(existsSync(join(folder, "server.log"))).toBe(false)
  })
)

const unusable: ReadonlyArray<readonly [name: string, make: (file: string) => string, sentence: RegExp]> = [
  [
    "a folder",
    (file) => {
      mkdirSync(file)
      return file
    },
    /^error: cannot write the log \S+: it is not a file\n$/
  ],
  [
    "a pipe",
    (file) => {
      execFileSync("mkfifo", [file])
      return file
    },
    /^error: cannot write the log \S+: it is not a file\n$/
  ],
  [
    "a link to a file",
    (file) => {
      writeFileSync(`${file}.target`, "kept\n", { mode: 0o644 })
      symlinkSync(`${file}.target`, file)
      return file
    },
    /^error: cannot write the log \S+: it is a symbolic link\n$/
  ],
  [
    "a link to nothing",
    (file) => {
      symlinkSync(`${file}.target`, file)
      return file
    },
    /^error: cannot write the log \S+: it is a symbolic link\n$/
  ],
  [
    "below a file",
    (file) => {
      writeFileSync(file, "")
      return join(file, "server.log")
    },
    /^error: cannot write the log \S+: it is in something that is not a folder\n$/
  ],
  ["the database", (file) => join(file, "../ports.db"), /^error: cannot write the log \S+: it is a database\n$/],
  [
    "another database",
    (file) => {
      writeFileSync(file, "SQLite format 3\0")
      return file
    },
    /^error: cannot write the log \S+: it is a database\n$/
  ]
]

for (const [name, make, sentence] of unusable) {
  it.scopedLive(`a log that is ${name}: one sentence, and no database is made`, () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const args = ["--port", "0", "--db", join(folder, "ports.db"), "--log", make(join(folder, "log"))]
      const before = snapshot(folder)
      const { ended } = yield* start(bin.portServer, args, { env: { HOME: folder } })
      const result = yield* ended
      expect(snapshot(folder)).toEqual(before)
      expect(result).toMatchObject({ code: 1, stdout: "" })
      expect(result.stderr).toMatch(sentence)
      expectClean(result)
      expect(existsSync(join(folder, "ports.db"))).toBe(false)
    })
  )
}

const nobody = 65_534
const asRoot = process.getuid?.() === 0 ? it.scopedLive : it.scopedLive.skip

asRoot("a log that belongs to another user, by its own name or by a hard link, is refused and left as it is", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const theirs = join(folder, "theirs")
    writeFileSync(theirs, "kept\n")
    chmodSync(theirs, 0o666)
    chownSync(theirs, nobody, nobody)
    linkSync(theirs, join(folder, "link"))
    const before = snapshot(folder)
    for (const log of [theirs, join(folder, "link")]) {
      const args = ["--port", "0", "--db", join(folder, "ports.db"), "--log", log]
      const { ended } = yield* start(bin.portServer, args, { env: { HOME: folder } })
      expectError(yield* ended, `cannot write the log ${log}: it belongs to another user`)
    }
    expect(snapshot(folder)).toEqual(before)
    expect(readFileSync(theirs, "utf8")).toBe("kept\n")
  })
)

it.scopedLive("rotates onto a link without following it", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const target = join(folder, "target")
    writeFileSync(target, "kept\n", { mode: 0o644 })
    symlinkSync(target, join(folder, "server.log.1"))
    writeFileSync(join(folder, "server.log"), "x".repeat(mebibyte))
    yield* served(folder)
    expect(readFileSync(target, "utf8")).toBe("kept\n")
    expect(modeOf(target)).toBe(0o644)
  })
)

it.scopedLive("--dry-run reports what would keep it from starting, and makes and changes nothing", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const database = join(folder, "ports.db")
    const run = (...args: ReadonlyArray<string>) =>
      Effect.flatMap(start(bin.portServer, ["--dry-run", ...args], { env: { HOME: folder } }), ({ ended }) => ended)
    expect(yield* run("--db", database)).toEqual({
      code: 0,
      signal: null,
      stdout: `port-server can start, database ${database}\n`,
      stderr: ""
    })
    expectError(
      yield* run("--db", join(folder, "missing/ports.db")),
      `cannot open the database ${join(folder, "missing/ports.db")}: the folder ${join(folder, "missing")} does not exist`
    )
    writeFileSync(join(folder, "text"), "not a database, and longer than a header of SQLite\n")
    expect((yield* run("--db", join(folder, "text"))).stderr).toMatch(
      /^error: cannot open the database \S+text: [^\n]+\n$/
    )
    symlinkSync(join(folder, "text"), join(folder, "link"))
    expectError(
      yield* run("--db", database, "--log", join(folder, "link")),
      `cannot write the log ${join(folder, "link")}: it is a symbolic link`
    )
    expect((yield* run("--range", "9-1")).code).toBe(1)
    expect((yield* run("--db", database, "--log", join(folder, "new.log"))).code).toBe(0)
    expect((yield* run("--log", join(folder, "none/deep/new.log"))).code).toBe(0)
    expectError(
      yield* run("--db", database, "--log", join(folder, "text/deep/new.log")),
      `cannot write the log ${join(folder, "text/deep/new.log")}: it is in something that is not a folder`
    )
    expect(readdirSync(folder).sort()).toEqual(["link", "text"])
  })
)
