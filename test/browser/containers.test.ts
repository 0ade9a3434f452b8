import { join } from "node:path"
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { noChromium, openPage } from "../support/Chromium.ts"
import { container } from "../support/Containers.ts"
import { noEngine, SharedEngine, sharedEngine } from "../support/Engine.ts"
import { realFolder, repository, worktree } from "../support/Git.ts"
import { freePorts } from "../support/Listening.ts"
import { startServer } from "../support/Programs.ts"
import { call } from "../support/Wire.ts"

describe.skipIf(noChromium !== undefined || noEngine !== undefined)("the page at /", () => {
  sharedEngine("with a container engine", (it) => {
    it.scoped("shows whose containers are on ports, and which stopped ones want them", () =>
      Effect.gen(function* () {
        const engine = yield* SharedEngine
        const server = yield* startServer({ probe: true, args: ["--engine", engine.env.DOCKER_HOST] })
        const folder = yield* realFolder
        const [shop, blog] = [repository(join(folder, "shop")), repository(join(folder, "blog"))]
        const inner = worktree(shop, join(shop, ".trees/inner"))
        const first = yield* freePorts(6)
        const services = ["own", "foreign", "wanted", "later", "worktree"].map((service, index) => ({
          service,
          port: first + index
        }))
        const ensured = { app: "shop", instance: "main", path: shop, services }
        expect((yield* call(server.port, "POST", "/v1/ensure", ensured)).status).toBe(200)
        yield* container(engine, { name: "shop-own-1", folder: shop, port: first })
        yield* container(engine, { name: "blog-web-1", folder: blog, port: first + 1 })
        yield* container(engine, { name: "blog-db-1", folder: blog, port: first + 2, isStopped: true })
        yield* container(engine, { name: "shop-later-1", folder: shop, port: first + 3, isStopped: true })
        yield* container(engine, { name: "inner-db-1", folder: inner, port: first + 4, isStopped: true })
        yield* container(engine, { name: "alone", port: first + 5 })
        const { errors, page } = yield* openPage(server.url)
        const see = (port: number, ...texts: ReadonlyArray<string>) =>
          Effect.promise(async () => {
            for (const text of texts) await page.locator(`#port-${port}`).getByText(text).first().waitFor()
          })
        yield* see(first, "Container", "shop-own-1")
        yield* see(first + 1, "Foreign", "container blog-web-1")
        yield* see(first + 2, "Idle", "blog-db-1, stopped")
        yield* see(first + 3, "Idle", "shop-later-1, stopped")
        const problems = yield* Effect.promise(() => page.locator(".problems li").allTextContents())
        expect(problems).toEqual([
          expect.stringContaining(`Port ${first + 1} of shop/main foreign is taken by container blog-web-1`),
          expect.stringContaining(
            `Port ${first + 2} of shop/main wanted is published by a stopped container, blog-db-1`
          ),
          expect.stringContaining(
            `Port ${first + 4} of shop/main worktree is published by a stopped container, inner-db-1It belongs to ${inner}`
          )
        ])
        yield* Effect.promise(async () => {
          await page.locator('nav a[href="#/listeners"]').click()
          await page
            .locator(".service", { hasText: String(first + 5) })
            .getByText("container alone")
            .first()
            .waitFor()
          await page.locator('nav a[href="#/server"]').click()
          await page.getByText(`docker at ${engine.env.DOCKER_HOST.replace("unix://", "")}`).waitFor()
        })
        expect(errors).toEqual([])
      })
    )
  })
})
