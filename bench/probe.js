// A client of its own: asks for the health and allocates, by turns, until its standard input ends; prints what it waited.
import { request } from "node:http"
import { setTimeout as sleep } from "node:timers/promises"
import { allocation } from "./load.js"

const [url = ""] = process.argv.slice(2)
let isOver = false
process.stdin.resume().on("end", () => {
  isOver = true
})

/** @param {string} path @param {string} [body] @returns {Promise<number>} */
const wait = (path, body) =>
  new Promise((resolve, reject) => {
    const begin = performance.now()
    const headers = body === undefined ? {} : { "content-length": Buffer.byteLength(body) }
    const method = body === undefined ? "GET" : "POST"
    const asked = request(`${url}${path}`, { method, agent: false, headers }, (response) => {
      response.resume().on("end", () => {
        const status = response.statusCode ?? 0
        if (status < 300) resolve(performance.now() - begin)
        else reject(new Error(`${path}: status ${status}`))
      })
    })
    asked.on("error", reject)
    asked.end(body)
  })

/** @type {{ health: number[], allocate: number[] }} */
const waits = { health: [], allocate: [] }
const ask = async (/** @type {number[]} */ times, /** @type {() => Promise<number>} */ once) => {
  while (!isOver) {
    times.push(await once())
    await sleep(10)
  }
}
await Promise.all([
  ask(waits.health, () => wait("/healthz")),
  ask(waits.allocate, () => wait("/v1/allocations", allocation))
])
console.log(JSON.stringify(waits))
