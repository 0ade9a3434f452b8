import { execFileSync } from "node:child_process"
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { contentAt, image, noPodmanCompose, podmanCompose, servingScript, startPodman } from "../support/Engine.ts"
import { git, gitEnvironment, realFolder, repository, worktree } from "../support/Git.ts"
import { freePorts } from "../support/Listening.ts"
import { bin, start, startServer } from "../support/Programs.ts"

/** A folder for PATH without Docker's Compose: what portctl needs, Podman of the test's own, and podman-compose. */
const programsFor = (folder: string, podman: ReadonlyArray<string>) => {
  mkdirSync(folder)
  for (const tool of ["cat", "env", "git", "mktemp", "readlink", "rm", "sh"]) {
    symlinkSync(execFileSync("sh", ["-c", 'command -v "$0"', tool], { encoding: "utf8" }).trim(), join(folder, tool))
  }
  const scripts = {
    podman: `PATH="${process.env["PATH"]}" exec ${podman.join(" ")} "$@"`,
    "podman-compose": `exec /usr/bin/python3 ${podmanCompose} "$@"`
  }
  for (const [name, script] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`)
    chmodSync(join(folder, name), 0o755)
  }
}

describe.skipIf(noPodmanCompose !== undefined)("podman-compose", () => {
  it.scopedLive("brings up two worktrees with fixed ports, a range and a name, each with its own", () =>
    Effect.gen(function* () {
      const { command, home, podman, socket } = yield* startPodman
      const top = yield* realFolder
      const programs = join(top, "programs")
      programsFor(programs, command)
      const [file, first] = [yield* freePorts(4), yield* freePorts(8)]
      const args = ["--engine", `unix://${socket}`, "--range", `${first}-${first + 7}`]
      const server = yield* startServer({ probe: true, args })
      const env = {
        ...gitEnvironment,
        HOME: home,
        PATH: programs,
        PORT_SERVER_ADDR: server.address,
        DOCKER_CONFIG: top
      }
      const main = repository(join(top, "shop"))
      const service = (text: string, more: object) => ({
        ...{ image: `localhost/${image}`, command: ["sh", "-c", servingScript(text)], stop_signal: "SIGKILL" },
        ...more
      })
      const services = {
        db: service("db", { ports: [`${file}:80`], container_name: "the-db" }),
        web: service("web", { ports: [`127.0.0.1:${file + 1}:80`] }),
        many: service("many", { ports: [`${file + 2}-${file + 3}:80-81`] })
      }
      writeFileSync(join(main, "compose.yaml"), JSON.stringify({ services }))
      git(main, "add", ".")
      git(main, "commit", "--quiet", "--message=services")
      const other = worktree(main, join(top, "search"))
      const portctl = (cwd: string, line: string) =>
        start(bin.portctl, line.split(" "), { cwd, env }).pipe(
          Effect.flatMap(({ ended }) => ended),
          Effect.scoped
        )
      const names = () => Effect.map(podman(["ps", "--format", "{{.Names}}"]), (text) => text.split("\n").sort())
      const own = ["shop_many_1", "shop_web_1", "the-db"]
      expect((yield* portctl(main, "compose up -d")).code).toBe(0)
      // In a worktree that has nothing up, it takes no ports, and ends no container of another one.
      expect((yield* portctl(other, "compose down --timeout 0")).stderr).not.toMatch(/^error/m)
      expect(yield* names()).toEqual(own)
      expect((yield* portctl(other, "list --instance search")).stdout).toBe("no allocations\n")
      for (const folder of [main, other]) {
        const up = yield* portctl(folder, "compose up -d")
        expect(up.code, up.stderr).toBe(0)
      }
      const planned = (folder: string) =>
        Effect.map(portctl(folder, "compose plan --json"), ({ stdout }) =>
          JSON.parse(stdout).map(({ port, service }: { readonly port: number; readonly service: string }) => [
            ...[service, port]
          ])
        )
      const rows = (db: number, many: number, web: number) => [
        ...[
          ["db", db],
          ["many", many],
          ["many", many + 1],
          ["web", web]
        ]
      ]
      const here = [first, first + 1, first + 3] as const
      expect(yield* planned(main)).toEqual(rows(file, file + 2, file + 1))
      expect(yield* planned(other)).toEqual(rows(...here))
      const ports = [file, file + 2, file + 1, ...here]
      expect(yield* Effect.forEach(ports, contentAt)).toEqual(["db", "many", "web", "db", "many", "web"])
      expect(yield* names()).toEqual(["shop-search_db_1", "shop-search_many_1", "shop-search_web_1", ...own])
      const list = (yield* portctl(other, "list --live")).stdout
      for (const name of yield* names()) expect(list).toContain(`${name} (`)

      const down = yield* portctl(other, "compose down --timeout 0")
      expect(down.code, down.stderr).toBe(0)
      expect(yield* names()).toEqual(own)
      expect(yield* planned(other)).toEqual(rows(...here))
      expect((yield* portctl(main, "compose down --timeout 0")).code).toBe(0)
      expect(yield* names()).toEqual([""])
    })
  )
})
