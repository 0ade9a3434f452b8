import { spawnSync } from "node:child_process"
import { existsSync, readdirSync, writeFileSync } from "node:fs"
import { delimiter, dirname, join, normalize } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer } from "../support/Expectations.ts"
import { realFolder, repository } from "../support/Git.ts"
import { startServerOnFreePorts } from "../support/Listening.ts"
import { codeBlocks, documentPath, readDocument, section, withoutCodeBlocks } from "../support/Markdown.ts"
import { bin, portctl, start } from "../support/Programs.ts"

const documents = [
  "README.md",
  "CONTRIBUTING.md",
  "CHANGELOG.md",
  ...readdirSync(documentPath("docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`)
]

const sourceFiles = new Set(
  readdirSync(documentPath("packages"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
)

const withoutCode = (markdown: string) => withoutCodeBlocks(markdown).replace(/`[^`\n]*`/g, "")

/** The name of a heading in a link, as GitHub makes it. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, "")
    .replace(/\s/g, "-")

const anchorsOf = (document: string) =>
  [...withoutCodeBlocks(readDocument(document)).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => anchorOf(heading))

describe.each(documents)("%s", (document) => {
  const markdown = readDocument(document)

  it("has no broken link to a file or a heading of this repository", () => {
    const targets = [...withoutCode(markdown).matchAll(/\]\(([^)]+)\)/g)].map(([, target = ""]) => target)
    const broken = targets.filter((target) => {
      if (target.startsWith("https://")) return false
      const [path = "", anchor] = target.split("#")
      const file = path === "" ? document : normalize(join(dirname(document), path))
      if (!existsSync(documentPath(file))) return true
      return anchor !== undefined && !anchorsOf(file).includes(anchor)
    })
    expect(broken).toEqual([])
  })

  it("names only source files that exist", () => {
    const named = [...markdown.matchAll(/[A-Z][A-Za-z]+\.ts\b/g)].map(([name]) => name)
    expect(named.filter((name) => !sourceFiles.has(name))).toEqual([])
  })

  it("has no line of prose over 100 columns", () => {
    const lines = withoutCodeBlocks(markdown).split("\n")
    expect(lines.filter((line) => line.length > 100 && !line.startsWith("|"))).toEqual([])
  })
})

it("CONTRIBUTING.md's tree names every folder of the sources, and no other", () => {
  const [tree = ""] = codeBlocks(section(readDocument("CONTRIBUTING.md"), "The source tree"), "text")
  const path: Array<string> = []
  const named = tree.split("\n").flatMap((line) => {
    const [, indent = "", folder] = /^( *)(\S+)\/(?: |$)/.exec(line) ?? []
    if (folder === undefined) return []
    path.splice(indent.length / 2, Number.POSITIVE_INFINITY, folder)
    return [path.join("/")]
  })
  const sources = readdirSync(documentPath("packages")).flatMap((name) => [
    `packages/${name}/src`,
    ...readdirSync(documentPath(`packages/${name}/src`), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(documentPath("").length))
  ])
  expect(named.filter((folder) => folder.startsWith("packages/")).sort()).toEqual(sources.sort())
})

describe("the README's recipes", () => {
  const recipes = section(readDocument("README.md"), "Recipes")

  /** A project with the services web and db, and a way to run a program in it. */
  const project = Effect.gen(function* () {
    const server = yield* startServerOnFreePorts(6)
    const folder = repository(join(yield* realFolder, "shop"))
    const services = { web: { env: "PORT" }, db: { env: "DB_PORT" } }
    writeFileSync(join(folder, "portctl.json"), JSON.stringify({ services }))
    const path = [dirname(bin.portctl), dirname(process.execPath), process.env["PATH"]].join(delimiter)
    const run = (command: string, ...args: ReadonlyArray<string>) =>
      start(command, args, { cwd: folder, env: { PATH: path, PORT_SERVER_ADDR: server.address } }).pipe(
        Effect.flatMap(({ ended }) => ended),
        Effect.scoped
      )
    /** Release the project's ports, and give them to another one. */
    const releaseToAnother = Effect.gen(function* () {
      expect(yield* run("portctl", "release", "--here")).toMatchObject({ code: 0 })
      const other = yield* portctl(["ensure", "--app", "other", "--instance", "main", "--service", "a,b"], { server })
      expect(other.stdout).toBe(`other/main\na  ${server.first}\nb  ${server.first + 1}\n`)
    })
    return { folder, first: server.first, run, releaseToAnother }
  })

  it.scopedLive("for make: ask for the port each time", () =>
    Effect.gen(function* () {
      const { first, folder, releaseToAnother, run } = yield* project
      const [makefile = ""] = codeBlocks(recipes, "make")
      writeFileSync(join(folder, "Makefile"), makefile)
      expectAnswer(yield* run("make", "-n", "dev"), "portctl run -- npm run dev\n")
      expectAnswer(yield* run("make", "-n", "smoke"), `curl --fail http://localhost:${first}/\n`)
      yield* releaseToAnother
      expectAnswer(yield* run("make", "-n", "smoke"), `curl --fail http://localhost:${first + 2}/\n`)
    })
  )

  it.scopedLive("for direnv: watch portctl.json, and set the variables", () =>
    Effect.gen(function* () {
      const { first, folder, releaseToAnother, run } = yield* project
      const [envrc = ""] = codeBlocks(recipes, "bash")
      writeFileSync(join(folder, ".envrc"), envrc)
      const direnv = 'watch_file() { echo "watches $1"; }; . ./.envrc; echo "$PORT $DB_PORT"'
      expectAnswer(yield* run("bash", "-c", direnv), `watches portctl.json\n${first} ${first + 1}\n`)
      yield* releaseToAnother
      expectAnswer(yield* run("bash", "-c", direnv), `watches portctl.json\n${first + 2} ${first + 3}\n`)
    })
  )

  it.scopedLive("for Compose: have the port with portctl run, and without it a message", () =>
    Effect.gen(function* () {
      const { first, run } = yield* project
      const [compose = ""] = codeBlocks(recipes, "yaml")
      const [, published = ""] = /ports: \["(.*)"\]/.exec(compose) ?? []
      const [, command = ""] = /started with: (portctl run --) docker compose up/.exec(compose) ?? []
      // Compose fills in `${NAME:?message}` as a shell does.
      const print = `echo "${published}"`
      const { code, stdout } = yield* run("sh", "-c", `${command} sh -c '${print}'`)
      expect({ code, stdout }).toEqual({ code: 0, stdout: `127.0.0.1:${first + 1}:5432\n` })
      const without = yield* run("sh", "-c", print)
      expect(without.code).not.toBe(0)
      expect(without.stderr).toContain("start it with portctl run")
    })
  )
})

it.each(["README.md", "docs/projects.md"])("%s names in its recipes nothing that a release makes stale", (document) => {
  const recipes = section(readDocument(document), "Recipes")
  expect(recipes).not.toContain("env --write")
})

it("docs/cli.md has the commands as they are", () => {
  const { status, stderr } = spawnSync(process.execPath, [documentPath("tools/docs.js"), "--check"], {
    encoding: "utf8"
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" })
})
