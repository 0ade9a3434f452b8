import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type User, user } from "../support/Daemon.ts"
import {
  contentAt,
  image,
  noOwnEngine,
  type OwnEngine,
  serving,
  servingScript,
  startOwnEngine
} from "../support/Engine.ts"
import { freePorts } from "../support/Listening.ts"
import { bin, portctl, start, startServer } from "../support/Programs.ts"
import { call } from "../support/Wire.ts"

const engineOf = (port: number) =>
  Effect.map(call(port, "GET", "/v1/containers"), ({ json }): Record<string, unknown> => Object(json).engine)

const until = (port: number, status: string) =>
  Effect.repeat(engineOf(port), { until: (engine) => engine["status"] === status })

const running = ({ socket }: OwnEngine) => ({ status: "running", kind: "docker", socket })

/** Run portctl as a user without rights, on an engine. */
const portctlAsOther =
  (me: User, { env }: OwnEngine) =>
  (...args: ReadonlyArray<string>) =>
    start("setpriv", ["--reuid=65534", "--regid=65534", "--clear-groups", bin.portctl, ...args], {
      env: { ...me.env, ...env },
      cwd: me.home
    }).pipe(
      Effect.flatMap(({ ended }) => ended),
      Effect.scoped
    )

describe.skipIf(noOwnEngine !== undefined)("a server and its container engine", () => {
  it.scopedLive("know each other's containers without a proxy, and again after the engine was away", () =>
    Effect.gen(function* () {
      const engine = yield* startOwnEngine(["--userland-proxy=false"])
      const first = yield* freePorts(2)
      const server = yield* startServer({
        probe: true,
        args: ["--engine", engine.env.DOCKER_HOST, "--range", `${first}-${first + 1}`]
      })
      yield* engine.docker(["run", "--detach", "--name", "web", "--publish", `${first}:80`, ...serving("here")])
      expect(yield* contentAt(first)).toBe("here")
      const why = (told: string) =>
        Effect.map(portctl(["why", "--port", String(first)], { server }), ({ stdout }) =>
          expect(stdout).toContain(told)
        )
      yield* why(`web (${image}) is listening on it`)
      const allocate = (service: string) =>
        Effect.map(
          call(server.port, "POST", "/v1/allocations", { app: "shop", instance: "main", service }),
          ({ json }) => Object(json).port
        )
      expect(yield* allocate("first")).toBe(first + 1)

      yield* engine.stop
      yield* until(server.port, "none")
      expect(yield* allocate("while it is away")).toBe(first)
      yield* engine.start
      expect(yield* until(server.port, "running")).toEqual(running(engine))
      // Its containers ended with it.
      yield* why(`web (${image}) is stopped and publishes it`)
      yield* engine.docker(["start", "web"])
      yield* why(`web (${image}) is listening on it`)
    })
  )

  it.scopedLive("are told of each other by the environment of portctl start, or find each other", () =>
    Effect.gen(function* () {
      const engine = yield* startOwnEngine()
      const me = yield* user
      const startedWith = Effect.fnUntraced(function* (env: Readonly<Record<string, string>>) {
        expect((yield* me.portctl("start", { env })).code).toBe(0)
        const told = yield* engineOf(me.port)
        expect((yield* me.portctl("stop", { env })).code).toBe(0)
        return told
      })
      expect(yield* startedWith({ DOCKER_HOST: engine.env.DOCKER_HOST })).toEqual(running(engine))

      const config = join(me.home, "docker-config")
      const context = ["context", "create", "mine", "--docker", `host=${engine.env.DOCKER_HOST}`]
      const created = yield* start("docker", context, { env: { DOCKER_CONFIG: config } })
      expect((yield* created.ended).code).toBe(0)
      expect(yield* startedWith({ DOCKER_CONFIG: config, DOCKER_CONTEXT: "mine" })).toEqual(running(engine))
      const used = yield* start("docker", ["context", "use", "mine"], { env: { DOCKER_CONFIG: config } })
      expect((yield* used.ended).code).toBe(0)
      expect(yield* startedWith({ DOCKER_CONFIG: config })).toEqual(running(engine))

      // Where engines without root have their sockets.
      for (const path of [
        "run/docker.sock",
        "run/podman/podman.sock",
        ".docker/run/docker.sock",
        ".colima/default/docker.sock"
      ]) {
        const socket = join(me.home, path)
        mkdirSync(join(socket, ".."), { recursive: true })
        symlinkSync(engine.socket, socket)
        const found = yield* startedWith({ XDG_RUNTIME_DIR: join(me.home, "run") })
        expect(found).toEqual({ status: "running", kind: "docker", socket })
        rmSync(socket)
      }
    })
  )

  it.scopedLive("are strangers where another user may not ask it, and doctor says what to do", () =>
    Effect.gen(function* () {
      const engine = yield* startOwnEngine()
      const port = yield* freePorts(2)
      yield* engine.docker(["run", "--detach", "--publish", `${port}:80`, ...serving("theirs")])
      const me = yield* user
      chmodSync(me.home, 0o777)
      const asOther = portctlAsOther(me, engine)
      expect((yield* asOther("start")).stderr).toBe("")
      const error = `${engine.socket}: permission denied (EACCES)`
      expect(yield* engineOf(me.port)).toEqual({ status: "unknown", socket: engine.socket, error })
      const { stdout } = yield* asOther("doctor")
      expect(stdout).toContain(`which containers have ports is unknown: ${error}`)
      expect(stdout).toContain(
        "to do: let your user use the engine (sudo usermod -aG docker $USER), log in again, then portctl restart"
      )
      const why = yield* asOther("why", "--port", String(port))
      expect(why.stdout).toContain("which container it listens for is unknown")
      expect((yield* asOther("stop")).code).toBe(0)
    })
  )

  it.scopedLive("let a user without root have the ports of a Compose file that only root may bind", () =>
    Effect.gen(function* () {
      const engine = yield* startOwnEngine()
      chmodSync(dirname(engine.socket), 0o755)
      chmodSync(engine.socket, 0o666)
      const me = yield* user
      chmodSync(me.home, 0o777)
      const web = { image, init: true, command: ["sh", "-c", servingScript("port 80")], ports: ["80:80"] }
      writeFileSync(join(me.home, "compose.yaml"), JSON.stringify({ name: "shop", services: { web } }))
      const asOther = portctlAsOther(me, engine)
      expect((yield* asOther("compose", "up", "--detach")).code).toBe(0)
      expect(yield* contentAt(80)).toBe("port 80")
      expect((yield* asOther("compose", "plan")).stdout).toMatch(/^web +80 +80 +80$/m)
      expect((yield* asOther("compose", "down", "--timeout", "0")).code).toBe(0)
      expect((yield* asOther("stop")).code).toBe(0)
    })
  )
})
