import { execFileSync } from "node:child_process"
import { chmodSync, mkdirSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer } from "../../support/Expectations.ts"
import { temporaryRepository } from "../../support/Git.ts"
import { portctl, startServer } from "../../support/Programs.ts"

/** What a link in a cloned repository can lead to, made as a file of its own. */
const endless = {
  // A link to /dev/zero is the same to a program that asks first; to one that does not, it costs all memory.
  "a pipe": (file: string) => void execFileSync("mkfifo", [file]),
  "a file of 1 TiB": (file: string) => {
    writeFileSync(file, "")
    truncateSync(file, 1024 ** 4)
  }
}

describe.concurrent("a file of the project without an end", () => {
  for (const [kind, make] of Object.entries(endless)) {
    for (const name of ["compose.yaml", ".env", "package.json"]) {
      it.scopedLive(`${name} that is ${kind} holds nothing up`, () =>
        Effect.gen(function* () {
          const server = yield* startServer()
          const top = yield* temporaryRepository("proj")
          const tools = join(top, "tools")
          mkdirSync(tools)
          writeFileSync(join(tools, "npm"), "#!/bin/sh\necho npm $WEB_PORT\n")
          chmodSync(join(tools, "npm"), 0o755)
          if (name === ".env") writeFileSync(join(top, "compose.yaml"), "services: {}\n")
          make(join(top, name))
          const options = { server, cwd: top, env: { PATH: `${tools}:${process.env["PATH"]}` } }
          const env = yield* portctl(["env"], options)
          expect(env).toMatchObject({ code: 0, stderr: "" })
          expect(env.stdout).toContain("WEB_PORT=3000\n")
          expectAnswer(
            yield* portctl(["run", "--quiet", "--no-watch", "--", "npm", "run", "dev"], options),
            "npm 3000\n"
          )
        })
      )
    }
  }

  it.scopedLive("a .env of many empty lines is searched once", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const top = yield* temporaryRepository("proj")
      writeFileSync(join(top, "compose.yaml"), "services: {}\n")
      writeFileSync(join(top, ".env"), "\n\r".repeat(2_000_000))
      const { stdout } = yield* portctl(["env"], { server, cwd: top })
      expect(stdout).toContain("COMPOSE_PROJECT_NAME=proj\n")
    })
  )
})
