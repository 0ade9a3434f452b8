// What the watcher of `portctl run` costs while the command is at work and nothing is new any more (Linux).
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { setTimeout } from "node:timers/promises"
import { startPortServer } from "./servers.js"

/** @param {string} file */
const read = (file) => {
  try {
    return readFileSync(file, "utf8")
  } catch {
    return ""
  }
}

/** @param {number | undefined} pid */
const watcherOf = (pid) =>
  readdirSync("/proc").find((other) => {
    const [, program = "", watched] = read(`/proc/${other}/cmdline`).split("\0")
    return program.endsWith("portctl-watch.cjs") && watched === String(pid)
  })

/** Processor time of a process, user and system, in ms. @param {string} pid */
const spent = (pid) => {
  const [, rest = ""] = read(`/proc/${pid}/stat`).split(") ")
  const [user = 0, system = 0] = rest.split(" ").slice(11, 13).map(Number)
  return ((user + system) * 1000) / Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }))
}

const listener = 'require("node:net").createServer().listen(process.env.PORT, "127.0.0.1", () => console.log("ready"))'

/** Percent of one processor in each of some periods. @param {number} periods @param {number} seconds of each */
export const watcherLoad = async (periods, seconds) => {
  const server = await startPortServer()
  const folder = mkdtempSync(join(tmpdir(), "port-server-bench-"))
  const env = { ...process.env, PORT_SERVER_ADDR: server.url.replace("http://", "") }
  const command = ["run", "--app", "bench", "--service", "web", "--", process.execPath, "-e", listener]
  const child = spawn(resolve("bin/portctl"), command, { cwd: folder, env, stdio: ["ignore", "pipe", "inherit"] })
  await once(child.stdout, "data")
  const watcher = watcherOf(child.pid)
  if (watcher === undefined) throw new Error("portctl run has started no watcher")
  await setTimeout(15_000)
  /** @type {number[]} */
  const shares = []
  for (let period = 0; period < periods; period++) {
    const before = spent(watcher)
    await setTimeout(seconds * 1000)
    shares.push((spent(watcher) - before) / seconds / 10)
  }
  child.kill()
  await once(child, "exit")
  await server.stop()
  rmSync(folder, { recursive: true })
  return shares
}
