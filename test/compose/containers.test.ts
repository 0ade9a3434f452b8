import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect } from "@effect/vitest"
import type { PublishingContainer } from "@port-server/domain/Container"
import * as Effect from "effect/Effect"
import {
  contentAt,
  type Engine,
  image,
  noEngine,
  SharedEngine,
  serving,
  servingScript,
  sharedEngine
} from "../support/Engine.ts"
import { realFolder, repository, worktree } from "../support/Git.ts"
import { freePorts } from "../support/Listening.ts"
import { type PortServer, portctl, startServer } from "../support/Programs.ts"
import { call } from "../support/Wire.ts"

/** A server that asks the engine. */
const serverOf = ({ env }: Engine, args: ReadonlyArray<string> = []) =>
  startServer({ probe: true, args: ["--engine", env.DOCKER_HOST, ...args] })

const status = (server: PortServer, port: number) =>
  Effect.map(call(server.port, "GET", `/v1/ports/${port}`), ({ json }) => Object(json))

const listenersAt = (server: PortServer, port: number) =>
  Effect.map(status(server, port), ({ listeners }): ReadonlyArray<Record<string, unknown>> => listeners)

/** Run a container until the end of the scope, or only make it; its id. */
const container = ({ docker }: Engine, verb: "run" | "create", args: ReadonlyArray<string>) =>
  Effect.acquireRelease(docker([verb, ...(verb === "run" ? ["--detach"] : []), ...args]), (id) =>
    docker(["rm", "--force", id])
  )

/** A Compose project in a folder, which is up until the end of the scope. */
const project = ({ docker }: Engine, folder: string, name: string, port: number) =>
  Effect.acquireRelease(
    Effect.gen(function* () {
      mkdirSync(folder, { recursive: true })
      const service = {
        image,
        command: ["sh", "-c", servingScript(name)],
        ports: [`${port}:80`],
        stop_signal: "SIGKILL"
      }
      writeFileSync(join(folder, "compose.yaml"), JSON.stringify({ services: { web: service } }))
      yield* docker(["compose", "--project-name", name, "up", "--detach"], { cwd: folder })
    }),
    () => docker(["compose", "--project-name", name, "down"], { cwd: folder })
  )

const ensure = (server: PortServer, path: string, port: number) =>
  call(server.port, "POST", "/v1/ensure", { app: "shop", instance: path, path, services: [{ service: "web", port }] })

const lines = (text: string) => text.trimEnd().split("\n")

describe.skipIf(noEngine !== undefined)("containers", () => {
  sharedEngine("published ports", (it) => {
    it.scoped("are those of a container of a Compose project, by name", () =>
      Effect.gen(function* () {
        const engine = yield* SharedEngine
        const server = yield* serverOf(engine)
        const [folder, port] = [yield* realFolder, yield* freePorts(1)]
        yield* project(engine, folder, "shop", port)
        yield* ensure(server, folder, port)
        const shown = { name: "shop-web-1", image, project: "shop", service: "web", folder }
        const { listener, listeners } = yield* status(server, port)
        expect(listeners.length).toBeGreaterThan(0)
        for (const each of [...listeners, listener]) {
          expect(each.container).toEqual({ id: expect.stringMatching(/^[0-9a-f]{64}$/), ...shown })
        }
        expect(listeners.map(({ belongs }: { readonly belongs: string }) => belongs)).toEqual(
          listeners.map(() => "yes")
        )

        const told = lines((yield* portctl(["why", "--port", String(port)], { server })).stdout)
        expect(told).toContainEqual(
          expect.stringMatching(`^shop-web-1 \\(${image}, Compose project shop\\) is listening on it \\(tcp 0.0.0.0`)
        )
        expect(told).toContain(`  folder:   ${folder}`)
        expect(told).toContain("  stop it:  docker stop shop-web-1")
        expect(told).toContain("belongs to the allocation's project: yes")
        const list = (yield* portctl(["list", "--live"], { server })).stdout
        expect(list).toContain(`shop-web-1 (${image}) tcp 0.0.0.0`)
        expect(list).not.toContain("foreign")
        const checked = yield* portctl(["check", "--port", String(port)], { server })
        expect(checked.stdout).toContain(`  shop-web-1 (${image}, Compose project shop) is listening on it`)
        expect(checked.code).toBe(1)
      })
    )

    it.scoped("belong to the working copy of their Compose folder, not to the one around it", () =>
      Effect.gen(function* () {
        const engine = yield* SharedEngine
        const server = yield* serverOf(engine)
        const folder = yield* realFolder
        const main = repository(join(folder, "shop"))
        const linked = worktree(main, join(main, ".worktrees/feature"))
        const first = yield* freePorts(3)
        yield* project(engine, join(main, "deploy"), "main", first)
        yield* project(engine, linked, "feature", first + 1)
        yield* container(engine, "run", ["--publish", `${first + 2}:80`, ...serving("alone")])
        for (const port of [first, first + 1, first + 2]) yield* ensure(server, main, port)
        const verdicts = yield* Effect.forEach([first, first + 1, first + 2], (port) =>
          Effect.map(listenersAt(server, port), (listeners) => [...new Set(listeners.map(({ belongs }) => belongs))])
        )
        expect(verdicts).toEqual([["yes"], ["no"], ["unknown"]])
        const why = yield* portctl(["why", "--port", String(first + 2)], { server })
        expect(why.stdout).toContain(
          "belongs to the allocation's project: unknown, because the container is not of a Compose project"
        )
        const scanned = yield* portctl(["list", "--live"], { server })
        expect(scanned.stdout).toContain(`feature-web-1 (${image}) tcp 0.0.0.0, tcp :: (foreign)`)
      })
    )

    it.scoped("are told by verify, and left alone by kill", () =>
      Effect.gen(function* () {
        const engine = yield* SharedEngine
        const server = yield* serverOf(engine)
        const folder = yield* realFolder
        const [own, other] = [repository(join(folder, "shop")), repository(join(folder, "other"))]
        const first = yield* freePorts(3)
        yield* project(engine, own, "own", first)
        yield* project(engine, other, "other", first + 1)
        yield* container(engine, "run", ["--name", "alone", "--publish", `${first + 2}:80`, ...serving("alone")])
        const at = { server, cwd: own }
        yield* portctl(["ensure", "--service", `db=${first},web=${first + 1},mail=${first + 2}`], at)

        const verified = yield* portctl(["verify"], at)
        expect(verified.code).toBe(3)
        const rows = lines(verified.stdout).map((line) => line.split(/ {2,}/))
        const name = (of: string) => `${of}-web-1 (${image}, Compose project ${of}) listening tcp 0.0.0.0, tcp ::`
        expect(rows.slice(1)).toEqual([
          ["db", String(first), "own", name("own")],
          ["web", String(first + 1), "foreign", `${name("other")}, is of the Compose project in ${other}`],
          [
            ...["mail", String(first + 2), "unknown"],
            `alone (${image}) listening tcp 0.0.0.0, tcp ::, is not of a Compose project`
          ]
        ])

        const killed = yield* portctl(["kill", "--service", "db"], at)
        expect(killed).toMatchObject({ code: 3, stdout: "" })
        expect(killed.stderr).toBe(
          `error: own-web-1 (${image}, Compose project own) is listening on port ${first} and is a container: docker stop own-web-1 stops it; it is not ended\n`
        )
        expect(yield* contentAt(first)).toBe("own")
      })
    )

    it.scoped("of UDP and of one address are told", () =>
      Effect.gen(function* () {
        const engine = yield* SharedEngine
        const server = yield* serverOf(engine)
        const port = yield* freePorts(2)
        const id = yield* container(engine, "run", [
          "--publish",
          `127.0.0.1:${port}:53/udp`,
          "--publish",
          `127.0.0.1:${port + 1}:80`,
          ...serving("udp")
        ])
        const [udp] = yield* listenersAt(server, port)
        expect(udp).toMatchObject({ protocol: "udp", address: "127.0.0.1", state: "bound", container: { id } })
        const [tcp] = yield* listenersAt(server, port + 1)
        expect(tcp).toMatchObject({ protocol: "tcp", address: "127.0.0.1", state: "listening", container: { id } })
      })
    )

    it.scoped("of the network of the host are those of the process in the container", () =>
      Effect.gen(function* () {
        const engine = yield* SharedEngine
        const server = yield* serverOf(engine)
        const port = yield* freePorts(1)
        const id = yield* container(engine, "run", [
          ...["--network", "host", "--name", "on-host"],
          ...[image, "sh", "-c", servingScript("host", port)]
        ])
        expect(yield* contentAt(port)).toBe("host")
        const [listener] = yield* listenersAt(server, port)
        expect(listener).toMatchObject({ command: "httpd", container: { id, name: "on-host", image } })
        expect(listener).not.toHaveProperty("containerId")
        const why = yield* portctl(["why", "--port", String(port)], { server })
        expect(why.stdout).toContain(`on-host (${image}) is listening on it`)
      })
    )
  })

  sharedEngine("a stopped container", (it) => {
    it.scoped("keeps its ports from auto-assignment, and is named", () =>
      Effect.gen(function* () {
        const engine = yield* SharedEngine
        const first = yield* freePorts(3)
        const server = yield* serverOf(engine, ["--range", `${first}-${first + 2}`])
        const id = yield* container(engine, "create", [
          "--name",
          "idle",
          "--publish",
          `${first}:80`,
          ...serving("idle")
        ])
        const body = { app: "shop", instance: "main", service: "web" }
        expect((yield* call(server.port, "POST", "/v1/allocations", body)).json).toMatchObject({ port: first + 1 })

        const reserved = { container: { id, name: "idle", image } }
        expect(yield* status(server, first)).toEqual({ port: first, available: true, reserved })
        const checked = yield* portctl(["check", "--port", String(first)], { server })
        expect(checked.code).toBe(1)
        expect(checked.stdout).toContain(
          `port ${first} is not allocated, but idle (${image}) is stopped and publishes it`
        )
        const why = lines((yield* portctl(["why", "--port", String(first)], { server })).stdout)
        expect(why).toContain(`idle (${image}) is stopped and publishes it`)
        expect(why).toContain("  remove:   docker rm idle")
        const scanned = yield* portctl(["scan"], { server })
        expect(lines(scanned.stdout).find((line) => line.startsWith(`${first} `))).toMatch(
          new RegExp(`stopped +idle \\(${image}\\)`)
        )
        const json = JSON.parse((yield* portctl(["scan", "--json"], { server })).stdout)
        expect(json).toContainEqual({ port: first, addresses: [], listener: {}, listeners: [], reserved })

        const given = ["--app", "shop", "--instance", "main", "--service"]
        const stderr = `note: idle (${image}) is stopped and publishes port ${first}; it cannot be started while another program has the port\n`
        for (const command of [
          ["allocate", ...given, "db", "--port", String(first)],
          ["ensure", ...given, `db=${first}`]
        ]) {
          expect(yield* portctl(command, { server })).toMatchObject({ code: 0, stderr })
        }
        const held = yield* portctl(["list", "--live"], { server })
        expect(held.stdout).toContain(`idle (${image}), stopped`)

        yield* engine.docker(["rm", id])
        expect(yield* status(server, first)).not.toHaveProperty("reserved")
      })
    )

    it.scoped("that is started again and again is not removed before it is stopped", () =>
      Effect.gen(function* () {
        const engine = yield* SharedEngine
        const port = yield* freePorts(1)
        const server = yield* serverOf(engine)
        const flags = ["--name", "crash", "--restart", "always", "--publish", `${port}:80`]
        yield* container(engine, "run", [...flags, image, "sh", "-c", "exit 1"])
        const why = Effect.map(portctl(["why", "--port", String(port)], { server }), ({ stdout }) => stdout)
        // The engine waits longer each time before it starts it again.
        const told = yield* Effect.repeat(why, { until: (text) => text.includes("again and again") })
        expect(told).toContain(`crash (${image}) restarts again and again and publishes it`)
        expect(told).toContain("  stop it:  docker stop crash")
        yield* engine.docker(["stop", "crash"])
        expect(yield* status(server, port)).toMatchObject({ reserved: { container: { name: "crash" } } })
        expect(yield* why).toContain("  remove:   docker rm crash")
      })
    )

    it.scoped("of a range of ports, of which a start takes a free one, keeps none", () =>
      Effect.gen(function* () {
        const engine = yield* SharedEngine
        const first = yield* freePorts(2)
        const server = yield* serverOf(engine, ["--range", `${first}-${first + 1}`])
        yield* container(engine, "create", [
          "--publish",
          `${first}-${first + 1}:80`,
          "--publish",
          "81",
          ...serving("any")
        ])
        const body = { app: "shop", instance: "main", service: "web" }
        expect((yield* call(server.port, "POST", "/v1/allocations", body)).json).toMatchObject({ port: first })
      })
    )

    it.scoped("is there with the ports of every other, however many there are", () =>
      Effect.gen(function* () {
        const engine = yield* SharedEngine
        const first = yield* freePorts(12)
        const ports = Array.from({ length: 12 }, (_, index) => first + index)
        yield* Effect.forEach(
          ports,
          (port) => container(engine, "create", ["--publish", `${port}:80`, ...serving("one")]),
          { concurrency: 4 }
        )
        const server = yield* serverOf(engine)
        const look = Effect.map(call(server.port, "GET", "/v1/containers"), ({ json }) => {
          const { containers, engine: told } = Object(json)
          const published = containers.flatMap(({ ports, state }: typeof PublishingContainer.Type) =>
            state === "stopped" ? ports.map(({ port }) => port) : []
          )
          return { told, published: published.toSorted() }
        })
        // A look does not wait for all of them.
        const { published, told } = yield* Effect.repeat(look, { until: ({ published }) => published.length === 12 })
        expect(told).toEqual({
          status: "running",
          kind: "docker",
          socket: engine.env.DOCKER_HOST.slice("unix://".length)
        })
        expect(published).toEqual(ports)
      })
    )
  })
})
