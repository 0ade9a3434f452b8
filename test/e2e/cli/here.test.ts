import { execFileSync } from "node:child_process"
import { chmodSync, chownSync, existsSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Server, sharedServer } from "../../support/Api.ts"
import { git, realFolder, repository, submodule, temporaryRepository, worktree } from "../../support/Git.ts"
import { bin, portctl, start, startServer } from "../../support/Programs.ts"

const Placed = Schema.parseJson(
  Schema.Struct({
    app: Schema.String,
    instance: Schema.String,
    allocations: Schema.Array(Schema.Struct({ port: Schema.Int, path: Schema.String }))
  })
)
const decode = Schema.decodeUnknownSync(Placed)

interface Options {
  readonly env?: Readonly<Record<string, string>>
  readonly args?: ReadonlyArray<string>
}

const run = (cwd: string, { args = [], env = {} }: Options = {}) =>
  Effect.flatMap(Server, (server) => portctl(["ensure", "--service", "web", "--json", ...args], { server, cwd, env }))

/** Which instance of which app a command takes a folder for, and which folder it remembers. */
const place = (cwd: string, options: Options = {}) =>
  Effect.map(run(cwd, options), (ended) => {
    expect(ended.stderr.replace(/^note: this folder was .* from now on; .*\n$/, "")).toBe("")
    const { allocations, app, instance } = decode(ended.stdout)
    return [`${app}/${instance}`, allocations[0]?.path] as const
  })

const refusal = (cwd: string, options: Options = {}) =>
  Effect.map(run(cwd, options), (ended) => {
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/^error: .+\n$/)
    return ended.stderr.slice("error: ".length, -1)
  })

sharedServer()("where a command runs", (it) => {
  it.scoped("the main worktree is the instance main of the app that its folder names, from every folder in it", () =>
    Effect.gen(function* () {
      const top = yield* temporaryRepository("plain")
      const inner = join(top, "src", "deep")
      mkdirSync(inner, { recursive: true })
      expect(yield* place(top)).toEqual(["plain/main", top])
      expect(yield* place(inner)).toEqual(["plain/main", top])
    })
  )

  it.scoped("a linked worktree is an instance of its own, and the branch does not matter", () =>
    Effect.gen(function* () {
      const top = yield* temporaryRepository("linked")
      const tree = join(top, "..", "feature one")
      worktree(top, tree)
      expect(yield* place(tree)).toEqual(["linked/feature one", tree])
      git(tree, "switch", "--quiet", "--create", "other")
      expect(yield* place(tree)).toEqual(["linked/feature one", tree])
      git(top, "switch", "--quiet", "--detach")
      expect(yield* place(top)).toEqual(["linked/main", top])
      git(top, "worktree", "move", tree, `${tree}-moved`)
      const moved = yield* run(`${tree}-moved`)
      expect(moved.stderr).toBe(`note: ${tree} was moved here; it keeps linked/feature one and its ports\n`)
      expect(yield* place(`${tree}-moved`)).toEqual(["linked/feature one", `${tree}-moved`])
    })
  )

  it.scoped("linked worktrees whose folders have one name are told apart as git tells them apart", () =>
    Effect.gen(function* () {
      const folder = yield* realFolder
      const library = repository(join(folder, "source-of-lib"))
      const top = repository(join(folder, "twins"))
      submodule(top, library, "lib")
      const one = worktree(top, join(folder, "feat/log in"))
      const two = worktree(top, join(folder, "fix/log in"))
      const three = worktree(top, join(folder, "try/log in"))
      expect(yield* place(one)).toEqual(["twins/log in", one])
      expect(yield* place(two)).toEqual(["twins/log-in1", two])
      expect(yield* place(three)).toEqual(["twins/log-in2", three])
      git(two, "submodule", "--quiet", "update", "--init")
      expect(yield* place(join(two, "lib"))).toEqual(["lib/log-in1", join(two, "lib")])
      // A folder that has this very name gets another one from git.
      const named = worktree(top, join(folder, "log-in1"))
      expect(yield* place(named)).toEqual(["twins/log-in11", named])
      const dotted = ["feat", "fix"].map((kind) => worktree(top, join(folder, kind, "v2..x.lock")))
      expect((yield* place(dotted[0] ?? ""))[0]).toBe("twins/v2..x.lock")
      expect((yield* place(dotted[1] ?? ""))[0]).toBe("twins/v2.x1")
    })
  )

  it.scoped("worktrees beside a bare repository are instances of the app that the repository names", () =>
    Effect.gen(function* () {
      const folder = yield* realFolder
      const source = repository(join(folder, "source"))
      git(folder, "clone", "--quiet", "--bare", source, "naked.git")
      worktree(join(folder, "naked.git"), "../elsewhere")
      expect(yield* place(join(folder, "elsewhere"))).toEqual(["naked/elsewhere", join(folder, "elsewhere")])
      for (const hidden of [".bare", ".git"]) {
        const app = `around${hidden.replace(".", "-")}`
        const top = join(folder, app)
        git(folder, "clone", "--quiet", "--bare", source, join(app, hidden))
        if (hidden === ".bare") writeFileSync(join(top, ".git"), "gitdir: ./.bare\n")
        worktree(top, "main")
        expect(yield* place(join(top, "main"))).toEqual([`${app}/main`, join(top, "main")])
      }
    })
  )

  it.scoped("beside the worktrees of a bare repository there is no instance, until one is said", () =>
    Effect.gen(function* () {
      const folder = yield* realFolder
      git(folder, "clone", "--quiet", "--bare", repository(join(folder, "source")), "hull/.bare")
      const top = join(folder, "hull")
      writeFileSync(join(top, ".git"), "gitdir: ./.bare\n")
      for (const cwd of [top, join(top, ".bare")]) {
        expect(yield* refusal(cwd)).toBe(
          `${cwd} is in none of the worktrees of ${join(top, ".bare")}; go to one, or give --instance`
        )
      }
      expect(yield* place(top, { args: ["--instance", "ci"] })).toEqual(["hull/ci", top])
    })
  )

  it.scoped("commands without --app and --instance name the variables that they take", () =>
    Effect.gen(function* () {
      const server = yield* Server
      const folder = yield* realFolder
      git(folder, "clone", "--quiet", "--bare", repository(join(folder, "source")), "mast/.bare")
      const cwd = join(folder, "mast")
      writeFileSync(join(cwd, ".git"), "gitdir: ./.bare\n")
      for (const args of [["verify"], ["kill", "--service", "web"], ["release", "--here"], ["context"]]) {
        const refused = yield* portctl(args, { server, cwd })
        expect(refused).toMatchObject({ code: 1, stdout: "" })
        expect(refused.stderr).toMatch(/; go to one, or set PORTCTL_INSTANCE\n$/)
      }
      const verified = yield* portctl(["verify"], { server, cwd, env: { PORTCTL_INSTANCE: "ci" } })
      expect(verified).toMatchObject({ code: 0, stderr: "" })
    })
  )

  it.scoped("a linked worktree whose main one was moved is told of with the command that finds it again", () =>
    Effect.gen(function* () {
      const folder = yield* realFolder
      const top = repository(join(folder, "harbour"))
      const tree = worktree(top, join(folder, "pier"))
      mkdirSync(join(tree, "src"))
      renameSync(top, join(folder, "haven"))
      expect(yield* refusal(join(tree, "src"))).toMatch(
        `; give --app and --instance, or run git worktree repair ${tree} in its repository, wherever that is now, or in a container mount ${top}/.git, too`
      )
      git(join(folder, "haven"), "worktree", "repair", tree)
      expect(yield* place(tree)).toEqual(["haven/pier", tree])
    })
  )

  it.scoped("inside .git there is no instance either", () =>
    Effect.gen(function* () {
      const top = yield* temporaryRepository("dotted")
      expect(yield* refusal(join(top, ".git"))).toMatch(
        /in none of the worktrees of .*; go to one, or give --instance$/
      )
    })
  )

  it.scoped("a repository that lives apart from its worktree is named by the worktree", () =>
    Effect.gen(function* () {
      const folder = yield* realFolder
      const apart = join(folder, "store", "x.git")
      mkdirSync(join(folder, "store"))
      const top = repository(join(folder, "parted"), `--separate-git-dir=${apart}`)
      expect(yield* place(top)).toEqual(["parted/main", top])
      const tree = join(folder, "parted-two")
      worktree(top, tree)
      // Git does not record which folder the main worktree is.
      expect(yield* refusal(tree)).toBe(`nothing in ${apart} says where its main worktree is; give --app`)
      expect(yield* place(tree, { args: ["--app", "parted"] })).toEqual(["parted/parted-two", tree])
      git(top, "config", "core.worktree", top)
      expect(yield* place(tree)).toEqual(["parted/parted-two", tree])
    })
  )

  it.scoped("a submodule is an app of its own, with an instance for each worktree of what it is in", () =>
    Effect.gen(function* () {
      const folder = yield* realFolder
      const library = repository(join(folder, "source-of-lib"))
      const middle = repository(join(folder, "source-of-middle"))
      submodule(middle, library, "inner/lib")
      const top = repository(join(folder, "whole"))
      submodule(top, middle, "parts/middle")
      git(top, "submodule", "--quiet", "update", "--init", "--recursive")
      const tree = join(folder, "whole-two")
      worktree(top, tree)
      git(tree, "submodule", "--quiet", "update", "--init", "--recursive")
      for (const [above, instance] of [
        [top, "main"],
        [tree, "whole-two"]
      ] as const) {
        const part = join(above, "parts/middle")
        expect(yield* place(part)).toEqual([`middle/${instance}`, part])
        const lib = join(part, "inner/lib")
        expect(yield* place(lib)).toEqual([`lib/${instance}`, lib])
      }
      const linked = join(folder, "lib-linked")
      worktree(join(top, "parts/middle/inner/lib"), linked)
      expect(yield* place(linked)).toEqual(["lib/lib-linked", linked])
    })
  )

  it.scoped("inside a hook, the folder decides and not the variables that git sets", () =>
    Effect.gen(function* () {
      const top = yield* temporaryRepository("hooked")
      const tree = join(top, "..", "hooked-tree")
      worktree(top, tree)
      const other = repository(join(top, "..", "other"))
      const { address } = yield* Server
      const hook = join(top, ".git/hooks/pre-commit")
      writeFileSync(
        hook,
        `#!/bin/sh
env | grep -q ^GIT_INDEX_FILE= || exit 9
for folder in . '${other}'; do
  (cd "$folder" && PORT_SERVER_ADDR=${address} '${bin.portctl}' ensure --service web) | head -1 >> '${top}/../said'
done
`
      )
      chmodSync(hook, 0o755)
      git(tree, "commit", "--quiet", "--allow-empty", "--message=second")
      expect(execFileSync("cat", [join(top, "../said")], { encoding: "utf8" })).toBe("hooked/hooked-tree\nother/main\n")
    })
  )

  it.scoped("outside git, the folder is the app, or the one above it that has a portctl.json", () =>
    Effect.gen(function* () {
      const folder = join(yield* realFolder, "loose")
      mkdirSync(join(folder, "src"), { recursive: true })
      expect(yield* place(join(folder, "src"))).toEqual(["src/main", join(folder, "src")])
      writeFileSync(join(folder, "portctl.json"), '{"services":{"web":{}}}')
      expect(yield* place(join(folder, "src"))).toEqual(["loose/main", folder])
    })
  )

  it.scoped("a portctl.json below the top of a worktree makes a project of its own, wherever the clone is", () =>
    Effect.gen(function* () {
      const top = yield* temporaryRepository("mono")
      const file = (folder: string, contents: object = {}) => {
        mkdirSync(join(folder, "src"), { recursive: true })
        writeFileSync(join(folder, "portctl.json"), JSON.stringify({ services: { web: {} }, ...contents }))
      }
      file(top)
      const [api, site] = [join(top, "packages/api"), join(top, "packages/site")]
      file(api)
      file(site, { app: "site" })
      mkdirSync(join(top, "packages/none"))
      expect(yield* place(join(api, "src"))).toEqual(["mono:packages:api/main", api])
      expect(yield* place(site)).toEqual(["site/main", site])
      expect(yield* place(join(top, "packages/none"))).toEqual(["mono/main", top])
      const tree = worktree(top, join(top, "../tree"))
      file(join(tree, "packages/api"))
      expect((yield* place(join(tree, "packages/api")))[0]).toBe("mono:packages:api/tree")
      const ports = (cwd: string) => Effect.map(run(cwd), ({ stdout }) => decode(stdout).allocations[0]?.port)
      const before = [yield* ports(api), yield* ports(top)]
      expect(new Set(before).size).toBe(2)
      renameSync(top, `${top}-moved`)
      expect([yield* ports(`${top}-moved/packages/api`), yield* ports(`${top}-moved`)]).toEqual(before)
      expect(yield* place(`${top}-moved/packages/api`)).toEqual(["mono:packages:api/main", `${top}-moved/packages/api`])
    })
  )

  for (const marker of [".jj", ".hg", ".sl", ".svn"]) {
    it.scoped(`a folder with ${marker} inside a worktree is a working copy of its own`, () =>
      Effect.gen(function* () {
        const top = yield* temporaryRepository(`around${marker.replace(".", "-")}`)
        const inner = join(top, `inner${marker.replace(".", "-")}`)
        mkdirSync(join(inner, marker), { recursive: true })
        mkdirSync(join(inner, "src"))
        mkdirSync(join(top, marker))
        expect(yield* place(join(inner, "src"))).toEqual([`${basename(inner)}/main`, inner])
        expect(yield* place(top)).toEqual([`${basename(top)}/main`, top])
      })
    )
  }

  it.scoped("a path through a link is the folder that it leads to", () =>
    Effect.gen(function* () {
      const top = yield* temporaryRepository("truly")
      symlinkSync(top, `${top}-alias`)
      expect(yield* place(`${top}-alias`)).toEqual(["truly/main", top])
    })
  )

  it.scoped(
    "spaces, quotes, dollars and letters of all alphabets are names; a line break in a folder above is no matter",
    () =>
      Effect.gen(function* () {
        const folder = join(yield* realFolder, "two\nlines\n--portctl")
        const name = `it's "größe" $HOME 日本 🚢`
        const top = repository(join(folder, name))
        const tree = join(folder, "naïve -x")
        worktree(top, tree)
        expect(yield* place(top)).toEqual([`${name}/main`, top])
        expect(yield* place(tree)).toEqual([`${name}/naïve -x`, tree])
      })
  )

  it.scoped("a folder whose name cannot be a name is told, and another name helps", () =>
    Effect.gen(function* () {
      const top = repository(join(yield* realFolder, "bad\nname"))
      expect(yield* refusal(top)).toMatch(
        /^the name of the folder .*bad\\u\{a\}name cannot be the app's: app must not contain control .*; give --app$/
      )
      expect(yield* place(top, { args: ["--app", "good"] })).toEqual(["good/main", top])
      const tree = join(top, "..", "bad\ttree")
      worktree(top, tree)
      expect(yield* refusal(tree, { args: ["--app", "good"] })).toMatch(/cannot be the instance's.*; give --instance$/)
      expect(yield* refusal("/")).toBe("the name of the folder / cannot be the app's: it has none; give --app")
    })
  )

  it.scoped("a flag wins over the environment, the environment over portctl.json, and that over the folder", () =>
    Effect.gen(function* () {
      const top = yield* temporaryRepository("folder-name")
      const said = { PORTCTL_APP: "env-app", PORTCTL_INSTANCE: "env-instance" }
      const unsaid = { PORTCTL_APP: "", PORTCTL_INSTANCE: "" }
      const args = ["--app", "flag-app", "--instance", "flag-instance"]
      expect(yield* place(top, { env: unsaid })).toEqual(["folder-name/main", top])
      writeFileSync(join(top, "portctl.json"), '{"app":"file-app","services":{"web":{}}}')
      expect(yield* place(top, { env: unsaid })).toEqual(["file-app/main", top])
      expect(yield* place(top, { env: said })).toEqual(["env-app/env-instance", top])
      expect(yield* place(top, { env: said, args })).toEqual(["flag-app/flag-instance", top])
      expect(yield* place(top, { env: said, args: ["--app", "flag-app"] })).toEqual(["flag-app/env-instance", top])
    })
  )

  it.scoped("a variable with a bad name is told by its name", () =>
    Effect.gen(function* () {
      const top = yield* temporaryRepository("varied")
      expect(yield* refusal(top, { env: { PORTCTL_APP: " " } })).toBe("PORTCTL_APP: app must not be blank")
      expect(yield* refusal(top, { env: { PORTCTL_INSTANCE: "a\u202eb" } })).toMatch(
        /^PORTCTL_INSTANCE: instance must not/
      )
    })
  )

  it.scoped(
    "a repository that git does not read is never guessed at, and does not matter when both names are said",
    () =>
      Effect.gen(function* () {
        const folder = yield* realFolder
        const damages = {
          "no-head": (top: string) => rmSync(join(top, ".git/HEAD")),
          "bad-config": (top: string) => writeFileSync(join(top, ".git/config"), "[core"),
          "a-pipe": (top: string) => {
            rmSync(join(top, ".git/config"))
            execFileSync("mkfifo", [join(top, ".git/config")])
          },
          "bad-file": (top: string) => {
            renameSync(join(top, ".git"), join(top, "moved"))
            writeFileSync(join(top, ".git"), "gitdir: ./nowhere\n")
          }
        }
        const both = ["--app", "known", "--instance", "too"]
        for (const [name, damage] of Object.entries(damages)) {
          const top = repository(join(folder, name))
          damage(top)
          expect(yield* refusal(top)).toMatch(/^git cannot read .*; give --app and --instance, or mend it$/)
          expect(yield* refusal(top, { args: ["--app", "known"] })).toMatch(/; give --app and --instance, or mend it$/)
          expect(yield* run(top, { args: both })).toMatchObject({ code: 0, stderr: "" })
          const env = { PORTCTL_APP: "known", PORTCTL_INSTANCE: "too" }
          expect(yield* run(top, { env })).toMatchObject({ code: 0 })
        }
      })
  )

  const isRoot = process.getuid?.() === 0
  it.scoped.skipIf(!isRoot)("git's refusal of another user's repository is passed on", () =>
    Effect.gen(function* () {
      const top = yield* temporaryRepository("foreign")
      for (const path of [top, join(top, ".git")]) chownSync(path, 12345, 12345)
      const remedy = `run git config --global --add safe.directory ${top}`
      expect(yield* refusal(top)).toMatch(/dubious ownership/)
      expect((yield* refusal(top)).endsWith(`; give --app and --instance, or ${remedy}`)).toBe(true)
      expect((yield* portctl(["init"], { cwd: top })).stderr).toContain(`; ${remedy} first\n`)
    })
  )

  it.scoped("no program runs that files of a repository name, where they look like a git directory", () =>
    Effect.gen(function* () {
      const top = yield* temporaryRepository("cloned")
      const outer = join(top, "outer")
      const inner = join(outer, "inner")
      for (const folder of [outer, inner]) {
        for (const name of ["objects", "refs"]) mkdirSync(join(folder, name), { recursive: true })
        writeFileSync(join(folder, "HEAD"), "ref: refs/heads/main\n")
        writeFileSync(join(folder, "config"), "[core]\nrepositoryformatversion = 0\nbare = false\nworktree = .\n")
      }
      mkdirSync(join(outer, "sparse/deep"), { recursive: true })
      for (const name of ["file", "sparse/deep/file"]) writeFileSync(join(outer, name), "")
      const ofOuter = (...args: ReadonlyArray<string>) => git(outer, "--git-dir=.", "--work-tree=.", ...args)
      ofOuter("add", "file", "sparse")
      ofOuter("commit", "--quiet", "--message=first")
      ofOuter("sparse-checkout", "set", "--cone", "--sparse-index", "other")
      const missing = ofOuter("rev-parse", "HEAD:sparse").trim()
      rmSync(join(outer, "objects", missing.slice(0, 2), missing.slice(2)))
      const program = join(outer, "program.sh")
      writeFileSync(program, '#!/bin/sh\n: > "$0.ran"\nexit 1\n', { mode: 0o755 })
      const settings = {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "origin",
        "remote.origin.promisor": "true",
        "remote.origin.url": outer,
        "remote.origin.uploadPack": program,
        "core.fsmonitor": program
      }
      for (const [name, value] of Object.entries(settings)) git(outer, "config", "--file=config", name, value)
      symlinkSync("file", join(outer, ".env"))
      expect(yield* run(inner)).toMatchObject({ code: 0 })
      const server = yield* Server
      yield* portctl(["env", "--write", ".env"], { server, cwd: outer })
      expect(existsSync(`${program}.ran`)).toBe(false)
    })
  )

  it.scoped("without git, a repository is told of, and a folder outside one is enough", () =>
    Effect.gen(function* () {
      const folder = yield* realFolder
      const path = join(folder, "path")
      mkdirSync(path)
      symlinkSync(process.execPath, join(path, "node"))
      const top = repository(join(folder, "ungitted"))
      const env = { PATH: path }
      expect(yield* refusal(top, { env })).toBe(
        `there is ${join(top, ".git")}, but no git to read it; give --app and --instance, or install git`
      )
      expect(yield* place(folder, { env })).toEqual([`${basename(folder)}/main`, folder])
    })
  )
})

it.scopedLive("a git before 2.31, which does not know --path-format, is understood", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    const top = yield* temporaryRepository("shop")
    const tools = yield* realFolder
    const real = execFileSync("sh", ["-c", "command -v git"], { encoding: "utf8" }).trim()
    // Like all that it does not know, it prints the word.
    const script = `for word; do
  shift
  case $word in --path-format=*) echo "$word" ;; *) set -- "$@" "$word" ;; esac
done
exec ${real} "$@"`
    writeFileSync(join(tools, "git"), `#!/bin/sh\n${script}\n`, { mode: 0o755 })
    mkdirSync(join(top, "packages/api"), { recursive: true })
    const linked = worktree(top, join(top, "../shop-x"))
    const env = { PATH: `${tools}:${process.env["PATH"]}` }
    for (const [cwd, owner] of [
      [top, "shop/main"],
      [join(top, "packages/api"), "shop/main"],
      [linked, "shop/shop-x"]
    ] as const) {
      expect((yield* portctl(["ensure"], { server, cwd, env })).stdout).toMatch(new RegExp(`^${owner}\n`))
    }
  })
)

it.scopedLive.skipIf(process.platform !== "linux")("a folder whose path is not UTF-8 text is told of", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    const folder = yield* realFolder
    // A shell makes the byte: Node writes only UTF-8.
    const script = `cd "$1" && mkdir $'caf\\xe9' && cd $'caf\\xe9' && exec "$0" ensure --service web`
    const running = yield* start("bash", ["-c", script, bin.portctl, folder], {
      env: { PORT_SERVER_ADDR: server.address }
    })
    const ended = yield* running.ended
    expect(ended.stderr).toBe(`error: the path of the current folder, ${folder}/caf\ufffd, is not UTF-8 text\n`)
    expect(ended.code).toBe(1)
  })
)

it.scopedLive("a folder that is gone is told of", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    const folder = join(yield* realFolder, "gone")
    mkdirSync(folder)
    const script = 'cd "$1" && rmdir "$1" && exec "$0" ensure --service web'
    const running = yield* start("sh", ["-c", script, bin.portctl, folder], {
      env: { PORT_SERVER_ADDR: server.address }
    })
    const ended = yield* running.ended
    expect(ended.code).toBe(1)
    // Some shells complain of the folder before they read their first line.
    expect(ended.stderr).toMatch(/^(sh: 0: getcwd\(\) failed: .*\n)?error: the current folder is gone/)
  })
)
