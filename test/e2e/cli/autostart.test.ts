import { readdirSync, readFileSync } from "node:fs"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { listed } from "../../support/Api.ts"
import { pidAt, user } from "../../support/Daemon.ts"
import { expectClean, expectError, expectUnreachable } from "../../support/Expectations.ts"
import { closedAddress, listener } from "../../support/Sockets.ts"

const unreachable = (address: string) =>
  `cannot reach port-server at ${address} (is it running? start it with: portctl start)`

/** Verbs that start the server, each with the start of its answer from an empty one. */
const starting: ReadonlyArray<readonly [args: string, answer: RegExp]> = [
  ["ensure --app a --instance b --service web", /^a\/b\nweb +\d+\n$/],
  ["env --app a --instance b --service web", /^# a\/b\nWEB_PORT=\d+\n$/],
  ["run --quiet --app a --instance b --service web -- printenv PORT", /^\d+\n$/],
  ["prune --dry-run", /./],
  ["scan", /./],
  ["why --port 1", /^port 1 is not allocated/]
]

const never = [
  "allocate --app a --instance b --service c",
  "release --id 1",
  "list",
  "check --port 80",
  "health",
  "export"
]

describe.concurrent("a command that finds no server", () => {
  for (const [args, answer] of starting) {
    it.scopedLive(`portctl ${args} starts it, says so in one line on stderr, and answers`, () =>
      Effect.gen(function* () {
        const me = yield* user
        const ended = yield* me.portctl(args)
        const pid = yield* pidAt(me.port)
        expect(ended.code).toBe(0)
        expect(ended.stdout).toMatch(answer)
        expect(ended.stderr).toBe(
          `started port-server at ${me.address} (pid ${pid}), database ${me.database}, log ${me.log}\n`
        )
        expectClean(ended)
        // It stays, and is not started again.
        expect(yield* me.portctl(args)).toMatchObject({ code: 0, stderr: "" })
        expect(yield* pidAt(me.port)).toBe(pid)
      })
    )
  }

  for (const args of never) {
    it.scopedLive(`portctl ${args} never does`, () =>
      Effect.gen(function* () {
        const me = yield* user
        expectUnreachable(yield* me.portctl(args), args, unreachable(me.address))
        expect(readdirSync(me.home)).toEqual([])
      })
    )
  }

  it.scopedLive("starts none with PORTCTL_AUTOSTART=0", () =>
    Effect.gen(function* () {
      const me = yield* user
      const env = { PORTCTL_AUTOSTART: "0" }
      for (const [args] of starting) {
        expectUnreachable(yield* me.portctl(args, { env }), args, unreachable(me.address))
      }
      const json = yield* me.portctl("ensure --app a --instance b --service c --json", { env })
      expect(json.stdout).toBe(`${JSON.stringify({ error: unreachable(me.address) })}\n`)
      expect(readdirSync(me.home)).toEqual([])
    })
  )

  it.scopedLive("starts none for an address that is not 127.0.0.1 or localhost", () =>
    Effect.gen(function* () {
      const me = yield* user
      const address = (yield* closedAddress).replace("127.0.0.1", "127.0.0.2")
      expectUnreachable(
        yield* me.portctl("prune", { env: { PORT_SERVER_ADDR: address } }),
        "prune",
        `cannot reach port-server at ${address} (is it running?)`
      )
      expect(readdirSync(me.home)).toEqual([])
    })
  )

  it.scopedLive("says, as start and status do, that another program has the port", () =>
    Effect.gen(function* () {
      const me = yield* user
      const closing = yield* listener((socket) => socket.destroy())
      const ssh = yield* listener((socket) => socket.end("SSH-2.0-OpenSSH_9.6\r\n"))
      for (const { address } of [closing, ssh]) {
        const sentence = `another program listens at ${address}, and does not answer as port-server`
        const env = { PORT_SERVER_ADDR: address }
        for (const [args] of starting) expectUnreachable(yield* me.portctl(args, { env }), args, sentence)
        for (const args of ["start", "status"]) expectError(yield* me.portctl(args, { env }), sentence)
      }
      expect(readdirSync(me.home)).toEqual([])
    })
  )

  it.scopedLive("says, as status does, that the host's name does not resolve", () =>
    Effect.gen(function* () {
      const me = yield* user
      for (const args of ["why --port 1", "status"]) {
        expectUnreachable(
          yield* me.portctl(args, { env: { PORT_SERVER_ADDR: "no-such-host.invalid:51234" } }),
          args,
          "the host name no-such-host.invalid does not resolve (PORT_SERVER_ADDR says where port-server is)"
        )
      }
    })
  )

  it.scopedLive("starts it for localhost", () =>
    Effect.gen(function* () {
      const me = yield* user
      const env = { PORT_SERVER_ADDR: `localhost:${me.port}` }
      expect(yield* me.portctl("why --port 1", { env })).toMatchObject({ code: 0 })
    })
  )

  it.scopedLive("eight at once start one server, and all of them are answered", () =>
    Effect.gen(function* () {
      const me = yield* user
      const all = yield* Effect.forEach(
        Array.from({ length: 8 }, (_, index) => index),
        (index) => me.portctl(`ensure --app a --instance b --service s${index}`),
        { concurrency: "unbounded" }
      )
      expect(all.map(({ code }) => code)).toEqual(Array.from({ length: 8 }, () => 0))
      expect(all.filter(({ stderr }) => /^started port-server at [^\n]+\n$/.test(stderr))).toHaveLength(1)
      expect(all.filter(({ stderr }) => stderr === "")).toHaveLength(7)
      expect(yield* listed(me.port, "a")).toHaveLength(8)
      expect(readFileSync(me.log, "utf8").match(/listening/g)).toHaveLength(1)
    })
  )

  it.scopedLive("says why it cannot be started, and prints that as JSON too", () =>
    Effect.gen(function* () {
      const me = yield* user
      const env = { PORT_SERVER_DB: "/missing/ports.db" }
      const message = `port-server did not start: cannot open the database /missing/ports.db: the folder /missing does not exist (log: ${me.log})`
      expectUnreachable(yield* me.portctl("ensure --app a --instance b --service c", { env }), "ensure", message)
      const json = yield* me.portctl("ensure --app a --instance b --service c --json", { env })
      expect(json).toMatchObject({ code: 69, stdout: `${JSON.stringify({ error: message })}\n` })
    })
  )

  it.scopedLive("completion starts none", () =>
    Effect.gen(function* () {
      const me = yield* user
      yield* me.portctl("__complete bash 3 portctl list --app")
      expect(readdirSync(me.home)).toEqual([])
    })
  )
})
