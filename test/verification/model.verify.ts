import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import { Allocation } from "@port-server/domain/Allocation"
import { PortStatus, ReleaseManyResult, ReleaseResult } from "@port-server/domain/api/Results"
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
import { identity, realFolder } from "../support/Git.ts"
import { type PortServer, startServer, temporaryFolder } from "../support/Programs.ts"
import { type Answer, allocations, answered, listPath, valueIn } from "./Api.ts"
import { newestEvent, replayed } from "./EventReplay.ts"
import * as RunSize from "./RunSize.ts"
import { type Copy, WorkingCopyModel } from "./WorkingCopyModel.ts"

// Twelve ports, some of which browsers refuse: a sequence fills them, and meets every order of handing them out.
const range = { first: 6660, last: 6671 }
const handedOut = [6660, 6661, 6662, 6663, 6664, 6670, 6671, 6665, 6666, 6667, 6668, 6669]

/** How many of them, from the first, browsers open. */
const goodPorts = 7

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
  readonly copies: WorkingCopyModel

  constructor(lastId: number, copies: WorkingCopyModel) {
    this.lastId = lastId
    this.copies = copies
  }

  holder(port: number): Allocation | undefined {
    return this.rows.find((row) => row.port === port)
  }

  nextFree(): number | undefined {
    return handedOut.find((port) => this.holder(port) === undefined)
  }

  /** The rows that a filter equals, and with `block` the further ports of the blocks that begin with them. */
  released(filter: Filter, block: boolean): ReadonlyArray<Allocation> {
    const first = this.matching(filter)
    if (!block) return first
    const isFurther = (row: Allocation) =>
      first.some(
        ({ app, instance, port, service }) =>
          row.app === app &&
          row.instance === instance &&
          row.port > port &&
          row.service === `${service}+${row.port - port}`
      )
    return this.rows.filter((row) => first.includes(row) || isFurther(row))
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

const releaseMatching = (filter: Filter, block: boolean) =>
  command(`releaseMatching(${JSON.stringify(filter)}${block ? ", block" : ""})`, (model, real) =>
    Effect.gen(function* () {
      const answer = yield* answered(real.port(), "DELETE", allocations, block ? { ...filter, block } : filter)
      if (Object.values(filter).every((value) => value === "" || value === 0)) {
        expect(valueIn(answer, InvalidRequest.body).message).toBe("at least one filter is required")
        return
      }
      if (block && !filter["service"]) {
        expect(valueIn(answer, InvalidRequest.body).message).toBe("block needs a service")
        return
      }
      const matching = model.released(filter, block)
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
        // What listens there is nothing of the model's.
        const { available, holder: found } = valueIn(answer, PortStatus)
        expect({ port, available, ...(found === undefined ? {} : { holder: found }) }).toEqual(
          holder === undefined ? { port, available: true } : { port, available: false, holder }
        )
      }
    })
  )

interface Service {
  readonly service: string
  readonly port?: number
  readonly prefer?: number
  readonly size?: number
  readonly align?: number
}

/** Folders that projects are ensured for, and whether they exist. */
const folders = { "/usr": true, "/etc": true, "/nowhere/a": false, "/nowhere/b": false } as const
type Folder = keyof typeof folders
const exists = (folder: string | undefined) => Object.entries(folders).some(([name, is]) => is && name === folder)

const namesOf = ({ service, size = 1 }: Service) =>
  Array.from({ length: size }, (_, index) => (index === 0 ? service : `${service}+${index}`))

const portsFrom = (first: number, { size = 1 }: Service) => Array.from({ length: size }, (_, index) => first + index)

interface Held {
  readonly first: number | undefined
  readonly rows: ReadonlyArray<Allocation | undefined>
}

/** The rows of a service, or those that it would have from a port on. */
const from = (all: ReadonlyArray<Allocation>, service: Service, first: number): Held => ({
  first,
  rows: namesOf(service).map((name, index) => all.find((row) => row.service === name && row.port === first + index))
})

/** The rows that answer for a service: the newest that has a folder, or the oldest; a whole block before parts of one. */
const current = (all: ReadonlyArray<Allocation>, service: Service): Held => {
  const names = namesOf(service)
  const own = all.filter((row) => names.includes(row.service))
  const sorted = [
    ...own.filter((row) => row.path !== undefined).reverse(),
    ...own.filter((row) => row.path === undefined)
  ]
  const firsts = service.port ? [service.port] : sorted.map((row) => row.port - names.indexOf(row.service))
  const found = firsts.map((first) => from(all, service, first))
  return (
    found.find(({ rows }) => rows.every((row) => row !== undefined)) ??
    found.find(({ rows: [row] }) => row !== undefined) ??
    found[0] ?? { first: undefined, rows: names.map(() => undefined) }
  )
}

/** The first ports of the services that lack some; none when there are too few. */
const choose = (
  model: Model,
  missing: ReadonlyArray<readonly [Service, Held]>
): ReadonlyMap<Service, number> | undefined => {
  const chosen = new Map<Service, number>()
  const taken = new Set(model.rows.map((row) => row.port))
  const take = (service: Service, first: number) => {
    chosen.set(service, first)
    for (const port of portsFrom(first, service)) taken.add(port)
  }
  const isFree = (port: number) => port <= 65535 && !taken.has(port)
  const lacking = ([service, { first, rows }]: readonly [Service, Held]) =>
    portsFrom(first ?? 0, service).filter((_, index) => rows[index] === undefined)
  for (const [service] of missing) if (service.port) take(service, service.port)
  for (const each of missing) {
    const [service, { first }] = each
    if (!chosen.has(service) && first !== undefined && lacking(each).every(isFree)) take(service, first)
  }
  for (const [service] of missing) {
    const { prefer } = service
    if (!chosen.has(service) && prefer && portsFrom(prefer, service).every(isFree)) take(service, prefer)
  }
  for (const [service] of missing) {
    if (chosen.has(service)) continue
    const { align = 1, size = 1 } = service
    const fits = (first: number) =>
      first % align === 0 && first + size - 1 <= range.last && portsFrom(first, service).every(isFree)
    const isGood = (first: number) => portsFrom(first, service).every((port) => handedOut.indexOf(port) < goodPorts)
    const ports = [...handedOut].sort((one, other) => one - other)
    const first = ports.find((port) => fits(port) && isGood(port)) ?? ports.find(fits)
    if (first === undefined) return undefined
    take(service, first)
  }
  return chosen
}

/** Whether the body of an ensure is refused for itself. */
const isRefused = (answer: Answer, services: ReadonlyArray<Service>): boolean => {
  const names = services.flatMap(namesOf)
  const ports = services.flatMap((service) => (service.port ? portsFrom(service.port, service) : []))
  const isMisaligned = services.some(({ align = 1, port, prefer }) => (port || prefer || 0) % align !== 0)
  const isOver = services.some(({ port, prefer, size = 1 }) => (port || prefer || 0) + size - 1 > 65535)
  const isTwice = new Set(names).size < names.length || new Set(ports).size < ports.length
  if (!isMisaligned && !isOver && !isTwice) return false
  expect(valueIn(answer, InvalidRequest.body).message).toMatch(/is asked for twice$|multiple of align|leaves no room/)
  return true
}

/** The answer to an ensure that is not refused for who asks; whether it gave ports. */
const isGiven = (
  model: Model,
  answer: Answer,
  project: Omit<Owner, "service">,
  services: ReadonlyArray<Service>,
  path: string | undefined,
  isThere: (folder: string | undefined) => boolean,
  /** What is stored, and stays so where the ensure is refused. */
  stored: ReadonlyArray<Allocation> = model.rows
): boolean => {
  const all = model.matching({ ...project })
  const before = services.map((service) => [service, current(all, service)] as const)
  const missing = before.filter(([, { rows }]) => rows.includes(undefined))
  const holders = missing.flatMap(([service, { rows }]) =>
    service.port
      ? portsFrom(service.port, service).flatMap((port, index) =>
          rows[index] === undefined ? (stored.find((row) => row.port === port) ?? []) : []
        )
      : []
  )
  if (holders.length > 0) {
    expect(holders).toContainEqual(valueIn(answer, PortTaken.body).holder)
    return false
  }
  const chosen = choose(model, missing)
  if (chosen === undefined) {
    valueIn(answer, RangeExhausted.body)
    return false
  }
  const given = valueIn(answer, EnsureResult)
  expect(given).toMatchObject({ ...project, allocations: services.flatMap(namesOf).map((service) => ({ service })) })
  const expected = before.flatMap(([service, held]) => {
    const first = chosen.get(service) ?? held.first ?? 0
    const { rows } = first === held.first ? held : from(all, service, first)
    return namesOf(service).map((name, index) => ({ name, port: first + index, found: rows[index] }))
  })
  const lost = expected.flatMap(({ found }) =>
    path === undefined || found?.path === undefined || found.path === path || isThere(found.path) ? [] : [found.path]
  )
  expect(given.took_over).toBe(lost[0])
  const unmet = missing.flatMap(([service, { first }]) =>
    first === undefined && service.prefer && chosen.get(service) !== service.prefer
      ? [{ service: service.service, prefer: service.prefer }]
      : []
  )
  expect(given.not_preferred ?? []).toEqual(unmet)
  const ids = given.allocations.map(({ id }) => id)
  const names = missing.flatMap(([service]) => namesOf(service))
  expect(given.also_held ?? []).toEqual(all.filter((row) => names.includes(row.service) && !ids.includes(row.id)))
  expected.forEach(({ found, name, port }, index) => {
    const row = given.allocations[index]
    if (row === undefined) throw new Error("an answer for each port")
    if (found === undefined) {
      gives(model, row, { ...project, service: name }, port)
      expect(row.path).toBe(path)
      return
    }
    const isPlaced = path === undefined || isThere(found.path)
    expect(row).toEqual(isPlaced ? found : new Allocation({ ...found, path }))
    model.rows = model.rows.map((each) => (each.id === row.id ? row : each))
  })
  return true
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
      if (isRefused(answer, services)) return
      const all = model.matching({ ...project })
      const owning = all.find((row) => row.path === path || exists(row.path))?.path
      if (path !== undefined && !share && owning !== undefined && owning !== path) {
        expect(valueIn(answer, InstanceTaken.body)).toMatchObject({ ...project, folder: owning })
        return
      }
      isGiven(model, answer, project, services, path, exists)
    })
  )
}

/** A working copy asks, from where it is. */
const ask = (place: string, services: ReadonlyArray<Service>) =>
  command(`ask(${place}, ${JSON.stringify(services)})`, (model, real) =>
    Effect.gen(function* () {
      const { copies } = model
      const folder = copies.folder(place)
      if (!copies.exists(folder) || copies.isUnclear(folder)) return
      const git_dir = copies.gitDir(folder)
      const working_copy = { folder, git_dir, identity: identity(folder, git_dir) }
      const body = { app: copies.app, instance: "main", services, working_copy }
      const answer = yield* answered(real.port(), "POST", "/v1/ensure", body)
      if (isRefused(answer, services)) return
      const placed = copies.place(folder, "main", model.matching({ app: copies.app }))
      const { from, instance, row } = placed
      const rows = model.rows
      if (from !== folder) {
        model.rows = rows.map((each) =>
          each.path === from && !copies.isOf(each.instance, from, row)
            ? new Allocation({ ...each, path: folder })
            : each
        )
      }
      const isThere = (path: string | undefined) => copies.exists(path)
      if (!isGiven(model, answer, { app: copies.app, instance }, services, folder, isThere, rows)) {
        model.rows = rows
        return
      }
      expect(valueIn(answer, EnsureResult).moved_from).toBe(from === folder ? undefined : from)
      copies.remember(folder, placed)
    })
  )

const onDisk = (text: string, change: (copies: WorkingCopyModel) => void) =>
  command(text, ({ copies }) => Effect.sync(() => change(copies)))

const make = (place: string, kind: Copy["kind"]) =>
  onDisk(`make(${place}, ${kind})`, (copies) => copies.make(copies.folder(place), kind))

const remove = (place: string) => onDisk(`remove(${place})`, (copies) => copies.remove(copies.folder(place)))

const move = (before: string, after: string) =>
  onDisk(`move(${before}, ${after})`, (copies) => copies.move(copies.folder(before), copies.folder(after)))

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
      service: fc.constantFrom("x", "y", "z", "x+1"),
      port: fc.oneof(inRange, fc.constant(0))
    },
    { requiredKeys: [] }
  )
  .map((fields) => ({ ...fields }))

const someService: fc.Arbitrary<Service> = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("x", "y", "z").map((service) => ({ service })) },
  { weight: 1, arbitrary: fc.record({ service: fc.constantFrom("x", "y", "z"), port: somePort }) },
  { weight: 1, arbitrary: fc.record({ service: fc.constantFrom("x", "y", "z"), prefer: somePort }) },
  {
    weight: 2,
    arbitrary: fc
      .record({
        service: fc.constantFrom("x", "x+1", "y"),
        size: fc.integer({ min: 1, max: 3 }),
        more: fc.oneof(
          { weight: 3, arbitrary: fc.constant({}) },
          fc.record({ align: fc.constantFrom(2, 5) }),
          fc.record({ port: inRange }),
          fc.record({ prefer: inRange, align: fc.constantFrom(1, 2) })
        )
      })
      .map(({ more, ...block }) => ({ ...block, ...more }))
  }
)
const somePlace = fc.constantFrom("p", "q", "r")
const project = fc.record({ app: fc.constantFrom(...apps), instance: text })
const folder = fc.constantFrom<Folder | undefined>(undefined, "/usr", "/etc", "/nowhere/a", "/nowhere/b")

const aboutCopies = [
  {
    weight: 24,
    arbitrary: fc
      .tuple(somePlace, fc.array(someService, { minLength: 1, maxLength: 2 }))
      .map(([at, all]) => ask(at, all))
  },
  {
    weight: 12,
    arbitrary: fc
      .tuple(somePlace, fc.constantFrom<Copy["kind"]>("clone", "worktree"))
      .map(([at, kind]) => make(at, kind))
  },
  { weight: 4, arbitrary: somePlace.map(remove) },
  { weight: 12, arbitrary: fc.tuple(somePlace, somePlace).map(([before, after]) => move(before, after)) }
]

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
      ...aboutCopies,
      { weight: 30, arbitrary: fc.nat(12).map(release) },
      { weight: 5, arbitrary: fc.tuple(filter, fc.boolean()).map(([value, block]) => releaseMatching(value, block)) },
      { weight: 12, arbitrary: filter.map(list) },
      { weight: 12, arbitrary: fc.oneof({ weight: 9, arbitrary: somePort }, fc.constantFrom(0, 65536)).map(check) },
      { weight: 1, arbitrary: fc.constantFrom<NodeJS.Signals>("SIGTERM", "SIGKILL").map(again) }
    )
  ],
  { maxCommands: RunSize.model.commands, size: "max" }
)

/** Only of working copies, so that each is made, asked for, moved and removed many times. */
const copyCommands = fc.commands<Model, Real, false>(
  [
    fc.oneof(
      ...aboutCopies,
      { weight: 16, arbitrary: fc.nat(12).map(release) },
      { weight: 1, arbitrary: fc.constantFrom<NodeJS.Signals>("SIGTERM", "SIGKILL").map(again) }
    )
  ],
  { maxCommands: RunSize.model.commands, size: "max" }
)

it.scopedLive("every answer is the model's, whatever is asked for, restarted or killed", () =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const root = yield* realFolder
    const scope = yield* Effect.scope
    const start = startServer({ folder, args: ["--range", `${range.first}-${range.last}`] }).pipe(
      Effect.provideService(Scope.Scope, scope)
    )
    let server: PortServer = yield* start
    const starts = { SIGTERM: 0, SIGKILL: 0 }
    let lastId = 0
    let copies = new WorkingCopyModel(join(root, "none"))
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
      for (const app of [...apps, copies.app]) yield* answered(server.port, "DELETE", allocations, { app })
      copies = new WorkingCopyModel(join(root, String(sequences)))
      const model = new Model(lastId, copies)
      yield* listAgrees({}, model, real)
      return { model, position: yield* newestEvent(server.port) }
    })

    let sequences = 0
    const property = fc.asyncProperty(fc.oneof(commands, copyCommands), async (sequence) => {
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
