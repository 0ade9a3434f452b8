import { execFileSync } from "node:child_process"
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { expect, it } from "@effect/vitest"
import { Allocation } from "@port-server/domain/Allocation"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import { pidAt, user } from "../support/Daemon.ts"
import { git, realFolder, repository, worktree } from "../support/Git.ts"
import { freePorts } from "../support/Listening.ts"
import { contentOf } from "../verification/Copies.ts"
import { many, seed } from "./ManySize.ts"
import * as WorktreeAgent from "./WorktreeAgent.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

const listOf = Schema.decodeUnknownSync(Schema.parseJson(Schema.Array(Allocation)))

/** Five projects, each with a main worktree and seven linked ones, which all want the same ports. */
const worktreesIn = (top: string, first: number): ReadonlyArray<string> =>
  Array.from({ length: many.projects }, (_, index) => {
    const main = repository(join(top, `project-${index}`))
    const named = WorktreeAgent.services.map((name, at) => [
      name,
      { prefer: first + at, ...(name === "web" ? { env: "PORT" } : {}) }
    ])
    writeFileSync(join(main, "portctl.json"), JSON.stringify({ services: Object.fromEntries(named) }))
    writeFileSync(join(main, "compose.yaml"), `services: {db: {image: x, ports: ["${first + 2}:5432"]}}\n`)
    git(main, "add", ".")
    git(main, "commit", "--quiet", "--message=files")
    const linked = Array.from({ length: many.worktrees - 1 }, (_, at) => worktree(main, `${main}-${at + 1}`))
    return [main, ...linked]
  }).flat()

/** Docker Compose alone, in a folder for PATH. */
const compose = (folder: string): string => {
  const plugin = execFileSync("sh", [join(root, "tools/engine/fetch-compose")], { encoding: "utf8" }).trim()
  mkdirSync(folder)
  symlinkSync(join(plugin, "cli-plugins/docker-compose"), join(folder, "docker-compose"))
  return folder
}

/** Kill the server now and then, wherever it is; the next command starts it. */
const killing = (port: number, count: (what: string) => void) =>
  Effect.gen(function* () {
    const random = Random.make(seed)
    for (;;) {
      yield* Effect.sleep(yield* random.nextIntBetween(1_000, 4_000))
      const pid = yield* pidAt(port).pipe(Effect.catchAllCause(() => Effect.succeed(0)))
      if (pid === 0) continue
      process.kill(pid, "SIGKILL")
      count("kills of the server")
    }
  })

it.scopedLive(
  `${many.projects * many.worktrees} worktrees at once, from a cold start, while the server is killed`,
  () =>
    Effect.gen(function* () {
      const { database, env, port, portctl } = yield* user
      const top = yield* realFolder
      const first = yield* freePorts(300)
      expect((yield* portctl(`config set range ${first}-${first + 299}`)).code).toBe(0)
      const counts: Record<string, number> = {}
      const count = (what: string) => {
        counts[what] = (counts[what] ?? 0) + 1
      }
      const PATH = `${compose(join(top, "bin"))}:${process.env["PATH"]}`
      const world = { env: { ...env, PATH }, holders: new Map<number, string>(), count }

      const agentIn = (cwd: string) =>
        Effect.gen(function* () {
          const random = Random.make(`${seed} ${cwd.slice(top.length)}`)
          const agent = yield* WorktreeAgent.make(cwd, world)
          for (let index = 0; index < many.commands; index++) {
            yield* agent.commands[yield* random.nextIntBetween(0, agent.commands.length)] ?? Effect.void
          }
          yield* agent.finish
          return agent
        })

      const working = Effect.forEach(worktreesIn(top, first), agentIn, { concurrency: "unbounded" })
      const agents = yield* Effect.raceFirst(working, killing(port, count))

      // It may have been killed a moment ago, and the list does not start it.
      expect((yield* portctl("start")).code).toBe(0)
      const all = listOf((yield* portctl("list --json")).stdout)
      expect(new Set(all.map((each) => each.port)).size).toBe(all.length)
      for (const { cwd, expectServer, ports } of agents) {
        const own = ports()
        const held = all.filter(({ path }) => path === cwd).map((each) => [each.service, each.port] as const)
        if (own !== undefined && own.size > 0) expect(new Map(held), cwd).toEqual(own)
        expectServer()
      }
      expect((yield* portctl("stop")).code).toBe(0)
      expect((yield* contentOf(database)).integrity).toBe("ok")
      console.log(`many: seed ${seed}, ${agents.length} worktrees, ${JSON.stringify(counts)}`)
    }),
  1_800_000
)
