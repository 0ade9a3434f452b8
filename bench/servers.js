// Servers to measure, each a process of its own on a free port.
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"

/**
 * @typedef {object} Measured
 * @property {number} pid
 * @property {string} url
 * @property {() => Promise<void>} stop ends the process and waits until it has ended
 */

/** @param {string} command @param {string[]} args @returns {Promise<Measured>} */
const start = async (command, args) => {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] })
  const [line] = await once(createInterface(child.stdout), "line")
  const url = /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0] ?? ""
  return {
    pid: child.pid ?? 0,
    url,
    stop: async () => {
      if (child.exitCode !== null) return
      child.kill("SIGTERM")
      await once(child, "exit")
    }
  }
}

export const startBare = () => start(process.execPath, [fileURLToPath(new URL("bare.js", import.meta.url))])

/** Widest range that a user without privileges has. */
const widestRange = "1024-65535"

/**
 * A port-server with an empty database of its own.
 *
 * @param {string} checkout the folder of the build
 * @param {string} range the ports that it hands out
 */
export const startPortServer = async (checkout = ".", range = widestRange) => {
  const folder = mkdtempSync(join(tmpdir(), "port-server-bench-"))
  const server = await start(join(checkout, "bin/port-server"), [
    "--port",
    "0",
    "--db",
    join(folder, "ports.db"),
    "--range",
    range
  ])
  return {
    ...server,
    stop: async () => {
      await server.stop()
      rmSync(folder, { recursive: true })
    }
  }
}

/** Resident memory of a process, in MiB (Linux). @param {number} pid */
export const memory = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024
