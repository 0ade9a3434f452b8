import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import { settingsSchemaText } from "@port-server/domain/SettingsJsonSchema"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type User, user } from "../../support/Daemon.ts"
import { expectAnswer, expectError, expectUsageError } from "../../support/Expectations.ts"
import { realFolder } from "../../support/Git.ts"
import { portctlAsNormalUser } from "../../support/Programs.ts"

const fileOf = ({ home }: User) => join(home, ".port_server/config.json")
const settingsOf = (me: User): unknown => JSON.parse(readFileSync(fileOf(me), "utf8"))
const Running = Schema.Struct({ pid: Schema.Int })
const json = ({ stdout }: { readonly stdout: string }): unknown => JSON.parse(stdout)

describe.concurrent("portctl config", () => {
  it.scopedLive("set keeps a setting, with which the server is started next; unset removes it", () =>
    Effect.gen(function* () {
      const me = yield* user
      expectAnswer(yield* me.portctl("config get range"), "3000-9999\n")
      expectAnswer(
        yield* me.portctl("config set range 20000-29999"),
        `set range to 20000-29999 for the server at ${me.address}, from its next start or restart\n`
      )
      expect((yield* me.portctl("config set probe false")).code).toBe(0)
      expect((yield* me.portctl("config set database team.db")).code).toBe(0)
      expect((yield* me.portctl("config set log own.log")).code).toBe(0)
      const database = join(me.home, "team.db")
      const log = join(me.home, "own.log")
      expect(settingsOf(me)).toEqual({
        servers: { [me.address]: { range: "20000-29999", probe: false, database, log } }
      })
      expectAnswer(
        yield* me
          .portctl("ensure --app a --instance b --service c")
          .pipe(Effect.map((ended) => ({ ...ended, stderr: ended.stderr.replace(/^started port-server .*\n$/, "") }))),
        "a/b\nc  20000\n"
      )
      expect(json(yield* me.portctl("status --json"))).toMatchObject({ range: "20000-29999", probe: false, database })
      expectAnswer(
        yield* me.portctl("config unset range"),
        `removed range, now 3000-9999 for the server at ${me.address}, from its next start or restart\n`
      )
      expectAnswer(yield* me.portctl("config unset range"), "range is not set\n")
      for (const key of ["probe", "database", "log"]) expect((yield* me.portctl(`config unset ${key}`)).code).toBe(0)
      // The server still runs with them, and a restart does not take them from it.
      expect((yield* me.portctl("start")).code).toBe(0)
      expect(settingsOf(me)).toEqual({ servers: { [me.address]: { unset: ["range", "probe", "database", "log"] } } })
      expect((yield* me.portctl("restart")).stderr).toBe("")
      const defaults = { range: "3000-9999", probe: true, database: join(me.home, ".port_server/ports.db") }
      expect(json(yield* me.portctl("status --json"))).toMatchObject(defaults)
      expect(settingsOf(me)).toEqual({})
    })
  )

  it.scopedLive("no allowed host is none in a sentence", () =>
    Effect.gen(function* () {
      const me = yield* user
      const about = `for the server at ${me.address}, from its next start or restart\n`
      expectAnswer(yield* me.portctl("config set allow_hosts "), `set allow_hosts to none ${about}`)
      expectAnswer(yield* me.portctl("config get allow_hosts"), "\n")
      expectAnswer(yield* me.portctl("config unset allow_hosts"), `removed allow_hosts, now none ${about}`)
    })
  )

  it.scopedLive("set leaves a file alone that its user may not write", () =>
    Effect.gen(function* () {
      const home = yield* realFolder
      const file = join(home, ".port_server/config.json")
      mkdirSync(join(home, ".port_server"), { mode: 0o700 })
      writeFileSync(file, "{}", { mode: 0o444 })
      expectError(
        yield* portctlAsNormalUser(["config", "set", "range", "4000-5000"], home, { HOME: home }),
        `cannot write ${JSON.stringify(file)}: permission denied`
      )
      expect(readFileSync(file, "utf8")).toBe("{}")
    })
  )

  it.scopedLive("list shows each setting with where it comes from, as text and as JSON", () =>
    Effect.gen(function* () {
      const me = yield* user
      yield* me.portctl("config set range 20000-29999")
      const env = { PORT_SERVER_DB: join(me.home, "own.db") }
      const file = fileOf(me)
      const log = me.log
      expect(json(yield* me.portctl("config list --json", { env }))).toEqual([
        { key: "address", value: me.address, source: "PORT_SERVER_ADDR" },
        { key: "database", value: env.PORT_SERVER_DB, source: "PORT_SERVER_DB" },
        { key: "range", value: "20000-29999", source: file },
        { key: "probe", value: true, source: "default" },
        { key: "log", value: log, source: "default" },
        { key: "engine", value: "auto", source: "default" },
        { key: "socket", value: `${env.PORT_SERVER_DB}.sock`, source: "default" },
        { key: "allow_hosts", value: "", source: "default" }
      ])
      const { stdout } = yield* me.portctl("config list", { env })
      expect(stdout).toMatch(/^KEY +VALUE +FROM\naddress +\S+ +PORT_SERVER_ADDR\n/)
      expect(json(yield* me.portctl("config get range --json"))).toEqual({
        key: "range",
        value: "20000-29999",
        source: file
      })
    })
  )

  it.scopedLive("set address changes where portctl asks; the variable overrides it", () =>
    Effect.gen(function* () {
      const me = yield* user
      const env = { PORT_SERVER_ADDR: "" }
      expectAnswer(yield* me.portctl(`config set address ${me.address}`, { env }), `set address to ${me.address}\n`)
      expect((yield* me.portctl("config set range 4000-4999", { env })).stdout).toContain(`at ${me.address}, `)
      expect((yield* me.portctl("health", { env })).stderr).toContain(`cannot reach port-server at ${me.address} `)
      expectAnswer(
        yield* me.portctl("config set address example.test:80"),
        `set address to example.test:80; PORT_SERVER_ADDR is set and overrides it: ${me.address}\n`
      )
      expectError(
        yield* me.portctl("config set range 4000-4999", { env }),
        `address in ${fileOf(me)} is example.test:80, another machine than this: only a server at 127.0.0.1 or localhost can be started and stopped`
      )
      expect(yield* me.portctl("config unset address", { env })).toMatchObject({
        code: 0,
        stdout: "removed address, now 127.0.0.1:51234\n"
      })
    })
  )

  it.scopedLive("asks for --port where the address is a socket, and is then about that server of this machine", () =>
    Effect.gen(function* () {
      const me = yield* user
      const address = "unix:/run/none.sock"
      const env = { PORT_SERVER_ADDR: address }
      const sentence = `portctl looks for the server at ${address}, and a socket has no settings: --port says which server is meant`
      for (const args of ["list", "get range", "set range 4000-4999", "unset range"]) {
        expectError(yield* me.portctl(`config ${args}`, { env }), sentence)
      }
      const set = yield* me.portctl(`config set range 4000-4999 --port ${me.port}`, { env })
      expect(set.stdout).toContain(`for the server at ${me.address}, `)
      expectAnswer(yield* me.portctl("config get range"), "4000-4999\n")
    })
  )

  it.scopedLive("set address notes the server that it leaves running, and how that is stopped", () =>
    Effect.gen(function* () {
      const me = yield* user
      const env = { PORT_SERVER_ADDR: "" }
      yield* me.portctl(`config set address ${me.address}`, { env })
      yield* me.portctl("start", { env })
      const { pid } = yield* Schema.decodeUnknown(Running)(json(yield* me.portctl("status --json", { env })))
      expect(yield* me.portctl("config set address 127.0.0.1:1", { env })).toMatchObject({
        code: 0,
        stdout: "set address to 127.0.0.1:1\n",
        stderr: `note: the server at ${me.address} (pid ${pid}) still runs; PORT_SERVER_ADDR=${me.address} portctl stop ends it\n`
      })
      expectAnswer(
        yield* me.portctl("stop", { env: { PORT_SERVER_ADDR: me.address } }),
        `stopped port-server (pid ${pid})\n`
      )
      expectAnswer(yield* me.portctl(`config set address ${me.address}`, { env }), `set address to ${me.address}\n`)
    })
  )

  const refused: ReadonlyArray<readonly [args: string, sentence: string]> = [
    ["get rang", 'there is no setting "rang", did you mean range?'],
    [
      "set colour red",
      'there is no setting "colour", use address, database, range, probe, log, engine, socket or allow_hosts'
    ],
    [
      "unset servers",
      'there is no setting "servers", use address, database, range, probe, log, engine, socket or allow_hosts'
    ],
    ["set range 5-1", "range must be two ports like 3000-9999, the first not above the last"],
    ["set probe no", "probe must be true or false"],
    ["set address nowhere", 'the address must be host:port like 127.0.0.1:51234, not "nowhere"'],
    ["set address 1.2.3.256:80", 'the address must be host:port like 127.0.0.1:51234, not "1.2.3.256:80"'],
    ["get address --port 4000", "address is the same for every server: leave out --port"]
  ]
  for (const [args, sentence] of refused) {
    it.scopedLive(`${args} is refused in one sentence, and changes nothing`, () =>
      Effect.gen(function* () {
        const me = yield* user
        const json = `${JSON.stringify({ error: sentence })}\n`
        for (const [line, stdout] of [
          [args, ""],
          [`${args} --json`, json]
        ] as const) {
          const ended = yield* me.portctl(`config ${line}`)
          expectUsageError(ended, /^error: /, `portctl config ${args.split(" ")[0]}`)
          expect(ended.stderr.split("\n")[0]).toBe(`error: ${sentence}`)
          expect(ended.stdout).toBe(stdout)
        }
        expect(existsSync(fileOf(me))).toBe(false)
      })
    )
  }

  it.scopedLive("leaves a file that is not valid as it is", () =>
    Effect.gen(function* () {
      const me = yield* user
      mkdirSync(join(me.home, ".port_server"), { mode: 0o700 })
      writeFileSync(fileOf(me), '{"server": {}}')
      for (const args of ["list", "get range", "set range 4000-4999", "unset range"]) {
        expectError(
          yield* me.portctl(`config ${args}`),
          `${fileOf(me)}: unknown field "server", did you mean "servers"?`
        )
      }
      expect(readFileSync(fileOf(me), "utf8")).toBe('{"server": {}}')
    })
  )
})

it("the published JSON Schema is what the domain generates; npm run schema writes it", () => {
  const published = new URL("../../../packages/domain/config.schema.json", import.meta.url)
  expect(readFileSync(published, "utf8")).toBe(settingsSchemaText())
})

it("the JSON Schema has patterns for what is written as text, so that editors mark what portctl would refuse", () => {
  const schema = JSON.parse(settingsSchemaText())
  const { Settings, ServerSettings } = schema.$defs
  const samples = [
    [
      Settings.properties.address,
      ["127.0.0.1:4000", "localhost:51234", "[::1]:80"],
      ["127.0.0.1", "4000", "a:0", "a b:1"]
    ],
    [ServerSettings.properties.range, ["20000-29999", "1-65535"], ["20000", "20000-", "0-10", "20000 - 29999"]],
    [ServerSettings.properties.database, ["/home/me/ports.db"], ["ports.db", "~/ports.db"]]
  ] as const
  for (const [{ description, pattern, type }, valid, invalid] of samples) {
    expect([type, typeof description]).toEqual(["string", "string"])
    for (const text of valid) expect(text).toMatch(new RegExp(pattern))
    for (const text of invalid) expect(text).not.toMatch(new RegExp(pattern))
  }
})
