// What one client can do to the others: each scenario goes on while another process asks for the health and allocates.
import { spawn } from "node:child_process"
import { once } from "node:events"
import { request } from "node:http"
import { connect } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import { memory, startPortServer } from "./servers.js"

/** How long unread connections stay open, in ms. */
const unreadFor = 8_000

/** How long the process may take to give memory back, and how long it must stay the same to count as idle, in ms. */
const settleFor = 20_000
const idleFor = 3_000

/**
 * Status of the response, read to its end.
 *
 * @param {string} url @param {string} [body]
 * @returns {Promise<number>}
 */
const ask = (url, body) =>
  new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { "content-length": Buffer.byteLength(body) }
    const asked = request(url, { method: body === undefined ? "GET" : "POST", agent: false, headers }, (response) => {
      response.resume().on("end", () => resolve(response.statusCode ?? 0))
      response.on("error", reject)
    })
    asked.on("error", reject)
    asked.end(body)
  })

/** Connections that send something and never read. @param {string} url @param {number} count @param {string} bytes */
const unread = async (url, count, bytes) => {
  const sockets = Array.from({ length: count }, () => {
    const socket = connect({ port: Number(new URL(url).port), host: "127.0.0.1" })
    socket.pause().on("error", () => {})
    socket.write(bytes)
    return socket
  })
  await sleep(unreadFor)
  for (const socket of sockets) socket.destroy()
}

/** @param {number} count @param {string} app */
const backup = (count, app) =>
  JSON.stringify({
    version: 1,
    allocations: Array.from({ length: count }, (_, index) => ({
      app,
      instance: "main-instance-of-it",
      service: `service-number-${index}-of-those-that-are-there`,
      port: 5_000 + index,
      created_at: "2025-02-08T15:04:05Z"
    }))
  })

/** @param {string} url @param {number} count */
const fillByImport = async (url, count) => {
  const { allocations } = JSON.parse(backup(count, "bench"))
  for (let from = 0; from < count; from += 20_000) {
    const body = JSON.stringify({ version: 1, allocations: allocations.slice(from, from + 20_000) })
    const status = await ask(`${url}/v1/import`, body)
    if (status !== 200) throw new Error(`import: status ${status}`)
  }
}

const get = (/** @type {string} */ path) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`

/** @param {number} count @param {(index: number) => Promise<number>} each */
const together = async (count, each) => {
  const statuses = await Promise.all(Array.from({ length: count }, (_, index) => each(index)))
  const wrong = statuses.filter((status) => ![200, 409, 503].includes(status))
  if (wrong.length > 0) throw new Error(`statuses ${wrong}`)
}

/** @type {ReadonlyArray<{ name: string, rows: number, run: (url: string) => Promise<void> }>} */
const scenarios = [
  {
    name: "3,000 pipelined downloads of a connection that does not read",
    rows: 0,
    run: (url) => unread(url, 1, get("/docs/swagger-ui.js").repeat(3_000))
  },
  {
    name: "150 lists of 60,000 allocations",
    rows: 60_000,
    run: (url) => together(150, () => ask(`${url}/v1/allocations`))
  },
  {
    name: "300 lists of 7,000 allocations that nobody reads",
    rows: 7_000,
    run: (url) => unread(url, 300, get("/v1/allocations"))
  },
  {
    name: "ten imports of 3.5 MB",
    rows: 0,
    run: (url) => together(10, (index) => ask(`${url}/v1/import`, backup(23_000, `app-${index}`)))
  },
  {
    name: "40 ensures of 256 services",
    rows: 0,
    run: (url) =>
      together(40, (index) => {
        const services = Array.from({ length: 256 }, (_, number) => ({ service: `service-${number}` }))
        return ask(`${url}/v1/ensure`, JSON.stringify({ app: `app-${index}`, instance: "main", services }))
      })
  }
]

/** Waits of another client until `stop`, in ms, by what it asked for. @param {string} url */
const startProbe = (url) => {
  const probe = spawn(process.execPath, [fileURLToPath(new URL("probe.js", import.meta.url)), url], {
    stdio: ["pipe", "pipe", "inherit"]
  })
  const closed = once(probe, "close")
  let output = ""
  probe.stdout.on("data", (chunk) => {
    output += chunk
  })
  return {
    /** @returns {Promise<{ health: number[], allocate: number[] }>} */
    stop: async () => {
      probe.stdin.end()
      await closed
      return JSON.parse(output)
    }
  }
}

/** Memory once it has stayed the same for a while, within a MiB. @param {number} pid */
const idleMemory = async (pid) => {
  let last = memory(pid)
  for (let since = performance.now(); performance.now() - since < idleFor; await sleep(500)) {
    const now = memory(pid)
    if (Math.abs(now - last) > 1) since = performance.now()
    last = now
  }
  return last
}

/** Memory once it is as wanted, or after the time that it has for that. @param {number} pid @param {number} wanted */
const settled = async (pid, wanted) => {
  const end = performance.now() + settleFor
  while (memory(pid) > wanted && performance.now() < end) await sleep(500)
  return memory(pid)
}

/**
 * Run each scenario; what another client waits, and how much of its idle memory the server has left afterwards.
 *
 * @returns {AsyncGenerator<{ name: string, seconds: number, health: number[], allocate: number[], memory: number }>}
 */
export async function* overload() {
  for (const { name, rows, run } of scenarios) {
    const server = await startPortServer()
    await fillByImport(server.url, rows)
    const idle = await idleMemory(server.pid)
    const probe = startProbe(server.url)
    await sleep(500)
    const begin = performance.now()
    await run(server.url)
    const seconds = (performance.now() - begin) / 1000
    const waits = await probe.stop()
    yield { name, seconds, ...waits, memory: (await settled(server.pid, idle * 1.3)) / idle }
    await server.stop()
  }
}
