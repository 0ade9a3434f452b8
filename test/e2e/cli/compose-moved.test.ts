import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { user } from "../../support/Daemon.ts"
import { repository } from "../../support/Git.ts"

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
