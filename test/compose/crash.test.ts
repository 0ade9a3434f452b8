import { execFileSync } from "node:child_process"
import { chmodSync, mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { pidAt, user } from "../support/Daemon.ts"
import { contentAt, image, noEngine, SharedEngine, servingScript, sharedEngine } from "../support/Engine.ts"
import { git, gitEnvironment, repository, worktree } from "../support/Git.ts"
import { freePorts } from "../support/Listening.ts"
import { bin, start } from "../support/Programs.ts"

/** A docker that kills the server before one of its calls. */
const killing = `#!/bin/sh
echo "$*" >> "$HOME/calls"
[ "$(wc -l < "$HOME/calls")" != "$KILL_BEFORE" ] || kill -9 "$(cat "$HOME/pid")"
exec "$DOCKER" "$@"
`

describe.skipIf(noEngine !== undefined)("a server that is killed during portctl compose up", () => {
  sharedEngine("in a second worktree", (it) => {
    for (const [call, when] of [
      [1, "while Compose reads the project"],
      [2, "once the ports are allocated"],
      [3, "before Compose starts the containers"]
    ] as const) {
      it.effect(`changes nothing of what comes up, ${when}`, () =>
        Effect.scoped(
          Effect.gen(function* () {
            const { docker, env: engine } = yield* SharedEngine
            const me = yield* user
            const home = realpathSync(me.home)
            const programs = join(home, "programs")
            mkdirSync(programs)
            writeFileSync(join(programs, "docker"), killing)
            chmodSync(join(programs, "docker"), 0o755)
            const env = {
              ...me.env,
              ...gitEnvironment,
              ...engine,
              HOME: home,
              DOCKER: execFileSync("sh", ["-c", "command -v docker"], { encoding: "utf8" }).trim(),
              PATH: [programs, process.env["PATH"]].join(delimiter)
            }
            const [file, first] = [yield* freePorts(2), yield* freePorts(8)]
            const started = yield* me.portctl(`start --range ${first}-${first + 7}`, { env })
            expect(started.code, started.stderr).toBe(0)
            const main = repository(join(home, "shop"))
            const service = (text: string, port: number) => ({
              ...{ image, init: true, command: ["sh", "-c", servingScript(text)], ports: [`${port}:80`] }
            })
            const services = { db: service("db", file), web: service("web", file + 1) }
            writeFileSync(join(main, "compose.yaml"), JSON.stringify({ services }))
            git(main, "add", ".")
            git(main, "commit", "--quiet", "--message=services")
            const other = worktree(main, join(home, "search"))
            const portctl = (folder: string, line: string, more = {}) =>
              start(bin.portctl, line.split(" "), { cwd: folder, env: { ...env, ...more } }).pipe(
                Effect.flatMap(({ ended }) => ended),
                Effect.scoped
              )
            yield* Effect.addFinalizer(() =>
              Effect.forEach([main, other], (folder) => portctl(folder, "compose down --timeout 0"))
            )
            expect((yield* portctl(main, "compose up --detach")).code).toBe(0)

            rmSync(join(home, "calls"))
            const pid = yield* pidAt(me.port)
            writeFileSync(join(home, "pid"), String(pid))
            const up = yield* portctl(other, "compose up --detach", { KILL_BEFORE: String(call) })
            expect(up.code, up.stderr).toBe(0)
            expect(up.stderr).not.toMatch(/^error/m)
            expect(readFileSync(join(home, "calls"), "utf8").split("\n").length).toBeGreaterThan(call)
            expect(yield* Effect.forEach([file, file + 1, first, first + 1], contentAt)).toEqual([
              ...["db", "web", "db", "web"]
            ])
            const ids = docker(["ps", "--quiet", "--no-trunc"])
            const before = yield* ids
            expect(before.split("\n").length).toBe(4)
            expect((yield* portctl(other, "compose up --detach")).code).toBe(0)
            expect(yield* ids).toBe(before)
            expect(yield* pidAt(me.port)).not.toBe(pid)
            const held = (yield* portctl(other, "list --json")).stdout
            expect(JSON.parse(held).map(({ port }: { readonly port: number }) => port)).toEqual([
              ...[file, file + 1, first, first + 1]
            ])
          })
        )
      )
    }
  })
})
