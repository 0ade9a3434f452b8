import { realpathSync, writeFileSync } from "node:fs"
import { delimiter, dirname, join } from "node:path"
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { user } from "../support/Daemon.ts"
import { image, noOwnEngine, SharedEngine, sharedEngine } from "../support/Engine.ts"
import { git, gitEnvironment, repository } from "../support/Git.ts"
import { codeBlocks, readDocument, section } from "../support/Markdown.ts"
import { bin, start } from "../support/Programs.ts"
import { noTerminal, onTerminal } from "../support/Terminals.ts"
import { shell, shellEnvironment, typingOf } from "../support/Transcripts.ts"

const chapter = section(readDocument("docs/compose.md"), "Two worktrees")

/** What Compose shows of its work, which the document leaves out. */
const progress = /^(\[\+\].*| (Container|Network|Volume) .*)\n/gm

// In the namespace of the tests every port of the document is free.
describe.skipIf(noOwnEngine !== undefined || noTerminal !== undefined)("docs/compose.md", () => {
  sharedEngine("with images of its names", (it) => {
    it.effect("has a transcript that, typed word for word, prints what it shows", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { docker, env: engine } = yield* SharedEngine
          const [file = ""] = codeBlocks(chapter, "yaml")
          const id = yield* docker(["create", image, "sleep", "60"])
          for (const [, name = ""] of file.matchAll(/image: (\S+)/g)) {
            yield* docker(["commit", "--change", 'CMD ["sleep", "60"]', id, name])
          }
          const me = yield* user
          const home = realpathSync(me.home)
          const env = {
            ...me.env,
            ...gitEnvironment,
            ...engine,
            HOME: home,
            PATH: [dirname(bin.portctl), process.env["PATH"]].join(delimiter),
            COMPOSE_ANSI: "never"
          }
          expect((yield* me.portctl("start", { env })).code).toBe(0)
          const shop = repository(join(home, "shop"))
          writeFileSync(join(shop, "compose.yaml"), file)
          git(shop, "add", ".")
          git(shop, "commit", "--quiet", "--message=services")

          const [transcript = ""] = codeBlocks(chapter, "console")
          const { stdout } = yield* onTerminal(shell, {
            cwd: shop,
            columns: 400,
            env: { ...env, ...shellEnvironment("\\w$ ") },
            typing: [...typingOf(transcript), ["$ ", "exit\n"]]
          })
          expect(stdout.replace(progress, "")).toBe(`${transcript}~/search$ exit\nexit\n`)

          const names = yield* docker(["ps", "--format", "{{.Names}}"])
          expect(names.split("\n").sort()).toEqual(["shop-db-1", "shop-search-db-1", "shop-search-web-1", "shop-web-1"])
          const list = yield* me.portctl("list --live", { env })
          for (const name of names.split("\n")) expect(list.stdout).toContain(`${name} (`)
          for (const folder of [shop, join(home, "search")]) {
            const down = yield* start(bin.portctl, ["compose", "down", "--timeout", "0"], { cwd: folder, env })
            expect((yield* down.ended).code).toBe(0)
          }
        })
      )
    )
  })
})
