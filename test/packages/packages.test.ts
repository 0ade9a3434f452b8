import { execFile, execFileSync } from "node:child_process"
import { copyFileSync, existsSync, mkdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { promisify } from "node:util"
import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer, expectError } from "../support/Expectations.ts"
import { freePorts } from "../support/Listening.ts"
import { isSupported, type Node, nodes } from "../support/Nodes.ts"
import { npmEnvironment } from "../support/Npm.ts"
import { start, temporaryFolder } from "../support/Programs.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const { version }: { version: string } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
const programs = join(root, `dist/port-server-${version}.tgz`)
const domain = join(root, `dist/port-server-domain-${version}.tgz`)

const environment = (node: Node, home: string) => ({
  ...npmEnvironment,
  PATH: `${node.folder}:${process.env["PATH"]}`,
  HOME: home
})

const run = (command: string, args: ReadonlyArray<string>, cwd: string, env: Readonly<Record<string, string>>) =>
  start(command, args, { cwd, env }).pipe(
    Effect.flatMap(({ ended }) => ended),
    Effect.scoped
  )

const succeed = (command: string, args: ReadonlyArray<string>, cwd: string, env: Readonly<Record<string, string>>) =>
  Effect.map(run(command, args, cwd, env), (ended) => {
    expect(ended.code, `${command} ${args.join(" ")}: ${ended.stdout}${ended.stderr}`).toBe(0)
    return ended
  })

const filesIn = (tarball: string) =>
  execFileSync("tar", ["-tzf", tarball], { encoding: "utf8" })
    .trim()
    .split("\n")
    .map((name) => name.replace(/^package\//, ""))
    .sort()

let all: ReadonlyArray<Node> = []
let supported: ReadonlyArray<Node> = []

beforeAll(async () => {
  all = await nodes()
  supported = all.filter(isSupported)
  await promisify(execFile)(process.execPath, ["tools/pack.js"], { cwd: root })
})

describe("the package of the programs", () => {
  it("has both programs, what the server serves, and nothing else", () => {
    expect(filesIn(programs)).toEqual([
      "CHANGELOG.md",
      "LICENSE",
      "README.md",
      "bin/config.schema.json",
      "bin/dashboard.css",
      "bin/dashboard.html",
      "bin/dashboard.js",
      "bin/dashboard.svg",
      "bin/docs.html",
      "bin/openapi.json",
      "bin/package.json",
      "bin/port-server",
      "bin/port-server.bundle",
      "bin/port-server.cjs",
      "bin/portctl",
      "bin/portctl-mcp.cjs",
      "bin/portctl-mcp.licenses.txt",
      "bin/portctl-watch.cjs",
      "bin/portctl.bundle",
      "bin/portctl.cjs",
      "bin/portctl.schema.json",
      "bin/swagger-ui.css",
      "bin/swagger-ui.js",
      "package.json"
    ])
  })

  it.scopedLive("installs on every Node that is supported, and runs the quick start there", () =>
    Effect.forEach(supported, (node) =>
      Effect.gen(function* () {
        const prefix = yield* temporaryFolder
        const env = environment(node, join(prefix, "home"))
        mkdirSync(env.HOME)
        yield* succeed("npm", ["install", "--global", "--prefix", prefix, programs], prefix, env)
        const port = yield* freePorts(1)
        const server = { ...env, PORT_SERVER_ADDR: `127.0.0.1:${port}` }
        const portctl = (line: string) => run(join(prefix, "bin/portctl"), line.split(" "), prefix, server)
        expectAnswer(yield* portctl("--version"), `${version}\n`)
        const [, pid = ""] = /pid (\d+)/.exec((yield* portctl("start")).stdout) ?? []
        yield* Effect.addFinalizer(() => portctl("stop"))
        expect(readlinkSync(`/proc/${pid}/exe`)).toBe(
          readlinkSync("/proc/self/exe").replace(/.*/, `${node.folder}/node`)
        )
        expectAnswer(
          yield* portctl("allocate --app myapp --instance dev --service web --port 9999"),
          "allocated port 9999 (id=1) for myapp/dev/web\n"
        )
        expect((yield* portctl("check --port 9999")).stdout).toBe("port 9999 is allocated to myapp/dev/web (id=1)\n")
        expectAnswer(yield* portctl("release --id 1"), "released allocation 1\n")
        expect(yield* portctl("restart")).toMatchObject({ code: 0, stderr: "" })
        expect(yield* portctl("stop")).toMatchObject({ code: 0 })
        expect(yield* portctl("ensure --app shop --instance main --service web")).toMatchObject({ code: 0 })
      }).pipe(Effect.scoped)
    )
  )

  it.scopedLive("installs on a Node that is too old, and names the one it needs", () =>
    Effect.gen(function* () {
      const [old] = all
      if (old === undefined) throw new Error("no Nodes")
      const prefix = yield* temporaryFolder
      const env = environment(old, prefix)
      const { stderr } = yield* succeed("npm", ["install", "--global", "--prefix", prefix, programs], prefix, env)
      expect(stderr).toContain("EBADENGINE")
      for (const name of ["portctl", "port-server"]) {
        expectError(
          yield* run(join(prefix, "bin", name), ["--version"], prefix, env),
          `${name} needs Node 22.13 or newer, this is Node ${old.version} (${old.folder}/node)`
        )
      }
    })
  )

  it.scopedLive("keeps to the Node of the folder that it is installed in, whatever PATH has", () =>
    Effect.gen(function* () {
      const [node, other] = supported
      if (node === undefined || other === undefined) throw new Error("no Nodes")
      const prefix = yield* temporaryFolder
      const env = environment(node, prefix)
      mkdirSync(join(prefix, "bin"))
      symlinkSync(`${node.folder}/node`, join(prefix, "bin/node"))
      yield* succeed("npm", ["install", "--global", "--prefix", prefix, programs], prefix, env)
      const server = {
        ...env,
        PATH: `${other.folder}:/usr/bin:/bin`,
        PORT_SERVER_ADDR: `127.0.0.1:${yield* freePorts(1)}`
      }
      const portctl = (line: string) => run(join(prefix, "bin/portctl"), line.split(" "), prefix, server)
      const [, pid = ""] = /pid (\d+)/.exec((yield* portctl("start")).stdout) ?? []
      yield* Effect.addFinalizer(() => portctl("stop"))
      expect(readlinkSync(`/proc/${pid}/exe`)).toBe(`${node.folder}/node`)
    })
  )

  it.scopedLive("runs on the Node of the PATH in a project, whatever is in the folder around that", () =>
    Effect.gen(function* () {
      const [node] = supported
      if (node === undefined) throw new Error("no Nodes")
      const around = yield* temporaryFolder
      const env = environment(node, around)
      mkdirSync(join(around, "bin"))
      writeFileSync(join(around, "bin/node"), "#!/bin/sh\necho not yours\n", { mode: 0o755 })
      for (const name of ["project", "lib"]) {
        const project = join(around, name)
        mkdirSync(project)
        writeFileSync(join(project, "package.json"), "{}")
        yield* succeed("npm", ["install", programs], project, env)
        for (const program of ["portctl", "port-server"]) {
          const command = join(project, "node_modules/.bin", program)
          expectAnswer(yield* run(command, ["--version"], project, env), `${version}\n`)
        }
      }
    })
  )
})

describe("the package of the typed client", () => {
  it("has compiled modules, their types and sources, and no test or build file", () => {
    const files = filesIn(domain)
    const [modules, others] = [true, false].map((isModule) =>
      files.filter((file) => /^(dist|src)\/(\w+\/)*\w+(\.ts|\.js|\.d\.ts|\.js\.map)$/.test(file) === isModule)
    )
    expect(others).toEqual(["LICENSE", "README.md", "config.schema.json", "package.json", "portctl.schema.json"])
    expect(modules).toContain("dist/index.d.ts")
    expect(modules).toContain("dist/api/PortServerClient.js")
    expect(modules?.filter((file) => /test/i.test(file))).toEqual([])
  })

  it.scopedLive("type-checks and runs the client example in a program of its own, on every Node", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      const [first] = supported
      if (first === undefined) throw new Error("no Nodes")
      const env = environment(first, folder)
      writeFileSync(join(folder, "package.json"), '{ "type": "module", "private": true }\n')
      copyFileSync(join(root, "examples/allocate.ts"), join(folder, "allocate.ts"))
      const dependencies = [domain, "effect@3", "@effect/platform@0.97", "@types/node@22", "typescript@5.9"]
      yield* succeed("npm", ["install", ...dependencies], folder, env)
      const copies = yield* succeed("npm", ["ls", "effect", "--all", "--parseable"], folder, env)
      expect(copies.stdout.trim().split("\n")).toHaveLength(1)
      const flags = "--strict --module NodeNext --target ES2022 --outDir out --types node allocate.ts".split(" ")
      const compilers = [join(folder, "node_modules/.bin/tsc"), join(root, "node_modules/.bin/tsc")]
      yield* Effect.forEach(compilers, (tsc) => succeed(tsc, flags, folder, env))
      expect(existsSync(join(folder, "out/allocate.js"))).toBe(true)
      yield* Effect.forEach(supported, (node) =>
        Effect.gen(function* () {
          const home = yield* temporaryFolder
          const server = { ...environment(node, home), PORT_SERVER_ADDR: `127.0.0.1:${yield* freePorts(1)}` }
          const portctl = (line: string) => run(join(root, "bin/portctl"), line.split(" "), home, server)
          expect(yield* portctl("start")).toMatchObject({ code: 0 })
          yield* Effect.addFinalizer(() => portctl("stop"))
          const { stdout } = yield* succeed(`${node.folder}/node`, ["out/allocate.js"], folder, server)
          expect(stdout).toMatch(/^got port (\d+)\nport \1 belongs to example\/main\/web\nreleased port \1\n$/)
        }).pipe(Effect.scoped)
      )
    })
  )
})
