import { spawn } from "node:child_process"
import { existsSync } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { startServer, temporaryFolder } from "../support/Programs.ts"
import { call } from "../support/Wire.ts"

const chromium = "/usr/bin/chromium"
const missing = existsSync(chromium) ? undefined : `there is no ${chromium} (Debian: apt-get install chromium)`
if (missing !== undefined) console.log(`SKIPPED docs.verify.ts: ${missing}`)
const test = missing === undefined ? it.scopedLive : it.scopedLive.skip

const Message = Schema.parseJson(
  Schema.Struct({
    id: Schema.optional(Schema.Int),
    method: Schema.optional(Schema.String),
    params: Schema.optional(Schema.Unknown),
    result: Schema.optional(Schema.Unknown),
    error: Schema.optional(Schema.Unknown)
  })
)
const decode = Schema.decodeUnknownSync(Message)

/** A headless Chromium that is told what to do through a pipe (the Chrome DevTools Protocol). */
const browser = Effect.gen(function* () {
  const profile = yield* temporaryFolder
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(
        chromium,
        [
          "--headless",
          "--no-sandbox",
          "--disable-gpu",
          "--no-first-run",
          "--disable-background-networking",
          "--disable-component-update",
          "--disable-dev-shm-usage",
          "--remote-debugging-pipe",
          "--window-size=1200,1600",
          `--user-data-dir=${join(profile, "profile")}`
        ],
        {
          env: { HOME: profile, PATH: process.env["PATH"] ?? "" },
          stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"]
        }
      )
    ),
    (child) =>
      Effect.async<void>((resume) => {
        child.on("close", () => resume(Effect.void))
        if (!child.kill("SIGKILL")) resume(Effect.void)
      })
  )
  const [, , , to, from] = child.stdio
  const answers = new Map<number, (message: typeof Message.Type) => void>()
  const events: Array<typeof Message.Type> = []
  let text = ""
  if (from instanceof Object && "on" in from) {
    from.on("data", (chunk: Buffer) => {
      const parts = `${text}${chunk.toString("utf8")}`.split("\0")
      text = parts.pop() ?? ""
      for (const message of parts.map((part) => decode(part))) {
        if (message.id === undefined) events.push(message)
        else answers.get(message.id)?.(message)
      }
    })
  }
  let last = 0
  const send = (method: string, params: object = {}, sessionId?: string) =>
    Effect.async<unknown>((resume) => {
      const id = ++last
      answers.set(id, ({ error, result }) =>
        resume(error === undefined ? Effect.succeed(result) : Effect.dieMessage(`${method}: ${JSON.stringify(error)}`))
      )
      if (to instanceof Object && "write" in to) to.write(`${JSON.stringify({ id, method, params, sessionId })}\0`)
    })
  return { send, events }
})

const target = Schema.decodeUnknownSync(Schema.Struct({ targetId: Schema.String }))
const session = Schema.decodeUnknownSync(Schema.Struct({ sessionId: Schema.String }))
const evaluated = Schema.decodeUnknownSync(Schema.Struct({ result: Schema.Struct({ value: Schema.Unknown }) }))
const requested = Schema.decodeUnknownSync(Schema.Struct({ request: Schema.Struct({ url: Schema.String }) }))
const picture = Schema.decodeUnknownSync(Schema.Struct({ data: Schema.String }))

test(
  "the API's page shows every endpoint without another host, and what is tried out there reaches the server",
  () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const { events, send } = yield* browser
      const { targetId } = target(yield* send("Target.createTarget", { url: "about:blank" }))
      const { sessionId } = session(yield* send("Target.attachToTarget", { targetId, flatten: true }))
      const tell = (method: string, params: object = {}) => send(method, params, sessionId)
      const evaluate = (expression: string) =>
        Effect.map(
          tell("Runtime.evaluate", { expression, returnByValue: true }),
          (answer) => evaluated(answer).result.value
        )
      const until = (expression: string) =>
        evaluate(expression).pipe(
          Effect.repeat({ until: (value) => value === true }),
          Effect.timeout("20 seconds"),
          Effect.orDieWith(() => new Error(`never came true: ${expression}`))
        )
      for (const domain of ["Network", "Page", "Runtime", "Log"]) yield* tell(`${domain}.enable`)
      yield* tell("Page.navigate", { url: `${server.url}/docs` })
      yield* until('document.querySelectorAll(".opblock").length > 0')
      const shown = String(yield* evaluate('document.querySelector("#api").innerText'))
      for (const text of [
        "port-server",
        "/healthz",
        "/v1/allocations",
        "/v1/ensure",
        "/v1/server",
        "Allocate a port"
      ]) {
        expect(shown).toContain(text)
      }
      // Try an allocation out, as a person would.
      yield* evaluate('document.querySelector(".opblock-post .opblock-summary-control").click()')
      yield* until('document.querySelector(".try-out__btn") !== null')
      yield* evaluate('document.querySelector(".try-out__btn").click()')
      yield* until('document.querySelector("textarea.body-param__text") !== null')
      yield* evaluate(`{
      const area = document.querySelector("textarea.body-param__text")
      const set = Object.getOwnPropertyDescriptor(HTMLTextAreaElement.prototype, "value").set
      set.call(area, '{"app":"tried","instance":"out","service":"web"}')
      area.dispatchEvent(new Event("change", { bubbles: true }))
    }`)
      yield* until('document.querySelector(".execute") !== null')
      yield* evaluate('document.querySelector(".execute").click()')
      yield* until('document.querySelector(".live-responses-table tbody .response-col_status") !== null')
      expect(
        yield* evaluate('document.querySelector(".live-responses-table tbody .response-col_status").innerText')
      ).toMatch(/^201/)
      expect((yield* call(server.port, "GET", "/v1/allocations")).json).toMatchObject([
        { app: "tried", instance: "out" }
      ])

      const kept = process.env["DOCS_PICTURE"]
      if (kept !== undefined) {
        const { data } = picture(yield* tell("Page.captureScreenshot", { captureBeyondViewport: true }))
        yield* Effect.promise(() => writeFile(kept, Buffer.from(data, "base64")))
      }
      const urls = events
        .filter(({ method }) => method === "Network.requestWillBeSent")
        .map(({ params }) => requested(params).request.url)
        .filter((url) => !url.startsWith("data:"))
      expect(urls.length).toBeGreaterThanOrEqual(5)
      expect(urls.filter((url) => !url.startsWith(`${server.url}/`))).toEqual([])
      // Nothing that the page wants is refused by its own policy.
      const refused = events.filter(({ method }) => method === "Log.entryAdded")
      expect(JSON.stringify(refused)).not.toMatch(/Content Security Policy/)
    }),
  90_000
)
