import { execFileSync } from "node:child_process"
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { type User, user } from "./Daemon.ts"
import { repository } from "./Git.ts"

/** What portctl and git need of a PATH. */
const tools = ["cat", "env", "git", "mktemp", "readlink", "rm", "sh"]

/** A user on whose PATH there are these programs, each a script, and no others but the necessary ones. */
export const userWithPrograms = (programs: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const me = yield* user
    const folder = join(me.home, "programs")
    mkdirSync(folder)
    for (const tool of tools) {
      const path = execFileSync("sh", ["-c", 'command -v "$0"', tool], { encoding: "utf8" }).trim()
      symlinkSync(path, join(folder, tool))
    }
    for (const [name, script] of Object.entries(programs)) {
      writeFileSync(join(folder, name), `#!/bin/sh\n${script}\n`)
      chmodSync(join(folder, name), 0o755)
    }
    yield* me.portctl("start")
    const portctl: User["portctl"] = (args, options = {}) =>
      me.portctl(args, { ...options, env: { PATH: folder, ...options.env } })
    return { ...me, portctl }
  })

/** Compose as it is for a file that says the same as `model.json` beside it. */
const composing = `case "$*" in
  *"version --short") echo 2.30.0 ;;
  *config*) cat model.json ;;
  *) echo "ran $* of $COMPOSE_PROJECT_NAME" ;;
esac`

/** A repository of a user whose Compose reads in it what the test has written. */
export const composeRepository = (name: string) =>
  Effect.gen(function* () {
    const me = yield* userWithPrograms({ docker: composing })
    const folder = repository(join(me.home, name))
    const portctl = (args: string, cwd = folder, env: Readonly<Record<string, string>> = {}) =>
      me.portctl(args, { cwd, env: { PWD: cwd, ...env } })
    /** Write the Compose file and what Compose makes of it. */
    const write = (text: string, model: object) => {
      writeFileSync(join(folder, "compose.yaml"), text)
      writeFileSync(join(folder, "model.json"), JSON.stringify(model))
    }
    return { bash: me.bash, home: me.home, folder, portctl, write }
  })
