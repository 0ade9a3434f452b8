import { renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { type FakeContainer, fakeEngine } from "../../support/FakeEngine.ts"
import { realFolder, repository, worktree } from "../../support/Git.ts"
import { freePorts } from "../../support/Listening.ts"
import { portctl, startServer } from "../../support/Programs.ts"
import { call } from "../../support/Wire.ts"

interface Reserved {
  readonly port: number
  readonly container: { readonly name: string }
  readonly belongs?: string
  readonly others?: number
}

interface Listed {
  readonly containers: ReadonlyArray<{ readonly ports: ReadonlyArray<unknown> }>
  readonly reserved?: ReadonlyArray<Reserved>
}

it.scopedLive("the stopped containers at allocated ports are judged in the list of them as at their ports", () =>
  Effect.gen(function* () {
    const top = yield* realFolder
    const first = yield* freePorts(4)
    const [shop, clone, moved] = [repository(join(top, "shop")), repository(join(top, "clone")), join(top, "moved")]
    const inner = worktree(shop, join(shop, ".wt/in"))
    const containers: ReadonlyArray<FakeContainer> = [
      { name: "inner", port: first, folder: inner, isStopped: true },
      { name: "moved", port: first + 1, folder: clone, isStopped: true },
      { name: "foreign", port: first + 2, folder: clone, isStopped: true },
      { name: "own", port: first + 2, folder: join(shop, "deploy"), isStopped: true },
      { name: "nobody", port: first + 3, folder: shop, isRestarting: true }
    ]
    const server = yield* startServer({ probe: true, args: ["--engine", yield* fakeEngine(containers)] })
    yield* portctl(["ensure", "--service", `web=${first},mail=${first + 2}`], { server, cwd: shop })
    yield* portctl(["ensure", "--service", `db=${first + 1}`], { server, cwd: clone })
    renameSync(clone, moved)
    yield* portctl(["ensure"], { server, cwd: moved })

    const { reserved = [] } = yield* call(server.port, "GET", "/v1/containers").pipe(
      Effect.map(({ json }): Listed => Object(json)),
      // A look does not wait for the ports of all of them.
      Effect.repeat({ until: (listed) => listed.containers.every(({ ports }) => ports.length > 0) })
    )
    const shown = reserved.map(({ belongs, container, others, port }) => [
      port - first,
      container.name,
      belongs,
      others
    ])
    expect(shown.sort()).toEqual([
      [0, "inner", "no", undefined],
      [1, "moved", "yes", undefined],
      [2, "foreign", "no", 1]
    ])
    const reservedAt = (port: number) =>
      Effect.map(call(server.port, "GET", `/v1/ports/${port}`), ({ json }) => Object(json).reserved)
    for (const { port, ...each } of reserved) expect(yield* reservedAt(port)).toEqual(each)
    // Of a port that is not allocated there is nothing to judge.
    const unallocated = yield* reservedAt(first + 3)
    expect(unallocated).toMatchObject({ container: { name: "nobody", restarting: true } })
    const scanned = JSON.parse((yield* portctl(["scan", "--json"], { server })).stdout)
    const ofContainers = scanned.filter((each: { readonly reserved?: unknown }) => each.reserved !== undefined)
    expect(ofContainers).toEqual([expect.objectContaining({ port: first + 3, reserved: unallocated })])
    const live = JSON.parse((yield* portctl(["list", "--live", "--json"], { server })).stdout)
    expect(live).toContainEqual(
      expect.objectContaining({ port: first + 2, reserved: expect.objectContaining({ belongs: "no", others: 1 }) })
    )
  })
)

it.scopedLive("a prune keeps a port that a running container publishes without a socket of this machine", () =>
  Effect.gen(function* () {
    const top = yield* realFolder
    const first = yield* freePorts(2)
    const gone = repository(join(top, "gone"))
    const engine = yield* fakeEngine([{ name: "db", port: first, folder: gone }])
    const server = yield* startServer({ probe: true, args: ["--engine", engine] })
    yield* portctl(["ensure", "--service", `db=${first},web=${first + 1}`], { server, cwd: gone })
    rmSync(gone, { recursive: true })
    yield* call(server.port, "GET", "/v1/containers").pipe(
      Effect.map(({ json }): Listed => Object(json)),
      Effect.repeat({ until: (listed) => listed.containers.every(({ ports }) => ports.length > 0) })
    )
    expect((yield* call(server.port, "POST", "/v1/prune", {})).json).toMatchObject({
      allocations: [{ service: "web" }],
      kept: [{ allocation: { service: "db" }, reason: "listening" }]
    })
  })
)

it.scopedLive("what an engine said before counts for as long as it does not answer", () =>
  Effect.gen(function* () {
    const first = yield* freePorts(4)
    const mood = { isSilent: false }
    const containers = [{ name: "db", port: first, folder: yield* realFolder, isStopped: true }]
    const args = ["--range", `${first}-${first + 3}`, "--engine", yield* fakeEngine(containers, mood)]
    const server = yield* startServer({ probe: true, args })
    const given = Effect.map(
      call(server.port, "POST", "/v1/allocations", { app: "shop", instance: "main", service: "web" }),
      ({ json }) => Object(json).port - first
    )
    // A look does not wait for the ports of all of them.
    const engine = Effect.map(call(server.port, "GET", "/v1/containers"), ({ json }) => Object(json))
    yield* Effect.repeat(engine, { until: ({ containers }) => containers[0].ports.length > 0 })
    expect(yield* given).toBe(1)
    mood.isSilent = true
    yield* Effect.repeat(engine, { until: (listed) => listed.engine.status === "unknown" })
    expect(yield* given).toBe(2)
  })
)
