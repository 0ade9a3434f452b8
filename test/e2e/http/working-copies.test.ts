import { cpSync, mkdirSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { allocate, errorOf } from "../../support/Api.ts"
import { git, identity, realFolder, repository, worktree } from "../../support/Git.ts"
import { startServer, temporaryFolder } from "../../support/Programs.ts"
import { execute, originalSchema, readDatabase } from "../../support/Sqlite.ts"
import { call } from "../../support/Wire.ts"

const Result = Schema.Struct({
  app: Schema.String,
  instance: Schema.String,
  allocations: Schema.Array(Schema.Struct({ service: Schema.String, port: Schema.Int, path: Schema.String })),
  took_over: Schema.optional(Schema.String),
  moved_from: Schema.optional(Schema.String),
  instead_of: Schema.optional(Schema.Struct({ instance: Schema.String, folder: Schema.String })),
  also_held: Schema.optional(Schema.Unknown)
})
const decode = Schema.decodeUnknownSync(Result, { onExcessProperty: "preserve" })

const decodeGiven = Schema.decodeUnknownSync(
  Schema.Struct({
    allocations: Schema.Array(Schema.Struct({ id: Schema.Int, service: Schema.String, port: Schema.Int }))
  })
)

interface Asked {
  readonly app?: string
  readonly instance?: string
  readonly share?: boolean
  readonly services?: ReadonlyArray<string | { readonly service: string; readonly size: number }>
  readonly project?: string
  /** Whether the app is named after a folder. */
  readonly named?: boolean
}

const gitDir = (folder: string) => git(folder, "rev-parse", "--absolute-git-dir").trimEnd()

const request = (top: string, gitDir: string | undefined, asked: Asked) => {
  const { named = false, project, services = ["web"], ...more } = asked
  const folder = project === undefined ? top : join(top, project)
  return {
    app: "shop",
    instance: "main",
    ...more,
    services: services.map((service) => (typeof service === "string" ? { service } : service)),
    working_copy: {
      folder,
      identity: identity(folder, ...(gitDir === undefined ? [] : [gitDir])),
      ...(gitDir === undefined ? {} : { git_dir: gitDir }),
      ...(project === undefined ? {} : { project }),
      ...(named ? { app_from_folder: true } : {})
    }
  }
}

const ask = (port: number, top: string, asked: Asked = {}, dir: string | undefined = gitDir(top)) =>
  Effect.map(call(port, "POST", "/v1/ensure", request(top, dir, asked)), (answer) => {
    expect(answer.status, answer.body).toBe(200)
    const { allocations, app, instance, ...notes } = decode(answer.json)
    return { place: `${app}/${instance}`, ports: allocations.map(({ port }) => port), notes, allocations }
  })

/** What a folder outside git gets. */
const askPlain = (port: number, folder: string, asked: Asked = {}) => {
  const { working_copy, ...rest } = request(folder, undefined, asked)
  return Effect.map(call(port, "POST", "/v1/ensure", { ...rest, working_copy }), (answer) => {
    expect(answer.status, answer.body).toBe(200)
    const { allocations, app, instance, ...notes } = decode(answer.json)
    return { place: `${app}/${instance}`, ports: allocations.map(({ port }) => port), notes, allocations }
  })
}

const clone = (source: string, folder: string) => {
  git(source, "clone", "--quiet", source, folder)
  return folder
}

describe("a working copy", () => {
  it.scopedLive("keeps its instance and its ports when its linked worktree is moved and renamed", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const folder = yield* realFolder
      const top = repository(join(folder, "shop"))
      const [before, now] = [worktree(top, join(folder, "feature")), join(folder, "else", "renamed")]
      expect(yield* ask(port, before, { instance: "feature", services: ["web", "db"] })).toMatchObject({
        place: "shop/feature",
        ports: [3000, 3001],
        notes: {}
      })
      mkdirSync(join(folder, "else"))
      git(top, "worktree", "move", before, now)
      const moved = yield* ask(port, now, { instance: "renamed" })
      expect(moved).toMatchObject({ place: "shop/feature", ports: [3000], notes: { moved_from: before } })
      // All of its ports follow, also of services that were not asked for, and the note comes once.
      const { json } = yield* call(port, "GET", `/v1/allocations?path=${encodeURIComponent(now)}`)
      expect(json).toMatchObject([{ service: "web" }, { service: "db" }])
      expect((yield* ask(port, now, { instance: "renamed", services: ["db"] })).notes).toEqual({})
      // The place that it left is another one's.
      expect(yield* ask(port, worktree(top, before), { instance: "feature" })).toMatchObject({
        place: "shop/feature-2",
        notes: { instead_of: { instance: "feature", folder: now } }
      })
    })
  )

  it.scopedLive("keeps them while it is moved and another one is at its place before it asks again", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const folder = yield* realFolder
      const top = repository(join(folder, "shop"))
      const [place, away] = [worktree(top, join(folder, "feature")), join(folder, "away")]
      expect(yield* ask(port, place, { instance: "feature" })).toMatchObject({ ports: [3000] })
      git(top, "worktree", "move", place, away)
      worktree(top, place)
      expect(yield* ask(port, place, { instance: "feature" })).toMatchObject({ place: "shop/feature-2", ports: [3001] })
      expect(yield* ask(port, away, { instance: "away" })).toMatchObject({ place: "shop/feature", ports: [3000] })
      // The other way round: the one that was moved asks first.
      const further = join(folder, "further")
      git(top, "worktree", "move", away, further)
      worktree(top, away)
      expect(yield* ask(port, further, { instance: "further" })).toMatchObject({ place: "shop/feature", ports: [3000] })
      expect(yield* ask(port, away, { instance: "away" })).toMatchObject({ place: "shop/away", ports: [3002] })
    })
  )

  it.scopedLive("takes no ports along of one that was at its place before", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const folder = yield* realFolder
      const top = repository(join(folder, "shop"))
      const place = worktree(top, join(folder, "feature"))
      const [first, second] = [join(folder, "first"), join(folder, "second")]
      expect(yield* ask(port, place, { instance: "feature" })).toMatchObject({ ports: [3000] })
      git(top, "worktree", "move", place, first)
      worktree(top, place)
      expect(yield* ask(port, place, { instance: "feature" })).toMatchObject({ place: "shop/feature-2", ports: [3001] })
      git(top, "worktree", "move", place, second)
      expect(yield* ask(port, second, { instance: "second" })).toMatchObject({ place: "shop/feature-2", ports: [3001] })
      const folders = Effect.map(call(port, "GET", "/v1/allocations"), ({ json }) => json)
      // Known since another one was made at its place.
      expect(yield* folders).toMatchObject([{ path: first }, { path: second }])
      expect(yield* ask(port, first, { instance: "first" })).toMatchObject({ place: "shop/feature", ports: [3000] })
      expect(yield* folders).toMatchObject([{ path: first }, { path: second }])
    })
  )

  it.scopedLive("keeps app, instance and ports when a clone is moved and renamed, with the projects inside", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const folder = yield* realFolder
      const top = repository(join(folder, "shop"))
      mkdirSync(join(top, "packages/api"), { recursive: true })
      const named = { named: true }
      const api = { ...named, app: "shop:packages/api", project: "packages/api" }
      expect(yield* ask(port, top, named)).toMatchObject({ place: "shop/main", ports: [3000] })
      expect(yield* ask(port, top, api)).toMatchObject({ place: "shop:packages/api/main", ports: [3001] })
      expect(yield* ask(port, top, { app: "other" })).toMatchObject({ place: "other/main", ports: [3002] })
      const now = join(folder, "store")
      renameSync(top, now)
      expect(yield* ask(port, now, { ...named, app: "store" })).toMatchObject({
        place: "shop/main",
        ports: [3000],
        notes: { moved_from: top }
      })
      // The whole clone has moved, and nothing of it is left behind for prune.
      expect((yield* call(port, "POST", "/v1/prune", { dry_run: true })).json).toEqual({ allocations: [] })
      expect(yield* ask(port, now, { ...api, app: "store:packages/api" })).toMatchObject({
        place: "shop:packages/api/main",
        ports: [3001],
        notes: {}
      })
      expect(yield* ask(port, now, { app: "other" })).toMatchObject({ ports: [3002], notes: {} })
    })
  )

  it.scopedLive("keeps them when a folder outside git is moved", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const folder = yield* realFolder
      const [before, now] = [join(folder, "before"), join(folder, "now")]
      mkdirSync(before)
      expect(yield* askPlain(port, before, { app: "before", named: true })).toMatchObject({ ports: [3000] })
      renameSync(before, now)
      expect(yield* askPlain(port, now, { app: "now", named: true })).toMatchObject({
        place: "before/main",
        ports: [3000],
        notes: { moved_from: before }
      })
      // It becomes a repository, and is the same one.
      repository(now)
      expect(yield* ask(port, now, { app: "now", named: true })).toMatchObject({ ports: [3000], notes: {} })
    })
  )

  it.scopedLive("gets an instance of its own where another folder has the one wished for, and is told once", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const folder = yield* realFolder
      const top = repository(join(folder, "shop"))
      yield* ask(port, top)
      const [second, third] = [clone(top, join(folder, "b/shop")), clone(top, join(folder, "c/shop"))]
      const instead_of = { instance: "main", folder: top }
      expect(yield* ask(port, second)).toMatchObject({ place: "shop/main-2", ports: [3001], notes: { instead_of } })
      expect(yield* ask(port, second, { services: ["web", "db"] })).toMatchObject({ ports: [3001, 3002], notes: {} })
      expect(yield* ask(port, third)).toMatchObject({ place: "shop/main-3", notes: { instead_of } })
      // A linked worktree in a folder called main.
      expect((yield* ask(port, worktree(top, join(folder, "main")))).place).toBe("shop/main-4")
      // Two folders of one name outside git, and a copy of a worktree that shares its git directory.
      for (const [place, path] of [
        ["x/note", "note/main"],
        ["y/note", "note/main-2"]
      ] as const) {
        mkdirSync(join(folder, place), { recursive: true })
        expect((yield* askPlain(port, join(folder, place), { app: "note" })).place).toBe(path)
      }
      const tree = worktree(top, join(folder, "tree"))
      expect((yield* ask(port, tree, { instance: "tree" })).place).toBe("shop/tree")
      cpSync(tree, join(folder, "copy"), { recursive: true })
      expect((yield* ask(port, join(folder, "copy"), { instance: "tree" })).place).toBe("shop/tree-2")
      expect((yield* ask(port, tree, { instance: "tree" })).place).toBe("shop/tree")
      // It keeps it after the first one is gone.
      rmSync(top, { recursive: true })
      expect(yield* ask(port, second)).toMatchObject({ place: "shop/main-2", ports: [3001], notes: {} })
      // And what is gone is free for the next one.
      const fourth = clone(second, join(folder, "d/shop"))
      expect(yield* ask(port, fourth)).toMatchObject({ place: "shop/main", ports: [3000], notes: { took_over: top } })
    })
  )

  it.scopedLive("remembers an instance that it was given, and never another app", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const folder = yield* realFolder
      const top = repository(join(folder, "shop"))
      const second = clone(top, join(folder, "b/shop"))
      yield* ask(port, top)
      expect(yield* ask(port, second, { instance: "two", share: true })).toMatchObject({
        place: "shop/two",
        notes: {}
      })
      expect((yield* ask(port, second)).place).toBe("shop/two")
      expect(yield* ask(port, second, { share: true })).toMatchObject({ place: "shop/main", ports: [3000], notes: {} })
      expect(yield* ask(port, second)).toMatchObject({ place: "shop/main", ports: [3000], notes: {} })
      expect((yield* ask(port, second, { app: "other" })).place).toBe("other/main")
      expect((yield* ask(port, second)).place).toBe("shop/main")
      // The instance of the other app is remembered as well.
      expect((yield* ask(port, top, { app: "other" })).place).toBe("other/main-2")
      expect((yield* ask(port, top, { app: "other" })).place).toBe("other/main-2")
    })
  )

  it.scopedLive("shares no port and no instance with others that ask at the same time", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const folder = yield* realFolder
      const top = repository(join(folder, "0/shop"))
      const clones = [top, ...[1, 2, 3].map((number) => clone(top, join(folder, `${number}/shop`)))]
      const workers = { service: "workers", size: 3 }
      for (let round = 0; round < 20; round++) {
        const app = `shop${round}`
        const results = yield* Effect.all(
          clones.map((each, index) => ask(port, each, { app, services: [["web", "db", workers][index % 3] ?? "web"] })),
          { concurrency: "unbounded" }
        )
        expect(new Set(results.map(({ place }) => place))).toEqual(
          new Set(["main", "main-2", "main-3", "main-4"].map((instance) => `${app}/${instance}`))
        )
        const again = yield* Effect.all(
          clones.map((each) => ask(port, each, { app, services: ["web", "db", workers] })),
          { concurrency: "unbounded" }
        )
        expect(again.map(({ place }) => place)).toEqual(results.map(({ place }) => place))
        expect(new Set(again.flatMap(({ ports }) => ports)).size).toBe(5 * clones.length)
        for (const { ports } of again) {
          const [first = 0, ...further] = ports.slice(2)
          expect(further).toEqual([first + 1, first + 2])
        }
      }
    })
  )

  it.scopedLive("without services, gets what it has, and nothing is given or remembered", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const folder = yield* realFolder
      const top = repository(join(folder, "shop"))
      const second = clone(top, join(folder, "b/shop"))
      expect(yield* ask(port, top, { services: [] })).toMatchObject({ place: "shop/main", ports: [] })
      expect((yield* ask(port, second)).place).toBe("shop/main")
      expect(yield* ask(port, second, { services: [] })).toMatchObject({ place: "shop/main", ports: [3000] })
      expect(yield* ask(port, top, { services: [] })).toMatchObject({ place: "shop/main-2", ports: [], notes: {} })
    })
  )

  it.scopedLive(
    "adopts the ports that were allocated for its instance by hand, and is not in the way of old clients",
    () =>
      Effect.gen(function* () {
        const { port } = yield* startServer()
        const top = repository(join(yield* realFolder, "shop"))
        yield* allocate(port, { app: "shop", instance: "main", port: 8080 })
        const { json } = yield* call(port, "POST", "/v1/ensure", request(top, gitDir(top), { services: [] }))
        expect(json).toMatchObject({ allocations: [{ port: 8080 }] })
        expect(json).not.toMatchObject({ allocations: [{ path: top }] })
        expect(yield* ask(port, top)).toMatchObject({ place: "shop/main", ports: [8080] })
        const old = { app: "shop", instance: "main", services: [{ service: "web" }] }
        expect((yield* call(port, "POST", "/v1/ensure", { ...old, path: top })).json).toMatchObject({
          allocations: [{ port: 8080 }]
        })
        yield* call(port, "DELETE", "/v1/allocations", { app: "shop" })
        const refused = yield* call(port, "POST", "/v1/ensure", { ...old, path: "/" })
        expect([refused.status, errorOf(refused)]).toEqual([409, `shop/main belongs to ${top}`])
      })
  )

  it.scopedLive("is made of each folder that an older database has, and the original one opens", () =>
    Effect.gen(function* () {
      const home = yield* temporaryFolder
      const folder = yield* realFolder
      const top = repository(join(folder, "shop"))
      const second = clone(top, join(folder, "b/shop"))
      const database = join(home, "ports.db")
      const row = (id: number, instance: string, service: string) =>
        `INSERT INTO allocations VALUES (${id}, 'shop', '${instance}', '${service}', ${5000 + id}, '2025-02-08 15:04:05')`
      yield* execute(
        database,
        originalSchema,
        row(1, "main", "web"),
        row(2, "clone2", "web"),
        row(3, "staging", "web"),
        "CREATE TABLE folders (allocation INTEGER PRIMARY KEY REFERENCES allocations(id) ON DELETE CASCADE, path TEXT NOT NULL)",
        "ALTER TABLE folders ADD COLUMN device TEXT",
        "CREATE INDEX folders_path ON folders (path)",
        `INSERT INTO folders (allocation, path) VALUES (1, '${top}'), (2, '${second}'), (3, '${top}')`,
        "PRAGMA user_version = 4"
      )
      const { port } = yield* startServer({ folder: home })
      expect(yield* readDatabase(database, "SELECT folder, instance FROM working_copies ORDER BY id")).toEqual([
        { folder: top, instance: "main" },
        { folder: second, instance: "clone2" },
        { folder: top, instance: "staging" }
      ])
      expect(yield* ask(port, top)).toMatchObject({ place: "shop/main", ports: [5001], notes: {} })
      expect(yield* ask(port, second)).toMatchObject({ place: "shop/clone2", ports: [5002], notes: {} })
      renameSync(second, join(folder, "c"))
      expect(yield* ask(port, join(folder, "c"))).toMatchObject({ place: "shop/clone2", ports: [5002] })
    })
  )

  it.scopedLive("that is not described as it should be is refused", () =>
    Effect.gen(function* () {
      const { port } = yield* startServer()
      const body = { app: "shop", instance: "main", services: [{ service: "web" }] }
      for (const [wrong, sentence] of [
        [{ working_copy: { folder: "shop" } }, "working_copy.folder: path must be the absolute path of a folder"],
        [{ working_copy: {} }, "working_copy.folder is missing"],
        [{ working_copy: 1 }, "working_copy must be an object"],
        [
          { working_copy: { folder: "/a/b", project: "../b" } },
          "working_copy.project: project must be the path of a folder inside the working copy, like packages/api"
        ],
        [{ working_copy: { folder: "/a" }, path: "/a" }, "path and working_copy exclude each other"],
        [{ services: [] }, 'services must be a list of at least one service, like [{"service":"web"}]']
      ] as const) {
        const answer = yield* call(port, "POST", "/v1/ensure", { ...body, ...wrong })
        expect([answer.status, errorOf(answer)]).toEqual([400, sentence])
      }
    })
  )
})

it.scopedLive("a dry run says what would be given, and neither allocates nor remembers anything", () =>
  Effect.gen(function* () {
    const { database, port } = yield* startServer({ args: ["--range", "20100-20199"] })
    const folder = repository(join(yield* realFolder, "shop"))
    const services = [{ service: "web", prefer: 20150 }, { service: "db" }, { service: "workers", size: 2 }]
    const body = { ...request(folder, gitDir(folder), {}), services }
    const dry = yield* call(port, "POST", "/v1/ensure", { ...body, dry_run: true })
    expect(dry).toMatchObject({ status: 200, json: { app: "shop", instance: "main" } })
    const given = (answer: typeof dry) =>
      decodeGiven(answer.json).allocations.map(({ id, port, service }) => [service, port, id === 0])
    expect(given(dry)).toEqual([
      ["web", 20150, true],
      ["db", 20100, true],
      ["workers", 20101, true],
      ["workers+1", 20102, true]
    ])
    expect((yield* call(port, "GET", "/v1/allocations")).json).toEqual([])
    expect(yield* readDatabase(database, "SELECT count(*) AS count FROM working_copies")).toEqual([{ count: 0 }])

    const real = yield* call(port, "POST", "/v1/ensure", body)
    expect(given(real)).toEqual(given(dry).map(([service, port]) => [service, port, false]))
    // What is there already has its own id.
    expect(yield* call(port, "POST", "/v1/ensure", { ...body, dry_run: true })).toMatchObject({ json: real.json })
    expect(errorOf(yield* call(port, "POST", "/v1/ensure", { ...body, dry_run: 1 }))).toBe(
      "dry_run must be true or false"
    )
  })
)

it.scopedLive("says when the folder of a working copy is not there for the server", () =>
  Effect.gen(function* () {
    const { port } = yield* startServer()
    const folder = join(yield* realFolder, "shop")
    const unseen = (copy: { readonly identity?: string }) =>
      Effect.map(
        call(port, "POST", "/v1/ensure", {
          app: "shop",
          instance: "main",
          services: [{ service: "web" }],
          working_copy: { folder, ...copy }
        }),
        ({ json }) => Schema.decodeUnknownSync(Schema.Struct({ unseen: Schema.optional(Schema.Boolean) }))(json).unseen
      )
    expect(yield* unseen({ identity: "1" })).toBe(true)
    expect(yield* unseen({ identity: "1" })).toBe(true)
    // Who does not say which folder it is does not wait for it.
    expect(yield* unseen({})).toBeUndefined()
    mkdirSync(folder)
    expect(yield* unseen({ identity: "2" })).toBeUndefined()
  })
)
