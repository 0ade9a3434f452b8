import { execFileSync } from "node:child_process"
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer, expectError } from "../../support/Expectations.ts"
import { realFolder, temporaryRepository, worktree } from "../../support/Git.ts"
import { portctl, portctlAsNormalUser, temporaryFolder } from "../../support/Programs.ts"

const tools = ["claude", "codex", "cursor", "copilot", "agents-md"]

/** Every file below a folder with its bytes, and every folder. */
const tree = (folder: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => !join(entry.parentPath, entry.name).includes("/.git/") && entry.name !== ".git")
      .map((entry) => {
        const path = join(entry.parentPath, entry.name)
        return [path.slice(folder.length + 1), entry.isFile() ? readFileSync(path, "latin1") : ""]
      })
  )

const put = (folder: string, files: Readonly<Record<string, string>>) => {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), text, "latin1")
  }
}

const project = Effect.gen(function* () {
  const folder = yield* temporaryRepository("shop")
  const home = yield* temporaryFolder
  const agents = (...args: ReadonlyArray<string>) => portctl(["agents", ...args], { cwd: folder, env: { HOME: home } })
  return { agents, folder, home }
})

const hookOf = (event: string, more: object) => ({ [event]: [more] })
const server = { command: "portctl", args: ["mcp"] }

const expected: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  claude: {
    ".mcp.json": { mcpServers: { "port-server": server } },
    ".claude/settings.json": {
      hooks: {
        ...hookOf("SessionStart", { hooks: [{ type: "command", command: expect.stringMatching(/hook claude$/) }] }),
        ...hookOf("CwdChanged", { hooks: [{ type: "command", command: expect.stringMatching(/hook claude$/) }] })
      }
    },
    "CLAUDE.md": expect.stringContaining("<!-- >>> portctl: claude -->\n## Ports\n"),
    ".claude/skills/port-server/SKILL.md": expect.stringMatching(
      /^---\nname: port-server\ndescription: .{1,1024}\n---\n/
    )
  },
  codex: {
    ".codex/config.toml":
      '# >>> portctl: codex\n[mcp_servers.port-server]\ncommand = "portctl"\nargs = ["mcp"]\n# <<< portctl\n',
    ".codex/hooks.json": {
      hooks: hookOf("SessionStart", { hooks: [{ type: "command", command: expect.stringMatching(/hook codex$/) }] })
    },
    "AGENTS.md": expect.stringContaining("<!-- >>> portctl: codex -->\n## Ports\n"),
    ".agents/skills/port-server/SKILL.md": expect.stringContaining("name: port-server")
  },
  cursor: {
    ".cursor/mcp.json": { mcpServers: { "port-server": server } },
    ".cursor/hooks.json": {
      version: 1,
      hooks: hookOf("sessionStart", { command: expect.stringMatching(/hook cursor$/) })
    },
    "AGENTS.md": expect.stringContaining("<!-- >>> portctl: cursor -->\n## Ports\n"),
    ".cursor/skills/port-server/SKILL.md": expect.stringContaining("name: port-server")
  },
  copilot: {
    ".vscode/mcp.json": { servers: { "port-server": server } },
    ".github/hooks/port-server.json": {
      version: 1,
      hooks: hookOf("sessionStart", { type: "command", bash: expect.stringMatching(/hook copilot$/) })
    },
    ".github/copilot-instructions.md": expect.stringContaining("<!-- >>> portctl: copilot -->\n## Ports\n"),
    ".github/skills/port-server/SKILL.md": expect.stringContaining("name: port-server")
  },
  "agents-md": { "AGENTS.md": expect.stringContaining("<!-- >>> portctl: agents-md -->\n## Ports\n") }
}

/** Files as people have them, one kind after the other. */
const asPeopleHave = (text: {
  readonly markdown: string
  readonly json: (value: unknown) => string
  readonly toml: string
}): Readonly<Record<string, string>> => ({
  "AGENTS.md": text.markdown,
  "CLAUDE.md": text.markdown,
  ".github/copilot-instructions.md": text.markdown,
  ".codex/config.toml": text.toml,
  ".mcp.json": text.json({ mcpServers: { other: { command: "x", args: [] } } }),
  ".cursor/mcp.json": text.json({ mcpServers: {}, more: [1, 2, {}] }),
  ".vscode/mcp.json": text.json({ inputs: [], servers: { other: { url: "http://localhost" } } }),
  ".claude/settings.json": text.json({
    permissions: { allow: ["Bash(ls)"] },
    hooks: { SessionStart: [{ hooks: [] }] }
  }),
  ".codex/hooks.json": text.json({ hooks: { Stop: [] } }),
  ".cursor/hooks.json": text.json({ version: 1, hooks: { stop: [{ command: "true" }] } })
})

const spaces = (value: unknown) => `${JSON.stringify(value, undefined, 2)}\n`

const kinds: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "with two spaces": asPeopleHave({ markdown: "# Project\n\nBe kind.\n", json: spaces, toml: 'model = "x"\n' }),
  "with tabs and without a last line break": asPeopleHave({
    markdown: "# Project",
    json: (value) => JSON.stringify(value, undefined, "\t"),
    toml: 'model = "x"'
  }),
  "with CRLF and other bytes than UTF-8": asPeopleHave({
    markdown: "\u00e9\r\n\r\n\u00ff \u0080\r\n\r\n",
    json: (value) => spaces({ caf: "\u00e9", ...Object(value) }).replaceAll("\n", "\r\n"),
    toml: "# \u00ff\r\n[a]\r\nb = 1\r\n"
  }),
  "in one line": asPeopleHave({ markdown: "\n", json: (value) => JSON.stringify(value), toml: "\n\n" }),
  "with comments": asPeopleHave({
    markdown: "<!-- a comment -->\n",
    json: (value) => `// first\n${spaces(value).replace("{\n", "{ // second\n")}/* last */`,
    toml: "# a comment\n"
  })
}

describe.concurrent("portctl agents install", () => {
  it.scopedLive.each(tools)("--%s writes the files of that agent, and uninstall leaves nothing behind", (tool) =>
    Effect.gen(function* () {
      const { agents, folder, home } = yield* project
      const files = expected[tool] ?? {}
      const dry = yield* agents("install", `--${tool}`, "--dry-run")
      expect(dry.stdout.trim().split("\n").slice(1).sort()).toEqual(
        Object.keys(files)
          .map((file) => `would write ${file}`)
          .sort()
      )
      expect(tree(folder)).toEqual({})
      expect((yield* agents("install", `--${tool}`)).code).toBe(0)
      const written = Object.entries(tree(folder)).filter(([, text]) => text !== "")
      const read = written.map(([file, text]) => [file, file.endsWith(".json") ? JSON.parse(text) : text])
      expect(Object.fromEntries(read)).toEqual(files)
      const once = tree(folder)
      expect((yield* agents("install", `--${tool}`)).stdout).not.toMatch(/^wrote/m)
      expect(tree(folder)).toEqual(once)
      expect((yield* agents("uninstall", `--${tool}`)).code).toBe(0)
      expect(tree(folder)).toEqual({})
      expect(readdirSync(home)).toEqual([])
    })
  )

  it.scopedLive.each(Object.keys(kinds))("keeps every byte of files that are there, %s", (kind) =>
    Effect.gen(function* () {
      const { agents, folder } = yield* project
      put(folder, kinds[kind] ?? {})
      const before = tree(folder)
      const flags = tools.map((tool) => `--${tool}`)
      const installed = yield* agents("install", ...flags)
      expect(installed).toMatchObject({ code: 0, stderr: "" })
      const between = tree(folder)
      for (const [file, text] of Object.entries(before)) {
        expect(between[file], file).not.toBe(text === "" ? undefined : text)
        // What is there stays in its order, around what is new.
        let at = 0
        for (const char of text) at = (between[file] ?? "").indexOf(char, at) + 1
        expect(at > 0 || text === "", file).toBe(true)
      }
      for (const each of tools.toReversed()) {
        expect(yield* agents("uninstall", `--${each}`)).toMatchObject({ code: 0, stderr: "" })
      }
      expect(tree(folder)).toEqual(before)
      yield* agents("install", ...flags)
      yield* agents("uninstall")
      expect(tree(folder)).toEqual(before)
    })
  )

  it.scopedLive("shares AGENTS.md among agents: it stays until the last one is taken out", () =>
    Effect.gen(function* () {
      const { agents, folder } = yield* project
      yield* agents("install", "--codex", "--cursor")
      expect(tree(folder)["AGENTS.md"]).toMatch(/^<!-- >>> portctl: codex, cursor -->\n/)
      yield* agents("uninstall", "--codex")
      expect(tree(folder)["AGENTS.md"]).toMatch(/^<!-- >>> portctl: cursor -->\n/)
      yield* agents("uninstall", "--cursor")
      expect(tree(folder)).toEqual({})
    })
  )

  it.scopedLive("without a flag goes by the files that are there, or writes AGENTS.md", () =>
    Effect.gen(function* () {
      const { agents, folder } = yield* project
      expectAnswer(yield* agents("install"), `in ${folder}\nwrote AGENTS.md\n`)
      yield* agents("uninstall")
      put(folder, { ".cursor/rules/a.mdc": "a\n", "CLAUDE.md": "b\n" })
      const { stdout } = yield* agents("install")
      expect(stdout).toContain("wrote .cursor/mcp.json\n")
      expect(stdout).toContain("wrote .claude/settings.json\n")
      expect(stdout).not.toContain(".codex")
    })
  )

  it.scopedLive("takes no AGENTS.md that it has made itself for the trace of one more agent", () =>
    Effect.gen(function* () {
      const { agents, folder } = yield* project
      for (const tool of ["codex", "cursor"]) {
        yield* agents("install", `--${tool}`)
        const once = tree(folder)
        yield* agents("install")
        expect(tree(folder)).toEqual(once)
        yield* agents("uninstall", `--${tool}`)
        expect(tree(folder)).toEqual({})
      }
      put(folder, { "AGENTS.md": "a\n", "CLAUDE.md": "b\n" })
      yield* agents("install")
      expect(tree(folder)["AGENTS.md"]).toContain("<!-- >>> portctl: agents-md -->\n")
    })
  )

  it.scopedLive("writes AGENTS.md in place of a CLAUDE.md that is a link to it", () =>
    Effect.gen(function* () {
      const { agents, folder } = yield* project
      put(folder, { "AGENTS.md": "be kind\n" })
      symlinkSync("AGENTS.md", join(folder, "CLAUDE.md"))
      const before = tree(folder)
      const blockOf = (title: string) => expect.stringContaining(`\n<!-- >>> portctl: ${title} -->\n`)
      const own = ".claude/skills/port-server/SKILL.md .mcp.json .claude/settings.json".split(" ")
      const lines = (verb: string, flags: ReadonlyArray<string>) =>
        Effect.map(agents(...flags), ({ stdout }) =>
          expect(stdout).toBe(
            [
              `in ${folder}`,
              `${verb} AGENTS.md (CLAUDE.md leads to it)`,
              ...own.map((file) => `${verb} ${file}`),
              ""
            ].join("\n")
          )
        )
      for (const flags of [[], ["--claude"]]) {
        yield* lines("would write", ["install", ...flags, "--dry-run"])
        yield* lines("wrote", ["install", ...flags])
        const once = tree(folder)
        expect(once).toMatchObject({ "AGENTS.md": blockOf("claude"), "CLAUDE.md": "" })
        yield* agents("install")
        expect(tree(folder)).toEqual(once)
        yield* agents("install", "--codex")
        expect(tree(folder)["AGENTS.md"]).toEqual(blockOf("claude, codex"))
        yield* agents("uninstall", "--codex")
        yield* agents("uninstall", ...flags)
        expect(tree(folder)).toEqual(before)
      }
      // No other link is followed.
      rmSync(join(folder, "AGENTS.md"))
      symlinkSync(join(yield* realFolder, "elsewhere"), join(folder, "AGENTS.md"))
      expectError(yield* agents("install", "--claude"), `${join(folder, "CLAUDE.md")} is a link; nothing was written`)
    })
  )

  it.scopedLive("keeps what somebody has changed since", () =>
    Effect.gen(function* () {
      const { agents, folder } = yield* project
      yield* agents("install", "--claude")
      const own = { mcpServers: { "port-server": { command: "portctl", args: ["mcp", "--read-only"] } } }
      put(folder, { ".mcp.json": spaces(own) })
      yield* agents("install", "--claude")
      yield* agents("uninstall", "--claude")
      expect(tree(folder)).toEqual({ ".mcp.json": spaces(own) })
    })
  )

  it.scopedLive.each([
    '[mcp_servers.port-server]\ncommand = "portctl"\nargs = ["mcp"]\n',
    '# "\n  [ mcp_servers . "port-server" ] # ours\r\ncommand = "x"\r\n',
    "[mcp_servers.'port-server'.env]\nA = 'b'\n",
    '[other]\na = 1\n[mcp_servers]\nport-server = { command = "portctl" }\n',
    'mcp_servers.port-server.command = "portctl"\n',
    'mcp_servers = { other = { command = "x" }, port-server = { command = "portctl" } }\n'
  ])("leaves a server of its name in Codex's configuration as it is: %j", (text) =>
    Effect.gen(function* () {
      const { agents, folder } = yield* project
      put(folder, { ".codex/config.toml": text })
      const installed = yield* agents("install", "--codex")
      expect(installed).toMatchObject({
        code: 0,
        stdout: expect.stringContaining(".codex/config.toml: nothing to do\n")
      })
      expect(tree(folder)[".codex/config.toml"]).toBe(text)
      yield* agents("uninstall")
      expect(tree(folder)).toEqual({ ".codex": "", ".codex/config.toml": text })
    })
  )

  it.scopedLive("adds its server to Codex's configuration where the name is in something else", () =>
    Effect.gen(function* () {
      const { agents, folder } = yield* project
      const text = [
        "# [mcp_servers.port-server]",
        'model = "[mcp_servers.port-server]"',
        'notes = """',
        "[mcp_servers.port-server]",
        '"""',
        "[mcp_servers.port-server-2]",
        "[other]",
        "mcp_servers.port-server.command = 'x'",
        ""
      ].join("\n")
      put(folder, { ".codex/config.toml": text })
      expect((yield* agents("install", "--codex")).stdout).toContain("wrote .codex/config.toml\n")
      expect(tree(folder)[".codex/config.toml"]?.startsWith(`${text}\n# >>> portctl: codex\n`)).toBe(true)
      yield* agents("uninstall")
      expect(tree(folder)).toEqual({ ".codex": "", ".codex/config.toml": text })
    })
  )

  it.scopedLive("takes its server out of Codex's configuration again where there is one of the name beside it", () =>
    Effect.gen(function* () {
      const { agents, folder } = yield* project
      yield* agents("install", "--codex")
      const own = "[mcp_servers.port-server]\ncommand = 'x'\n"
      put(folder, { ".codex/config.toml": `${own}\n${tree(folder)[".codex/config.toml"]}` })
      expect((yield* agents("install", "--codex")).stdout).toContain("wrote .codex/config.toml\n")
      expect(tree(folder)[".codex/config.toml"]).toBe(own)
      put(folder, { ".codex/config.toml": "mcp_servers = {}\n" })
      expectError(
        yield* agents("install", "--codex"),
        `${join(folder, ".codex/config.toml")} has something else at mcp_servers.port-server; nothing was written`
      )
    })
  )

  it.scopedLive("refuses links, files of others and files that it cannot read, and writes nothing then", () =>
    Effect.gen(function* () {
      const { agents, folder, home } = yield* project
      const refused = (problem: string, ...flags: ReadonlyArray<string>) =>
        Effect.gen(function* () {
          const before = tree(folder)
          for (const way of ["install", "uninstall"]) {
            expectError(yield* agents(way, ...flags), `${join(folder, problem)}; nothing was written`)
          }
          expect(tree(folder)).toEqual(before)
        })
      const elsewhere = yield* realFolder
      symlinkSync(elsewhere, join(folder, ".claude"))
      yield* refused(".claude is a link", "--claude")
      put(folder, { ".codex": "", ".cursor/mcp.json": "{" })
      yield* refused(".codex is not a folder", "--codex")
      yield* refused(".cursor/mcp.json is not a JSON object", "--cursor")
      writeFileSync(join(elsewhere, "mine"), "mine")
      symlinkSync(join(elsewhere, "mine"), join(folder, "AGENTS.md"))
      yield* refused("AGENTS.md is a link", "--agents-md")
      expect(readFileSync(join(elsewhere, "mine"), "utf8")).toBe("mine")
      put(folder, { ".vscode/mcp.json": '{"servers": []}' })
      expectError(
        yield* agents("install", "--copilot"),
        `${join(folder, ".vscode/mcp.json")} has something else at servers.port-server; nothing was written`
      )
      put(folder, { ".github/skills/port-server/SKILL.md": "mine" })
      expectError(
        yield* agents("install", "--copilot"),
        `${join(folder, ".github/skills/port-server/SKILL.md")} is there already, and not from portctl; nothing was written`
      )
      expectError(
        yield* portctl(["agents", "install"], { cwd: home, env: { HOME: home } }),
        `${home} is your home folder, where files are for all projects: go to a project first`
      )
      expect(readdirSync(home)).toEqual([])
    })
  )

  it.scopedLive("writes nothing where its user may not write one of the files", () =>
    Effect.gen(function* () {
      const folder = yield* realFolder
      put(folder, { ".mcp.json": "{}", "CLAUDE.md": "# Shop\n" })
      chmodSync(join(folder, "CLAUDE.md"), 0o444)
      const run = (...args: ReadonlyArray<string>) => portctlAsNormalUser(["agents", ...args, "--claude"], folder)
      const sentence = `cannot write ${JSON.stringify(join(folder, "CLAUDE.md"))}: permission denied`
      expectError(yield* run("install"), sentence)
      const files = ({ ".mcp.json": mcp, "CLAUDE.md": text, ".claude": claude }: ReturnType<typeof tree>) => [
        mcp,
        text,
        claude
      ]
      expect(files(tree(folder))).toEqual(["{}", "# Shop\n", undefined])
      chmodSync(join(folder, "CLAUDE.md"), 0o644)
      expect((yield* run("install")).code).toBe(0)
      chmodSync(join(folder, "CLAUDE.md"), 0o444)
      const installed = tree(folder)
      expectError(yield* run("uninstall"), sentence)
      expect(tree(folder)).toEqual(installed)
    })
  )

  it.scopedLive("writes at the top of the working copy, and what git then has is a file of one user's", () =>
    Effect.gen(function* () {
      const { folder, home } = yield* project
      mkdirSync(join(folder, "packages/api"), { recursive: true })
      const cwd = join(folder, "packages/api")
      expectAnswer(
        yield* portctl(["agents", "install", "--agents-md"], { cwd, env: { HOME: home } }),
        `in ${folder}\nwrote AGENTS.md\n`
      )
      expect(execFileSync("git", ["status", "--porcelain"], { cwd: folder, encoding: "utf8" })).toBe("?? AGENTS.md\n")
    })
  )

  it.scopedLive("writes nothing where git does not say what the top of the working copy is", () =>
    Effect.gen(function* () {
      const { folder, home } = yield* project
      const refusal = Effect.fnUntraced(function* (cwd: string, ...args: ReadonlyArray<string>) {
        const ended = yield* portctl(["agents", ...args], { cwd, env: { HOME: home } })
        expect(ended).toMatchObject({ code: 1, stdout: "" })
        return ended.stderr
      })
      const linked = worktree(folder, join(folder, "../linked"))
      const sub = join(folder, "sub")
      mkdirSync(sub)
      expect(yield* refusal(join(folder, ".git"), "install")).toBe(
        `error: ${join(folder, ".git")} is in none of the worktrees of ${join(folder, ".git")}; go to one\n`
      )
      writeFileSync(join(folder, ".git/HEAD"), "junk")
      for (const way of [["install"], ["install", "--dry-run"], ["uninstall"]]) {
        expect(yield* refusal(sub, ...way)).toBe(
          `error: git cannot read ${join(folder, ".git")} as a repository; mend it\n`
        )
      }
      rmSync(join(folder, ".git"), { recursive: true })
      expect(yield* refusal(linked, "install")).toMatch(/^error: git cannot read .*; run git worktree repair /)
      expect([tree(folder), tree(linked)]).toEqual([{ sub: "" }, {}])
    })
  )
})
