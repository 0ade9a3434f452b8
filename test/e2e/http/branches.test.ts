import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { git, realFolder, repository, worktree } from "../../support/Git.ts"
import { portctl, startServer } from "../../support/Programs.ts"
import { call } from "../../support/Wire.ts"

it.scopedLive("GET /v1/working-copies has the branch of each working copy with ports, where git is on one", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    const folder = yield* realFolder
    const shop = repository(join(folder, "shop"))
    const detached = worktree(shop, join(folder, "detached"))
    const feature = worktree(shop, join(folder, "feature"))
    git(feature, "switch", "--quiet", "--create", "topic/search")
    for (const cwd of [shop, detached, feature, folder]) {
      expect(yield* portctl(["ensure", "--service", "web"], { server, cwd })).toMatchObject({ code: 0 })
    }
    const copies = Effect.map(call(server.port, "GET", "/v1/working-copies"), ({ json }) => json)
    const others = [
      { app: "shop", instance: "detached", folder: detached },
      { app: "shop", instance: "feature", folder: feature, branch: "topic/search" },
      expect.objectContaining({ instance: "main", folder })
    ]
    expect(yield* copies).toEqual([{ app: "shop", instance: "main", folder: shop, branch: "main" }, ...others])
    git(shop, "switch", "--quiet", "--create", "other")
    expect(yield* copies).toEqual([{ app: "shop", instance: "main", folder: shop, branch: "other" }, ...others])
    writeFileSync(join(shop, ".git/HEAD"), `ref: refs/heads/${"x".repeat(70_000)}`)
    yield* portctl(["release", "--app", "shop", "--instance", "feature"], { server })
    expect(yield* copies).toEqual([{ app: "shop", instance: "main", folder: shop }, others[0], others[2]])
  })
)
