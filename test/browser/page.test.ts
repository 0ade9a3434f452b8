import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import { allocate, listed } from "../support/Api.ts"
import { noChromium, openPage } from "../support/Chromium.ts"
import { git, repository, worktree } from "../support/Git.ts"
import { listeningProgram, startServerOnFreePorts } from "../support/Listening.ts"
import { type PortServer, portctl, startServer, temporaryFolder } from "../support/Programs.ts"
import { call } from "../support/Wire.ts"

if (noChromium !== undefined) console.log(`SKIPPED page.test.ts: ${noChromium}`)

/** Ensure services of a folder, as a user does. */
const ensure = (server: PortServer, cwd: string, services: string) =>
  Effect.map(portctl(["ensure", "--service", services], { server, cwd, env: { HOME: cwd } }), ({ code, stderr }) =>
    expect({ code, stderr }).toMatchObject({ code: 0 })
  )

/** Do something with the browser. */
const act = <A>(act: () => Promise<A>) => Effect.promise(act)

describe.skipIf(noChromium !== undefined)("the page at /", () => {
  it.scopedLive("shows for each port its state, who listens, and whose a foreign process is", () =>
    Effect.gen(function* () {
      const server = yield* startServerOnFreePorts(4)
      const folder = yield* temporaryFolder
      const shop = repository(join(folder, "shop"))
      const feature = worktree(shop, join(folder, "feature"))
      yield* ensure(server, shop, "web,api")
      yield* ensure(server, feature, "web")
      const bare = yield* allocate(server.port, { app: "bare" })
      const own = yield* listeningProgram({ cwd: shop, port: server.first, thread: "own-web" })
      const stray = yield* listeningProgram({ cwd: shop, port: server.first + 2, thread: "stray" })
      const unknown = yield* listeningProgram({ cwd: folder, port: bare.port, thread: "stranger" })
      const { errors, page } = yield* openPage(server.url)
      const row = (port: number) => page.locator(`#port-${port}`)
      yield* act(() => row(server.first).getByText("Listening").waitFor())
      expect(yield* act(() => row(server.first).textContent())).toContain(`own-web (pid ${own.pid})`)
      yield* act(() =>
        row(server.first + 1)
          .getByText("Idle")
          .waitFor()
      )
      yield* act(() =>
        row(server.first + 2)
          .getByText("Foreign")
          .waitFor()
      )
      expect(yield* act(() => row(server.first + 2).textContent())).toContain(`stray (pid ${stray.pid}) of shop/main`)
      yield* act(() => row(bare.port).getByText("Unknown").waitFor())
      expect(yield* act(() => row(bare.port).textContent())).toContain(`stranger (pid ${unknown.pid}) in ${folder}`)
      // The one in trouble comes first, and it is told at the top, with the next command.
      expect(yield* act(() => page.locator(".card h2").allTextContents())).toEqual([
        "shop/feature",
        "bare/dev",
        "shop/main"
      ])
      yield* act(() => page.getByRole("region", { name: "shop main" }).getByTitle("On the branch main").waitFor())
      const problem = page.getByRole("region", { name: "1 problem" })
      expect(yield* act(() => problem.textContent())).toContain(
        `Port ${server.first + 2} of shop/feature web is taken by stray (pid ${stray.pid})`
      )
      expect(yield* act(() => problem.locator("code").textContent())).toBe(`portctl why --port ${server.first + 2}`)
      const link = row(server.first).getByRole("link")
      expect(yield* act(() => link.getAttribute("href"))).toBe(`http://localhost:${server.first}`)
      expect(errors).toEqual([])
    })
  )

  it.scopedLive("shows the ports before it is known what is on them, and says so where that cannot be read", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const { port } = yield* allocate(server.port, { app: "shop" })
      const { page } = yield* openPage("about:blank")
      const response = yield* Deferred.make<{ readonly status: number; readonly json: unknown }>()
      yield* act(() =>
        page.route("**/v1/listeners", async (route) => route.fulfill(await Effect.runPromise(Deferred.await(response))))
      )
      yield* act(() => page.goto(server.url))
      const badge = page.locator(`#port-${port} .badge`)
      yield* act(() => badge.waitFor())
      expect(yield* act(() => badge.getAttribute("data-state"))).toBe("reading")
      const error = "cannot read /proc/net/tcp"
      yield* Deferred.succeed(response, { status: 503, json: { error } })
      yield* act(() => page.getByRole("alert").getByText(`It cannot be told what is on the ports: ${error}`).waitFor())
      expect(yield* act(() => badge.textContent())).toBe("Unknown")
    })
  )

  it.scopedLive("shows what a portctl in another process changes", () =>
    Effect.gen(function* () {
      const server = yield* startServerOnFreePorts(2)
      const { page } = yield* openPage(server.url)
      yield* act(() => page.getByText("No ports are allocated yet").waitFor())
      yield* act(() => page.getByText("portctl ensure --service web,db").waitFor())
      const folder = yield* temporaryFolder
      yield* ensure(server, repository(join(folder, "shop")), "web")
      yield* act(() => page.locator(`#port-${server.first}`).getByText("Idle").waitFor())
      const program = yield* listeningProgram({ cwd: join(folder, "shop"), port: server.first })
      yield* act(() => page.locator(`#port-${server.first}`).getByText("Listening").waitFor())
      program.process.kill("SIGKILL")
      yield* act(() => page.locator(`#port-${server.first}`).getByText("Idle").waitFor())
      yield* portctl(["release", "--app", "shop"], { server })
      yield* act(() => page.getByText("No ports are allocated yet").waitFor())
    })
  )

  it.scopedLive("shows what happened, and what the client said about itself", () =>
    Effect.gen(function* () {
      const server = yield* startServerOnFreePorts(1)
      const folder = repository(join(yield* temporaryFolder, "shop"))
      yield* ensure(server, folder, "web")
      const { page } = yield* openPage(`${server.url}/#/history`)
      const events = page.locator(".event")
      yield* act(() => events.getByText("allocated").waitFor())
      yield* portctl(["release", "--app", "shop"], { server })
      yield* act(() => events.getByText("released").waitFor())
      const texts = yield* act(() => events.allTextContents())
      expect(texts).toHaveLength(2)
      for (const text of texts) expect(text).toContain(`${server.first}shop/main web`)
      yield* act(() => page.keyboard.press("/"))
      yield* act(() => page.keyboard.type("shop released"))
      yield* act(() => events.nth(1).waitFor({ state: "detached" }))
      yield* act(() => page.keyboard.type(" not at all"))
      yield* act(() => page.getByText("Nothing is found").waitFor())
    })
  )

  it.scopedLive("tells which folder is gone, and what still listens for it", () =>
    Effect.gen(function* () {
      const server = yield* startServerOnFreePorts(2)
      const folder = yield* temporaryFolder
      const shop = repository(join(folder, "shop"))
      const old = worktree(shop, join(folder, "old"))
      yield* ensure(server, old, "web,db")
      yield* listeningProgram({ cwd: old, port: server.first, thread: "left-over" })
      git(shop, "worktree", "remove", "--force", old)
      const { page } = yield* openPage(server.url)
      const problem = page.getByRole("region", { name: "1 problem" })
      yield* act(() => problem.getByText("The folder of shop/old is gone").waitFor())
      yield* act(() => problem.getByText(/left-over \(pid \d+\) is still on port/).waitFor())
      yield* act(() => problem.getByText("portctl prune").waitFor())
      yield* act(() => page.getByRole("region", { name: "shop old" }).getByText("is gone").waitFor())
    })
  )

  it.scopedLive("copies the URL and the variable of a port", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const { port } = yield* allocate(server.port, { app: "shop", service: "web-2" })
      const { page } = yield* openPage(server.url)
      const copied = (name: string, text: string) =>
        act(async () => {
          await page.getByRole("button", { name }).click()
          await page.getByRole("button", { name: `Copied: ${text}` }).waitFor()
          return await page.evaluate("navigator.clipboard.readText()")
        })
      expect(yield* copied("Copy the URL of web-2", `http://localhost:${port}`)).toBe(`http://localhost:${port}`)
      expect(yield* copied("Copy the ENV variable of web-2", `WEB_2_PORT=${port}`)).toBe(`WEB_2_PORT=${port}`)
    })
  )

  it.scopedLive("releases a port once that is confirmed, and undoes it", () =>
    Effect.gen(function* () {
      const server = yield* startServerOnFreePorts(2)
      const folder = repository(join(yield* temporaryFolder, "shop"))
      yield* ensure(server, folder, "web,db")
      const before = yield* listed(server.port, "shop")
      writeFileSync(join(folder, "portctl.json"), '{"services":{"web":{}}}')
      yield* Effect.map(portctl(["ensure"], { server, cwd: folder }), ({ code }) => expect(code).toBe(0))
      const { page } = yield* openPage(server.url)
      const row = page.locator(`#port-${server.first}`)
      const release = row.getByRole("button", { name: "Release" })
      yield* act(() => release.click())
      yield* act(() => page.getByRole("button", { name: "Keep it" }).click())
      expect(yield* listed(server.port, "shop")).toEqual(before)
      yield* act(() => release.click())
      yield* act(() => page.getByRole("dialog").getByRole("button", { name: "Release" }).click())
      yield* act(() => row.waitFor({ state: "detached" }))
      expect(yield* listed(server.port, "shop")).toHaveLength(1)
      yield* act(() => page.getByRole("button", { name: "Undo" }).click())
      yield* act(() => row.waitFor())
      const withoutId = (list: unknown) => (Array.isArray(list) ? list : []).map(({ id, ...rest }) => rest)
      const after = yield* listed(server.port, "shop")
      expect(withoutId(after)).toEqual(expect.arrayContaining(withoutId(before)))
      // What a project file has named is still known as such.
      const named = yield* call(server.port, "GET", "/v1/allocations?named=true")
      expect(named.json).toMatchObject([{ service: "web", port: server.first }])
    })
  )

  it.scopedLive("says why a release cannot be undone", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const { port } = yield* allocate(server.port, { app: "shop" })
      const { page } = yield* openPage(server.url)
      yield* act(() => page.locator(`#port-${port}`).getByRole("button", { name: "Release" }).click())
      yield* act(() => page.getByRole("dialog").getByRole("button", { name: "Release" }).click())
      const undo = page.getByRole("button", { name: "Undo" })
      yield* act(() => undo.waitFor())
      yield* allocate(server.port, { app: "blog", port })
      yield* act(() => undo.click())
      yield* act(() => page.getByText(`Port ${port} was not allocated again`).waitFor())
      expect(yield* listed(server.port, "shop")).toEqual([])
    })
  )

  it.scopedLive("says that the server is gone, keeps what it said, and goes on when it is back", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const first = yield* startServer({ folder })
      const { port } = yield* allocate(first.port, { app: "shop" })
      const { page } = yield* openPage(first.url)
      yield* act(() => page.locator(`#port-${port}`).waitFor())
      first.process.kill("SIGTERM")
      yield* first.ended
      yield* act(() => page.getByRole("alert").getByText("portctl start").waitFor())
      expect(yield* act(() => page.locator(`#port-${port}`).isVisible())).toBe(true)
      const second = yield* startServer({ folder, port: first.port })
      expect(second.port).toBe(first.port)
      yield* act(() => page.getByRole("alert").waitFor({ state: "detached" }))
      const other = yield* allocate(second.port, { app: "blog" })
      yield* act(() => page.locator(`#port-${other.port}`).waitFor())
    })
  )

  it.scopedLive("shows a thousand ports: the first at once, all by scrolling, each by a search", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const allocations = Array.from({ length: 1000 }, (_, index) => ({
        app: `app-${index % 40}`,
        instance: "main",
        service: `service-${index}`,
        port: 20_000 + index
      }))
      const imported = yield* call(server.port, "POST", "/v1/import", { version: 1, allocations })
      expect(imported.json).toMatchObject({ imported: 1000 })
      const { page } = yield* openPage(server.url)
      const rows = page.locator(".service")
      yield* act(() => rows.first().waitFor())
      expect(yield* act(() => rows.count())).toBeLessThan(500)
      yield* act(() => page.keyboard.press("/"))
      yield* act(() => page.keyboard.type("service-999"))
      yield* act(() => page.locator("#port-20999").waitFor())
      expect(yield* act(() => rows.count())).toBe(1)
      yield* act(() => page.keyboard.press("Escape"))
      yield* act(async () => {
        for (let count = await rows.count(); count < 1000; count = await rows.count()) {
          await rows.nth(count - 1).scrollIntoViewIfNeeded()
          await rows.nth(count).waitFor({ state: "attached" })
        }
      })
    })
  )
})
