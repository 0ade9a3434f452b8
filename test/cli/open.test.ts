import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { listed } from "../support/Api.ts"
import { expectAnswer, expectError, expectUsageError } from "../support/Expectations.ts"
import { temporaryRepository } from "../support/Git.ts"
import { portctl, startServer } from "../support/Programs.ts"

/** A server, a repository named `proj`, and a PATH with an opener that does what the script says. */
const project = (services: ReadonlyArray<string>, opener?: string) =>
  Effect.gen(function* () {
    const server = yield* startServer()
    const top = yield* temporaryRepository("proj")
    if (services.length > 0) {
      const entries = services.map((name) => [name, {}] as const)
      writeFileSync(join(top, "portctl.json"), JSON.stringify({ services: Object.fromEntries(entries) }))
    }
    const path = join(top, "../path")
    mkdirSync(path)
    symlinkSync(process.execPath, join(path, "node"))
    for (const program of ["git", "sh"]) {
      const found = (process.env["PATH"] ?? "").split(":").find((folder) => existsSync(join(folder, program)))
      symlinkSync(join(found ?? "", program), join(path, program))
    }
    const opened = join(top, "../opened")
    if (opener !== undefined) {
      writeFileSync(join(path, "xdg-open"), `#!/bin/sh\necho "$@" > '${opened}'\n${opener}\n`)
      chmodSync(join(path, "xdg-open"), 0o755)
    }
    const open = (...args: ReadonlyArray<string>) =>
      portctl(["open", ...args], { server, cwd: top, env: { PATH: path } })
    return { server, open, url: () => (existsSync(opened) ? readFileSync(opened, "utf8") : "") }
  })

describe.skipIf(process.platform !== "linux")("portctl open", { concurrent: true }, () => {
  it.scopedLive("opens the only service, or web, in the browser", () =>
    Effect.gen(function* () {
      const lone = yield* project(["api"], "exit 0")
      expectAnswer(yield* lone.open(), "opened http://localhost:3000 (proj/main api)\n")
      expect(lone.url()).toBe("http://localhost:3000\n")
      const several = yield* project(["db", "web"], "exit 0")
      expectAnswer(yield* several.open(), "opened http://localhost:3000 (proj/main web)\n")
      expectAnswer(yield* several.open("--service", "db"), "opened http://localhost:3001 (proj/main db)\n")
      expect(several.url()).toBe("http://localhost:3001\n")
    })
  )

  it.scopedLive("without a file, one that has a port", () =>
    Effect.gen(function* () {
      const { open, server } = yield* project([], "exit 0")
      const none = yield* open()
      expect(none.stderr).toMatch(/^error: proj\/main has no ports yet: /)
      yield* portctl(["allocate", "--app", "proj", "--instance", "main", "--service", "ui", "--port", "4444"], {
        server
      })
      expectAnswer(yield* open(), "opened http://localhost:4444 (proj/main ui)\n")
    })
  )

  it.scopedLive("of several without web it opens none and lists them; an unknown one gets no port", () =>
    Effect.gen(function* () {
      const { open, server, url } = yield* project(["db", "api"], "exit 0")
      expectError(yield* open(), "proj/main has several services; say one with --service: db, api")
      expectError(yield* open("--service", "wbe"), "proj/main has no service wbe, only db, api")
      expectUsageError(yield* open("--service", ""), /service must not be blank/, "portctl open")
      expect(url()).toBe("")
      expect(yield* listed(server.port, "proj")).toEqual([])
    })
  )

  it.scopedLive("without a browser, or with one that fails, says where the service is", () =>
    Effect.gen(function* () {
      const sentence = "there is no browser to open http://localhost:3000 in (proj/main web)"
      expectError(yield* (yield* project(["web"])).open(), sentence)
      expectError(yield* (yield* project(["web"], "exit 3")).open(), sentence)
    })
  )

  it.scopedLive("does not wait for a browser that stays", () =>
    Effect.gen(function* () {
      const { open } = yield* project(["web"], 'exec node -e "setTimeout(() => {}, 8000)"')
      expectAnswer(yield* open(), "opened http://localhost:3000 (proj/main web)\n")
    })
  )
})
