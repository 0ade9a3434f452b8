import { readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { composeProject, resolved } from "../support/ComposeProject.ts"
import { image, noEngine, sharedEngine } from "../support/Engine.ts"
import { expectAnswer, expectError } from "../support/Expectations.ts"
import { freePorts } from "../support/Listening.ts"

/** A project with one service, which Compose names after its folder, or by what comes first in the file. */
const oneService = (port: number, name = "") => ({
  "compose.yaml": `${name}services: {db: {image: ${image}, command: [sleep, "60"], init: true, ports: ["${port}:80"]}}\n`
})

const nameIn = (...args: Parameters<typeof resolved>) =>
  Effect.map(resolved(...args), ({ model, stderr }) => ({ name: String(model.name), stderr }))

describe.skipIf(noEngine !== undefined)("the name of a Compose project", () => {
  sharedEngine("of a working copy", (it) => {
    it.effect("has the project's once, and is each working copy's own", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { main, worktree } = yield* composeProject(oneService(yield* freePorts(1)))
          const copies = [main, ...["search", "shop-search", "shop_cart", "shopping", "x/shop", "日本"].map(worktree)]
          const names = yield* Effect.forEach(copies, (copy) => Effect.map(nameIn(copy), ({ name }) => name))
          expect(names).toEqual([
            "shop",
            "shop-search",
            "shop-search-2",
            "shop_cart",
            "shop-shopping",
            "shop-2",
            "shop-3"
          ])
        })
      )
    )

    it.effect("is the user's, unless it is another working copy's", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { main, server, worktree } = yield* composeProject(oneService(yield* freePorts(1), "name: shop\n"))
          const other = worktree("search")
          expect(yield* nameIn(main)).toMatchObject({ name: "shop" })
          expect(yield* nameIn(other, ["-p", "mine"])).toMatchObject({ name: "mine" })
          expect(yield* nameIn(other, [], { COMPOSE_PROJECT_NAME: "own" })).toEqual({ name: "own", stderr: "" })
          expect(yield* nameIn(other, [], { COMPOSE_PROJECT_NAME: "shop" })).toEqual({
            name: "shop-search",
            stderr: `note: COMPOSE_PROJECT_NAME was set to shop, the project of ${main.folder}, and is replaced\n`
          })
          const refused = yield* other.portctl(["compose", "--project-name=shop", "up"])
          expect(refused).toMatchObject({
            code: 1,
            stdout: "",
            stderr: `error: the Compose project shop belongs to ${main.folder}; choose another name, or leave --project-name out\n`
          })
          expect(readdirSync(join(server.home, ".port_server/compose")).sort()).toEqual([
            "mine.yaml",
            "own.yaml",
            "shop-search.yaml",
            "shop.yaml"
          ])
        })
      )
    )

    it.effect("is forgotten with its override by a prune once its folder is gone", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { main, server, worktree } = yield* composeProject(oneService(yield* freePorts(1)))
          const other = worktree("search")
          yield* nameIn(main)
          yield* nameIn(other)
          rmSync(other.folder, { recursive: true })
          const files = () => readdirSync(join(server.home, ".port_server/compose")).sort()
          const told = (verb: string) =>
            `note: ${verb} the Compose project shop-search of ${other.folder}, which is gone\n`
          expect(yield* main.portctl(["prune", "--dry-run"])).toMatchObject({ code: 0, stderr: told("would forget") })
          expect(files()).toEqual(["shop-search.yaml", "shop.yaml"])
          expect(yield* main.portctl(["prune", "--yes"])).toMatchObject({ code: 0, stderr: told("forgot") })
          expect(files()).toEqual(["shop.yaml"])
        })
      )
    )
  })

  sharedEngine("by itself, where there is no file", (it) => {
    it.effect("reaches the containers, as with Docker Compose", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { at, main, server } = yield* composeProject(oneService(yield* freePorts(1)))
          expect((yield* main.portctl(["compose", "up", "--detach"])).code).toBe(0)
          const { portctl } = at(server.home)
          const services = ["ps", "--format", "{{.Service}}"]
          expectAnswer(yield* portctl(["compose", "-p", "shop", ...services]), "db\n")
          expectAnswer(yield* portctl(["compose", ...services], { COMPOSE_PROJECT_NAME: "shop" }), "db\n")
          const none = yield* portctl(["compose", ...services])
          expectError(none, "no configuration file provided: not found", "", 14)
        })
      )
    )
  })
})
