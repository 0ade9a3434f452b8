import { execFile } from "node:child_process"
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { temporaryRepository } from "../support/Git.ts"
import { npmEnvironment } from "../support/Npm.ts"
import { bin, start, startServer } from "../support/Programs.ts"

const packages = { "@modelcontextprotocol/inspector": "2.12.0" }
let installed = ""

const PATH = `${dirname(process.execPath)}:${process.env["PATH"]}`

beforeAll(async () => {
  installed = realpathSync(mkdtempSync(join(tmpdir(), "port-server-inspector-")))
  writeFileSync(join(installed, "package.json"), JSON.stringify({ private: true, dependencies: packages }))
  const args = ["install", "--ignore-scripts", "--no-package-lock", "--loglevel=error"]
  await promisify(execFile)("npm", args, { cwd: installed, env: { ...npmEnvironment, PATH, HOME: installed } })
})

afterAll(() => rmSync(installed, { recursive: true, force: true, maxRetries: 5 }))

it.scopedLive("the inspector's command line lists the tools, finds their schemas portable, and calls one", () =>
  Effect.gen(function* () {
    const server = yield* startServer()
    const cwd = yield* temporaryRepository("shop")
    const env = { PATH, HOME: server.home, NO_COLOR: "1" }
    const inspect = (...args: ReadonlyArray<string>) =>
      Effect.flatMap(
        start(
          join(installed, "node_modules/.bin/mcp-inspector"),
          ["--cli", bin.portctl, "mcp", "-e", `PORT_SERVER_ADDR=${server.address}`, "--cwd", cwd, ...args],
          { cwd, env }
        ),
        ({ ended }) => ended
      )
    const listed = yield* inspect("--method", "tools/list", "--strict")
    expect(listed.code, listed.stderr).toBe(0)
    expect(JSON.parse(listed.stdout)).toMatchObject({ tools: { length: 8 } })
    expect(listed.stderr).toMatch(/^0 errors|^$/m)
    const called = yield* inspect("--method", "tools/call", "--tool-name", "ensure_ports", "--tool-arg", `path=${cwd}`)
    expect(called.code, called.stderr).toBe(0)
    expect(JSON.parse(called.stdout)).toMatchObject({ structuredContent: { app: "shop", instance: "main" } })
    const read = yield* inspect("--method", "resources/read", "--uri", `port-server://working-copy${cwd}`)
    expect(read.stdout).toContain('\\"service\\":\\"web\\"')
  })
)
