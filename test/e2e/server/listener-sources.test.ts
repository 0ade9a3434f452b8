import { symlink } from "node:fs/promises"
import { userInfo } from "node:os"
import { join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { created } from "../../support/Api.ts"
import { leaveDescriptors, noDescriptorLimits, restoreDescriptors } from "../../support/Descriptors.ts"
import { noFaultInjection, startFaulty } from "../../support/FaultInjection.ts"
import { freePorts, listen, listeningProgram } from "../../support/Listening.ts"
import { portctl, temporaryFolder } from "../../support/Programs.ts"
import { call, callOnOneConnection } from "../../support/Wire.ts"

const missing = noFaultInjection ?? noDescriptorLimits
const suffix = missing === undefined ? "" : ` (skipped: ${missing})`
const test = missing === undefined ? it.scopedLive : it.scopedLive.skip

const owner = { app: "myapp", instance: "dev", service: "web" }
const user = userInfo().username

/** A PATH with nothing but what starts a program. */
const smallPath = Effect.tap(temporaryFolder, (folder) =>
  Effect.promise(async () => {
    await symlink(process.execPath, join(folder, "node"))
    await symlink("/usr/bin/env", join(folder, "env"))
  })
)

test(`binding is the source of a machine without tables and lsof, and a bind that cannot be tried proves nothing${suffix}`, () =>
  Effect.gen(function* () {
    const first = yield* freePorts(3)
    const fault = { path: "/proc/net/tcp", error: "ENOENT" }
    const server = yield* startFaulty(fault, ["--range", `${first}-${first + 2}`], { PATH: yield* smallPath })
    yield* listen("127.0.0.1", first)
    const ask = yield* callOnOneConnection
    expect((yield* ask(server.port, "GET", "/v1/listeners")).json).toEqual([
      { port: first, addresses: [], listener: {}, listeners: [{ protocol: "tcp", state: "bound" }] }
    ])
    yield* leaveDescriptors(server.pid, 0)
    const error = `what listens on this machine's ports cannot be read: port ${first} cannot be tried: too many open files (EMFILE)`
    for (const [method, path, body] of [
      ["POST", "/v1/allocations", owner],
      ["GET", "/v1/listeners", undefined]
    ] as const) {
      const { json, status } = yield* ask(server.port, method, path, body)
      expect({ status, json }).toEqual({ status: 503, json: { error, unavailable: "listeners" } })
    }
    expect((yield* ask(server.port, "GET", `/v1/ports/${first}`)).json).toEqual({
      port: first,
      available: true,
      listener_error: error
    })
    yield* restoreDescriptors(server.pid)
    expect(created(yield* ask(server.port, "POST", "/v1/allocations", owner)).port).toBe(first + 1)
  }))

for (const path of ["/proc", "/etc/passwd"]) {
  test(`a listener is shown where who it is cannot be read, with the reason (${path})${suffix}`, () =>
    Effect.gen(function* () {
      const server = yield* startFaulty({ path, error: "EMFILE" }, [])
      const cwd = yield* temporaryFolder
      const { pid, port } = yield* listeningProgram({ cwd })
      const { json } = yield* call(server.port, "GET", `/v1/ports/${port}`)
      const listener = path === "/proc" ? { user } : { pid, command: "node", cwd, user: String(process.getuid?.()) }
      const listener_error = "who listens cannot be read: too many open files (EMFILE)"
      const listeners = [{ protocol: "tcp", address: "127.0.0.1", state: "listening", ...listener }]
      expect(json).toEqual({ port, available: true, listener, listeners, listener_error })
      const found = (yield* call(server.port, "GET", "/v1/listeners")).json
      expect(found).toEqual(
        expect.arrayContaining([{ port, addresses: ["127.0.0.1"], listener, listeners, listener_error }])
      )
      const { stdout } = yield* portctl(["why", "--port", String(port)], { server })
      expect(stdout).toContain(`\nunknown: ${listener_error}\n`)
    }))
}
