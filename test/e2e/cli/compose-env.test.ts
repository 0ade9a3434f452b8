import { symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { composeRepository } from "../../support/ComposePrograms.ts"

describe.concurrent("the name of the Compose project in portctl env and run", () => {
  const nameIn = (portctl: (args: string) => Effect.Effect<{ readonly stdout: string }>) =>
    Effect.gen(function* () {
      const [env, run, compose] = [
        yield* portctl("env"),
        yield* portctl("run -- docker go"),
        yield* portctl("compose go")
      ]
      const names = [/^COMPOSE_PROJECT_NAME=(.*)$/m.exec(env.stdout), / of (.*)$/m.exec(run.stdout)]
      expect(names.map((found) => found?.[1])).toEqual(Array(2).fill(/ of (.*)$/m.exec(compose.stdout)?.[1]))
      return names[0]?.[1]
    })

  it.scopedLive("is that of portctl compose, also when the file has another one than before", () =>
    Effect.gen(function* () {
      const { portctl, write } = yield* composeRepository("shop")
      for (const [line, name] of [
        ["name: alpha", "alpha"],
        ['name: "zeta" # ours', "zeta"],
        ["name:\t'alpha'", "alpha"]
      ] as const) {
        write(`${line}\nservices: {}\n`, { name })
        expect(yield* nameIn(portctl)).toBe(name)
      }
      write('{"name": "json"}', { name: "json" })
      expect(yield* nameIn(portctl)).toBe("json")
      write("services: {}\n", { name: "shop" })
      expect(yield* nameIn(portctl)).toBe("shop")
    })
  )

  it.scopedLive("is that of the last run where only Compose can tell", () =>
    Effect.gen(function* () {
      const { folder, portctl, write } = yield* composeRepository("shop")
      const texts = ["name: $NAME\n", '"name": one\n', "name: &x one\n", "{name: one}\n"]
      for (const [index, text] of texts.entries()) {
        const name = ["one", "two"][index % 2]
        write(text, { name })
        yield* portctl("compose create")
        expect(yield* nameIn(portctl)).toBe(name)
      }
      write("name: plain\n", { name: "two" })
      writeFileSync(join(folder, ".env"), "COMPOSE_PROJECT_NAME=two\n")
      expect(yield* nameIn(portctl)).toBe("two")
    })
  )

  it.scopedLive("is that of the path by which the folder is reached", () =>
    Effect.gen(function* () {
      const { folder, home, portctl, write } = yield* composeRepository("shop")
      const link = join(home, "link")
      symlinkSync(folder, link)
      write("services: {}\n", { name: "link" })
      expect(yield* nameIn((args) => portctl(args, link))).toBe("link")
      write("services: {}\n", { name: "shop" })
      expect(yield* nameIn(portctl)).toBe("shop")
    })
  )
})
