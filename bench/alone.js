// What one client waits that asks alone, over one connection: for the health, and for a durable allocation.
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs"
import { Agent, request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { allocation } from "./load.js"
import { startPortServer } from "./servers.js"

/** @param {number[]} values */
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

/** Median time in which the disk takes what an allocation writes, in ms. @param {number} count */
const disk = (count) => {
  const folder = mkdtempSync(join(tmpdir(), "port-server-bench-"))
  const file = openSync(join(folder, "file"), "w")
  const pages = Buffer.alloc(5 * 4096)
  const times = Array.from({ length: count }, () => {
    const begin = performance.now()
    writeSync(file, pages)
    fsyncSync(file)
    return performance.now() - begin
  })
  closeSync(file)
  rmSync(folder, { recursive: true })
  return median(times)
}

/**
 * Medians in ms, of requests by turns.
 *
 * @param {number} count
 */
export const alone = async (count) => {
  const server = await startPortServer()
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  /** @param {string} path @param {string} [body] @returns {Promise<number>} */
  const wait = (path, body) =>
    new Promise((resolve, reject) => {
      const begin = performance.now()
      const method = body === undefined ? "GET" : "POST"
      const headers = body === undefined ? {} : { "content-length": Buffer.byteLength(body) }
      const asked = request(`${server.url}${path}`, { method, agent, headers }, (response) => {
        response.resume().on("end", () => {
          if ((response.statusCode ?? 0) < 300) resolve(performance.now() - begin)
          else reject(new Error(`${path}: status ${response.statusCode}`))
        })
      })
      asked.on("error", reject)
      asked.end(body)
    })
  /** @type {number[]} */
  const health = []
  /** @type {number[]} */
  const allocate = []
  // As many first, to warm up.
  for (let index = 0; index < 2 * count; index++) {
    const waited = [await wait("/healthz"), await wait("/v1/allocations", allocation)]
    if (index < count) continue
    health.push(waited[0] ?? 0)
    allocate.push(waited[1] ?? 0)
  }
  agent.destroy()
  await server.stop()
  return { health: median(health), allocate: median(allocate), disk: disk(count) }
}
