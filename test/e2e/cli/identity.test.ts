import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { git, realFolder, repository, worktree } from "../../support/Git.ts"
import { portctl, startServer } from "../../support/Programs.ts"

const manual = readFileSync(new URL("../../../docs/projects.md", import.meta.url), "utf8")

/** The first cells of the table in the manual that says which working copy a folder is. */
const rows = manual
  .slice(manual.indexOf("## Which working copy it is"))
  .split("\n\n")
  .find((part) => part.startsWith("| what happens"))
  ?.split("\n")
  .slice(2)
  .map((line) => line.split("|")[1]?.trim())

const clone = (source: string, folder: string) => {
  git(source, "clone", "--quiet", source, folder)
  return folder
}

/** A repository `shop` that has a port, and a way to ask for one: what is given, with the notes. */
const set = Effect.gen(function* () {
  const server = yield* startServer()
  const folder = yield* realFolder
  const top = repository(join(folder, "shop"))
  const ask = (cwd: string, args: ReadonlyArray<string> = [], env: Readonly<Record<string, string>> = {}) =>
    Effect.map(
      portctl(["ensure", "--service", "web", ...args], { server, cwd, env }),
      ({ stderr, stdout }) =>
        `${stdout.replace(/\nweb +(\d+)\n$/, " $1")}${stderr
          .replaceAll(`${folder}/`, "")
          .replace(/^note:/gm, "\nnote:")
          .trimEnd()}`
    )
  expect(yield* ask(top)).toBe("shop/main 3000")
  return { ask, folder, server, top }
})

type Given = Effect.Effect.Success<typeof set>

const plain = (folder: string) => {
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, "file"), "")
  return folder
}

const moved = (from: string, label: string) => `\nnote: ${from} was moved here; it keeps ${label} and its ports`

const instead = (label: string, owner: string, own: string) =>
  `\nnote: ${label} belongs to ${owner}, so this folder is ${own}; portctl ensure --instance NAME gives it another one`

const cases: Readonly<Record<string, (given: Given) => Effect.Effect<void>>> = {
  "a branch is switched": ({ ask, top }) =>
    Effect.gen(function* () {
      git(top, "switch", "--quiet", "--create", "other")
      expect(yield* ask(top)).toBe("shop/main 3000")
    }),

  "`git worktree move`; a clone or another folder is moved or renamed": ({ ask, folder, top }) =>
    Effect.gen(function* () {
      const feature = worktree(top, join(folder, "feature"))
      expect(yield* ask(feature)).toBe("shop/feature 3001")
      git(top, "worktree", "move", feature, join(folder, "fix"))
      expect(yield* ask(join(folder, "fix"))).toBe(`shop/feature 3001${moved("feature", "shop/feature")}`)
      expect(yield* ask(join(folder, "fix"))).toBe("shop/feature 3001")
      renameSync(top, join(folder, "store"))
      expect(yield* ask(join(folder, "store"))).toBe(`shop/main 3000${moved("shop", "shop/main")}`)
      renameSync(join(folder, "store"), join(folder, "vault"))
      symlinkSync("vault", join(folder, "store"))
      expect(yield* ask(join(folder, "store"))).toBe(`shop/main 3000${moved("store", "shop/main")}`)
      expect(yield* ask(join(folder, "vault"))).toBe("shop/main 3000")
      expect(yield* ask(plain(join(folder, "notes")))).toBe("notes/main 3002")
      renameSync(join(folder, "notes"), join(folder, "papers"))
      expect(yield* ask(join(folder, "papers"))).toBe(`notes/main 3002${moved("notes", "notes/main")}`)
    }),

  "it is removed, and made again at the same path": ({ ask, folder, top }) =>
    Effect.gen(function* () {
      const feature = worktree(top, join(folder, "feature"))
      expect(yield* ask(feature)).toBe("shop/feature 3001")
      git(top, "worktree", "remove", feature)
      expect(yield* ask(worktree(top, feature))).toBe("shop/feature 3001")
      git(top, "worktree", "remove", feature)
      renameSync(top, join(folder, "store"))
      expect(yield* ask(join(folder, "store"))).toBe(`shop/main 3000${moved("shop", "shop/main")}`)
      expect(yield* ask(worktree(join(folder, "store"), feature))).toBe("shop/feature 3001")
      git(join(folder, "store"), "worktree", "remove", feature)
      renameSync(join(folder, "store"), top)
      expect(yield* ask(top)).toBe(`shop/main 3000${moved("store", "shop/main")}`)
      const second = clone(top, join(folder, "b/shop"))
      expect(yield* ask(second)).toMatch("shop/main-2 3002")
      rmSync(second, { recursive: true })
      expect(yield* ask(clone(top, second))).toBe("shop/main-2 3002")
      renameSync(second, join(folder, "c"))
      expect(yield* ask(join(folder, "c"))).toBe(`shop/main-2 3002${moved("b/shop", "shop/main-2")}`)
    }),

  "a linked worktree is removed; another repository is made there": ({ ask, folder, top }) =>
    Effect.gen(function* () {
      const slot = join(folder, "slot")
      const remove = (from: string) => git(from, "worktree", "remove", slot)
      expect(yield* ask(worktree(top, slot))).toBe("shop/slot 3001")
      remove(top)
      const blog = repository(join(folder, "blog"))
      expect(yield* ask(worktree(blog, slot))).toBe("blog/slot 3002")
      remove(blog)
      expect(yield* ask(plain(slot))).toBe("slot/main 3003")
      rmSync(slot, { recursive: true })
      expect(yield* ask(worktree(top, slot))).toBe("shop/slot 3001")
      remove(top)
      expect(yield* ask(clone(blog, slot))).toBe("slot/main 3003")
    }),

  "a second clone of the same name": ({ ask, folder, top }) =>
    Effect.gen(function* () {
      const [second, third] = [clone(top, join(folder, "b/shop")), clone(top, join(folder, "c/shop"))]
      expect(yield* ask(second)).toBe(`shop/main-2 3001${instead("shop/main", "shop", "shop/main-2")}`)
      expect(yield* ask(third)).toBe(`shop/main-3 3002${instead("shop/main", "shop", "shop/main-3")}`)
      expect(yield* ask(second)).toBe("shop/main-2 3001")
    }),

  "a linked worktree in a folder called `main`": ({ ask, folder, top }) =>
    Effect.gen(function* () {
      const main = worktree(top, join(folder, "main"))
      expect(yield* ask(main)).toBe(`shop/main-2 3001${instead("shop/main", "shop", "shop/main-2")}`)
    }),

  "a second folder of the same name, also outside git": ({ ask, folder }) =>
    Effect.gen(function* () {
      expect(yield* ask(plain(join(folder, "x/notes")))).toBe("notes/main 3001")
      const second = plain(join(folder, "y/notes"))
      expect(yield* ask(second)).toBe(`notes/main-2 3002${instead("notes/main", "x/notes", "notes/main-2")}`)
    }),

  "a copy (`cp -r`)": ({ ask, folder, top }) =>
    Effect.gen(function* () {
      const copy = join(folder, "b/shop")
      cpSync(top, copy, { recursive: true })
      expect(yield* ask(copy)).toBe(`shop/main-2 3001${instead("shop/main", "shop", "shop/main-2")}`)
      expect(yield* ask(top)).toBe("shop/main 3000")
    }),

  "it is removed, and one of the same name is made elsewhere": ({ ask, folder, top }) =>
    Effect.gen(function* () {
      const second = clone(top, join(folder, "b/shop"))
      rmSync(top, { recursive: true })
      expect(yield* ask(second)).toBe("shop/main 3000\nnote: took over the ports of shop, which is gone")
    }),

  "a clone is moved to another disk under another name": ({ ask, folder, top }) =>
    Effect.gen(function* () {
      // As mv does between two disks.
      cpSync(top, join(folder, "store"), { recursive: true })
      rmSync(top, { recursive: true })
      expect(yield* ask(join(folder, "store"))).toBe("store/main 3001")
    }),

  "`--instance` or `PORTCTL_INSTANCE`": ({ ask, folder, top }) =>
    Effect.gen(function* () {
      const second = clone(top, join(folder, "b/shop"))
      expect(yield* ask(second, ["--instance", "main"])).toBe("shop/main 3000")
      expect(yield* ask(second)).toBe("shop/main 3000")
      expect(yield* ask(second, [], { PORTCTL_INSTANCE: "two" })).toBe(
        "shop/two 3001\nnote: this folder was shop/main, and is shop/two from now on; portctl ensure --instance main makes it that again"
      )
      expect(yield* ask(second)).toBe("shop/two 3001")
      expect(yield* ask(top)).toBe("shop/main 3000")
    }),

  '`--app`, `PORTCTL_APP` or `"app"` in `portctl.json`': ({ ask, top }) =>
    Effect.gen(function* () {
      expect(yield* ask(top, ["--app", "a", "--instance", "x"])).toBe("a/x 3001")
      expect(yield* ask(top)).toBe("shop/main 3000")
      expect(yield* ask(top, [], { PORTCTL_APP: "a" })).toBe("a/x 3001")
      writeFileSync(join(top, "portctl.json"), '{"app":"b","services":{"web":{}}}')
      expect(yield* ask(top)).toBe("b/main 3002")
      rmSync(join(top, "portctl.json"))
      expect(yield* ask(top)).toBe("shop/main 3000")
    })
}

describe.concurrent("the table of working copies in docs/projects.md is true:", () => {
  it("each of its rows has a test", () => expect(Object.keys(cases)).toEqual(rows))

  for (const [row, check] of Object.entries(cases)) it.scopedLive(row, () => Effect.flatMap(set, check))
})

it.scopedLive("a worktree that git has moved keeps its ports when another one is made at its former path", () =>
  Effect.gen(function* () {
    const { ask, folder, server, top } = yield* set
    const login = worktree(top, join(folder, "login"))
    expect(yield* ask(login)).toBe("shop/login 3001")
    mkdirSync(join(login, "api"))
    writeFileSync(join(login, "api/portctl.json"), '{"services":{"web":{}}}')
    expect(yield* ask(join(login, "api"))).toBe("shop:api/login 3002")
    const moved = join(folder, "login-old")
    git(top, "worktree", "move", login, moved)
    worktree(top, login)
    expect(yield* ask(login)).toBe("shop/login1 3003")
    const released = yield* portctl(["release", "--here"], { server, cwd: login })
    expect(released).toMatchObject({
      code: 0,
      stdout: `released 1 allocation(s) of ${login} (shop/login1)\n`,
      stderr: ""
    })
    expect(yield* ask(moved)).toBe("shop/login 3001")
    expect(yield* ask(join(moved, "api"))).toBe("shop:api/login 3002")
  })
)
