import { describe, expect, it } from "@effect/vitest"
import axe from "axe-core"
import * as Effect from "effect/Effect"
import type { Page } from "playwright-core"
import { allocate } from "../support/Api.ts"
import { noChromium, openPage } from "../support/Chromium.ts"
import { startServer } from "../support/Programs.ts"
import { scene } from "../support/Scene.ts"

/** What axe finds wrong in the page. */
const findings = async (page: Page): Promise<ReadonlyArray<string>> => {
  const results = await page.evaluate(`${axe.source}; axe.run()`)
  const { violations }: axe.AxeResults = JSON.parse(JSON.stringify(results))
  return violations.map(({ help, id, impact, nodes }) => `${impact} ${id}: ${help}: ${nodes[0]?.html}`)
}

const viewports = [
  { width: 1280, height: 900 },
  { width: 320, height: 700 }
]

describe.skipIf(noChromium !== undefined)("the page at / for everybody", () => {
  it.scopedLive("has nothing that axe finds, in both themes, wide and narrow, and is never wider than the screen", () =>
    Effect.gen(function* () {
      const { server } = yield* scene()
      for (const viewport of viewports) {
        for (const colorScheme of ["light", "dark"] as const) {
          const { errors, page } = yield* openPage(server.url, { viewport, colorScheme, bypassCSP: true })
          yield* Effect.promise(() => page.locator(".card").first().waitFor())
          for (const tab of ["ports", "listeners", "history", "server"]) {
            yield* Effect.promise(() => page.locator(`nav a[href="#/${tab}"]`).click())
            expect(yield* Effect.promise(() => findings(page)), `${tab} ${viewport.width} ${colorScheme}`).toEqual([])
            const width = yield* Effect.promise(() => page.evaluate("document.documentElement.scrollWidth"))
            expect(width, tab).toBe(viewport.width)
          }
          yield* Effect.promise(() => page.locator('nav a[href="#/ports"]').click())
          yield* Effect.promise(() =>
            page
              .getByRole("button", { name: /^Release port/ })
              .first()
              .click()
          )
          expect(yield* Effect.promise(() => findings(page)), "dialog").toEqual([])
          expect(errors).toEqual([])
        }
      }
    })
  )

  it.scopedLive("has nothing that axe finds when nothing is wrong", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* allocate(server.port, { app: "shop", service: "web" })
      const { page } = yield* openPage(server.url, { bypassCSP: true })
      yield* Effect.promise(() => page.locator(".card").waitFor())
      expect(yield* Effect.promise(() => findings(page))).toEqual([])
    })
  )

  it.scopedLive("can be used by the keyboard alone", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* allocate(server.port, { app: "shop", service: "web" })
      const db = yield* allocate(server.port, { app: "shop", service: "db" })
      const { page } = yield* openPage(server.url)
      const { keyboard } = page
      const focused = () =>
        page.evaluate<string>("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent")
      const press = (...keys: ReadonlyArray<string>) =>
        Effect.promise(async () => {
          for (const key of keys) await keyboard.press(key)
        })
      const tabTo = (name: RegExp) =>
        Effect.promise(async () => {
          for (let count = 0; count < 40; count++) {
            if (name.test(await focused())) return
            await keyboard.press("Tab")
          }
          throw new Error(`${name} is not reached by Tab`)
        })
      yield* Effect.promise(() => page.locator(".service").first().waitFor())
      yield* press("/")
      yield* Effect.promise(() => keyboard.type("db"))
      yield* Effect.promise(() => page.getByText("web", { exact: true }).waitFor({ state: "detached" }))
      yield* tabTo(/^Release port/)
      yield* press("Enter")
      yield* tabTo(/^Release$/)
      yield* press("Enter")
      yield* Effect.promise(() => page.locator(`#port-${db.port}`).waitFor({ state: "detached" }))
      yield* tabTo(/^Undo$/)
      yield* press("Enter")
      yield* Effect.promise(() => page.locator(`#port-${db.port}`).waitFor())
      yield* press("/", "Escape", "Escape")
      yield* tabTo(/^History/)
      yield* press("Enter")
      expect(yield* Effect.promise(() => page.evaluate("location.hash"))).toBe("#/history")
    })
  )
})
