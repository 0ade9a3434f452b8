import { chmodSync, statSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { pidAt, user } from "../../support/Daemon.ts"
import { openFiles } from "../../support/Descriptors.ts"
import { expectAnswer, expectError, expectUnreachable } from "../../support/Expectations.ts"
import { freePorts } from "../../support/Listening.ts"
import { bin, start, temporaryFolder } from "../../support/Programs.ts"

const ensure = "ensure --app a --instance b --service web"

describe.skipIf(process.platform !== "linux")("the server that a command starts", () => {
  it.scopedLive(
    "holds no descriptor of its caller, whatever its number, so that a lock and a pipe end with the command",
    () =>
      Effect.gen(function* () {
        const me = yield* user
        const script = `exec 3> three 17> seventeen 20> twenty 63> sixtythree 200> lock; flock 200; "$portctl" ${ensure}`
        expect((yield* me.bash(script)).code).toBe(0)
        const pid = yield* pidAt(me.port)
        const open = [...openFiles(pid).values()]
        for (const name of ["three", "seventeen", "twenty", "sixtythree", "lock"]) {
          expect(open).not.toContain(join(me.home, name))
        }
        expect(yield* me.bash("exec 9> lock; flock --nonblock 9")).toMatchObject({ code: 0 })
        // The substitution ends only when nobody has its pipe any more.
        yield* me.portctl("stop")
        expect(yield* me.bash(`out=$(exec 77>&1; "$portctl" ${ensure} 2> note); echo "$out"`)).toMatchObject({
          code: 0
        })
      })
  )

  it.scopedLive("the command of run keeps the descriptors that its caller gave it", () =>
    Effect.gen(function* () {
      const me = yield* user
      const script = `exec 200> kept; "$portctl" run --app a --instance b --service web -- bash -c 'echo here >&200'; cat kept`
      expect((yield* me.bash(script)).stdout).toBe("here\n")
    })
  )
})

describe.skipIf(process.getuid?.() !== 0)("a user without a home (as root: with setpriv)", () => {
  /** A user that the system does not know, and a folder that is theirs. */
  const stranger = Effect.gen(function* () {
    const folder = yield* temporaryFolder
    chmodSync(folder, 0o777)
    const port = yield* freePorts(1)
    const env = { PORT_SERVER_ADDR: `127.0.0.1:${port}` }
    const run = (program: string, args: string, extra: Readonly<Record<string, string>> = {}) =>
      start("setpriv", ["--reuid=42424", "--regid=42424", "--clear-groups", program, ...args.split(" ")], {
        cwd: folder,
        env: { ...env, ...extra }
      }).pipe(
        Effect.flatMap(({ ended }) => ended),
        Effect.scoped
      )
    yield* Effect.addFinalizer(() => run(bin.portctl, "stop"))
    return { folder, port, run }
  })

  it.scopedLive("is told to set HOME, or to name files elsewhere", () =>
    Effect.gen(function* () {
      const { run } = yield* stranger
      expectError(yield* run(bin.portctl, "start"), "there is no home folder: set HOME")
      expectUnreachable(yield* run(bin.portctl, ensure), ensure, "there is no home folder: set HOME")
      expectError(
        yield* run(bin.portServer, "--port 0"),
        "there is no home folder for the database: set HOME, or use --db FILE"
      )
    })
  )

  it.scopedLive("needs none where database and log are elsewhere", () =>
    Effect.gen(function* () {
      const { folder, run } = yield* stranger
      const started = yield* run(bin.portctl, "start --db own.db --log own.log")
      expect(started.code, started.stderr).toBe(0)
      expect(started.stdout).toContain(`, database ${folder}/own.db, log ${folder}/own.log\n`)
      expect(started.stderr).toBe(
        "note: how port-server was started is not kept for the next start: there is no home folder: set HOME\n"
      )
      expect((yield* run(bin.portctl, ensure)).stdout).toBe("a/b\nweb  3000\n")
      expect((yield* run(bin.portctl, "restart --log own.log")).code).toBe(0)
    })
  )

  it.scopedLive("has settings and a report all the same, and errors as JSON", () =>
    Effect.gen(function* () {
      const { folder, port, run } = yield* stranger
      const database = join(folder, "own.db")
      const elsewhere = { PORT_SERVER_DB: database }
      expect((yield* run(bin.portctl, "start", elsewhere)).code).toBe(0)
      const settings = yield* run(bin.portctl, "config list --json", elsewhere)
      expect(settings).toMatchObject({ code: 0, stderr: "" })
      expect(JSON.parse(settings.stdout)).toMatchObject([
        { key: "address", value: `127.0.0.1:${port}` },
        { key: "database", value: database },
        { key: "range" },
        { key: "probe" },
        { key: "log", value: `${database}.log` },
        { key: "engine" },
        { key: "socket", value: `${database}.sock` },
        { key: "allow_hosts" }
      ])
      expect((yield* run(bin.portctl, "config get range", elsewhere)).stdout).toBe("3000-9999\n")
      const report = yield* run(bin.portctl, "doctor --json", elsewhere)
      expect(report).toMatchObject({ code: 0, stderr: "" })
      expect(JSON.parse(report.stdout)).toMatchObject({
        ok: true,
        checks: expect.arrayContaining([
          expect.objectContaining({ name: "server", status: "ok" }),
          expect.objectContaining({ name: "database", status: "ok" }),
          expect.objectContaining({ name: "home", status: "warning", remedy: "set HOME" })
        ])
      })
      const none = "there is no home folder: set HOME"
      for (const args of ["config list", "config get range", "config set range 4000-4999", "config unset range"]) {
        expectError(yield* run(bin.portctl, `${args} --json`), none, `${JSON.stringify({ error: none })}\n`)
      }
      const without = yield* run(bin.portctl, "doctor --json")
      expect(without).toMatchObject({ code: 1, stderr: "" })
      expect(JSON.parse(without.stdout)).toMatchObject({
        ok: false,
        checks: expect.arrayContaining([expect.objectContaining({ name: "settings", status: "error", message: none })])
      })
    })
  )

  it.scopedLive("and a home that cannot be written: the folder is named, and not needed where nothing is in it", () =>
    Effect.gen(function* () {
      const { folder, run } = yield* stranger
      const home = yield* temporaryFolder
      chmodSync(home, 0o755)
      const data = join(home, ".port_server")
      const files = { HOME: home, PORT_SERVER_DB: join(folder, "own.db") }
      const unwritable = `cannot make the folder ${data}: permission denied (is HOME your own folder?)`
      expectError(yield* run(bin.portctl, "start", { HOME: home }), unwritable)
      const report = yield* run(bin.portctl, "doctor", { HOME: home })
      expect(report.code).toBe(1)
      expect(report.stdout).toContain(`cannot make the folder ${data} (is HOME your own folder? or use --db FILE)\n`)
      expect(report.stdout).not.toContain("to do: portctl start\n")
      const kept = `note: how port-server was started is not kept for the next start: ${unwritable}\n`
      const beside = yield* run(bin.portctl, ensure, files)
      expect(beside.code, beside.stderr).toBe(0)
      expect(beside.stderr).toContain(`, database ${files.PORT_SERVER_DB}, log ${files.PORT_SERVER_DB}.log\n`)
      expect(beside.stderr).toContain(kept)
      expect(statSync(`${files.PORT_SERVER_DB}.log`).mode & 0o777).toBe(0o600)
      expectAnswer(yield* run(bin.portctl, "config get log", files), `${files.PORT_SERVER_DB}.log\n`)
      expect((yield* run(bin.portctl, "restart", files)).code).toBe(0)
      expect((yield* run(bin.portctl, "stop", files)).code).toBe(0)
      const started = yield* run(bin.portctl, "start --log own.log", files)
      expect(started.stderr).toBe(kept)
      expect(started.code).toBe(0)
      expect((yield* run(bin.portctl, ensure, files)).code).toBe(0)
    })
  )
})
