import { createSocket } from "node:dgram"
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { listed } from "../../support/Api.ts"
import { pidAt, user } from "../../support/Daemon.ts"
import { expectAnswer, expectClean, expectError, expectUsageError } from "../../support/Expectations.ts"
import { realFolder, temporaryRepository } from "../../support/Git.ts"
import { freePorts, listeningProgram, startServerOnFreePorts } from "../../support/Listening.ts"
import { type Ended, portctl } from "../../support/Programs.ts"

/** A repository named `proj`, and a PATH with an opener that does what the script says. */
const repository = (services: ReadonlyArray<string>, opener?: string) =>
  Effect.gen(function* () {
    const top = yield* temporaryRepository("proj")
    if (services.length > 0) {
      const entries = services.map((name) => [name, {}] as const)
      writeFileSync(join(top, "portctl.json"), JSON.stringify({ services: Object.fromEntries(entries) }))
    }
    const path = join(top, "../path")
    mkdirSync(path)
    symlinkSync(process.execPath, join(path, "node"))
    for (const program of ["git", "sh"]) {
      const found = (process.env["PATH"] ?? "").split(":").find((folder) => existsSync(join(folder, program)))
      symlinkSync(join(found ?? "", program), join(path, program))
    }
    const opened = join(top, "../opened")
    if (opener !== undefined) {
      writeFileSync(join(path, "xdg-open"), `#!/bin/sh\necho "$@" > '${opened}'\n${opener}\n`)
      chmodSync(join(path, "xdg-open"), 0o755)
    }
    return { top, path, url: () => (existsSync(opened) ? readFileSync(opened, "utf8") : "") }
  })

/** {@link repository}, and a server that hands out two ports which nothing listens on. */
const project = (services: ReadonlyArray<string>, opener?: string) =>
  Effect.gen(function* () {
    const { path, top, url } = yield* repository(services, opener)
    const server = yield* startServerOnFreePorts(2)
    const openWith = (env: Readonly<Record<string, string>>, ...args: ReadonlyArray<string>) =>
      portctl(["open", ...args], { server, cwd: top, env: { PATH: path, ...env } })
    const open = (...args: ReadonlyArray<string>) => openWith({ DISPLAY: ":0" }, ...args)
    return { first: server.first, server, open, openWith, path, top, url }
  })

/** It was opened, and nothing listens there yet. */
const expectOpened = (ended: Ended, port: number, name: string, note = ""): void => {
  expect(ended).toEqual({
    code: 0,
    signal: null,
    stdout: `opened http://localhost:${port} (${name})\n`,
    stderr: `${note}note: nothing listens on port ${port} yet\n`
  })
}

describe.skipIf(process.platform !== "linux")("portctl open", { concurrent: true }, () => {
  it.scopedLive("opens the only service, or web, in the browser", () =>
    Effect.gen(function* () {
      const lone = yield* project(["api"], "exit 0")
      expectOpened(yield* lone.open(), lone.first, "proj/main api")
      expect(lone.url()).toBe(`http://localhost:${lone.first}\n`)
      const several = yield* project(["db", "web"], "exit 0")
      expectOpened(yield* several.open(), several.first, "proj/main web")
      expectOpened(yield* several.open("--service", "db"), several.first + 1, "proj/main db")
      expect(several.url()).toBe(`http://localhost:${several.first + 1}\n`)
    })
  )

  it.scopedLive("says nothing more where something listens", () =>
    Effect.gen(function* () {
      const { first, open, top } = yield* project(["web"], "exit 0")
      yield* listeningProgram({ cwd: top, port: first })
      expectAnswer(yield* open(), `opened http://localhost:${first} (proj/main web)\n`)
    })
  )

  it.scopedLive("--json tells what was opened, or why not", () =>
    Effect.gen(function* () {
      const { first, open, openWith } = yield* project(["web"], "exit 0")
      const url = `http://localhost:${first}`
      const { code, stdout } = yield* open("--json")
      expect(code).toBe(0)
      expect(stdout).toBe(`${JSON.stringify({ url, app: "proj", instance: "main", service: "web", port: first })}\n`)
      const error = `there is no browser to open ${url} in (proj/main web)`
      expectError(yield* openWith({}, "--json"), error, `${JSON.stringify({ error })}\n`)
    })
  )

  it.scopedLive("says that nothing listens yet where only a socket of UDP is on the port", () =>
    Effect.gen(function* () {
      const { first, open } = yield* project(["web"], "exit 0")
      yield* open()
      const socket = createSocket("udp4")
      yield* Effect.addFinalizer(() => Effect.sync(() => socket.close()))
      yield* Effect.async<void>((resume) => void socket.bind(first, "127.0.0.1", () => resume(Effect.void)))
      expect((yield* open()).stderr).toContain(`note: nothing listens on port ${first} yet\n`)
    })
  )

  it.scopedLive("without a file, one that has a port, or web", () =>
    Effect.gen(function* () {
      const { first, open, server } = yield* project([], "exit 0")
      const owner = ["--app", "proj", "--instance", "main", "--service", "ui"]
      yield* portctl(["allocate", ...owner, "--port", String(first + 1)], { server })
      expectOpened(yield* open(), first + 1, "proj/main ui")
      // From here on the folder belongs to that instance.
      const note =
        "note: this folder was proj/main, and is proj/other from now on; portctl ensure --instance main makes it that again\n"
      expectOpened(yield* open("--instance", "other"), first, "proj/other web", note)
      expectOpened(yield* open(), first, "proj/other web")
      expectError(yield* open("--service", "wbe"), "proj/other has no service wbe, only web")
    })
  )

  it.scopedLive("one that the project file does not name, if it has a port", () =>
    Effect.gen(function* () {
      const { first, open, server, top } = yield* project(["web"], "exit 0")
      const { stdout } = yield* portctl(["get", "admin"], { server, cwd: top })
      expectOpened(yield* open("--service", "admin"), Number(stdout), "proj/main admin")
      expect([first, first + 1]).toContain(Number(stdout))
    })
  )

  it.scopedLive("of several without web it opens none and lists them; an unknown one gets no port", () =>
    Effect.gen(function* () {
      const { open, server, url } = yield* project(["db", "api"], "exit 0")
      expectError(yield* open(), "proj/main has several services; choose one with --service: db, api")
      expectError(yield* open("--service", "wbe"), "proj/main has no service wbe, only db, api")
      expectUsageError(yield* open("--service", ""), /service must not be blank/, "portctl open")
      expect(url()).toBe("")
      expect(yield* listed(server.port, "proj")).toEqual([])
    })
  )

  it.scopedLive("without a browser, or with one that fails, says where the service is", () =>
    Effect.gen(function* () {
      for (const opener of [undefined, "exit 3"]) {
        const { first, open } = yield* project(["web"], opener)
        expectError(yield* open(), `there is no browser to open http://localhost:${first} in (proj/main web)`)
      }
    })
  )

  it.scopedLive("without a display there is none, unless BROWSER names one or it is the one of Windows", () =>
    Effect.gen(function* () {
      const { first, openWith, url } = yield* project(["web"], "exit 0")
      const sentence = `there is no browser to open http://localhost:${first} in (proj/main web)`
      for (const env of [{}, { DISPLAY: "", WAYLAND_DISPLAY: "", BROWSER: "" }]) {
        expectError(yield* openWith(env), sentence)
        expect(url()).toBe("")
      }
      for (const env of [{ WAYLAND_DISPLAY: "wayland-0" }, { BROWSER: "w3m" }, { WSL_DISTRO_NAME: "Debian" }]) {
        expectOpened(yield* openWith(env), first, "proj/main web")
      }
    })
  )

  it.scopedLive("does not wait for a browser that stays", () =>
    Effect.gen(function* () {
      const { first, open } = yield* project(["web"], 'exec node -e "setTimeout(() => {}, 8000)"')
      expectOpened(yield* open(), first, "proj/main web")
    })
  )

  it.scopedLive("outside a project opens the page with all ports, unless a service is named or has a port", () =>
    Effect.gen(function* () {
      const { first, path, server, url } = yield* project([], "exit 0")
      const outside = yield* realFolder
      const run = (...args: ReadonlyArray<string>) =>
        portctl(args, { server, cwd: outside, env: { PATH: path, DISPLAY: ":0" } })
      for (const command of ["open", "dashboard"]) {
        expectAnswer(yield* run(command), `opened ${server.url}/\n`)
        expect(url()).toBe(`${server.url}/\n`)
        expectAnswer(yield* run(command, "--json"), `${JSON.stringify({ url: `${server.url}/` })}\n`)
      }
      const owner = `${basename(outside)}/main web`
      expectOpened(yield* run("open", "--service", "web"), first, owner)
      expectOpened(yield* run("open"), first, owner)
      const root = yield* portctl(["open"], { server, cwd: "/", env: { PATH: path, DISPLAY: ":0" } })
      expectAnswer(root, `opened ${server.url}/\n`)
      const none = yield* portctl(["dashboard"], { server, cwd: outside, env: { PATH: path } })
      expectError(none, `there is no browser to open ${server.url}/ in`)
    })
  )

  it.scopedLive("starts the server where none runs", () =>
    Effect.gen(function* () {
      const me = yield* user
      const { path, top, url } = yield* repository(["web"], "exit 0")
      const port = yield* freePorts(1)
      const env = { PATH: path, DISPLAY: ":0", PORT_SERVER_RANGE: `${port}-${port}` }
      const ended = yield* me.portctl("open", { cwd: top, env })
      expect(ended).toMatchObject({ code: 0, stdout: `opened http://localhost:${port} (proj/main web)\n` })
      expect(ended.stderr).toBe(
        [
          `started port-server at ${me.address} (pid ${yield* pidAt(me.port)}), database ${me.database}, range ${port}-${port}, log ${me.log}`,
          `note: nothing listens on port ${port} yet`,
          ""
        ].join("\n")
      )
      expectClean(ended)
      expect(url()).toBe(`http://localhost:${port}\n`)
    })
  )
})
