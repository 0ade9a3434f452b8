import { copyFileSync, mkdirSync, statSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { noChromium, openPage } from "../support/Chromium.ts"
import { noOwnEngine, startOwnEngine } from "../support/Engine.ts"
import { temporaryFolder } from "../support/Programs.ts"
import { scene } from "../support/Scene.ts"

/** Where the picture of the manual is written, by `npm run screenshots`. */
const manual = process.env["SCREENSHOTS"]

describe.skipIf(noChromium !== undefined)("the page at /", () => {
  it.scopedLive("is pictured in both themes, wide and narrow", () =>
    Effect.gen(function* () {
      const folder = process.env["SCREENSHOTS_ALL"] ?? (yield* temporaryFolder)
      for (const path of [folder, manual ?? folder]) mkdirSync(path, { recursive: true })
      const { server } = yield* scene(noOwnEngine === undefined ? yield* startOwnEngine() : undefined)
      for (const colorScheme of ["light", "dark"] as const) {
        for (const width of [1280, 320]) {
          const { page } = yield* openPage(server.url, { colorScheme, viewport: { width, height: 860 } })
          for (const tab of ["ports", "listeners", "history", "server"]) {
            const path = join(folder, `${tab}-${width}-${colorScheme}.png`)
            yield* Effect.promise(async () => {
              await page.locator(`nav a[href="#/${tab}"]`).click()
              await page
                .locator(
                  tab === "ports"
                    ? noOwnEngine === undefined
                      ? ".problems li >> nth=2"
                      : ".problems li >> nth=1"
                    : ".panel"
                )
                .waitFor()
              await page.screenshot({ path, fullPage: true })
            })
            expect(statSync(path).size, path).toBeGreaterThan(5_000)
            if (manual !== undefined && path.endsWith("ports-1280-light.png")) {
              copyFileSync(path, join(manual, "dashboard.png"))
            }
          }
        }
      }
    })
  )
})
