// Compare this build with that of another checkout, by turns: sh tools/on-node node bench/compare.js FOLDER [ROUNDS]
// Besides the rates, the requests per second of the server's processor time, which the load of the machine hardly changes.
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { allocate, rate } from "./load.js"
import { startPortServer } from "./servers.js"

const [, , folder, rounds = "7"] = process.argv
if (folder === undefined) throw new Error("which checkout? node bench/compare.js FOLDER")

/** @typedef {{ rate: number, perCpu: number }} Result */

/** User and system time of a process, in s (Linux). @param {number} pid */
const cpuTime = (pid) => {
  const fields = readFileSync(`/proc/${pid}/stat`, "latin1")
    .replace(/^.*\) /s, "")
    .split(" ")
  return (Number(fields[11]) + Number(fields[12])) / 100
}

/** @type {Readonly<Record<string, readonly [path: string, options?: object]>>} */
const kinds = {
  "a held port": ["/v1/ports/1024"],
  "a free port": ["/v1/ports/64000"],
  listeners: ["/v1/listeners"],
  "durable allocations": ["/v1/allocations", allocate]
}

/** @param {import("./servers.js").Measured} server @param {string} kind @param {number} seconds @returns {Promise<Result>} */
const measure = async (server, kind, seconds) => {
  const [path = "", options = {}] = kinds[kind] ?? []
  const before = cpuTime(server.pid)
  const begun = performance.now()
  const found = await rate(`${server.url}${path}`, { ...options, duration: seconds })
  const elapsed = (performance.now() - begun) / 1000
  return { rate: found.rate, perCpu: (found.rate * elapsed) / (cpuTime(server.pid) - before) }
}

/** Median, with the quartiles. @param {number[]} values */
const summary = (values) => {
  const sorted = [...values].sort((a, b) => a - b)
  const [median, low, high] = [0.5, 0.25, 0.75].map((q) =>
    (sorted[Math.floor((sorted.length - 1) * q)] ?? 0).toFixed(2)
  )
  return `${median} (${low}–${high})`
}

/** @type {Map<string, { rate: number[], perCpu: number[] }>} */
const ratios = new Map(Object.keys(kinds).map((kind) => [kind, { rate: [], perCpu: [] }]))
for (let round = 0; round < Number(rounds); round++) {
  // New processes each time: two of one build differ by a tenth and more.
  const own = await startPortServer()
  const other = await startPortServer(resolve(folder))
  // The first allocations hold port 1024.
  for (const { url } of [own, other]) await rate(`${url}/v1/allocations`, { ...allocate, amount: 32 })
  for (const [kind, found] of ratios) {
    const isOwnFirst = round % 2 === 0
    const order = isOwnFirst ? [own, other] : [other, own]
    for (const server of order) await measure(server, kind, 1)
    /** @type {Result[]} */
    const results = []
    for (const server of order) results.push(await measure(server, kind, 2))
    const [ours, theirs] = isOwnFirst ? results : results.reverse()
    if (ours === undefined || theirs === undefined) continue
    found.rate.push(theirs.rate / ours.rate)
    found.perCpu.push(theirs.perCpu / ours.perCpu)
  }
  await Promise.all([own.stop(), other.stop()])
}
for (const [kind, found] of ratios) {
  console.log(`${kind}: ${summary(found.rate)} of this build's rate, ${summary(found.perCpu)} per processor second`)
}
