import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { portctl, startServer } from "../../support/Programs.ts"
import { execute } from "../../support/Sqlite.ts"

/** One of each kind: DEL, a C1 control, marks and overrides of the text direction, line and paragraph separators. */
const steering = ["\u007f", "\u009b", "\u061c", "\u200e", "\u200f", "\u2028", "\u2029", "\u202e", "\u2066", "\u2069"]
const app = `a${steering.join("b")}c`

const codePoints = steering.map((char) => `char(${char.charCodeAt(0)})`).join(" || 'b' || ")

describe.concurrent("characters that steer a terminal", () => {
  const commands: ReadonlyArray<readonly [args: string, status: number]> = [
    ["list --json", 0],
    ["list --live --json", 0],
    ["export", 0],
    ["export --json", 0],
    ["check --port 7000 --json", 1],
    ["why --port 7000 --json", 0],
    ["allocate --app x --instance y --service z --port 7000 --json", 1]
  ]
  for (const [args, status] of commands) {
    it.scopedLive(`are escaped in the JSON of portctl ${args}, which parses to the same names`, () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        yield* execute(
          server.database,
          `INSERT INTO allocations (app, instance, service, port) VALUES ('a' || ${codePoints} || 'c', 'dev', 'web', 7000)`
        )
        const { code, stdout } = yield* portctl(args.split(" "), { server })
        expect(code).toBe(status)
        for (const char of steering) expect(stdout).not.toContain(char)
        expect(stdout).toContain(String.raw`\u009b`)
        expect(JSON.stringify(JSON.parse(stdout))).toContain(JSON.stringify(app))
      })
    )
  }
})
