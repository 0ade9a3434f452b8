// Measure every figure of docs/performance.md, both sides in one run, and write them down.
// npm run bench            all of it, a few minutes
// npm run bench -- quick   fewer rounds, for a look; writes nothing
// npm run bench -- load    one part: start, clone, rate, alone, full, memory, list, load, page or watch; or plan
// Two builds against each other: bench/compare.js.
import { writeFileSync } from "node:fs"
import { cpus } from "node:os"
import { fileURLToPath } from "node:url"
import { alone } from "./alone.js"
import { allocate, allocation, fill, rate } from "./load.js"
import { overload } from "./overload.js"
import { pageReadiness } from "./page.js"
import { memory, startBare, startPortServer } from "./servers.js"
import { cloneToPort, composePlan, startup } from "./startup.js"
import { watcherLoad } from "./watch.js"

process.chdir(fileURLToPath(new URL("..", import.meta.url)))

const quick = process.argv.includes("quick")
const only = process.argv.slice(2).filter((argument) => argument !== "quick")
const rounds = quick ? 3 : 7
const starts = quick ? 9 : 31
const seconds = quick ? 2 : 5

/** @param {number[]} values @param {number} share */
const quantile = (values, share) => [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * share)] ?? 0

/** Median, with the quartiles. @param {number[]} values */
const summary = (values) => ({
  median: quantile(values, 0.5),
  low: quantile(values, 0.25),
  high: quantile(values, 0.75)
})

/**
 * @typedef {object} Figure
 * @property {string} name
 * @property {string} goal
 * @property {string} unit of `measured` and `yardstick`
 * @property {ReturnType<typeof summary>} measured
 * @property {ReturnType<typeof summary>} [yardstick]
 * @property {ReturnType<typeof summary>} [ratio] measured over yardstick, round by round
 * @property {string} [note]
 */

/** @type {Figure[]} */
const figures = []

/** @param {Omit<Figure, "measured" | "yardstick" | "ratio">} figure @param {number[]} measured @param {number[]} [yardstick] */
const record = (figure, measured, yardstick) => {
  const ratio = yardstick?.map((value, round) => (measured[round] ?? 0) / value)
  figures.push({
    ...figure,
    measured: summary(measured),
    ...(yardstick && ratio && { yardstick: summary(yardstick), ratio: summary(ratio) })
  })
}

/** @param {string} part */
const wanted = (part) => only.length === 0 || only.includes(part)

if (wanted("start")) {
  const { allocate, getPort, health, list, node, portless, ready } = await startup(starts)
  const unit = "ms"
  record({ name: "`portctl health`, whole process, over `node -e 0`", goal: "≤ 2.6", unit }, health, node)
  record({ name: "`portctl list`, whole process, over `portless list`", goal: "≤ 0.85", unit }, list, portless)
  record({ name: "`portctl allocate`, whole process, over `get-port`", goal: "", unit }, allocate, getPort)
  record({ name: "`port-server`, spawn to first healthy response, over `node -e 0`", goal: "≤ 4.5", unit }, ready, node)
}

// It needs the program docker.
if (only.includes("plan")) {
  const { parts, plan } = await composePlan(starts)
  const name = "`portctl compose plan`, over `docker compose config` and `portctl health`"
  record({ name, goal: "30 ms more", unit: "ms" }, plan, parts)
}

if (wanted("clone")) {
  /** @type {number[]} */
  const times = []
  for (let round = 0; round < (quick ? 1 : 3); round++) times.push(await cloneToPort())
  record(
    { name: "`git clone` to first port: `npm ci`, build, start; npm's cache warm", goal: "≤ 40", unit: "s" },
    times
  )
}

if (wanted("rate")) {
  /** @type {number[]} */
  const bareRates = []
  /** @type {number[]} */
  const checkRates = []
  /** @type {number[]} */
  const allocateRates = []
  let refused = 0
  for (let round = 0; round < rounds; round++) {
    const bare = await startBare()
    await rate(`${bare.url}/`, { duration: 1 })
    bareRates.push((await rate(`${bare.url}/`, { duration: seconds })).rate)
    await bare.stop()

    const server = await startPortServer()
    await fill(server.url, 1)
    const path = `${server.url}/v1/ports/1024`
    await rate(path, { duration: 1 })
    await fill(server.url, 4_000)
    checkRates.push((await rate(path, { duration: seconds })).rate)
    const allocations = await rate(`${server.url}/v1/allocations`, { ...allocate, duration: seconds })
    allocateRates.push(allocations.rate)
    refused += allocations.refused
    await server.stop()
  }
  record(
    { name: "`GET /v1/ports/{port}`, 32 connections, over bare `node:http`", goal: "≥ 0.14", unit: "requests/s" },
    checkRates,
    bareRates
  )
  record(
    {
      name: "durable `POST /v1/allocations` (auto), 32 connections, over bare `node:http`",
      goal: "≥ 0.08",
      unit: "requests/s",
      note: `${refused} refused`
    },
    allocateRates,
    bareRates
  )
}

if (wanted("alone")) {
  const measured = []
  for (let round = 0; round < rounds; round++) measured.push(await alone(quick ? 100 : 500))
  const waits = quantile(
    measured.map(({ disk }) => disk),
    0.5
  )
  record(
    {
      name: "one durable allocation of a client alone, over its `GET /healthz`",
      goal: "≤ 2.5",
      unit: "ms",
      note: `of which the disk takes ${waits.toPrecision(3)} ms`
    },
    measured.map(({ allocate }) => allocate),
    measured.map(({ health }) => health)
  )
}

/** Mean time of one allocation at a time, in ms. @param {string} url */
const oneByOne = async (url) => {
  const start = performance.now()
  const count = quick ? 100 : 300
  for (let index = 0; index < count; index++) {
    const answer = await fetch(`${url}/v1/allocations`, { method: "POST", body: allocation })
    await answer.text()
    if (answer.status !== 201) throw new Error(`status ${answer.status}`)
  }
  return (performance.now() - start) / count
}

if (wanted("full")) {
  // Below the ports that the system gives to the connections of this benchmark: an allocation tries each of those in its
  // range again.
  const [first, last] = [1024, 32_767]
  // Room for what is allocated then, and for the ports that other programs hold.
  const full = last - first + 1 - 1_000
  // One process, filled and emptied by turns, so that both sides are equally warm.
  const server = await startPortServer(".", `${first}-${last}`)
  /** @type {number[]} */
  const emptyTimes = []
  /** @type {number[]} */
  const fullTimes = []
  for (let round = 0; round < Math.min(rounds, 5); round++) {
    await fill(server.url, full)
    fullTimes.push(await oneByOne(server.url))
    await fetch(`${server.url}/v1/allocations`, { method: "DELETE", body: JSON.stringify({ app: "bench" }) })
    emptyTimes.push(await oneByOne(server.url))
    await fetch(`${server.url}/v1/allocations`, { method: "DELETE", body: JSON.stringify({ app: "bench" }) })
  }
  await server.stop()
  record(
    { name: "one allocation at a time, range 97 % full, over an empty one", goal: "≤ 1.4", unit: "ms" },
    fullTimes,
    emptyTimes
  )
}

if (wanted("memory")) {
  /** @type {number[]} */
  const bareMemory = []
  /** @type {number[]} */
  const serverMemory = []
  for (let round = 0; round < rounds; round++) {
    const [bare, server] = [await startBare(), await startPortServer()]
    for (const { url } of [bare, server]) await (await fetch(`${url}/healthz`)).text()
    bareMemory.push(memory(bare.pid))
    serverMemory.push(memory(server.pid))
    await Promise.all([bare.stop(), server.stop()])
  }
  record(
    { name: "idle memory of `port-server` over bare `node:http`", goal: "≤ 1.8", unit: "MiB" },
    serverMemory,
    bareMemory
  )
}

if (wanted("list")) {
  const server = await startPortServer()
  await fill(server.url, 60_000)
  /** @type {number[]} */
  const worst = []
  /** @type {number[]} */
  const lists = []
  for (let round = 0; round < rounds; round++) {
    let listing = true
    const start = performance.now()
    const list = fetch(`${server.url}/v1/allocations`)
      .then((answer) => answer.text())
      .then((text) => {
        lists.push(performance.now() - start)
        listing = false
        return text.length
      })
    let longest = 0
    while (listing) {
      const asked = performance.now()
      await (await fetch(`${server.url}/healthz`)).text()
      longest = Math.max(longest, performance.now() - asked)
    }
    await list
    worst.push(longest)
  }
  await server.stop()
  record(
    { name: "longest wait of another request while 60,000 allocations are listed", goal: "≤ 50", unit: "ms" },
    worst
  )
  record({ name: "`GET /v1/allocations` of 60,000 allocations", goal: "", unit: "ms" }, lists)
}

if (wanted("load")) {
  for await (const { name, seconds, health, allocate, memory } of overload()) {
    const goal = "≤ 250"
    const note = "99th percentile"
    const [forHealth, forAllocation] = [quantile(health, 0.99), quantile(allocate, 0.99)].map(Math.round)
    console.log(
      `${name}, ${seconds.toFixed(1)} s: health ${forHealth} ms, one allocation ${forAllocation} ms, memory ${memory.toFixed(2)} times idle`
    )
    record({ name: `\`GET /healthz\` during ${name}`, goal, unit: "ms", note }, [quantile(health, 0.99)])
    record({ name: `one allocation during ${name}`, goal, unit: "ms", note }, [quantile(allocate, 0.99)])
    record({ name: `memory after ${name}, over idle`, goal: "≤ 1.3", unit: "times" }, [memory])
  }
}

const number = (/** @type {number} */ value) =>
  value >= 1000 ? Math.round(value).toLocaleString("en-US") : value.toPrecision(3)

if (wanted("page")) {
  for (const ports of [20, 1000]) {
    const times = await pageReadiness(ports, rounds)
    const name = `the page at / with ${ports} ports, first byte until they can be seen in Chromium`
    if (times.length > 0) record({ name, goal: "≤ 300", unit: "ms" }, times)
  }
}

if (wanted("watch") && process.platform === "linux") {
  const name = "the watcher of `portctl run`, percent of one processor"
  record({ name, goal: "≤ 0.5", unit: "%" }, await watcherLoad(quick ? 1 : 3, quick ? 10 : 20))
}

const spread = (/** @type {ReturnType<typeof summary>} */ { median, low, high }) =>
  `${number(median)} (${number(low)}–${number(high)})`

const table = [
  "| figure | goal | ratio | measured | yardstick |",
  "|---|---|---|---|---|",
  ...figures.map(
    ({ name, goal, unit, measured, yardstick, ratio, note }) =>
      `| ${name}${note === undefined ? "" : `, ${note}`} | ${goal} | ${ratio ? spread(ratio) : ""} | ${spread(measured)} ${unit} | ${
        yardstick ? `${spread(yardstick)} ${unit}` : ""
      } |`
  )
].join("\n")
console.log(table)

if (!quick && only.length === 0) {
  const machine = {
    date: new Date().toISOString().slice(0, 10),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    processor: cpus()[0]?.model ?? "unknown",
    cores: cpus().length
  }
  writeFileSync("bench/results.json", `${JSON.stringify({ machine, figures }, undefined, 2)}\n`)
  writeFileSync(
    "bench/RESULTS.md",
    `# Results of the benchmark

${machine.date}, Node ${machine.node} on ${machine.platform}, ${machine.cores} cores of ${machine.processor}. Medians, with the
quartiles in brackets; a ratio is taken round by round, both sides right after each other.

${table}

To repeat: \`npm run bench\` on a machine that does nothing else. Load comes from autocannon in a process of its own and
shares the cores with the server; databases are fresh files in the system's temporary folder.
`
  )
}
