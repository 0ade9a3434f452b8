import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectUsageError } from "../../support/Expectations.ts"
import { portctl } from "../../support/Programs.ts"
import { listener } from "../../support/Sockets.ts"

const owner = ["--app", "a", "--instance", "b", "--service", "c"] as const

const refused: ReadonlyArray<readonly [args: ReadonlyArray<string>, wrong: RegExp, usage: string]> = [
  [["lst"], /unknown command "lst", did you mean "list"\?/, "portctl"],
  [["alloc"], /unknown command "alloc", did you mean "allocate"\?/, "portctl"],
  [["chekc"], /unknown command "chekc", did you mean "check"\?/, "portctl"],
  [["deallocate"], /unknown command "deallocate", did you mean "allocate"\?/, "portctl"],
  [["banana"], /unknown command "banana" \(/, "portctl"],
  [["x".repeat(10_000)], /unknown command "x/, "portctl"],
  [["LIST"], /unknown command "LIST"/, "portctl"],
  [["lst", "--json"], /unknown command "lst"/, "portctl"],
  [[""], /command/, "portctl"],
  [["--jsn"], /--jsn/, "portctl"],
  [["--json", "list"], /--json/, "portctl"],
  [["--wizard"], /--wizard/, "portctl"],
  [["--log-level", "debug", "list"], /--log-level/, "portctl"],
  [["--completions"], /--completions/, "portctl"],
  [["list", "--bogus"], /--bogus/, "portctl list"],
  [["list", "--apps", "x"], /--apps, did you mean --app\?/, "portctl list"],
  [["list", "--serivce", "x"], /--serivce, did you mean --service\?/, "portctl list"],
  [["list", "--banana"], /--banana$/, "portctl list"],
  [["list", "--APP", "x"], /--APP/, "portctl list"],
  [["list", "--no-json"], /--no-json/, "portctl list"],
  [["list", "--port", "3000"], /--port/, "portctl list"],
  [["list", "-j"], /-j/, "portctl list"],
  [["list", "--app"], /--app.*value/, "portctl list"],
  [["list", "--app", "--json"], /--app.*value/, "portctl list"],
  [["list", "--app", "x", "--app", "y"], /--app.*twice/, "portctl list"],
  [["list", "--app=x", "--app", "y"], /--app.*twice/, "portctl list"],
  [["list", "--json", "--json"], /--json.*twice/, "portctl list"],
  [["list", "--json=true"], /--json.*value/, "portctl list"],
  [["list", "stray"], /"stray"/, "portctl list"],
  [["list", "--", "--json"], /"--json"/, "portctl list"],
  [["allocate", ...owner, "stray"], /"stray"/, "portctl allocate"],
  [["allocate", "stray", ...owner], /"stray"/, "portctl allocate"],
  [["allocate", ...owner, "--quiet=1"], /--quiet.*value/, "portctl allocate"],
  [["release", "7"], /7|--id/, "portctl release"],
  [["check", "--port", "80", "81"], /"81"$/, "portctl check"],
  [["check", "3000"], /unexpected argument "3000", did you mean --port 3000\?$/, "portctl check"],
  [["check", "--json", "3000"], /unexpected argument "3000", did you mean --port 3000\?$/, "portctl check"],
  [["why", "3000", "--json"], /unexpected argument "3000", did you mean --port 3000\?$/, "portctl why"],
  [["check", "web"], /--port is required$/, "portctl check"],
  [["check", "--port"], /option --port needs a value$/, "portctl check"],
  [["start", "51234"], /unexpected argument "51234"$/, "portctl start"],
  [["env", "--format"], /option --format needs a value: dotenv, export or json$/, "portctl env"],
  [["env", "--format", "--app", "x"], /option --format needs a value: dotenv, export or json$/, "portctl env"],
  [["env", "--app"], /option --app needs a value$/, "portctl env"],
  [["service", "install", "--format"], /option --format needs a value: systemd or launchd$/, "portctl service install"],
  [["service", "--dry-run", "install"], /unknown option --dry-run$/, "portctl service"],
  [["service", "uninstall", "--range", "1-2"], /unknown option --range$/, "portctl service uninstall"],
  [["list", "--completions"], /option --completions needs a value: bash, zsh or fish$/, "portctl list"],
  [["health", "--app", "x"], /--app/, "portctl health"]
]

describe.concurrent("a command line that portctl cannot follow", () => {
  for (const [args, wrong, usage] of refused) {
    it.scopedLive(`refuses ${JSON.stringify(args)}, and sends nothing`, () =>
      Effect.gen(function* () {
        const { address, connections } = yield* listener()
        expectUsageError(yield* portctl(args, { env: { PORT_SERVER_ADDR: address } }), wrong, usage)
        expect(connections()).toBe(0)
      })
    )
  }

  for (const value of ["true", "false", "1", "no"]) {
    it.scopedLive(`refuses the stray argument ${value} after a flag that takes no value`, () =>
      Effect.gen(function* () {
        // Closes at once, so that a program that does ask it ends.
        const { address, connections } = yield* listener((socket) => socket.destroy())
        const ended = yield* portctl(["list", "--json", value], { env: { PORT_SERVER_ADDR: address } })
        expectUsageError(ended, new RegExp(`"?${value}"?`), "portctl list")
        expect(connections()).toBe(0)
      })
    )
  }

  it.scopedLive("refuses completions for a shell that it does not know, and says which ones it knows", () =>
    Effect.gen(function* () {
      expectUsageError(yield* portctl(["--completions", "tcsh"]), /bash.*zsh.*fish/, "portctl")
    })
  )
})
