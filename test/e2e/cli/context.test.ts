import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer } from "../../support/Expectations.ts"
import { realFolder, temporaryRepository, worktree } from "../../support/Git.ts"
import { freePorts, listeningProgram } from "../../support/Listening.ts"
import { portctl, startServer } from "../../support/Programs.ts"

/** A repository called shop with a project file, a linked worktree, and a server on a range that is free. */
const shop = Effect.fnUntraced(function* (services: object, more: object = {}) {
  const first = yield* freePorts(40)
  const server = yield* startServer({ args: ["--range", `${first}-${first + 39}`] })
  const project = yield* temporaryRepository("shop")
  writeFileSync(join(project, "portctl.json"), JSON.stringify({ services, ...more }))
  const linked = worktree(project, `${project}-vat`)
  writeFileSync(join(linked, "portctl.json"), JSON.stringify({ services, ...more }))
  const run = (cwd: string, ...args: ReadonlyArray<string>) => portctl(args, { server, cwd })
  return { first, server, project, linked, run }
})

describe.concurrent("portctl context", () => {
  it.scopedLive("shows the services with their states, the variables, and the other working copies", () =>
    Effect.gen(function* () {
      const urls = { DB_URL: "postgres://localhost:{db}/shop" }
      const { first, linked, project, run } = yield* shop(
        { web: { env: "PORT" }, db: {}, mail: {} },
        { variables: urls }
      )
      yield* run(project, "ensure", "--service", "web,db")
      yield* run(linked, "ensure", "--service", "web")
      const own = yield* listeningProgram({ cwd: project, port: first })
      const foreign = yield* listeningProgram({ cwd: linked, port: first + 1 })
      expectAnswer(
        yield* run(project, "context"),
        [
          `working copy shop/main in ${project}`,
          `service web: port ${first}, own, node (pid ${own.pid}) listening tcp 127.0.0.1`,
          `service db: port ${first + 1}, foreign, node (pid ${foreign.pid}) listening tcp 127.0.0.1, belongs to shop/shop-vat (${linked})`,
          "service mail: no port yet",
          `variable PORT=${first}`,
          `variable DB_PORT=${first + 1}`,
          `variable DB_URL=postgres://localhost:${first + 1}/shop`,
          `not yours: shop/shop-vat in ${linked}: web ${first + 2}`,
          ""
        ].join("\n")
      )
      const { code, stderr, stdout } = yield* run(linked, "context", "--json")
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
      expect(JSON.parse(stdout)).toEqual({
        app: "shop",
        instance: "shop-vat",
        folder: linked,
        services: [
          { service: "web", port: first + 2, state: "idle", listeners: [] },
          { service: "db", state: "idle", listeners: [] },
          { service: "mail", state: "idle", listeners: [] }
        ],
        variables: { PORT: String(first + 2) },
        siblings: [
          {
            instance: "main",
            folder: project,
            ports: [
              { service: "web", port: first },
              { service: "db", port: first + 1 }
            ]
          }
        ],
        notes: []
      })
      expect((yield* run(project, "list", "--json")).stdout.match(/"id"/g)).toHaveLength(3)
    })
  )

  it.scopedLive("has less than 2,000 characters, whatever there is, and counts what it leaves out", () =>
    Effect.gen(function* () {
      const names = Array.from({ length: 10 }, (_, index) => `${"service".repeat(20)}-${index}`)
      const variables = Object.fromEntries(names.map((name, index) => [`URL_${index}`, `http://localhost:{${name}}/`]))
      const { project, run } = yield* shop(Object.fromEntries(names.map((name) => [name, {}])), { variables })
      expect((yield* run(project, "ensure")).code).toBe(0)
      const { stdout } = yield* run(project, "context")
      expect(stdout.length).toBeLessThan(2000)
      expect(stdout).toMatch(/\n\d+ more lines: portctl context --json\n$/)
    })
  )

  it.scopedLive("has ten services of usual names whole, with a sibling each", () =>
    Effect.gen(function* () {
      const names = ["web", "api", "db", "redis", "mail", "storybook", "admin", "worker", "search", "metrics"]
      const { linked, project, run } = yield* shop(Object.fromEntries(names.map((name) => [name, {}])))
      expect((yield* run(project, "ensure")).code).toBe(0)
      expect((yield* run(linked, "ensure")).code).toBe(0)
      const { stdout } = yield* run(project, "context")
      expect(stdout.length).toBeLessThan(2000)
      expect(stdout.match(/^service /gm)).toHaveLength(10)
      expect(stdout.match(/^variable /gm)).toHaveLength(10)
      expect(stdout).toContain(`not yours: shop/shop-vat in ${linked}: web `)
    })
  )

  it.scopedLive("has in a package the variables from above as far as their ports are allocated", () =>
    Effect.gen(function* () {
      const variables = { DB_URL: "postgres://localhost:{db}/", CACHE_URL: "redis://localhost:{cache}/" }
      const { first, project, run } = yield* shop({ db: {}, cache: {} }, { variables })
      const inner = join(project, "api")
      mkdirSync(inner)
      writeFileSync(join(inner, "portctl.json"), JSON.stringify({ services: { api: {}, jobs: {} } }))
      yield* run(project, "ensure", "--service", "db")
      yield* run(inner, "ensure", "--service", "api")
      expect((yield* run(inner, "context")).stdout.match(/^variable .*/gm)).toEqual([
        `variable DB_PORT=${first}`,
        `variable DB_URL=postgres://localhost:${first}/`,
        `variable API_PORT=${first + 1}`
      ])
      expect((yield* run(project, "list", "--json")).stdout.match(/"id"/g)).toHaveLength(2)
    })
  )

  it.scopedLive("works in a folder without git and a project file", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const folder = yield* realFolder
      const name = folder.slice(folder.lastIndexOf("/") + 1)
      expectAnswer(
        yield* portctl(["context"], { server, cwd: folder }),
        `working copy ${name}/main in ${folder}\nservice web: no port yet\n`
      )
    })
  )
})
