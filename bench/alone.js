// What one client waits that asks alone, over one connection: for the health, and for a durable allocation.
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs"
import { Agent, request } from "node:http"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { allocation } from "./load.js"
import { startPortServer } from "./servers.js"

/** @param {number[]} values */
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

/** A file that takes what an allocation writes, and the time in ms for which that is waited each time. */
const makeDisk = () => {
  const folder = mkdtempSync(join(tmpdir(), "port-server-bench-"))
  const file = openSync(join(folder, "file"), "w")
  const pages = Buffer.alloc(5 * 4096)
  return {
    write: () => {
      const begin = performance.now()
      writeSync(file, pages)
      fsyncSync(file)
      return performance.now() - begin
    },
    close: () => {
      closeSync(file)
      rmSync(folder, { recursive: true })
    }
  }
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
  /** @type {number[]} */
  const written = []
  const disk = makeDisk()
  // As many first, to warm up. The disk by turns with the others: one that has just written is quicker.
  for (let index = 0; index < 2 * count; index++) {
    const waited = [await wait("/healthz"), await wait("/v1/allocations", allocation)]
    if (index < count) continue
    health.push(waited[0] ?? 0)
    allocate.push(waited[1] ?? 0)
    written.push(disk.write())
  }
  agent.destroy()
  disk.close()
  await server.stop()
  return { health: median(health), allocate: median(allocate), disk: median(written) }
}
