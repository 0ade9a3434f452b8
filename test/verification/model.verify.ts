import { expect, it } from "@effect/vitest"
import { Allocation } from "@port-server/domain/Allocation"
import { PortStatus, ReleaseManyResult, ReleaseResult } from "@port-server/domain/api/PortServerApi"
import { EnsureResult } from "@port-server/domain/Ensure"
import {
  AllocationNotFound,
  InstanceTaken,
  InvalidRequest,
  PortTaken,
  RangeExhausted
} from "@port-server/domain/Errors"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as fc from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { type PortServer, startServer, temporaryFolder } from "../support/Programs.ts"
import { allocations, answered, listPath, valueIn } from "./Api.ts"
import { newestEvent, replayed } from "./EventReplay.ts"
import * as RunSize from "./RunSize.ts"

// Twelve ports, some of which browsers refuse: a sequence fills them, and meets every order of handing them out.
const range = { first: 6660, last: 6671 }
const handedOut = [6660, 6661, 6662, 6663, 6664, 6670, 6671, 6665, 6666, 6667, 6668, 6669]

const apps = ["a", "b", "ä🙂"]

interface Owner {
  readonly app: string
  readonly instance: string
  readonly service: string
}

type Filter = Readonly<Record<string, string | number>>

/** What the specification says of the registry, in a few lines. */
class Model {
  /** By id. */
  rows: ReadonlyArray<Allocation> = []
  readonly ids: Array<number> = []
  lastId: number

  constructor(lastId: number) {
    this.lastId = lastId
  }

  holder(port: number): Allocation | undefined {
    return this.rows.find((row) => row.port === port)
  }

  nextFree(): number | undefined {
    return handedOut.find((port) => this.holder(port) === undefined)
  }

  matching(filter: Filter): ReadonlyArray<Allocation> {
    const given = Object.entries(filter).filter(([, value]) => value !== "" && value !== 0)
    return this.rows.filter((row) =>
      given.every(([name, value]) => Object.entries(row).some(([n, v]) => n === name && v === value))
    )
  }
}

/** The server behind one port after another, on one database. */
interface Real {
  readonly port: () => number
  readonly again: (signal: NodeJS.Signals) => Effect.Effect<void>
}

type Command = fc.AsyncCommand<Model, Real>

let operations = 0

const command = (text: string, run: (model: Model, real: Real) => Effect.Effect<void>): Command => ({
  check: () => true,
  run: (model, real) => {
    operations++
    return Effect.runPromise(run(model, real))
  },
  toString: () => text
})

const gives = (model: Model, row: Allocation, owner: Owner, port: number) => {
  expect(row).toMatchObject({ ...owner, port })
  expect(row.created_at).toMatch(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  expect(row.id).toBeGreaterThan(model.lastId)
  model.lastId = row.id
  model.ids.push(row.id)
  model.rows = [...model.rows, row]
}

/** @param port what the body says; `undefined` for a body without one */
const allocate = (owner: Owner, port: number | undefined) =>
  command(`allocate(${Object.values(owner).join("/")}${port === undefined ? "" : `, ${port}`})`, (model, real) =>
    Effect.gen(function* () {
      const answer = yield* answered(real.port(), "POST", allocations, port === undefined ? owner : { ...owner, port })
      const isValid =
        Object.values(owner).every((name) => name.trim() !== "") &&
        (port === undefined || (Number.isInteger(port) && port >= 0 && port <= 65535))
      if (!isValid) {
        valueIn(answer, InvalidRequest.body)
        return
      }
      const wanted = port || model.nextFree()
      if (wanted === undefined) {
        const { message } = valueIn(answer, RangeExhausted.body)
        expect(message).toBe(`no free ports in range ${range.first}-${range.last}`)
        return
      }
      const holder = model.holder(wanted)
      if (holder === undefined) gives(model, valueIn(answer, Allocation), owner, wanted)
      else expect(valueIn(answer, PortTaken.body).holder).toEqual(holder)
    })
  )

/** @param which counts back from the newest id that the sequence has seen */
const release = (which: number) =>
  command(`release(${which === 0 ? "unknown id" : `id ${which} back`})`, (model, real) =>
    Effect.gen(function* () {
      const id = (which === 0 ? undefined : model.ids.at(-which)) ?? model.lastId + 1000
      const answer = yield* answered(real.port(), "DELETE", `${allocations}/${id}`)
      const rest = model.rows.filter((row) => row.id !== id)
      if (rest.length < model.rows.length) valueIn(answer, ReleaseResult)
      else valueIn(answer, AllocationNotFound.body)
      model.rows = rest
    })
  )

const releaseMatching = (filter: Filter) =>
  command(`releaseMatching(${JSON.stringify(filter)})`, (model, real) =>
    Effect.gen(function* () {
      const answer = yield* answered(real.port(), "DELETE", allocations, filter)
      if (Object.values(filter).every((value) => value === "" || value === 0)) {
        expect(valueIn(answer, InvalidRequest.body).message).toBe("at least one filter is required")
        return
      }
      const matching = model.matching(filter)
      expect(valueIn(answer, ReleaseManyResult)).toEqual({ deleted: matching.length })
      model.rows = model.rows.filter((row) => !matching.includes(row))
    })
  )

const listAgrees = (filter: Filter, model: Model, real: Real) =>
  Effect.map(answered(real.port(), "GET", listPath(filter)), (answer) => {
    expect(valueIn(answer, Schema.Array(Allocation))).toEqual(model.matching(filter))
  })

const list = (filter: Filter) =>
  command(`list(${JSON.stringify(filter)})`, (model, real) => listAgrees(filter, model, real))

const check = (port: number) =>
  command(`check(${port})`, (model, real) =>
    Effect.map(answered(real.port(), "GET", `/v1/ports/${port}`), (answer) => {
      const holder = model.holder(port)
      if (port < 1 || port > 65535) expect(valueIn(answer, InvalidRequest.body).message).toBe("invalid port")
      else {
        expect(valueIn(answer, PortStatus)).toEqual(
          holder === undefined ? { port, available: true } : { port, available: false, holder }
        )
      }
    })
  )

interface Service {
  readonly service: string
  readonly port?: number
  readonly prefer?: number
}

/** Folders that projects are ensured for, and whether they exist. */
const folders = { "/usr": true, "/etc": true, "/nowhere/a": false, "/nowhere/b": false } as const
type Folder = keyof typeof folders
const exists = (folder: string | undefined) => Object.entries(folders).some(([name, is]) => is && name === folder)

/** The row that answers for a service that has one. */
const current = (model: Model, project: Omit<Owner, "service">, { port, service }: Service) => {
  const own = model.matching({ ...project, service })
  if (port) return own.find((row) => row.port === port)
  return own.filter((row) => row.path !== undefined).at(-1) ?? own[0]
}

/** The ports of the services that have none, in their order; none when there are too few. */
const choose = (model: Model, missing: ReadonlyArray<Service>): ReadonlyArray<number> | undefined => {
  const taken = new Set([...model.rows.map((row) => row.port), ...missing.flatMap(({ port }) => port || [])])
  const take = (port: number | undefined) => {
    if (port !== undefined) taken.add(port)
    return port
  }
  const first = missing.map(({ port, prefer }) => port || (prefer && !taken.has(prefer) ? take(prefer) : undefined))
  const ports = first.map((port) => port ?? take(handedOut.find((candidate) => !taken.has(candidate))))
  return ports.every((port) => port !== undefined) ? ports : undefined
}

const ensure = (
  project: Omit<Owner, "service">,
  services: ReadonlyArray<Service>,
  path: Folder | undefined,
  share: boolean
) => {
  const body = { ...project, services, ...(path === undefined ? {} : { path }), ...(share ? { share } : {}) }
  return command(`ensure(${JSON.stringify(body)})`, (model, real) =>
    Effect.gen(function* () {
      const answer = yield* answered(real.port(), "POST", "/v1/ensure", body)
      const asked = services.flatMap(({ port }) => port || [])
      if (
        new Set(services.map(({ service }) => service)).size < services.length ||
        new Set(asked).size < asked.length
      ) {
        expect(valueIn(answer, InvalidRequest.body).message).toMatch(/is asked for twice$/)
        return
      }
      const all = model.matching({ ...project })
      const owning = all.find((row) => row.path === path || exists(row.path))?.path
      if (path !== undefined && !share && owning !== undefined && owning !== path) {
        expect(valueIn(answer, InstanceTaken.body)).toMatchObject({ ...project, folder: owning })
        return
      }
      const missing = services.filter((service) => current(model, project, service) === undefined)
      const holders = missing.flatMap(({ port }) => (port ? (model.holder(port) ?? []) : []))
      if (holders.length > 0) {
        expect(holders).toContainEqual(valueIn(answer, PortTaken.body).holder)
        return
      }
      const ports = choose(model, missing)
      if (ports === undefined) {
        valueIn(answer, RangeExhausted.body)
        return
      }
      const given = valueIn(answer, EnsureResult)
      expect(given).toMatchObject({ ...project, allocations: services.map(({ service }) => ({ service })) })
      const before = services.map((service) => current(model, project, service))
      const lost = before.flatMap((row) =>
        path === undefined || row?.path === undefined || row.path === path || exists(row.path) ? [] : [row.path]
      )
      expect(given.took_over).toBe(lost[0])
      const unmet = missing.flatMap(({ prefer, service }, index) =>
        prefer && ports[index] !== prefer ? [{ service, prefer }] : []
      )
      expect(given.not_preferred ?? []).toEqual(unmet)
      const also = all.filter((row) => missing.some(({ service }) => service === row.service))
      expect(given.also_held ?? []).toEqual(also)
      services.forEach(({ service }, index) => {
        const row = given.allocations[index]
        const found = before[index]
        if (row === undefined) throw new Error("an answer for each service")
        if (found === undefined) {
          gives(model, row, { ...project, service }, ports[missing.findIndex((each) => each.service === service)] ?? 0)
          expect(row.path).toBe(path)
          return
        }
        const isPlaced = path === undefined || exists(found.path)
        const expected = isPlaced ? found : new Allocation({ ...found, path })
        expect(row).toEqual(expected)
        model.rows = model.rows.map((each) => (each.id === row.id ? row : each))
      })
    })
  )
}

const again = (signal: NodeJS.Signals) =>
  command(signal === "SIGKILL" ? "kill" : "restart", (model, real) =>
    Effect.flatMap(real.again(signal), () => listAgrees({}, model, real))
  )

const text = fc.constantFrom("x", "y")
const owner = fc.record({ app: fc.constantFrom(...apps), instance: text, service: text })
const blankOwner = fc.record({ app: fc.constantFrom(...apps), instance: fc.constantFrom("", " "), service: text })
const inRange = fc.integer({ min: range.first, max: range.last })
const somePort = fc.oneof(
  { weight: 8, arbitrary: inRange },
  { weight: 1, arbitrary: fc.constantFrom(1, 80, 6659, 6672, 10080, 65535) }
)
const noPort = fc.constantFrom(-1, 65536, 1.5)
const filter: fc.Arbitrary<Filter> = fc
  .record(
    {
      app: fc.constantFrom(...apps, ""),
      instance: fc.constantFrom("x", "y", ""),
      service: fc.constantFrom("x", "y", "z"),
      port: fc.oneof(inRange, fc.constant(0))
    },
    { requiredKeys: [] }
  )
  .map((fields) => ({ ...fields }))

const someService: fc.Arbitrary<Service> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("x", "y", "z").map((service) => ({ service })) },
  { weight: 1, arbitrary: fc.record({ service: fc.constantFrom("x", "y", "z"), port: somePort }) },
  { weight: 1, arbitrary: fc.record({ service: fc.constantFrom("x", "y", "z"), prefer: somePort }) }
)
const project = fc.record({ app: fc.constantFrom(...apps), instance: text })
const folder = fc.constantFrom<Folder | undefined>(undefined, "/usr", "/etc", "/nowhere/a", "/nowhere/b")

const commands = fc.commands<Model, Real, false>(
  [
    fc.oneof(
      { weight: 36, arbitrary: owner.map((value) => allocate(value, undefined)) },
      { weight: 4, arbitrary: owner.map((value) => allocate(value, 0)) },
      { weight: 24, arbitrary: fc.tuple(owner, somePort).map(([value, port]) => allocate(value, port)) },
      { weight: 2, arbitrary: fc.tuple(owner, noPort).map(([value, port]) => allocate(value, port)) },
      { weight: 1, arbitrary: blankOwner.map((value) => allocate(value, undefined)) },
      {
        weight: 24,
        arbitrary: fc
          .tuple(project, fc.array(someService, { minLength: 1, maxLength: 4 }), folder, fc.boolean())
          .map(([value, services, path, share]) => ensure(value, services, path, share))
      },
      { weight: 30, arbitrary: fc.nat(12).map(release) },
      { weight: 5, arbitrary: filter.map(releaseMatching) },
      { weight: 12, arbitrary: filter.map(list) },
      { weight: 12, arbitrary: fc.oneof({ weight: 9, arbitrary: somePort }, fc.constantFrom(0, 65536)).map(check) },
      { weight: 1, arbitrary: fc.constantFrom<NodeJS.Signals>("SIGTERM", "SIGKILL").map(again) }
    )
  ],
  { maxCommands: RunSize.model.commands, size: "max" }
)

it.scopedLive("every answer is the model's, whatever is asked for, restarted or killed", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const scope = yield* Effect.scope
    const start = startServer({ folder, args: ["--range", `${range.first}-${range.last}`] }).pipe(
      Effect.provideService(Scope.Scope, scope)
    )
    let server: PortServer = yield* start
    const starts = { SIGTERM: 0, SIGKILL: 0 }
    let lastId = 0
    const real: Real = {
      port: () => server.port,
      again: (signal) =>
        Effect.gen(function* () {
          if (signal === "SIGKILL") starts.SIGKILL++
          else starts.SIGTERM++
          server.process.kill(signal)
          const { code } = yield* server.ended
          expect(code).toBe(signal === "SIGKILL" ? null : 0)
          server = yield* start
        })
    }

    /** The same server, empty; another one when a sequence has left it dead. */
    const fresh = Effect.gen(function* () {
      if (server.process.exitCode !== null || server.process.signalCode !== null) server = yield* start
      for (const app of apps) yield* answered(server.port, "DELETE", allocations, { app })
      const model = new Model(lastId)
      yield* listAgrees({}, model, real)
      return { model, position: yield* newestEvent(server.port) }
    })

    let sequences = 0
    const property = fc.asyncProperty(commands, async (sequence) => {
      sequences++
      const { model, position } = await Effect.runPromise(fresh)
      try {
        await fc.asyncModelRun(() => ({ model, real }), sequence)
        await Effect.runPromise(listAgrees({}, model, real))
        // Exactly what changed was written as events, whatever was restarted or killed.
        expect(await Effect.runPromise(replayed(server.port, position))).toEqual(model.rows)
      } finally {
        lastId = Math.max(lastId, model.lastId)
      }
    })
    yield* Effect.promise(() =>
      fc.assert(property, {
        seed: RunSize.seed,
        numRuns: RunSize.model.sequences,
        interruptAfterTimeLimit: 600_000,
        markInterruptAsFailure: true
      })
    )
    yield* Console.log(
      `model: seed ${RunSize.seed}, ${sequences} sequences, ${operations} operations, ${starts.SIGTERM} restarts, ${starts.SIGKILL} kills`
    )
  })
)
