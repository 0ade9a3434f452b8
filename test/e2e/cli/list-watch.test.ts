import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectUsageError } from "../../support/Expectations.ts"
import { bin, portctl, startServer } from "../../support/Programs.ts"
import { noTerminal, startOnTerminal } from "../../support/Terminals.ts"

const esc = "\u001b"
const [ownScreen, formerScreen] = [`${esc}[?1049h`, `${esc}[?1049l`]

const suite = noTerminal === undefined ? describe.concurrent : describe.skip

suite(`portctl list --watch${noTerminal === undefined ? "" : ` (skipped: ${noTerminal})`}`, () => {
  it.scopedLive("draws the table anew on each change, and gives the screen back", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const shop = ["--app", "shop", "--instance", "main"]
      const watch = yield* startOnTerminal([bin.portctl, "list", "--watch", "--app", "shop"], {
        env: { PORT_SERVER_ADDR: server.address },
        typing: [["database", "\u0003"]]
      })
      yield* watch.printed(/no allocations/)
      yield* portctl(["allocate", "--app", "blog", "--instance", "main", "--service", "hidden"], { server })
      yield* portctl(["allocate", ...shop, "--service", "web"], { server })
      yield* watch.printed(/web/)
      yield* portctl(["release", ...shop, "--service", "web"], { server })
      yield* watch.printed(/no allocations.*web.*no allocations/s)
      yield* portctl(["allocate", ...shop, "--service", "database"], { server })
      const { code, stdout } = yield* watch.ended
      expect(code).toBe(130)
      expect(stdout.startsWith(ownScreen)).toBe(true)
      expect(stdout.trimEnd().endsWith(formerScreen)).toBe(true)
      expect(stdout).not.toContain("hidden")
    })
  )

  it.scopedLive("leaves out, and counts, what does not fit in the height", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      for (const service of Array.from({ length: 30 }, (_, index) => `service-${index}`)) {
        yield* portctl(["allocate", "--app", "shop", "--instance", "main", "--service", service], { server })
      }
      const watch = yield* startOnTerminal([bin.portctl, "list", "--watch"], {
        env: { PORT_SERVER_ADDR: server.address },
        typing: [["more lines", "\u0003"]]
      })
      const { code, stdout } = yield* watch.ended
      expect(code).toBe(130)
      // The terminal has 24 lines; the headings and 21 rows are shown of 31 lines.
      expect(stdout).toContain("… and 9 more lines")
      expect(stdout).toContain("service-20")
      expect(stdout).not.toContain("service-21")
    })
  )

  it.scopedLive("without a terminal, or with --json, says what to do instead", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const piped = yield* portctl(["list", "--watch"], { server })
      expectUsageError(piped, /--watch needs a terminal; portctl log --follow prints what changes/, "portctl list")
      const json = yield* portctl(["list", "--watch", "--json"], { server })
      expectUsageError(json, /--watch and --json exclude each other/, "portctl list")
    })
  )
})
