import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { contentAt, image, noPodman, serving, startPodman } from "../support/Engine.ts"
import { freePorts, hasIpv6 } from "../support/Listening.ts"
import { portctl, start, startServer } from "../support/Programs.ts"
import { call } from "../support/Wire.ts"

describe.skipIf(noPodman !== undefined)("Podman", () => {
  it.scopedLive("is an engine whose containers have names, and keep their ports when they are stopped", () =>
    Effect.gen(function* () {
      const { podman, socket } = yield* startPodman
      const first = yield* freePorts(6)
      const server = yield* startServer({
        probe: true,
        args: ["--engine", `unix://${socket}`, "--range", `${first}-${first + 5}`]
      })
      const label = (name: string, value: string) => ["--label", `com.docker.compose.${name}=${value}`]
      const labels = [
        label("project", "shop"),
        label("service", "web"),
        label("project.working_dir", server.home)
      ].flat()
      yield* podman(["run", "--detach", "--name", "web", ...labels, "--publish", `${first}:80`, ...serving("podman")])
      const range = `${first + 3}-${first + 4}:80-81`
      yield* podman(["run", "--detach", "--name", "range", "--publish", range, ...serving("range")])
      expect(yield* contentAt(first)).toBe("podman")
      yield* podman(["create", "--name", "idle", "--publish", `${first + 1}-${first + 2}:80-81`, ...serving("idle")])

      const { json } = yield* call(server.port, "GET", "/v1/containers")
      const common = { image: `localhost/${image}:latest`, engine: "podman" }
      const [web, idle] = ["web", "idle"].map((name) =>
        Object(json).containers.find((each: { readonly name: string }) => each.name === name)
      )
      expect(Object(json).engine).toEqual({ status: "running", kind: "podman", socket })
      expect(web).toMatchObject({ ...common, project: "shop", service: "web", folder: server.home, state: "running" })
      expect(web.ports).toMatchObject([{ port: first, protocol: "tcp" }])
      expect(idle).toMatchObject({ ...common, state: "stopped" })

      const why = (port: number) =>
        Effect.map(portctl(["why", "--port", String(port)], { server }), ({ stdout }) => stdout)
      expect(yield* why(first)).toContain(`web (localhost/${image}:latest, Compose project shop) is listening on it`)
      expect(yield* why(first)).toContain("  stop it:  podman stop web\n")
      expect(yield* why(first + 2)).toContain("is stopped and publishes it\n  remove:   podman rm idle\n")
      expect(yield* why(first + 4)).toContain(`range (localhost/${image}:latest) is listening on it`)
      if (hasIpv6) {
        // Podman has it at IPv4 alone.
        const script = `require("node:net").createServer().listen(${first}, "::1", () => console.log("listens"))`
        const stranger = yield* start(process.execPath, ["-e", script], { cwd: "/" })
        yield* stranger.printed(/listens/)
        const told = yield* why(first)
        expect(told).toContain(`web (localhost/${image}:latest, Compose project shop) is listening on it`)
        expect(told).toContain(`node (pid ${stranger.pid}) is listening on it (tcp ::1)`)
      }
      const body = { app: "shop", instance: "main", service: "db" }
      expect((yield* call(server.port, "POST", "/v1/allocations", body)).json).toMatchObject({ port: first + 5 })

      yield* podman(["stop", "--time", "0", "web"])
      expect(yield* why(first)).toContain("is stopped and publishes it\n")
      yield* podman(["rm", "idle"])
      expect(yield* why(first + 2)).toContain("nothing is listening on it\n")
    })
  )
})
