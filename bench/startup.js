// How long a command takes as a whole process, and a server until it responds, beside Node itself and beside peers.
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { installPeers } from "./peers.js"
import { startPortServer } from "./servers.js"

// Node starts several times slower where it has certificates to read.
const { NODE_EXTRA_CA_CERTS: _, ...environment } = process.env

/** Whole life of a process, in ms. @param {string} command @param {string[]} args @param {NodeJS.ProcessEnv} env @param {string} [cwd] */
const life = async (command, args, env, cwd) => {
  const start = performance.now()
  const child = spawn(command, args, { stdio: "ignore", env, ...(cwd && { cwd }) })
  const [code] = await once(child, "exit")
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} exited with ${code}`)
  return performance.now() - start
}

/** From the spawn of a port-server to its first healthy response, in ms. */
const readiness = async () => {
  const folder = mkdtempSync(join(tmpdir(), "port-server-bench-"))
  const start = performance.now()
  const child = spawn("bin/port-server", ["--port", "0", "--db", join(folder, "ports.db")], {
    stdio: ["ignore", "pipe", "inherit"],
    env: environment
  })
  const [chunk] = await once(child.stdout, "data")
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(String(chunk))?.[0]
  const answer = await fetch(`${url}/healthz`)
  await answer.text()
  const time = performance.now() - start
  child.kill("SIGTERM")
  await once(child, "exit")
  rmSync(folder, { recursive: true })
  return time
}

/** Times in ms, round by round; `allocate` against a server that has as many allocations as rounds. @param {number} rounds */
export const startup = async (rounds) => {
  const server = await startPortServer()
  const peers = installPeers()
  const env = { ...environment, PORT_SERVER_ADDR: server.url.replace("http://", "") }
  const peer = { ...environment, HOME: peers.home }
  const times = {
    node: /** @type {number[]} */ ([]),
    health: /** @type {number[]} */ ([]),
    ready: /** @type {number[]} */ ([]),
    list: /** @type {number[]} */ ([]),
    portless: /** @type {number[]} */ ([]),
    allocate: /** @type {number[]} */ ([]),
    getPort: /** @type {number[]} */ ([])
  }
  try {
    for (let round = 0; round < rounds; round++) {
      times.node.push(await life(process.execPath, ["-e", "0"], env))
      times.health.push(await life("bin/portctl", ["health"], env))
      times.ready.push(await readiness())
      times.list.push(await life("bin/portctl", ["list"], env))
      times.portless.push(await life(process.execPath, [peers.portless, "list"], peer))
      const allocate = ["allocate", "--quiet", "--app", "bench", "--instance", "main", "--service", `service-${round}`]
      times.allocate.push(await life("bin/portctl", allocate, env))
      times.getPort.push(await life(process.execPath, [peers.getPort], peer))
    }
  } finally {
    await server.stop()
    peers.remove()
  }
  return times
}

const composeFile = `services:
  db: { image: postgres, ports: ["5432:5432"] }
  web: { image: nginx, ports: ["8080:80"] }
`

/**
 * Times in ms, round by round: of a plan of two ports, and of the processes of which it is at most 30 ms more together.
 *
 * @param {number} rounds
 */
export const composePlan = async (rounds) => {
  const server = await startPortServer()
  const folder = mkdtempSync(join(tmpdir(), "port-server-bench-"))
  execFileSync("git", ["init", "--quiet"], { cwd: folder })
  writeFileSync(join(folder, "compose.yaml"), composeFile)
  const env = {
    ...environment,
    HOME: folder,
    DOCKER_CONFIG: execFileSync("sh", ["tools/engine/fetch-compose"], { encoding: "utf8" }).trim(),
    PORT_SERVER_ADDR: server.url.replace("http://", "")
  }
  const portctl = resolve("bin/portctl")
  /** @type {number[]} */
  const plan = []
  /** @type {number[]} */
  const parts = []
  // The first ones find out which Compose there is.
  for (let round = -2; round < rounds; round++) {
    const config = await life("docker", ["compose", "config", "--format", "json"], env, folder)
    const health = await life(portctl, ["health"], env, folder)
    const time = await life(portctl, ["compose", "plan"], env, folder)
    if (round < 0) continue
    plan.push(time)
    parts.push(config + health)
  }
  await server.stop()
  rmSync(folder, { recursive: true })
  return { plan, parts }
}

const freePort = async () => {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  server.close()
  await once(server, "close")
  return address !== null && typeof address === "object" ? address.port : 0
}

/** From `git clone` of the last commit to the first port, in seconds; npm's cache has what this checkout has. */
export const cloneToPort = async () => {
  const folder = mkdtempSync(join(tmpdir(), "port-server-clone-"))
  const clone = join(folder, "clone")
  const env = {
    ...process.env,
    PATH: `${dirname(process.execPath)}:${process.env["PATH"]}`,
    HOME: folder,
    PORT_SERVER_ADDR: `127.0.0.1:${await freePort()}`,
    npm_config_cache: execFileSync("npm", ["config", "get", "cache"], { encoding: "utf8" }).trim(),
    npm_config_prefer_offline: "true"
  }
  /** @param {string} command @param {string[]} args @param {string} [cwd] */
  const run = (command, args, cwd = clone) =>
    execFileSync(command, args, { cwd, env, stdio: ["ignore", "ignore", "inherit"] })
  try {
    const start = performance.now()
    run("git", ["clone", "--quiet", process.cwd(), clone], folder)
    run("npm", ["ci"])
    run("npm", ["run", "build"])
    run("bin/portctl", ["ensure", "--service", "web"])
    const time = (performance.now() - start) / 1000
    run("bin/portctl", ["stop"])
    return time
  } finally {
    rmSync(folder, { recursive: true })
  }
}
