import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { userWithPrograms } from "../../support/ComposePrograms.ts"
import { expectAnswer, expectError } from "../../support/Expectations.ts"
import { repository, submodule, worktree } from "../../support/Git.ts"
import { freePorts } from "../../support/Listening.ts"

/** Compose as it is for a file that says the same as the user's `model.json`. */
const composing = `case "$*" in
  *"version --short") echo 2.30.0 ;;
  *config*) cat "$HOME/model.json" ;;
  *) echo "ran $* of $COMPOSE_PROJECT_NAME" ;;
esac`

/** A user whose Compose files all publish this port of a service `db`. */
const composeUser = Effect.gen(function* () {
  const { home, portctl } = yield* userWithPrograms({ docker: composing })
  const port = yield* freePorts(1)
  const model = { name: "shop", services: { db: { ports: [{ target: 5432, published: String(port) }] } } }
  writeFileSync(join(home, "model.json"), JSON.stringify(model))
  const write = (path: string, text = "services: {}\n") => {
    mkdirSync(join(home, path, ".."), { recursive: true })
    writeFileSync(join(home, path), text)
  }
  const at =
    (folder: string) =>
    (args: string, env: Readonly<Record<string, string>> = {}) =>
      portctl(args, { cwd: join(home, folder), env: { PWD: join(home, folder), ...env } })
  /** Who has which ports. */
  const held = Effect.map(portctl("list --json"), ({ stdout }) =>
    Object(JSON.parse(stdout)).map(
      ({ app, instance, port, service }: Record<string, string>) => `${app}/${instance}/${service} ${port}`
    )
  )
  return { at, held, home, port, write }
})

describe.concurrent("a Compose file of another working copy", () => {
  /** A repository with a Compose file, and working copies in and beside it. */
  const copies = Effect.gen(function* () {
    const user = yield* composeUser
    const { at, home, write } = user
    const shop = repository(join(home, "shop"))
    submodule(shop, repository(join(home, "library")), "vendor/lib")
    worktree(shop, join(shop, ".agents/one"))
    worktree(shop, join(home, "beside"))
    write("shop/compose.yaml")
    write("beside/compose.yaml")
    expect((yield* at("shop")("compose up")).code).toBe(0)
    const whose = `${shop}/compose.yaml is the Compose file of shop/main, not of this working copy`
    const remedy = `go to ${shop}, or give it by -f`
    return { ...user, shop, whose, remedy }
  })

  it.scopedLive("is refused where something would be changed there", () =>
    Effect.gen(function* () {
      const { at, held, port, remedy, shop, whose } = yield* copies
      for (const [folder, command, env = {}] of [
        ["shop/.agents/one", "up -d"],
        ["shop/.agents/one", "exec db psql"],
        ["shop/.agents/one", "override"],
        ["shop/.agents/one", "config"],
        ["shop/vendor/lib", "down"],
        ["beside", "up -d", { COMPOSE_FILE: `${shop}/compose.yaml` }]
      ] as const) {
        const unset = folder === "beside" ? "unset COMPOSE_FILE, " : ""
        expectError(yield* at(folder)(`compose ${command}`, env), `${whose}; ${unset}${remedy}`)
      }
      expect(yield* held).toEqual([`shop/main/db ${port}`])
      expectAnswer(yield* at("beside")("compose stop"), "ran compose stop of shop-beside\n")
    })
  )

  it.scopedLive("is shown, with a note", () =>
    Effect.gen(function* () {
      const { at, held, port, whose } = yield* copies
      const one = at("shop/.agents/one")
      for (const command of ["ps", "logs db", "port db 5432"]) {
        expect(yield* one(`compose ${command}`)).toMatchObject({
          code: 0,
          stdout: `ran compose ${command} of shop\n`,
          stderr: `note: ${whose}\n`
        })
      }
      const plan = yield* one("compose plan")
      expect(plan.stdout).toMatch(/^shop\/main, Compose project shop\n/)
      expect((yield* one("env")).stdout).not.toContain("COMPOSE_PROJECT_NAME")
      expect(yield* held).toEqual([`shop/main/db ${port}`, expect.stringMatching(/^shop\/one\/web /)])
    })
  )

  it.scopedLive("is used where the command line or the folder's .env names it, as is one in no working copy", () =>
    Effect.gen(function* () {
      const { at, home, shop, write } = yield* copies
      const up = "compose up"
      expect(yield* at("shop/.agents/one")(`compose -f ${shop}/compose.yaml up`)).toMatchObject({ code: 0 })
      write("shop/.agents/one/.env", "COMPOSE_FILE=../../compose.yaml\n")
      expect(yield* at("shop/.agents/one")(up)).toMatchObject({ code: 0 })
      repository(join(home, "plain/inner"))
      write("plain/compose.yaml")
      expect(yield* at("plain/inner")(up)).toMatchObject({ code: 0 })
    })
  )
})
