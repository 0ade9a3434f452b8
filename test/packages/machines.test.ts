import { copyFileSync, mkdirSync, readdirSync, readFileSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { isAlive, pidAt } from "../support/Daemon.ts"
import { expectAnswer, expectError } from "../support/Expectations.ts"
import { freePorts } from "../support/Listening.ts"
import { isSupported, type Node, nodes } from "../support/Nodes.ts"
import { bin, start, temporaryFolder } from "../support/Programs.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))
const { version }: { version: string } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"))
let all: ReadonlyArray<Node> = []

beforeAll(async () => {
  all = await nodes()
})

/** The programs as the build of a Node leaves them; of none, where that is gone. */
const build = (node?: Node) =>
  Effect.map(temporaryFolder, (folder) => {
    const place = join(folder, "bin")
    mkdirSync(place)
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
    for (const file of readdirSync(dirname(bin.portctl)).filter((name) => !name.endsWith(".cache"))) {
      copyFileSync(join(dirname(bin.portctl), file), join(place, file))
    }
    for (const name of ["portctl", "port-server"]) {
      const stub = readFileSync(join(place, name), "utf8")
      const first = node === undefined ? "/nowhere/node" : `${node.folder}/node`
      writeFileSync(join(place, name), stub.replace(/^node=.*$/m, `node='${first}'`))
    }
    return place
  })

/** Someone on a machine where a Node is the first on PATH. */
const person = Effect.gen(function* () {
  const home = yield* temporaryFolder
  const port = yield* freePorts(1)
  const portctl = (place: string, node: Node, line: string) =>
    start(join(place, "portctl"), line.split(" "), {
      cwd: home,
      env: { HOME: home, PATH: `${node.folder}:/usr/bin:/bin`, PORT_SERVER_ADDR: `127.0.0.1:${port}` }
    }).pipe(
      Effect.flatMap(({ ended }) => ended),
      Effect.scoped
    )
  return { port, portctl }
})

const ensure = "ensure --app shop --instance main --service web"

/** The quick start, a restart and an automatic start, with a server that runs on the given Node. */
const works = (place: string, first: Node, expected: Node) =>
  Effect.gen(function* () {
    const { port, portctl } = yield* person
    const line = (text: string) => portctl(place, first, text)
    const expectNode = Effect.map(pidAt(port), (pid) => {
      expect(readlinkSync(`/proc/${pid}/exe`)).toBe(`${expected.folder}/node`)
    })
    expectAnswer(yield* line("--version"), `${version}\n`)
    expect(yield* line("start")).toMatchObject({ code: 0, stderr: "" })
    yield* Effect.addFinalizer(() => line("stop"))
    yield* expectNode
    expectAnswer(
      yield* line("allocate --app myapp --instance dev --service postgres --port 9999"),
      "allocated port 9999 (id=1) for myapp/dev/postgres\n"
    )
    expect((yield* line("check --port 9999")).stdout).toBe("port 9999 is allocated to myapp/dev/postgres (id=1)\n")
    expectAnswer(yield* line("release --id 1"), "released allocation 1\n")
    expect(yield* line("restart")).toMatchObject({ code: 0, stderr: "" })
    yield* expectNode
    expect((yield* line("stop")).code).toBe(0)
    const [, granted = ""] = /^web +(\d+)$/m.exec((yield* line(ensure)).stdout) ?? []
    yield* expectNode
    expect((yield* line(`${ensure} --quiet`)).stdout).toBe(`${granted}\n`)
    expect((yield* line("doctor")).stdout).toContain(`Node ${expected.version} at ${expected.folder}/node`)
  }).pipe(Effect.scoped)

describe("the programs of a checkout", () => {
  it.scopedLive("work with any Node first on PATH, on the Node that built them", () =>
    Effect.gen(function* () {
      for (const built of all.filter(isSupported)) {
        const place = yield* build(built)
        for (const first of all.filter((node) => node !== built)) yield* works(place, first, built)
      }
    })
  )

  it.scopedLive("work where the Node that built them is gone, on that of PATH", () =>
    Effect.forEach(all.filter(isSupported), (node) =>
      Effect.flatMap(build(), (place) => works(place, node, node)).pipe(Effect.scoped)
    )
  )

  it.scopedLive("end in one sentence where only a Node is left that is too old, and leave a server running", () =>
    Effect.gen(function* () {
      const [old, built] = all
      if (old === undefined || built === undefined) throw new Error("no Nodes")
      const { port, portctl } = yield* person
      const before = yield* build(built)
      expect((yield* portctl(before, old, "start")).code).toBe(0)
      yield* Effect.addFinalizer(() => portctl(before, old, "stop"))
      const pid = yield* pidAt(port)
      const place = yield* build()
      for (const line of ["--version", "start", "restart", "list", ensure]) {
        expectError(
          yield* portctl(place, old, line),
          `portctl needs Node 22.13 or newer, this is Node ${old.version} (${old.folder}/node)`
        )
      }
      const run = yield* portctl(place, old, "run --app a --instance b -- true")
      expect(run).toMatchObject({ code: 1, stdout: "", stderr: expect.stringMatching(/^error: portctl needs .*\n$/) })
      expect(isAlive(pid)).toBe(true)
    })
  )
})
