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

/** A program that kills the server before one of its calls, of those that match a pattern, and goes on as another one. */
const killing = (pattern: string, program: string) => `#!/bin/sh
case "$*" in
  ${pattern})
    echo "$*" >> "$HOME/calls"
    [ "$(wc -l < "$HOME/calls")" != "$KILL_BEFORE" ] || kill -9 "$(cat "$HOME/pid")" ;;
esac
exec "${program}" "$@"
`

const write = (file: string, script: string) => {
  writeFileSync(file, script)
  chmodSync(file, 0o755)
}

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
            const { docker: ask, env: engine } = yield* SharedEngine
            const me = yield* user
            const home = realpathSync(me.home)
            const [programs, plugins] = [join(home, "programs"), join(home, "docker/cli-plugins")]
            for (const folder of [programs, plugins]) mkdirSync(folder, { recursive: true })
            const docker = execFileSync("sh", ["-c", "command -v docker"], { encoding: "utf8" }).trim()
            write(join(programs, "docker"), killing("*", docker))
            // The model is read by the plugin, which Docker starts for all else.
            const plugin = "cli-plugins/docker-compose"
            const settings = process.env["DOCKER_CONFIG"] ?? join(process.env["HOME"] ?? "", ".docker")
            write(join(home, "docker", plugin), killing('*" config "*', join(settings, plugin)))
            const env = {
              ...me.env,
              ...gitEnvironment,
              ...engine,
              HOME: home,
              DOCKER_CONFIG: join(home, "docker"),
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
            const ids = ask(["ps", "--quiet", "--no-trunc"])
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
