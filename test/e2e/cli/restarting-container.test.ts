import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { fakeEngine } from "../../support/FakeEngine.ts"
import { repository } from "../../support/Git.ts"
import { freePorts } from "../../support/Listening.ts"
import { portctl, startServer, temporaryFolder } from "../../support/Programs.ts"
import { call } from "../../support/Wire.ts"

describe("a container that its engine starts again and again", () => {
  it.scopedLive("is not called stopped, and is stopped before it is removed", () =>
    Effect.gen(function* () {
      const folder = repository(yield* temporaryFolder)
      const first = yield* freePorts(2)
      const engine = yield* fakeEngine([
        { name: "crash", port: first, folder: "/elsewhere", isRestarting: true },
        { name: "api", port: first + 1, folder, isRestarting: true }
      ])
      const server = yield* startServer({ probe: true, args: ["--engine", engine] })
      const containers = yield* call(server.port, "GET", "/v1/containers").pipe(
        Effect.map(({ json }): ReadonlyArray<{ readonly ports: ReadonlyArray<unknown> }> => Object(json).containers),
        Effect.repeat({ until: (all) => all.every(({ ports }) => ports.length > 0) })
      )
      expect(containers).toMatchObject([
        { name: "crash", state: "stopped", restarting: true },
        { name: "api", state: "stopped", restarting: true }
      ])
      const run = (...args: ReadonlyArray<string>) => portctl(args, { server, cwd: folder })
      yield* run("ensure", "--service", `api=${first + 1}`)

      const name = "(busybox, Compose project crash) restarts again and again and publishes"
      const told = (yield* run("why", "--port", `${first}`)).stdout
      expect(told).toContain(`crash ${name} it\n  folder:   /elsewhere\n  stop it:  docker stop crash\n`)
      expect(told).not.toContain("docker rm")
      expect((yield* run("check", "--port", `${first}`)).stdout).toContain(
        `port ${first} is not allocated, but crash ${name} it\n`
      )
      expect((yield* run("scan")).stdout).toMatch(new RegExp(`^${first} .*restarting +crash \\(busybox\\)`, "m"))
      const own = (yield* run("why", "--port", `${first + 1}`)).stdout
      expect(own).toContain("api (busybox, Compose project api) restarts again and again and publishes it\n")
      expect(own).toContain("  stop it:  docker stop api\n  belongs:  yes\n")
      expect((yield* run("list", "--live")).stdout).toContain("api (busybox), restarting")
      expect((yield* run("ensure", "--service", `mail=${first}`)).stderr).toContain(
        `note: crash ${name} port ${first}; it cannot be started while another program has the port\n`
      )
    })
  )
})
