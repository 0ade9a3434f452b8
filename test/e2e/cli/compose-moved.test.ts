import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { composeRepository } from "../../support/ComposePrograms.ts"
import { user } from "../../support/Daemon.ts"
import { git, repository, worktree } from "../../support/Git.ts"

/** A clone with a Compose file, whose project has a service that only the Compose file names. */
const clone = Effect.gen(function* () {
  const { home, portctl } = yield* user
  const at = (name: string) => {
    const folder = join(home, name)
    return { folder, portctl: (args: string) => portctl(args, { cwd: folder }) }
  }
  const make = () => {
    repository(at("shop").folder)
    writeFileSync(join(at("shop").folder, "compose.yaml"), 'services: {cache: {image: box, ports: ["6379:6379"]}}\n')
    writeFileSync(join(at("shop").folder, "portctl.json"), '{"services": {"web": {}}}')
  }
  const kept = join(home, ".port_server/compose/shop.yaml")
  make()
  const shop = at("shop")
  yield* portctl("start")
  yield* shop.portctl("ensure --service web --service cache")
  yield* shop.portctl("env")
  // As a run of Compose leaves it.
  writeFileSync(kept, readFileSync(kept, "utf8").replace('"services":[]', '"services":["cache"]'))
  return { at, make, shop }
})

describe.concurrent("the Compose project of a clone that was renamed", () => {
  it.scopedLive("has its services, and is not forgotten, before anything of Compose has run there", () =>
    Effect.gen(function* () {
      const { at, make, shop } = yield* clone
      const before = (yield* shop.portctl("env")).stdout
      expect(before).toMatch(/CACHE_PORT=\d+\nCOMPOSE_PROJECT_NAME=shop\n$/)
      const now = at("store")
      renameSync(shop.folder, now.folder)
      yield* now.portctl("ensure")
      // At its former place is another one.
      make()
      yield* shop.portctl("ensure")
      expect(yield* now.portctl("prune --yes")).toMatchObject({ stdout: "nothing is stale\n", stderr: "" })
      expect((yield* now.portctl("context")).stdout).toContain("service cache: ")
      expect((yield* now.portctl("env")).stdout).toBe(before)
      // Nobody has it any more.
      rmSync(now.folder, { recursive: true })
      expect((yield* at("").portctl("prune --yes")).stderr).toContain(
        `forgot the Compose project shop of ${now.folder}`
      )
    })
  )

  it.scopedLive("is known after the clone was made again at its place", () =>
    Effect.gen(function* () {
      const { at, make, shop } = yield* clone
      rmSync(shop.folder, { recursive: true })
      make()
      expect((yield* shop.portctl("env")).stdout).toContain("COMPOSE_PROJECT_NAME=shop\n")
      const now = at("store")
      renameSync(shop.folder, now.folder)
      expect((yield* now.portctl("env")).stdout).toContain("COMPOSE_PROJECT_NAME=shop\n")
    })
  )

  it.scopedLive("has its name where a file for variables chooses the Compose file", () =>
    Effect.gen(function* () {
      const { at, shop } = yield* clone
      writeFileSync(join(shop.folder, ".env"), "COMPOSE_FILE=compose.yaml\n")
      expect((yield* shop.portctl("env")).stdout).toContain("COMPOSE_PROJECT_NAME=shop\n")
      const now = at("store")
      renameSync(shop.folder, now.folder)
      for (const _ of [1, 2]) expect((yield* now.portctl("env")).stdout).toContain("COMPOSE_PROJECT_NAME=shop\n")
    })
  )
})

describe.concurrent("the Compose project of a worktree that git has moved", () => {
  it.scopedLive("stays its own, and is not forgotten, before anything of portctl has run there", () =>
    Effect.gen(function* () {
      const { folder, home, portctl } = yield* composeRepository("seed")
      writeFileSync(join(folder, "compose.yaml"), "services: {}\n")
      writeFileSync(join(folder, "portctl.json"), '{"services": {"web": {}}}')
      const model = { name: "main", services: { db: { ports: [{ target: 80, published: "5432" }] } } }
      writeFileSync(join(folder, "model.json"), JSON.stringify(model))
      git(folder, "add", ".")
      git(folder, "commit", "--quiet", "--message=files")
      git(home, "clone", "--quiet", "--bare", folder, "p/.bare")
      const at = (name: string) => join(home, name)
      for (const name of ["main", "feat"]) worktree(at("p/.bare"), at(`p/${name}`))
      yield* portctl("compose config", at("p/main"))
      const before = (yield* portctl("env", at("p/main"))).stdout
      expect(before).toMatch(/^DB_PORT=.*\nCOMPOSE_PROJECT_NAME=main$/m)
      git(at("p/main"), "worktree", "move", at("p/main"), at("p/trunk"))

      expect(yield* portctl("prune --yes", at("p/feat"))).toMatchObject({ stdout: "nothing is stale\n", stderr: "" })
      // Another project of the name that Compose gives it.
      renameSync(folder, at("main"))
      expect((yield* portctl("env", at("main"))).stdout).toContain("COMPOSE_PROJECT_NAME=main-2\n")
      expect((yield* portctl("env", at("p/trunk"))).stdout).toBe(before)
      git(at("p/trunk"), "worktree", "remove", "--force", at("p/trunk"))
      expect((yield* portctl("prune --yes", at("p/feat"))).stderr).toContain(
        `note: forgot the Compose project main of ${at("p/trunk")}, which is gone\n`
      )
    })
  )
})
