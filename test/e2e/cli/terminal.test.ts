import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer } from "../../support/Expectations.ts"
import { listen, startServerOnFreePorts } from "../../support/Listening.ts"
import { bin, type PortServer, portctl, startServer } from "../../support/Programs.ts"
import { closedAddress } from "../../support/Sockets.ts"
import { noTerminal, onTerminal } from "../../support/Terminals.ts"

const esc = "\u001b"

/** The text without its styles. */
const unstyled = (text: string) => text.replaceAll(new RegExp(`${esc}\\[\\d+m`, "g"), "")

const styled = (code: number, text: string, end: number) => `${esc}[${code}m${text}${esc}[${end}m`

const at = ({ address }: PortServer) => ({ PORT_SERVER_ADDR: address })

const allocate = (server: PortServer, app: string, instance: string, service: string) =>
  portctl(["allocate", "--app", app, "--instance", instance, "--service", service], { server })

const long = "feature-that-has-a-very-long-name-and-a-ticket-number-1234"

const wide = "日本語の長い名前のアプリケーション"

const suite = noTerminal === undefined ? describe.concurrent : describe.skip

suite(`on a terminal${noTerminal === undefined ? "" : ` (skipped: ${noTerminal})`}`, () => {
  it.scopedLive("a table has bold headings and coloured ports, and says the same as in a pipe", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* allocate(server, "myapp", "dev", "web")
      const { code, stdout } = yield* onTerminal([bin.portctl, "list"], { env: at(server) })
      expect(code).toBe(0)
      for (const heading of ["ID", "APP", "INSTANCE", "SERVICE", "PORT", "CREATED"]) {
        expect(stdout).toContain(styled(1, heading, 22))
      }
      expect(stdout).toContain(styled(36, "3000", 39))
      expectAnswer(yield* portctl(["list"], { server }), unstyled(stdout))
    })
  )

  it.scopedLive("list --live shows in green who is listening, and not that nobody is", () =>
    Effect.gen(function* () {
      const server = yield* startServerOnFreePorts(1)
      yield* allocate(server, "shop", "main", "web")
      const live = Effect.map(onTerminal([bin.portctl, "list", "--live"], { env: at(server) }), ({ stdout }) => stdout)
      expect(yield* live).toContain(styled(2, "-", 22))
      yield* listen("127.0.0.1", server.first)
      expect(yield* live).toMatch(new RegExp(`${esc}\\[32m[^-]+${esc}\\[39m`))
    })
  )

  it.scopedLive("list --live leaves out when a port was allocated where the row would not fit", () =>
    Effect.gen(function* () {
      const server = yield* startServerOnFreePorts(1)
      yield* allocate(server, "shop", "main", "web")
      yield* listen("127.0.0.1", server.first)
      const headings = (columns: number) =>
        Effect.map(onTerminal([bin.portctl, "list", "--live"], { env: at(server), columns }), ({ stdout }) => {
          const lines = unstyled(stdout).trimEnd().split("\n")
          expect(lines[1]).toContain("127.0.0.1")
          for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns)
          return lines[0]
        })
      expect(yield* headings(110)).toMatch(/^ID +APP +INSTANCE +SERVICE +PORT +CREATED +LISTENING$/)
      expect(yield* headings(80)).toMatch(/^ID +APP +INSTANCE +SERVICE +PORT +LISTENING$/)
    })
  )

  it.scopedLive("a table's long names are shortened so that a row fits, and nowhere else", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* allocate(server, "shop", "main", "web")
      yield* allocate(server, wide, long, "postgres")
      const list = (columns: number) =>
        Effect.map(onTerminal([bin.portctl, "list"], { env: at(server), columns }), ({ stdout }) => unstyled(stdout))
      const [headings = "", first = "", second = ""] = (yield* list(80)).split("\n")
      expect(headings).toMatch(/^ID {2}APP +INSTANCE +SERVICE {3}PORT {2}CREATED$/)
      expect(first).toMatch(/^1 {3}shop +main +web {7}3000 {2}\S+ \S+$/)
      expect(first.length).toBe(80)
      // Each of its wide characters takes two columns.
      expect(second).toMatch(/^2 {3}日本語[^ ]*… +feature-[^ ]*… {2}postgres {2}3001 {2}\S+ \S+$/)
      expect(second.length + (second.match(/[^\x20-\x7e…]/g) ?? []).length).toBe(80)
      const whole = (yield* portctl(["list"], { server })).stdout
      for (const name of [wide, long]) expect(whole).toContain(name)
      expect(yield* list(300)).toBe(whole)
      // A terminal that does not say how wide it is counts as 80 wide; in one that is too narrow, ports stay whole.
      expect((yield* list(0)).split("\n")[0]).toBe(headings)
      expect(yield* list(20)).toContain("postgr…  3001  ")
    })
  )

  for (const [name, env, coloured] of [
    ["NO_COLOR=1 forbids colour", { NO_COLOR: "1" }, false],
    ["NO_COLOR=false forbids colour, as any value does", { NO_COLOR: "false" }, false],
    ["an empty NO_COLOR forbids nothing", { NO_COLOR: "" }, true],
    ["TERM=dumb forbids colour", { TERM: "dumb" }, false]
  ] as const) {
    it.scopedLive(name, () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        yield* allocate(server, "shop", long, "web")
        const list = yield* onTerminal([bin.portctl, "list"], { env: { ...at(server), ...env } })
        expect(list.stdout.includes(esc)).toBe(coloured)
        expect(list.stdout).toContain("…")
        const error = yield* onTerminal([bin.portctl, "release", "--id", "7"], { env: { ...at(server), ...env } })
        expect(error.stdout.includes(esc)).toBe(coloured)
        expect(unstyled(error.stdout)).toMatch(/^error: allocation 7 not found\nhint: .*portctl list.*\n$/)
      })
    )
  }

  it.scopedLive("a pipe gets plain and whole text, whatever stands at its other end or in FORCE_COLOR", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* allocate(server, "shop", long, "web")
      const plain = (yield* portctl(["list"], { server })).stdout
      expect(plain).toContain(long)
      const piped = ["sh", "-c", `'${bin.portctl}' list | cat`]
      expect((yield* onTerminal(piped, { env: at(server) })).stdout).toBe(plain)
      expectAnswer(yield* portctl(["list"], { server, env: { FORCE_COLOR: "1", CLICOLOR_FORCE: "1" } }), plain)
    })
  )

  it.scopedLive("an error is red, and in a pipe one plain line without a hint", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const { code, stdout } = yield* onTerminal([bin.portctl, "release", "--id", "7"], { env: at(server) })
      expect(code).toBe(1)
      expect(stdout).toMatch(new RegExp(`^${esc}\\[31merror:${esc}\\[39m allocation 7 not found\n`))
      expect(stdout).toMatch(new RegExp(`\n${esc}\\[2mhint: .*${esc}\\[22m\n$`))
      const file = ["sh", "-c", `'${bin.portctl}' release --id 7 2>&1 | cat`]
      expect((yield* onTerminal(file, { env: at(server) })).stdout).toBe("error: allocation 7 not found\n")
    })
  )

  it.scopedLive("each error that a person can act on has a hint of one line with the next command", () =>
    Effect.gen(function* () {
      const server = yield* startServer({ args: ["--range", "3000-3000"] })
      yield* allocate(server, "shop", "main", "web")
      const other = ["--app", "a", "--instance", "b", "--service", "c"]
      const hint = (args: ReadonlyArray<string>, env = at(server)) =>
        Effect.map(onTerminal([bin.portctl, ...args], { env }), ({ stdout }) => {
          const hints = unstyled(stdout)
            .split("\n")
            .filter((line) => line.startsWith("hint: "))
          expect(hints, stdout).toHaveLength(1)
          expect(hints[0]?.length).toBeLessThanOrEqual(80)
          return hints[0]
        })
      expect(yield* hint(["allocate", ...other, "--port", "3000"])).toMatch(/portctl why --port 3000\b/)
      expect(yield* hint(["allocate", ...other])).toBe(
        "hint: portctl prune, or a wider range: portctl restart --range FIRST-LAST"
      )
      expect(yield* hint(["release", "--id", "7"])).toMatch(/portctl list/)
      const down = { PORT_SERVER_ADDR: yield* closedAddress }
      expect(yield* hint(["list"], down)).toBe("hint: PORT_SERVER_ADDR=127.0.0.1:51234 asks at the default address")
      expect(yield* hint(["lst"])).toBe("hint: portctl help list")
      expect(yield* hint(["list", "--bogus"])).toBe("hint: portctl help list")
      expect(yield* hint(["--bogus"])).toBe("hint: portctl help")
    })
  )

  it.scopedLive("the usage after an error is wrapped, the help has bold headings and nothing wider than 80", () =>
    Effect.gen(function* () {
      const usage = yield* onTerminal([bin.portctl, "allocate", "--bogus"])
      expect(unstyled(usage.stdout)).toMatch(/\nusage: portctl allocate --app NAME .*\n {24}\[--json\] \[--quiet\]\n/)
      const help = yield* onTerminal([bin.portctl, "help", "allocate"])
      expect(help.stdout).toContain(styled(1, "Options:", 22))
      expectAnswer(yield* portctl(["help", "allocate"]), unstyled(help.stdout))
    })
  )
})
