import { mkdir, rmdir } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { created, errorOf } from "../../support/Api.ts"
import {
  leaveDescriptors,
  noDescriptorLimits,
  openFiles,
  restoreDescriptors,
  settledDescriptors
} from "../../support/Descriptors.ts"
import { expectError } from "../../support/Expectations.ts"
import { freePorts, hasIpv6, listen } from "../../support/Listening.ts"
import { portctl, startServer } from "../../support/Programs.ts"
import { type Answer, callOnOneConnection } from "../../support/Wire.ts"

const suffix = noDescriptorLimits === undefined ? "" : ` (skipped: ${noDescriptorLimits})`
const test = noDescriptorLimits === undefined ? it.scopedLive : it.scopedLive.skip

const owner = { app: "myapp", instance: "dev", service: "web" }
const unreadable = "what listens on this machine's ports cannot be read: too many open files (EMFILE)"

const expectUnreadable = (answer: Answer) => {
  expect({ status: answer.status, body: answer.json }).toEqual({
    status: 503,
    body: { error: unreadable, unavailable: "listeners" }
  })
  expect(answer.headers["retry-after"]).toBe("1")
}

/**
 * A server whose first two ports are listened on, one a family, and which holds a stale allocation. What asks
 * it has one connection: one that the server is about to close would leave it one more descriptor.
 */
const setup = Effect.gen(function* () {
  const first = yield* freePorts(4)
  const server = yield* startServer({ args: ["--range", `${first}-${first + 3}`], probe: true })
  yield* listen("127.0.0.1", first)
  yield* listen(hasIpv6 ? "::1" : "127.0.0.1", first + 1)
  const folder = join(server.home, "project")
  yield* Effect.promise(() => mkdir(folder))
  const services = [{ service: "web" }]
  const ask = yield* callOnOneConnection
  yield* ask(server.port, "POST", "/v1/ensure", { app: "stale", instance: "dev", path: folder, services })
  yield* Effect.promise(() => rmdir(folder))
  return { ask, first, server }
})

describe("a server that can open no more files", () => {
  for (const [title, left] of [
    ["neither socket table", 0],
    ["only one socket table", 1]
  ] as const) {
    test(`reads ${title}: allocates nothing by itself, prunes nothing, lists no listeners, and recovers${suffix}`, () =>
      Effect.gen(function* () {
        const { ask, first, server } = yield* setup
        const stale = (yield* ask(server.port, "GET", "/v1/allocations")).json
        expect(stale).toMatchObject([{ app: "stale", port: first + 2 }])
        yield* leaveDescriptors(server.pid, left)

        // A bind takes one descriptor.
        if (left === 0) {
          expectUnreadable(yield* ask(server.port, "POST", "/v1/allocations", owner))
          const services = [{ service: "web", prefer: first + 3 }]
          expectUnreadable(yield* ask(server.port, "POST", "/v1/ensure", { app: "myapp", instance: "dev", services }))
        } else {
          const { id, port } = created(yield* ask(server.port, "POST", "/v1/allocations", owner))
          expect(port).toBe(first + 3)
          yield* ask(server.port, "DELETE", `/v1/allocations/${id}`)
        }
        expectUnreadable(yield* ask(server.port, "GET", "/v1/listeners"))
        expectUnreadable(yield* ask(server.port, "POST", "/v1/prune", {}))
        expectUnreadable(yield* ask(server.port, "POST", "/v1/prune", { dry_run: true }))
        expect((yield* ask(server.port, "GET", `/v1/ports/${first}`)).json).toEqual({
          port: first,
          available: true,
          listener_error: unreadable
        })
        expect((yield* ask(server.port, "GET", "/v1/allocations")).json).toEqual(stale)
        // An exact port needs no look at the machine.
        const exact = created(yield* ask(server.port, "POST", "/v1/allocations", { ...owner, port: first }))
        expect(exact.port).toBe(first)

        yield* restoreDescriptors(server.pid)
        expect(created(yield* ask(server.port, "POST", "/v1/allocations", owner)).port).toBe(first + 3)
        expect((yield* ask(server.port, "GET", `/v1/ports/${first + 1}`)).json).toMatchObject({
          available: true,
          listener: { pid: process.pid }
        })
        expect((yield* ask(server.port, "POST", "/v1/prune", {})).json).toEqual({ allocations: stale })
      }))
  }

  test(`refuses a long list with a sentence, and does not shorten it${suffix}`, () =>
    Effect.gen(function* () {
      const server = yield* startServer({ args: ["--range", "20000-20999"] })
      const allocations = Array.from({ length: 600 }, (_, index) => ({ ...owner, port: 20_000 + index }))
      const ask = yield* callOnOneConnection
      yield* ask(server.port, "POST", "/v1/import", { version: 1, allocations })
      expect((yield* ask(server.port, "GET", "/v1/allocations")).json).toHaveLength(600)
      yield* leaveDescriptors(server.pid, 0)
      const answer = yield* ask(server.port, "GET", "/v1/allocations")
      expect(answer.status).toBe(503)
      expect(errorOf(answer)).toMatch(/^the database .+/)
      expectNoBug(server.output.stderr)
      yield* restoreDescriptors(server.pid)
      expect((yield* ask(server.port, "GET", "/v1/allocations")).json).toHaveLength(600)
    }))

  test(`portctl says what is unknown, and takes no port for available${suffix}`, () =>
    Effect.gen(function* () {
      const { ask, first, server } = yield* setup
      const idle = openFiles(server.pid)
      const run = (...args: ReadonlyArray<string>) =>
        Effect.gen(function* () {
          // The server closes a connection, and ends its process for folders, 10 s after the last use.
          yield* ask(server.port, "GET", "/v1/allocations")
          yield* settledDescriptors(server.pid, idle)
          // For the connection of portctl, and nothing more.
          yield* leaveDescriptors(server.pid, 1)
          return yield* portctl(args, { server })
        })
      const port = String(first)
      const check = yield* run("check", "--port", port)
      expect(check).toEqual({
        code: 1,
        signal: null,
        stdout: `port ${port} is not allocated, but ${unreadable}\n`,
        stderr: ""
      })
      expect(yield* run("why", "--port", port)).toEqual({
        code: 0,
        signal: null,
        stdout: `port ${port} is not allocated\nunknown: ${unreadable}\n`,
        stderr: ""
      })
      expectError(yield* run("scan"), unreadable)
      expectError(yield* run("prune", "--yes"), unreadable)
      expectError(
        yield* run("allocate", "--app", "a", "--instance", "b", "--service", "c", "--json"),
        unreadable,
        `${JSON.stringify({ error: unreadable, unavailable: "listeners" })}\n`
      )
    }))
})

const expectNoBug = (log: string) => expect(log).not.toMatch(/bug/)
