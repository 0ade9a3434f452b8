import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { portctl, startServer } from "./support/Programs.ts"
import { call } from "./support/Wire.ts"

it.scopedLive("allocates, lists, checks and releases, as the quick start says", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    const run = (...args: ReadonlyArray<string>) => portctl(args, { server })
    expect(yield* run("allocate", "--app", "myapp", "--instance", "dev", "--service", "postgres")).toMatchObject({
      code: 0,
      stdout: "allocated port 3000 (id=1) for myapp/dev/postgres\n",
      stderr: ""
    })
    expect((yield* run("check", "--port", "3000")).stdout).toBe("port 3000 is allocated to myapp/dev/postgres (id=1)\n")
    expect((yield* run("release", "--id", "1")).stdout).toBe("released allocation 1\n")
    expect((yield* call(server.port, "GET", "/v1/allocations")).json).toEqual([])
  })
)
