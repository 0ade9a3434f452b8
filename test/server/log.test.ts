import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectClean, expectError, expectUsageError } from "../support/Expectations.ts"
import { bin, start, startServer, temporaryFolder } from "../support/Programs.ts"
import { refusing } from "../support/Sockets.ts"
import { call } from "../support/Wire.ts"

const modeOf = (file: string) => statSync(file).mode & 0o777

const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z /

/** Start a server with a log, wait until it listens, and stop it. */
const served = (folder: string, log: string) =>
  Effect.gen(function* () {
    const args = ["--port", "0", "--db", join(folder, "ports.db"), "--log", log]
    const running = yield* start(bin.portServer, args, { env: { HOME: folder }, cwd: folder })
    const port = yield* Effect.sync(() => {
      const [, digits] = [...readFileSync(join(folder, log), "utf8").matchAll(/listening on http:\/\/127.0.0.1:(\d+)/g)].at(-1) ?? []
      return Number(digits)
    }).pipe(
      Effect.catchAllDefect(() => Effect.succeed(Number.NaN)),
      Effect.repeat({ until: (port) => !Number.isNaN(port), schedule: "10 millis" })
    )
    expect((yield* call(port, "GET", "/healthz")).status).toBe(200)
    running.process.kill("SIGTERM")
    return yield* running.ended
  }).pipe(Effect.scoped)
