// How long the page at / takes in Chromium from its first byte until its ports can be seen.
import { existsSync } from "node:fs"
import { chromium } from "playwright-core"
import { startPortServer } from "./servers.js"

const executablePath = "/usr/bin/chromium"

/** Runs in the browser before the page: notes when the first port is there. */
const content = `
  const seen = new MutationObserver(() => {
    if (document.querySelector("[id^='port-']") === null) return
    seen.disconnect()
    const [{ responseStart }] = performance.getEntriesByType("navigation")
    document.documentElement.dataset.readyIn = performance.now() - responseStart
  })
  seen.observe(document, { childList: true, subtree: true })`

/** Times in ms; nothing where there is no Chromium. @param {number} ports @param {number} rounds */
export const pageReadiness = async (ports, rounds) => {
  if (!existsSync(executablePath)) return []
  const server = await startPortServer()
  const allocations = Array.from({ length: ports }, (_, index) => ({
    app: `app-${index % 7}`,
    instance: "main",
    service: `service-${index}`,
    port: 10_000 + index
  }))
  const body = JSON.stringify({ version: 1, allocations })
  await fetch(`${server.url}/v1/import`, { method: "POST", body })
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] })
  /** @type {number[]} */
  const times = []
  for (let round = 0; round <= rounds; round++) {
    const page = await browser.newPage()
    await page.addInitScript({ content })
    await page.goto(server.url)
    const ready = page.locator("html[data-ready-in]")
    await ready.waitFor()
    const time = Number(await ready.getAttribute("data-ready-in"))
    // The first one starts the renderer, too.
    if (round > 0) times.push(time)
    await page.close()
  }
  await browser.close()
  await server.stop()
  return times
}
