import { spawnSync } from "node:child_process"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { git, temporaryRepository, worktree } from "../../support/Git.ts"
import { bin, portctl, start, startServer, temporaryFolder } from "../../support/Programs.ts"

const initialize =
  '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}'
const ping = (id: unknown) => JSON.stringify({ jsonrpc: "2.0", id, method: "ping" })
const call = (id: unknown, name: string, args: object = {}) =>
  JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: args } })

const decodeResults = Schema.decodeUnknownSync(
  Schema.Array(Schema.Struct({ result: Schema.Struct({ structuredContent: Schema.Unknown }) }))
)

/** A repository, and what `portctl mcp` in it answers to the input of a shell script, and how it ends. */
const project = Effect.gen(function* () {
  const server = yield* startServer()
  const cwd = yield* temporaryRepository("shop")
  const env = { HOME: server.home, PORT_SERVER_ADDR: server.address, mcp: `timeout 60 ${bin.portctl} mcp` }
  const run = Effect.fnUntraced(function* (script: string, ...parameters: ReadonlyArray<string>) {
    const { ended } = yield* start("bash", ["-c", script, "bash", ...parameters], { cwd, env })
    const { stderr, stdout } = yield* ended
    const lines = stdout.trim().split("\n")
    return { status: lines.pop(), answers: lines.map((line): unknown => JSON.parse(line)), stderr }
  })
  return { server, cwd, run }
})

type Run = Effect.Effect.Success<typeof project>["run"]

/** The same for lines, after which the input ends. */
const runLines = (run: Run, ...lines: ReadonlyArray<string>) =>
  run(`printf '%s\\n' "$@" | $mcp; echo \${PIPESTATUS[1]}`, initialize, ...lines)

/** The structured results of calls. */
const resultsOf = Effect.fnUntraced(function* (run: Run, calls: ReadonlyArray<readonly [name: string, args: object]>) {
  const { answers } = yield* runLines(run, ...calls.map(([name, args], index) => call(index + 1, name, args)))
  return decodeResults(answers.slice(1)).map(({ result }) => result.structuredContent)
})

const answerTo = (id: number) => expect.objectContaining({ id, result: expect.anything() })
const refusal = (id: unknown, code: number) => expect.objectContaining({ id, error: expect.objectContaining({ code }) })

describe("portctl mcp", () => {
  const normalUser = ["--reuid=65534", "--regid=65534", "--clear-groups"]
  const canDrop = process.getuid?.() === 0 && spawnSync("setpriv", [...normalUser, "true"]).status === 0
  it.scopedLive.skipIf(!canDrop)("finds no port free that its user may not bind", () =>
    Effect.gen(function* () {
      const { run } = yield* project
      const folder = yield* temporaryFolder
      chmodSync(folder, 0o755)
      const script = `cd ${folder}; printf '%s\\n' "$@" | setpriv ${normalUser.join(" ")} $mcp; echo \${PIPESTATUS[1]}`
      const { answers } = yield* run(script, initialize, call(1, "find_free_port", { port: 87 }))
      expect(decodeResults(answers.slice(1))).toMatchObject([
        {
          result: {
            structuredContent: { port: expect.any(Number), reason: expect.stringMatching(/^port 87 is privileged: /) }
          }
        }
      ])
    })
  )

  it.scopedLive("answers every request that came before the end of its input", () =>
    Effect.gen(function* () {
      const { answers, status, stderr } = yield* runLines(
        (yield* project).run,
        '{"jsonrpc":"2.0","method":"notifications/initialized"}',
        ...[1, 2, 3].map((id) => call(id, id === 1 ? "ensure_ports" : "get_ports"))
      )
      expect({ status, stderr }).toEqual({ status: "0", stderr: "" })
      expect(answers).toEqual([0, 1, 2, 3].map(answerTo))
      expect(answers[3]).toMatchObject({ result: { structuredContent: { services: [{ service: "web" }] } } })
    })
  )

  it.scopedLive("answers a last line that has no line break", () =>
    Effect.gen(function* () {
      const { answers, status } = yield* (yield* project).run(
        `printf '%s\\n%s' "$@" | $mcp; echo \${PIPESTATUS[1]}`,
        initialize,
        call(1, "get_ports")
      )
      expect({ answers, status }).toEqual({ answers: [answerTo(0), answerTo(1)], status: "0" })
    })
  )

  it.scopedLive("answers what is no message with the error of JSON-RPC, and goes on", () =>
    Effect.gen(function* () {
      const { answers, status } = yield* runLines(
        (yield* project).run,
        "not JSON",
        "{}",
        "",
        ping(1.5),
        '{"jsonrpc":"2.0","id":2,"method":"tools/call","params":null}',
        `[${ping(3)}]`,
        '{"jsonrpc":"2.0","id":"four","result":1}',
        '{"jsonrpc":"2.0","id":"five"}',
        ping(6)
      )
      expect(status).toBe("0")
      expect(answers).toHaveLength(8)
      expect(answers).toEqual(
        expect.arrayContaining([
          answerTo(0),
          refusal(null, -32_700),
          refusal(null, -32_600),
          refusal(1.5, -32_600),
          refusal(2, -32_600),
          refusal("five", -32_600),
          answerTo(6)
        ])
      )
    })
  )

  it.scopedLive("does not wait for the answer to a request that was cancelled", () =>
    Effect.gen(function* () {
      const { answers, status, stderr } = yield* runLines(
        (yield* project).run,
        call(1, "get_ports"),
        call(2, "get_ports"),
        '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":2}}'
      )
      expect({ status, stderr }).toEqual({ status: "0", stderr: "" })
      expect(answers).toEqual([answerTo(0), answerTo(1)])
    })
  )

  it.scopedLive("ends with an error at a message over 10 MiB, also while its input stays open", () =>
    Effect.gen(function* () {
      const file = join(yield* temporaryFolder, "input")
      writeFileSync(
        file,
        [initialize, call(1, "why_port", { port: "x".repeat(10_000_000) }), ""].join("\n") +
          [call(2, "why_port", { port: "x".repeat(10_600_000) }), ping(3), ""].join("\n")
      )
      const script =
        'mkfifo pipe; exec 3<>pipe; cat "$1" > pipe 3>&- & $mcp < pipe 3>&-; status=$?; kill $! 2> /dev/null; echo $status'
      const { answers, status, stderr } = yield* (yield* project).run(script, file)
      expect({ status, stderr }).toEqual({
        status: "1",
        stderr: "error: a message has more than 10 MiB: send shorter ones\n"
      })
      expect(answers).toEqual([answerTo(0), answerTo(1)])
    })
  )

  it.scopedLive("notes in release_ports what portctl release notes", () =>
    Effect.gen(function* () {
      const { cwd, run, server } = yield* project
      const inner = join(cwd, "packages/api")
      mkdirSync(inner, { recursive: true })
      writeFileSync(join(cwd, "portctl.json"), JSON.stringify({ services: { web: {} } }))
      writeFileSync(join(inner, "portctl.json"), JSON.stringify({ services: { dev: {} } }))
      const notes = Effect.fnUntraced(function* (args: ReadonlyArray<string>) {
        yield* portctl(["ensure"], { server, cwd })
        return (yield* portctl(["release", "--here", ...args], { server, cwd })).stderr.trim().split("\n")
      })
      yield* portctl(["ensure"], { server, cwd: inner })
      const unknown = yield* notes(["--service", "nope"])
      expect(unknown).toEqual(["note: this working copy had no port for nope, but for web"])
      const below = yield* notes([])
      expect(below).toEqual([expect.stringContaining(`note: ${inner} has ports of its own`)])
      yield* portctl(["ensure"], { server, cwd })
      const results = yield* resultsOf(run, [
        ["release_ports", { path: cwd, services: ["nope"] }],
        ["release_ports", { path: cwd }]
      ])
      expect(results).toEqual([
        { deleted: 0, folder: cwd, notes: unknown },
        { deleted: 1, folder: cwd, notes: below }
      ])
    })
  )

  it.scopedLive("lists the ports of a worktree that was moved", () =>
    Effect.gen(function* () {
      const { cwd, run, server } = yield* project
      const folder = (name: string) => join(cwd, "..", name)
      const [before, after, third] = [folder("before"), folder("after"), folder("third")]
      yield* portctl(["ensure", "--service", "web,db"], { server, cwd: worktree(cwd, before) })
      git(cwd, "worktree", "move", before, after)
      expect(yield* resultsOf(run, [["list_ports", { path: after, services: ["web"] }]])).toMatchObject([
        { allocations: [{ service: "web", path: after }], total: 1, notes: [expect.stringContaining("was moved here")] }
      ])
      git(cwd, "worktree", "move", after, third)
      const uri = `port-server://working-copy${third}`
      const { answers } = yield* runLines(
        run,
        JSON.stringify({ jsonrpc: "2.0", id: 1, method: "resources/read", params: { uri } })
      )
      expect(answers[1]).toMatchObject({ result: { contents: [{ text: expect.stringContaining('"service":"db"') }] } })
    })
  )
})

describe("portctl mcp that was started in /", () => {
  it.scopedLive("says that a call without a path is about no working copy", () =>
    Effect.gen(function* () {
      const { cwd, run } = yield* project
      const lines = [initialize, call(1, "ensure_ports"), call(2, "ensure_ports", { path: cwd })]
      const { answers } = yield* run(`cd / && printf '%s\\n' "$@" | $mcp; echo $?`, ...lines)
      expect(answers).toMatchObject([
        {},
        {
          result: {
            isError: true,
            content: [{ text: "path is needed: this MCP server was started in /, which is no working copy" }]
          }
        },
        { result: { structuredContent: { app: "shop" } } }
      ])
    })
  )
})
