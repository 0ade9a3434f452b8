import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { temporaryRepository } from "../../support/Git.ts"
import { bin, start, startServer, temporaryFolder } from "../../support/Programs.ts"

const initialize =
  '{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}'
const ping = (id: unknown) => JSON.stringify({ jsonrpc: "2.0", id, method: "ping" })
const call = (id: unknown, name: string, args: object = {}) =>
  JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: args } })

/** What `portctl mcp` answers to the input of a shell script, and how it ends; nothing if it does not. */
const run = (script: string, ...parameters: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const server = yield* startServer()
    const cwd = yield* temporaryRepository("shop")
    const env = { HOME: server.home, PORT_SERVER_ADDR: server.address, mcp: `timeout 60 ${bin.portctl} mcp` }
    const { ended } = yield* start("bash", ["-c", script, "bash", ...parameters], { cwd, env })
    const { stderr, stdout } = yield* ended
    const lines = stdout.trim().split("\n")
    return { status: lines.pop(), answers: lines.map((line): unknown => JSON.parse(line)), stderr }
  })

/** The same for lines, after which the input ends. */
const runLines = (...lines: ReadonlyArray<string>) =>
  run(`printf '%s\\n' "$@" | $mcp; echo \${PIPESTATUS[1]}`, initialize, ...lines)

const answerTo = (id: number) => expect.objectContaining({ id, result: expect.anything() })
const refusal = (id: unknown, code: number) => expect.objectContaining({ id, error: expect.objectContaining({ code }) })

describe("portctl mcp", () => {
  it.scopedLive("answers every request that came before the end of its input", () =>
    Effect.gen(function* () {
      const { answers, status, stderr } = yield* runLines(
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
      const { answers, status } = yield* run(
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
      const { answers, status, stderr } = yield* run(script, file)
      expect({ status, stderr }).toEqual({
        status: "1",
        stderr: "error: a message has more than 10 MiB: send shorter ones\n"
      })
      expect(answers).toEqual([answerTo(0), answerTo(1)])
    })
  )
})
