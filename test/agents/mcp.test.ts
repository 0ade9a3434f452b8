import { execFileSync } from "node:child_process"
import { copyFileSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { isAlive, user } from "../support/Daemon.ts"
import { expectAnswer } from "../support/Expectations.ts"
import { realFolder, repository, worktree } from "../support/Git.ts"
import { freePorts, listeningProgram } from "../support/Listening.ts"
import { clients, connect } from "../support/McpClients.ts"
import { bin, portctl, start, startServer } from "../support/Programs.ts"

const root = fileURLToPath(new URL("../..", import.meta.url))

/** A repository called shop with two services, a linked worktree, and a server with free ports. */
const shop = Effect.gen(function* () {
  const first = yield* freePorts(40)
  const server = yield* startServer({ args: ["--range", `${first}-${first + 39}`] })
  const top = yield* realFolder
  const project = repository(join(top, "shop"))
  const linked = worktree(project, join(top, "shop-vat"))
  for (const folder of [project, linked]) {
    writeFileSync(join(folder, "portctl.json"), JSON.stringify({ services: { web: { env: "PORT" }, db: {} } }))
  }
  const env = { HOME: server.home, PORT_SERVER_ADDR: server.address }
  return { env, first, server, project, linked, top }
})

/** Docker Compose by itself, in a folder for PATH. */
const compose = (folder: string) => {
  const plugin = execFileSync("sh", [join(root, "tools/engine/fetch-compose")], { encoding: "utf8" }).trim()
  symlinkSync(join(plugin, "cli-plugins/docker-compose"), join(folder, "docker-compose"))
  return folder
}

const names = [
  "ensure_ports",
  "get_ports",
  "verify_ports",
  "release_ports",
  "compose_plan",
  "why_port",
  "find_free_port",
  "list_ports"
]

describe.each(Object.keys(clients))("portctl mcp and the client of %s", (kind) => {
  const client = Object.keys(clients).find((each): each is keyof typeof clients => each === kind) ?? "SDK v1"

  it.scopedLive("list every tool, and call each with and without path", () =>
    Effect.gen(function* () {
      const { env, first, linked, project, top } = yield* shop
      writeFileSync(join(project, "compose.yaml"), `services: {cache: {image: x, ports: ["${first + 20}:6379"]}}\n`)
      mkdirSync(join(top, "bin"))
      const PATH = `${compose(join(top, "bin"))}:${process.env["PATH"]}`
      const { call, instructions, tools } = yield* connect({ cwd: project, env: { ...env, PATH } }, client)
      const listed = yield* tools
      expect(listed.map(({ name }) => name)).toEqual(names)
      expect(instructions.match(/[.!](?= |$)/g)).toHaveLength(5)
      expect(listed.find(({ name }) => name === "release_ports")).toMatchObject({
        annotations: { readOnlyHint: false, destructiveHint: true, openWorldHint: false },
        inputSchema: { required: ["path"] }
      })
      expect(listed.filter(({ annotations }) => annotations["readOnlyHint"] === true)).toHaveLength(6)

      const free = yield* call("find_free_port", { port: first })
      expect(free.value).toEqual({ port: first, notes: [] })
      expect((yield* call("ensure_ports")).value).toMatchObject({
        app: "shop",
        instance: "main",
        folder: project,
        allocations: [
          { service: "web", port: first },
          { service: "db", port: first + 1 }
        ],
        variables: { PORT: String(first), DB_PORT: String(first + 1) },
        notes: []
      })
      expect((yield* call("ensure_ports", { path: linked, services: ["web"] })).value).toMatchObject({
        instance: "shop-vat",
        folder: linked,
        variables: { PORT: String(first + 2) }
      })
      const own = yield* listeningProgram({ cwd: linked, port: first + 2 })
      expect((yield* call("get_ports", { path: linked })).value).toMatchObject({
        services: [
          { service: "web", state: "own", listeners: [{ pid: own.pid }] },
          { service: "db", state: "idle" }
        ],
        siblings: [{ instance: "main", folder: project }]
      })
      expect((yield* call("verify_ports", { services: ["web"] })).value).toEqual({
        folder: project,
        services: [{ service: "web", port: first, state: "idle", listeners: [] }],
        notes: []
      })
      expect((yield* call("why_port", { port: first + 2 })).value).toMatchObject({
        holder: { instance: "shop-vat" },
        listener: { pid: own.pid },
        events: [{ kind: "allocated", by: { command: "mcp", folder: linked } }]
      })
      expect((yield* call("find_free_port", { path: linked, port: first })).value).toEqual({
        port: first + 3,
        reason: `port ${first} is allocated to shop/main/web (id=1)`,
        notes: []
      })
      expect((yield* call("compose_plan")).value).toMatchObject({
        working_copy: "shop/main",
        project: "shop",
        ports: [{ service: "cache", target: 6379, file: first + 20, port: first + 20 }]
      })
      expect((yield* call("list_ports", { path: linked })).value).toMatchObject({ total: 1 })
      expect((yield* call("release_ports", { path: linked })).value).toMatchObject({ deleted: 1, folder: linked })
      expect((yield* call("list_ports")).value).toMatchObject({
        total: 2,
        allocations: [{ service: "web" }, { service: "db" }]
      })
    })
  )

  it.scopedLive("read the resources: the ports of each working copy, and what listens", () =>
    Effect.gen(function* () {
      const { env, first, project, top } = yield* shop
      const odd = repository(join(top, "50% röd"))
      const { call, read, resources, templates } = yield* connect({ cwd: project, env }, client)
      yield* call("ensure_ports", { path: odd })
      const own = yield* listeningProgram({ cwd: odd, port: first })
      expect((yield* resources).map(({ name }) => name)).toEqual(["listeners", "50% röd/main"])
      expect(yield* templates).toMatchObject([{ uriTemplate: "port-server://working-copy{+path}" }])
      const [, { uri } = { uri: "" }] = yield* resources
      expect(yield* read(uri)).toMatchObject({ folder: odd, allocations: [{ service: "web", port: first }] })
      expect(yield* read("port-server://machine/listeners")).toContainEqual(
        expect.objectContaining({ port: first, listener: expect.objectContaining({ pid: own.pid }) })
      )
    })
  )

  it.scopedLive("are told what is wrong in the command line's own sentences", () =>
    Effect.gen(function* () {
      const { env, first, project, server, top } = yield* shop
      const { call } = yield* connect({ cwd: project, env }, client)
      yield* call("ensure_ports")
      const said = (name: string, args: Record<string, unknown>) =>
        Effect.map(call(name, args), ({ error = "" }) => error.split("\n")[0])
      const cli = yield* portctl(["verify", "--service", "nope"], { server, cwd: project })
      expect(`error: ${yield* said("verify_ports", { services: ["nope"] })}\n`).toBe(cli.stderr)
      expect(yield* said("why_port", { port: 70_000 })).toBe("port must be an integer from 1 to 65535")
      expect(yield* said("why_port", {})).toBe("port is missing")
      expect(yield* said("ensure_ports", { path: "shop" })).toBe("path must be the absolute path of a folder")
      expect(yield* said("ensure_ports", { path: join(top, "gone") })).toBe(
        `cannot work in the folder ${join(top, "gone")}: there is none`
      )
      expect(yield* said("ensure_ports", { services: "web" })).toBe(
        'services must be a list of names, like ["web", "db"]'
      )
      expect(yield* said("ensure_ports", { service: ["web"] })).toBe('unknown field "service"')
      expect(yield* said("release_ports", {})).toBe("path is missing")
      writeFileSync(join(project, "portctl.json"), "{")
      expect(`error: ${yield* said("ensure_ports", {})}\n`).toBe(
        (yield* portctl(["ensure"], { server, cwd: project })).stderr
      )
      expect((yield* call("list_ports", { port: first })).value).toMatchObject({ total: 1 })
    })
  )
})

describe("portctl mcp", () => {
  it.scopedLive("starts a server that is down, also once more, as the command line does", () =>
    Effect.gen(function* () {
      const { address, env, home, portctl } = yield* user
      const { call } = yield* connect({ cwd: home, env })
      const started = { notes: [expect.stringMatching(`^started port-server at ${address} `)] }
      expect((yield* call("ensure_ports")).value).toMatchObject(started)
      expect((yield* portctl("stop")).code).toBe(0)
      expect((yield* call("ensure_ports")).value).toMatchObject(started)
      const off = yield* connect({ cwd: home, env: { ...env, PORTCTL_AUTOSTART: "0" } })
      expect((yield* portctl("stop")).code).toBe(0)
      expect((yield* off.call("ensure_ports")).error?.split("\n")[0]).toBe(
        `cannot reach port-server at ${address} (is it running? start it with: portctl start)`
      )
    })
  )

  it.scopedLive("has with --read-only no tool that changes what is allocated", () =>
    Effect.gen(function* () {
      const { env, project } = yield* shop
      const { call, instructions, tools } = yield* connect({ cwd: project, env, args: ["--read-only"] })
      expect((yield* tools).map(({ name }) => name)).toEqual(
        names.filter((name) => !["ensure_ports", "release_ports"].includes(name))
      )
      expect(instructions).not.toMatch(/ensure_ports|release_ports/)
      expect(instructions.match(/[.!](?= |$)/g)).toHaveLength(5)
      yield* call("get_ports")
      yield* call("find_free_port")
      expect((yield* call("list_ports")).value).toMatchObject({ total: 0 })
    })
  )

  it.scopedLive("answers calls about two working copies that come at once, each about its own", () =>
    Effect.gen(function* () {
      const { env, linked, project } = yield* shop
      const { call } = yield* connect({ cwd: project, env })
      const folders = Array.from({ length: 20 }, (_, index) => (index % 2 === 0 ? project : linked))
      const results = yield* Effect.forEach(folders, (path) => call("ensure_ports", { path }), {
        concurrency: "unbounded"
      })
      expect(results.map(({ value }) => value["folder"])).toEqual(folders)
      expect((yield* call("list_ports")).value).toMatchObject({ total: 4 })
    })
  )

  it.scopedLive("goes on where the folder that it was started in, or one that it worked in, is removed", () =>
    Effect.gen(function* () {
      const { env, linked, project, top } = yield* shop
      mkdirSync(join(top, "start"))
      const { call } = yield* connect({ cwd: join(top, "start"), env })
      yield* call("ensure_ports", { path: linked })
      rmSync(linked, { recursive: true })
      rmSync(join(top, "start"), { recursive: true })
      expect((yield* call("ensure_ports")).error).toBe(`cannot work in the folder ${join(top, "start")}: there is none`)
      expect((yield* call("list_ports")).value).toMatchObject({ total: 2 })
      expect((yield* call("ensure_ports", { path: project })).value).toMatchObject({ instance: "main" })
    })
  )

  it.scopedLive("writes nothing but messages of the protocol on stdout, and ends when its input does", () =>
    Effect.gen(function* () {
      const { env, project } = yield* shop
      const lines = [
        "this is no message",
        '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}',
        '{"jsonrpc":"2.0","method":"notifications/initialized"}',
        '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"ensure_ports","arguments":{}}}'
      ]
      // The input stays open until the answer to the last one is there.
      const script = `{ printf '%s\\n' "$@"; while ! grep -q '"id":2' out; do sleep 0.05; done; } | "$portctl" mcp > out; echo $?; cat out`
      const cwd = yield* realFolder
      const run = yield* start("bash", ["-c", `cd "$0" && touch out && ${script}`, cwd, ...lines], {
        cwd: project,
        env: { ...env, portctl: bin.portctl }
      })
      const { stdout } = yield* run.ended
      const [status, ...messages] = stdout.trim().split("\n")
      expect(status).toBe("0")
      expect(messages.map((message): unknown => JSON.parse(message))).toMatchObject([
        { jsonrpc: "2.0", id: null, error: { code: -32_700 } },
        { jsonrpc: "2.0", id: 1, result: { protocolVersion: "2025-06-18", serverInfo: { name: "port-server" } } },
        { jsonrpc: "2.0", id: 2, result: { structuredContent: { instance: expect.anything() } } }
      ])
    })
  )

  it.scopedLive("ends with its client, whatever it was doing", () =>
    Effect.gen(function* () {
      const { env, project } = yield* shop
      const pid = yield* Effect.scoped(
        Effect.gen(function* () {
          const { call, pid } = yield* connect({ cwd: project, env })
          yield* Effect.forkDaemon(Effect.ignore(call("get_ports")))
          return pid
        })
      )
      expect(isAlive(pid)).toBe(false)
    })
  )
})

describe("an agent with nothing but the tools' listing and the instructions", () => {
  it.scopedLive("brings up two worktrees without choosing a port", () =>
    Effect.gen(function* () {
      const { env, linked, project } = yield* shop
      const ports = yield* Effect.forEach([project, linked], (folder) =>
        Effect.gen(function* () {
          const { call, instructions, tools } = yield* connect({ cwd: folder, env })
          const told = [...instructions.matchAll(/\b[a-z]+_ports?\b/g)].map(([name]) => name)
          const listed = yield* tools
          /** The tool of which the instructions speak, and whose listing has the word. */
          const tool = (word: RegExp) => {
            const found = listed.find(({ description, name }) => told.includes(name) && word.test(description))
            if (found === undefined) throw new Error(`no tool for ${word}`)
            expect(Object.keys(found.inputSchema.properties)).toContain("path")
            return found.name
          }
          const { value } = yield* call(tool(/before you start/), { path: folder })
          const variables: Record<string, unknown> = { ...Object(value["variables"]) }
          const program = yield* listeningProgram({ cwd: folder, port: Number(variables["PORT"]) })
          const verified = yield* call(tool(/\bown, foreign\b/), { path: folder })
          expect(verified.value["services"]).toMatchObject([
            { service: "web", port: program.port, state: "own" },
            { service: "db", state: "idle" }
          ])
          return program.port
        })
      )
      expect(new Set(ports).size).toBe(2)
    })
  )
})

it.scopedLive("no other command loads the SDK, which is a file beside the program", () =>
  Effect.gen(function* () {
    const { env } = yield* shop
    const folder = yield* realFolder
    for (const file of readdirSync(dirname(bin.portctl)).filter((name) => !name.endsWith(".cache"))) {
      if (file !== "portctl-mcp.cjs") copyFileSync(join(dirname(bin.portctl), file), join(folder, file))
    }
    const run = (...args: ReadonlyArray<string>) =>
      Effect.flatMap(start(join(folder, "portctl"), args, { env }), ({ ended }) => ended)
    expectAnswer(yield* run("health"), "ok\n")
    for (const args of [["list"], ["context"], ["mcp", "--help"]]) expect((yield* run(...args)).code).toBe(0)
    expect(yield* run("mcp")).toMatchObject({ code: 1, stderr: expect.stringContaining("portctl-mcp.cjs") })
  })
)
