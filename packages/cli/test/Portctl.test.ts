import { describe, expect, it } from "@effect/vitest"
import { type Command, subcommandsOf } from "@port-server/command-line/command/Command"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import { runInProcess } from "../../../test/support/InProcess.ts"
import { freePorts } from "../../../test/support/Listening.ts"
import { startServer } from "../../../test/support/Programs.ts"
import { closedAddress } from "../../../test/support/Sockets.ts"
import { portctl } from "../src/Portctl.ts"

const run = (address: string, ...argv: ReadonlyArray<string>) =>
  Effect.withConfigProvider(
    runInProcess(portctl, argv),
    ConfigProvider.fromMap(
      new Map([
        ["PORT_SERVER_ADDR", address],
        ["PORTCTL_AUTOSTART", "0"]
      ])
    )
  )

/** The words of every command below one. */
const pathsOf = (
  command: Command,
  path: ReadonlyArray<string> = []
): Effect.Effect<ReadonlyArray<ReadonlyArray<string>>> =>
  Effect.map(
    Effect.forEach(subcommandsOf(command), ({ load, name }) =>
      Effect.flatMap(load, (subcommand) => pathsOf(subcommand, [...path, name]))
    ),
    (below) => [path, ...below.flat()]
  )

describe("portctl in this process", () => {
  it.effect("has a help of at most 80 columns for every command, with sentences that start alike", () =>
    Effect.gen(function* () {
      const paths = yield* pathsOf(portctl.root)
      expect(paths).toContainEqual(["service", "uninstall"])
      for (const path of paths) {
        const { code, stderr, stdout } = yield* run("127.0.0.1:1", ...path, "--help")
        expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
        expect(Math.max(...stdout.split("\n").map(({ length }) => length))).toBeLessThanOrEqual(80)
        for (const [, text] of stdout.matchAll(/^ {2}--\S+(?: \S+)? {2,}(\S.*)$/gm)) expect(text).toMatch(/^[A-Z]/)
      }
    })
  )

  it.scopedLive("returns exit codes and prints on both streams", () =>
    Effect.gen(function* () {
      const { address } = yield* startServer()
      const owner = ["--app", " padded ", "--instance", "b", "--service=c\u00a0"]
      const port = String(yield* freePorts(1))
      expect(yield* run(address, "allocate", ...owner, "--port", port, "--quiet")).toMatchObject({
        code: 0,
        stdout: `${port}\n`
      })
      expect(yield* run(address, "check", "--port", port)).toEqual({
        code: 1,
        stdout: `port ${port} is allocated to  padded /b/c\u00a0 (id=1)\n`,
        stderr: ""
      })
      expect(yield* run(address, "release", "--id", "1")).toMatchObject({ code: 0 })
      const down = yield* closedAddress
      expect(yield* run(down, "list")).toEqual({
        code: 1,
        stdout: "",
        stderr: `error: cannot reach port-server at ${down} (is it running? start it with: portctl start)\n`
      })
    })
  )

  it.scopedLive("keeps white space at the end of a name that is given with =", () =>
    Effect.gen(function* () {
      const { address } = yield* startServer()
      yield* run(address, "allocate", "--app=a ", "--instance", "b", "--service", "c")
      expect(JSON.parse((yield* run(address, "list", "--json")).stdout)).toMatchObject([{ app: "a " }])
    })
  )
})
