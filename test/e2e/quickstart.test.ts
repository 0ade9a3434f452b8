import { realpathSync, writeFileSync } from "node:fs"
import { userInfo } from "node:os"
import { delimiter, dirname, join } from "node:path"
import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { user } from "../support/Daemon.ts"
import { git, gitEnvironment, repository } from "../support/Git.ts"
import { freePorts } from "../support/Listening.ts"
import { codeBlocks, readDocument, section } from "../support/Markdown.ts"
import { bin, portctl } from "../support/Programs.ts"
import { connection } from "../support/Sockets.ts"
import { noTerminal, onTerminal, startOnTerminal } from "../support/Terminals.ts"
import { shell, shellEnvironment, typingOf, withSampleValues } from "../support/Transcripts.ts"

const readme = readDocument("README.md")
const test = noTerminal === undefined ? it.scopedLive : it.scopedLive.skip

/** A new user with both programs on the PATH, whose server runs. */
const newUser = Effect.fnUntraced(function* (...flags: ReadonlyArray<string>) {
  const me = yield* user
  const started = yield* me.portctl(["start", ...flags].join(" "))
  expect(started).toMatchObject({ code: 0, stderr: "" })
  const home = realpathSync(me.home)
  const path = [dirname(bin.portctl), dirname(process.execPath), process.env["PATH"]].join(delimiter)
  const env = { ...me.env, ...gitEnvironment, HOME: home, PATH: path, npm_config_loglevel: "silent" }
  return { home, env }
})

/** A {@link newUser} whose server hands out a few ports that nothing listens on. */
const newUserOfFreePorts = Effect.gen(function* () {
  const first = yield* freePorts(4)
  const { env, home } = yield* newUser("--range", `${first}-${first + 3}`)
  /** A transcript as this user sees it: with the home, the name and the ports of the test. */
  const seen = (transcript: string) =>
    transcript
      .replaceAll("/home/you", home)
      .replace(/^( {2}user: +)you$/gm, `$1${userInfo().username}`)
      .replaceAll("(says: portctl run, you,", `(says: portctl run, ${userInfo().username},`)
      .replace(/\b300[0-3]\b/g, (port) => String(first + Number(port) - 3000))
  return { first, home, env, seen }
})

test("the README's five minutes, typed word for word, print what they show", () =>
  Effect.gen(function* () {
    const { env, first, home, seen } = yield* newUserOfFreePorts
    const [project = "", ...others] = codeBlocks(section(readme, "Five minutes"), "console").map(seen)
    const options = { cwd: home, columns: 400, env: { ...env, ...shellEnvironment("$ ") } }

    const one = yield* startOnTerminal(shell, { ...options, typing: typingOf(project) })
    yield* one.printed(/DB_PORT=\d+\r\n/)
    yield* connection(first).pipe(Effect.scoped, Effect.repeat({ until: (open) => open !== undefined }))
    expect(withSampleValues(one.output.stdout)).toBe(project)

    const second = others.join("")
    expect(others).toHaveLength(3)
    const { stdout } = yield* onTerminal(shell, { ...options, typing: [...typingOf(second), ["$ ", "exit\n"]] })
    expect(withSampleValues(stdout)).toBe(`${second}$ exit\nexit\n`)
  }))

test("the README's picture is what two worktrees print", () =>
  Effect.gen(function* () {
    const { env, home, seen } = yield* newUserOfFreePorts
    const [picture = ""] = codeBlocks(readme, "console").map(seen)
    const shop = repository(join(home, "shop"))
    writeFileSync(join(shop, "package.json"), JSON.stringify({ scripts: { dev: "node -e 0" } }))
    writeFileSync(join(shop, "portctl.json"), JSON.stringify({ services: { web: { env: "PORT" }, db: {} } }))
    git(shop, "add", ".")
    git(shop, "commit", "--quiet", "--message=services")
    git(shop, "worktree", "add", "--quiet", join(home, "shop-search"))
    const screens = yield* Effect.forEach(picture.split("\n\n"), (terminal) =>
      onTerminal(shell, {
        cwd: join(home, terminal.slice(2, terminal.indexOf("$"))),
        columns: 400,
        env: { ...env, ...shellEnvironment("\\w$ ") },
        typing: [...typingOf(terminal), ["$ ", "exit\n"]]
      })
    )
    const terminals = screens.map(({ stdout }) => withSampleValues(stdout).replace(/\n\S*\$ exit\nexit\n$/, ""))
    expect(`${terminals.join("\n\n")}\n`).toBe(picture)
  }))

test("the commands in docs/projects.md, typed word for word, print what they show", () =>
  Effect.gen(function* () {
    const { env, home, seen } = yield* newUserOfFreePorts
    const shop = repository(join(home, "shop"))
    expect(yield* portctl(["init", "--service", "web,db"], { env, cwd: shop })).toMatchObject({ code: 0 })
    const transcript = codeBlocks(readDocument("docs/projects.md"), "console").map(seen).join("")
    const { stdout } = yield* onTerminal(shell, {
      cwd: shop,
      columns: 400,
      env: { ...env, ...shellEnvironment("$ ") },
      typing: [...typingOf(transcript), ["$ ", "exit\n"]]
    })
    expect(withSampleValues(stdout)).toBe(`${transcript}$ exit\nexit\n`)
  }))

test("the first allocations in docs/cli.md, typed word for word, print what they show", () =>
  Effect.gen(function* () {
    const { env, home } = yield* newUser("--no-probe")
    const [transcript = ""] = codeBlocks(section(readDocument("docs/cli.md"), "Ports by name"), "console")
    const { stdout } = yield* onTerminal(shell, {
      cwd: home,
      columns: 400,
      env: { ...env, ...shellEnvironment("$ ") },
      typing: [...typingOf(transcript), ["$ ", "exit\n"]]
    })
    // Something on this machine may listen on these ports.
    const screen = withSampleValues(stdout).replace(/^(note:| ) .* is listening on (it|port 8080)( \(.*)?\r?\n/gm, "")
    expect(screen).toBe(`${transcript}$ exit\nexit\n`)
    const list = yield* portctl(["list", "--json"], { env })
    expect(JSON.parse(list.stdout)).toMatchObject([{ id: 2, port: 8080 }])
  }))

it("the README has at most 180 lines", () => {
  expect(readme.trimEnd().split("\n").length).toBeLessThanOrEqual(180)
})
