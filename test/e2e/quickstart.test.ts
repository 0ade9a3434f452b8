import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer, expectGranted, expectUnallocated } from "../support/Expectations.ts"
import { portctl, startServer } from "../support/Programs.ts"
import { call } from "../support/Wire.ts"

it.scopedLive("allocates, lists, checks and releases, as the quick start says", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    const run = (line: string) => portctl(line.split(" "), { server })
    expectAnswer(
      yield* run("allocate --app myapp --instance dev --service postgres"),
      "allocated port 3000 (id=1) for myapp/dev/postgres\n"
    )
    expectGranted(
      yield* run("allocate --app myapp --instance dev --service web --port 8080"),
      "allocated port 8080 (id=2) for myapp/dev/web\n",
      8080
    )
    const list = yield* run("list")
    const time = /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/gm
    expect(list.stdout.match(time)).toHaveLength(2)
    expectAnswer(
      { ...list, stdout: list.stdout.replace(time, "<time>") },
      [
        "ID  APP    INSTANCE  SERVICE   PORT  CREATED",
        "1   myapp  dev       postgres  3000  <time>",
        "2   myapp  dev       web       8080  <time>",
        ""
      ].join("\n")
    )
    // The specification gives `check` exit code 1 for a port that is allocated.
    expect(yield* run("check --port 3000")).toEqual({
      code: 1,
      signal: null,
      stdout: "port 3000 is allocated to myapp/dev/postgres (id=1)\n",
      stderr: ""
    })
    expectAnswer(yield* run("release --id 1"), "released allocation 1\n")
    expectUnallocated(yield* run("check --port 3000"), 3000)
    expect((yield* call(server.port, "GET", "/v1/allocations")).json).toMatchObject([{ id: 2, port: 8080 }])
  })
)
