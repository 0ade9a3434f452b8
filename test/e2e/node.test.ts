import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer, expectError } from "../support/Expectations.ts"
import { freePorts } from "../support/Listening.ts"
import { bin, start, temporaryFolder } from "../support/Programs.ts"
import { shells } from "../support/Shells.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const path = process.env["PATH"] ?? ""

const change = (file: string, from: string | RegExp, to: string) =>
  writeFileSync(file, readFileSync(file, "utf8").replaceAll(from, to))

const end = (command: string, args: ReadonlyArray<string>, options: Parameters<typeof start>[2] = {}) =>
  start(command, args, options).pipe(
    Effect.flatMap(({ ended }) => ended),
    Effect.scoped
  )

/** A copy of both programs in a folder of the given name; the Node of the build is not there. */
const copy = (name = "bin") =>
  Effect.map(temporaryFolder, (folder) => {
    const place = join(folder, name)
    mkdirSync(place)
    for (const file of readdirSync(dirname(bin.portctl))) {
      if (/^(portctl|port-server|package\.json)/.test(file)) {
        copyFileSync(join(dirname(bin.portctl), file), join(place, file))
      }
    }
    for (const name of ["portctl", "port-server"]) change(join(place, name), /^node=.*$/gm, "node=/nowhere/node")
    return place
  })

describe.concurrent("a program", () => {
  for (const name of ["portctl", "port-server"]) {
    it.scopedLive(`${name} names the Node it found and the one it needs where that is too old`, () =>
      Effect.gen(function* () {
        const place = yield* copy()
        change(join(place, `${name}.cjs`), "22.13", "1022.13")
        expectError(
          yield* end(join(place, name), ["--version"]),
          `${name} needs Node 1022.13 or newer, this is Node ${process.versions.node} (${process.execPath})`
        )
      })
    )

    it.scopedLive(`${name} says so where there is no Node at all`, () =>
      Effect.gen(function* () {
        const place = yield* copy()
        const ended = yield* end("/bin/sh", [join(place, name), "--version"], { env: { PATH: "/nowhere" } })
        expect(ended).toEqual({
          code: 127,
          signal: null,
          stdout: "",
          stderr: `error: ${name} needs Node 22.13 or newer, and there is no node on PATH\n`
        })
      })
    )
  }

  it.scopedLive("names the part of it that is missing", () =>
    Effect.gen(function* () {
      for (const part of ["portctl.bundle", "portctl.cjs"]) {
        const place = yield* copy()
        rmSync(join(place, part))
        expectError(
          yield* end(join(place, "portctl"), ["--version"]),
          `cannot read ${join(place, part)}: build or install portctl again`
        )
      }
    })
  )

  it.scopedLive("portctl doctor names a server's program that is missing, and checks all else", () =>
    Effect.gen(function* () {
      const place = yield* copy()
      const missing = join(place, "port-server")
      rmSync(missing)
      const home = dirname(place)
      mkdirSync(join(home, ".port_server"))
      writeFileSync(join(home, ".port_server/ports.db"), "")
      const { code, stdout } = yield* end(join(place, "portctl"), ["doctor", "--json"], {
        env: { HOME: home, PORT_SERVER_ADDR: `127.0.0.1:${yield* freePorts(1)}` }
      })
      expect(code).toBe(1)
      const { checks }: { checks: ReadonlyArray<{ name: string; status: string; message: string }> } =
        JSON.parse(stdout)
      const message = `cannot start port-server: there is no ${missing}; build or install it beside portctl`
      for (const name of ["programs", "database", "service"]) {
        expect(checks).toContainEqual(expect.objectContaining({ name, status: "error", message }))
      }
      expect(checks).toContainEqual(expect.objectContaining({ name: "settings", status: "ok" }))
    })
  )

  for (const [shell, ...args] of shells) {
    it.scopedLive(`starts under ${[shell, ...args].join(" ")}, through links and from any folder`, () =>
      Effect.gen(function* () {
        const place = yield* copy("-a b'\"$c\n")
        const folder = dirname(place)
        symlinkSync(place, join(folder, "-here"))
        symlinkSync("-here/portctl", join(folder, "-link"))
        symlinkSync(join(folder, "-link"), join(folder, "link"))
        const version = (yield* end(bin.portctl, ["--version"])).stdout
        for (const [cwd, file] of [
          [place, "portctl"],
          [place, "./portctl"],
          [folder, "-here/portctl"],
          [folder, "./-link"],
          [folder, "link"],
          ["/", join(folder, "link")],
          ["/", join(place, "portctl")]
        ] as const) {
          expectAnswer(yield* end(shell, [...args, "--", file, "--version"], { cwd }), version)
        }
        expectAnswer(yield* end("link", ["--version"], { env: { PATH: `${folder}:${path}` } }), version)
      })
    )
  }

  it.scopedLive("is not touched by what makes Node itself start otherwise", () =>
    Effect.gen(function* () {
      const env = {
        NODE_OPTIONS: "--no-such-option",
        NODE_EXTRA_CA_CERTS: "/nowhere.pem",
        NODE_REPL_EXTERNAL_MODULE: "/nowhere.js",
        NODE_DEBUG: "module,fs,net",
        NODE_REDIRECT_WARNINGS: "/nowhere/x",
        NODE_TLS_REJECT_UNAUTHORIZED: "0",
        NODE_CHANNEL_FD: "77",
        NODE_V8_COVERAGE: join(yield* temporaryFolder, "coverage")
      }
      for (const program of [bin.portctl, bin.portServer]) {
        const ended = yield* end(program, ["--version"], { env })
        expect(ended).toEqual({ code: 0, signal: null, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), stderr: "" })
      }
    })
  )
})

/** A checkout that needs a Node newer than any, in which npm is a script that makes what it is asked for, or fails. */
const checkout = (npm: (node: string) => string) =>
  Effect.map(temporaryFolder, (folder) => {
    mkdirSync(join(folder, "tools"))
    for (const file of ["package.json", "tools/on-node", "tools/find-node.js", "tools/node/package.json"]) {
      cpSync(join(root, file), join(folder, file))
    }
    cpSync(join(root, "tools/node/package-lock.json"), join(folder, "tools/node/package-lock.json"))
    change(join(folder, "package.json"), ">=22.13", ">=1022.13")
    const { optionalDependencies } = JSON.parse(readFileSync(join(root, "tools/node/package.json"), "utf8"))
    const pinned = Object.entries<string>(optionalDependencies)
    const [name = "", version = ""] =
      pinned.find(([name]) => name.endsWith(`${process.platform}-${process.arch}`)) ?? []
    const programs = join(folder, "programs")
    mkdirSync(programs)
    const node = `mkdir -p node_modules/${name}/bin
echo '{ "version": "${version}" }' > node_modules/${name}/package.json
printf '#!/bin/sh\\necho v${version}\\n' > node_modules/${name}/bin/node
chmod +x node_modules/${name}/bin/node`
    writeFileSync(join(programs, "npm"), `#!/bin/sh\n${npm(node)}\n`)
    chmodSync(join(programs, "npm"), 0o755)
    const modules = join(folder, "tools/node/node_modules")
    const onNode = (...args: ReadonlyArray<string>) =>
      end("sh", [join(folder, "tools/on-node"), ...args], { env: { PATH: `${programs}:${path}` } })
    return { folder, modules, name, onNode, version }
  })

describe.concurrent("a script of a checkout", () => {
  it.scopedLive("runs on PATH's Node where that is new enough, and fetches nothing", () =>
    Effect.gen(function* () {
      const { folder, onNode } = yield* checkout(() => "exit 9")
      change(join(folder, "package.json"), ">=1022.13", ">=22.13")
      expectAnswer(yield* onNode("node", "-p", "process.argv.slice(1).join()", "--", "a b", ""), "a b,\n")
      expect(yield* onNode("sh", "-c", "exit 7")).toMatchObject({ code: 7 })
    })
  )

  it.scopedLive("fetches a newer Node once, says so in one line, and has it first on PATH", () =>
    Effect.gen(function* () {
      const { folder, modules, name, onNode, version } = yield* checkout(
        (node) => `[ "$1" = ci ] && [ -f package-lock.json ] || exit 9\n${node}`
      )
      expect(yield* onNode("sh", "-c", "command -v node; node")).toEqual({
        code: 0,
        signal: null,
        stdout: `${join(modules, name, "bin/node")}\nv${version}\n`,
        stderr: `Node ${process.versions.node} is older than 1022.13: fetching Node ${version} into ${modules}\n`
      })
      expectAnswer(yield* onNode("node"), `v${version}\n`)
      expect(readdirSync(join(folder, "tools/node")).sort()).toEqual([
        "node_modules",
        "package-lock.json",
        "package.json"
      ])
      // A newer pin replaces it.
      change(join(modules, name, "package.json"), version, "1.2.3")
      expect((yield* onNode("node")).stderr).toContain(`fetching Node ${version}`)
    })
  )

  it.scopedLive("three at once fetch it, and all run on it", () =>
    Effect.gen(function* () {
      const { onNode, version } = yield* checkout((node) => `sleep 0.3\n${node}`)
      const all = yield* Effect.all([onNode("node"), onNode("node"), onNode("node")], { concurrency: 3 })
      for (const ended of all) expect(ended).toMatchObject({ code: 0, stdout: `v${version}\n` })
    })
  )

  it.scopedLive("says in one line why it cannot fetch one, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const { folder, onNode, version } = yield* checkout(() => "echo npm error EINTEGRITY >&2; exit 1")
      const ended = yield* onNode("node")
      expect(ended).toMatchObject({ code: 1, stdout: "" })
      expect(ended.stderr).toMatch(/^[^\n]+ fetching Node [^\n]+\nerror: [^\n]+\n$/)
      expect(ended.stderr).toContain(
        `error: port-server needs Node 1022.13 or newer, this is Node ${process.versions.node}; could not fetch Node ${version}: npm error EINTEGRITY\n`
      )
      expect(readdirSync(join(folder, "tools/node")).sort()).toEqual(["package-lock.json", "package.json"])
      rmSync(folder, { recursive: true })
    })
  )
})
