import { existsSync } from "node:fs"
import { afterAll } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"

const executablePath = "/usr/bin/chromium"

/** Why there is no browser here, if there is none. */
export const noChromium: string | undefined = existsSync(executablePath)
  ? undefined
  : `there is no ${executablePath} (Debian: apt-get install chromium)`

let browser: Promise<Browser> | undefined

/** The browser of a file's tests; each page has a profile of its own. */
const launched = (): Promise<Browser> => {
  const args = ["--no-sandbox", "--disable-dev-shm-usage", "--host-resolver-rules=MAP *.test 127.0.0.1"]
  browser ??= chromium.launch({ executablePath, args })
  return browser
}

afterAll(async () => {
  await (await browser)?.close()
  browser = undefined
})

/** A page in a browser, and what went wrong in it: errors of scripts, violations of its policy. */
export interface OpenPage {
  readonly page: Page
  readonly errors: ReadonlyArray<string>
}

/** Open an address in a browser of the test's own. */
export const openPage = (
  url: string,
  options: BrowserContextOptions = {}
): Effect.Effect<OpenPage, never, Scope.Scope> =>
  Effect.gen(function* () {
    const context = yield* Effect.acquireRelease(
      Effect.promise(async () => (await launched()).newContext(options)),
      (context) => Effect.promise(() => context.close())
    )
    const page = yield* Effect.promise(async () => {
      await context.grantPermissions(["clipboard-read", "clipboard-write"])
      return await context.newPage()
    })
    // A machine that does other work takes several times as long.
    page.setDefaultTimeout(60_000)
    const errors: Array<string> = []
    page.on("pageerror", (error) => errors.push(String(error)))
    page.on("console", (message) => {
      if (message.type() === "error") errors.push(message.text())
    })
    yield* Effect.promise(() => page.goto(url))
    return { page, errors }
  })
