import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { allocate } from "../support/Api.ts"
import { noChromium, openPage } from "../support/Chromium.ts"
import { startServer, temporaryFolder } from "../support/Programs.ts"
import { openDatabase } from "../support/Sqlite.ts"
import { website } from "../support/Website.ts"
import { call } from "../support/Wire.ts"

if (noChromium !== undefined) console.log(`SKIPPED page.verify.ts: ${noChromium}`)

/** What another program may have stored as a name: markup, handlers, addresses that run, text that steers text. */
const names = [
  "<script>window.attacked=1</script>",
  "<img src=x onerror='window.attacked=1'>",
  '"><svg onload=window.attacked=1>',
  "javascript:window.attacked=1",
  "{{constructor.constructor('window.attacked=1')()}}",
  "</title><iframe srcdoc='<script>parent.attacked=1</script>'>",
  "\u202egnihton\u2066",
  "a\u0000b\u001b[31m\r\n",
  "__proto__",
  "x".repeat(100_000)
]

describe.skipIf(noChromium !== undefined)("the page at / in a real browser", () => {
  it.scopedLive("shows what is stored as text, whatever it is", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const first = yield* startServer({ folder })
      first.process.kill("SIGTERM")
      yield* first.ended
      yield* Effect.gen(function* () {
        const sql = yield* openDatabase(first.database)
        for (const [index, name] of names.entries()) {
          const port = 20_000 + index
          yield* sql`INSERT INTO allocations (app, instance, service, port) VALUES (${name}, ${name}, ${name}, ${port})`
          yield* sql`INSERT INTO folders (allocation, path) SELECT id, ${`/${name}`} FROM allocations WHERE port = ${port}`
        }
      }).pipe(Effect.scoped, Effect.orDie)
      const server = yield* startServer({ folder })
      const { errors, page } = yield* openPage(server.url)
      const requests: Array<string> = []
      page.on("request", (request) => requests.push(request.url()))
      yield* Effect.promise(async () => {
        await page
          .locator(".service")
          .nth(names.length - 1)
          .waitFor()
        for (const tab of ["history", "server", "ports"]) await page.locator(`nav a[href="#/${tab}"]`).click()
        await page.locator("#port-20000").getByRole("button", { name: "Release" }).click()
        await page.getByRole("dialog").getByRole("button", { name: "Release" }).click()
        await page.locator("#port-20000").waitFor({ state: "detached" })
        await page.locator('nav a[href="#/history"]').click()
        await page.locator(".event").first().waitFor()
        await page.getByRole("searchbox").fill(names[1] ?? "")
      })
      const found = yield* Effect.promise(() =>
        page.evaluate<ReadonlyArray<unknown>>(
          "[window.attacked ?? null, document.querySelectorAll('script:not([src=\"/dashboard.js\"]), iframe, [onerror], [onload], [style]').length]"
        )
      )
      expect(found).toEqual([null, 0])
      expect(errors).toEqual([])
      expect(requests.filter((url) => new URL(url).host !== server.address)).toEqual([])
    })
  )

  it.scopedLive("makes no script of text, even where another script in it tries", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const { page } = yield* openPage(server.url)
      const outcome = yield* Effect.promise(async () => {
        // By the tools of the developer, which the policy does not bind; what the text would do, it does.
        return await page.evaluate<ReadonlyArray<string>>(`[
          () => { document.body.innerHTML = "<img src=x onerror=alert(1)>" },
          () => { document.createElement("script").text = "alert(1)" },
          () => { document.body.insertAdjacentHTML("beforeend", "<b>") },
          () => { new DOMParser().parseFromString("<b>", "text/html") },
          () => { trustedTypes.createPolicy("own", { createHTML: (text) => text }) }
        ].map((attack) => { try { attack(); return "done" } catch (error) { return error.name } })`)
      })
      expect(outcome).toEqual(["TypeError", "TypeError", "TypeError", "TypeError", "TypeError"])
    })
  )

  it.scopedLive("cannot be framed, opened by a link of another site, or reached under a rebound name", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* allocate(server.port, { app: "secret-app" })
      const port = yield* website((_, response) => {
        response.writeHead(200, { "Content-Type": "text/html" })
        response.end(`<iframe src="${server.url}/"></iframe><a href="${server.url}/" target="_blank">open</a>`)
      })
      for (const host of ["localhost", "127.0.0.1", "rebound.test"]) {
        const { page } = yield* openPage(`http://${host}:${port}/`)
        const shown = yield* Effect.promise(async () => {
          const popup = page.waitForEvent("popup")
          await page.getByRole("link").click()
          const opened = await popup
          await opened.waitForLoadState()
          const frames = await Promise.all(page.frames().map((frame) => frame.content()))
          return [...frames, await opened.content()].join("\n")
        })
        expect(shown).not.toContain("secret-app")
        expect(shown).not.toContain("dashboard.js")
        expect(shown).toContain("forbidden origin")
      }
      const { page: rebound } = yield* openPage(`http://rebound.test:${server.port}/`)
      const text = yield* Effect.promise(() => rebound.content())
      expect(text).toContain("forbidden host")
      expect((yield* call(server.port, "GET", "/v1/allocations")).json).toHaveLength(1)
    })
  )
})
