import { existsSync, renameSync } from "node:fs"
import { join } from "node:path"
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { composeProject, planIn, shortly, type WorkingCopy } from "../support/ComposeProject.ts"
import { contentAt, image, noEngine, SharedEngine, sharedEngine } from "../support/Engine.ts"
import { git } from "../support/Git.ts"
import { freePorts } from "../support/Listening.ts"

/** A service that has nothing of the working copy, and a page from it; with fixed ports. */
const files = (cache: number, page: number, name = "") => ({
  "compose.yaml": `${name}
services:
  page:
    image: ${image}
    init: true
    command: ["httpd", "-f", "-p", "80", "-h", "/www"]
    volumes: ["./www:/www:ro"]
    ports: ["${page}:80"]
  cache:
    image: ${image}
    init: true
    command: ["sh", "-c", "mkdir /www; echo cache > /www/index.html; exec httpd -f -p 80 -h /www"]
    volumes: ["data:/data"]
    ports: ["${cache}:80"]
volumes:
  data: {}
`,
  "www/index.html": "page\n"
})

const up = (copy: WorkingCopy) =>
  Effect.tap(copy.portctl(["compose", "up", "--detach", "--quiet-pull"]), (ended) =>
    Effect.sync(() => expect(ended.code, ended.stderr).toBe(0))
  )

const idOf = (copy: WorkingCopy, service: string) =>
  Effect.map(copy.portctl(["compose", "ps", "--all", "--quiet", service]), ({ stdout }) => stdout.trim())

/** The state of each service in `portctl verify`, and its exit status. */
const verified = (copy: WorkingCopy) =>
  Effect.map(copy.portctl(["verify", "--json"]), ({ code, stdout }) => ({
    code,
    states: Object(JSON.parse(stdout)).map(({ service, state }: Record<string, string>) => `${service} ${state}`)
  }))

describe.skipIf(noEngine !== undefined)("a working copy that is moved while its containers run", () => {
  sharedEngine("on one engine", (it) => {
    it.effect("keeps them, with their ports, project and volumes, beside those of another one", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { docker } = yield* SharedEngine
          const file = yield* freePorts(2)
          const { at, first, main, worktree } = yield* composeProject(files(file, file + 1, "name: shop"))
          const before = worktree("search")
          yield* up(main)
          yield* up(before)
          const [page, cache] = [yield* idOf(before, "page"), yield* idOf(before, "cache")]
          const now = at(join(before.folder, "../found"))
          git(main.folder, "worktree", "move", before.folder, now.folder)

          expect(yield* verified(now)).toEqual({ code: 0, states: ["cache own", "page own"] })
          const listed = yield* now.portctl(["list", "--live"])
          expect(listed.stdout).toMatch(/ search +cache .* shop-search-cache-1 /)
          expect(listed.stdout).not.toContain("foreign")
          const why = yield* now.portctl(["why", "--port", String(first)])
          expect(why.stdout).toContain("belongs to the allocation's project: yes\n")

          // The engine makes the folder that one of them mounts.
          yield* docker(["restart", "--time", "0", page])
          expect(existsSync(before.folder)).toBe(true)
          expect(yield* verified(now)).toEqual({ code: 0, states: ["cache own", "page own"] })

          expect((yield* up(now)).stderr).not.toContain("foreign")
          expect(yield* idOf(now, "cache")).toBe(cache)
          expect(yield* idOf(now, "page")).not.toBe(page)
          expect(yield* contentAt(first)).toBe("cache")
          expect(yield* contentAt(first + 1)).toBe("page")
          expect(shortly(yield* planIn(now))).toEqual([
            `cache:80/tcp ${file}→${first}`,
            `page:80/tcp ${file + 1}→${first + 1}`
          ])
          expect(yield* verified(now)).toEqual({ code: 0, states: ["cache own", "page own"] })
          expect(yield* verified(main)).toEqual({ code: 0, states: ["cache own", "page own"] })
          expect((yield* docker(["volume", "ls", "--quiet"])).split("\n").sort()).toEqual([
            "shop-search_data",
            "shop_data"
          ])
        })
      )
    )

    it.effect("keeps them as a clone that is renamed, whose folder gives the project its name", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { docker } = yield* SharedEngine
          const file = yield* freePorts(2)
          const { at, main } = yield* composeProject(files(file, file + 1), "clone")
          yield* up(main)
          const cache = yield* idOf(main, "cache")
          const now = at(join(main.folder, "../renamed"))
          renameSync(main.folder, now.folder)
          expect((yield* now.portctl(["env"])).stdout).toContain("COMPOSE_PROJECT_NAME=clone\n")
          expect((yield* now.portctl(["prune", "--dry-run"])).stdout).toBe("nothing is stale\n")
          expect(yield* verified(now)).toEqual({ code: 0, states: ["cache own", "page own"] })
          expect((yield* up(now)).stderr).not.toContain("foreign")
          expect(yield* idOf(now, "cache")).toBe(cache)
          expect((yield* docker(["volume", "ls", "--quiet"])).split("\n").sort()).toEqual(["clone_data"])
        })
      )
    )
  })
})
