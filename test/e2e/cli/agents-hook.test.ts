import { readFileSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { user } from "../../support/Daemon.ts"
import { realFolder, repository, worktree } from "../../support/Git.ts"
import { bin, portctl, start } from "../../support/Programs.ts"

const PATH = `${dirname(bin.portctl)}:${process.env["PATH"]}`

/** A project with two worktrees and the files of an agent, whose server is not running yet. */
const session = Effect.fnUntraced(function* (agent: string) {
  const { address, env, home } = yield* user
  const top = yield* realFolder
  const main = repository(join(top, "shop"))
  const linked = worktree(main, join(top, "shop-vat"))
  for (const folder of [main, linked]) {
    const urls = { DB_URL: "postgres://it's/{db}" }
    writeFileSync(
      join(folder, "portctl.json"),
      JSON.stringify({ services: { web: { env: "PORT" }, db: {} }, variables: urls })
    )
    expect((yield* portctl(["agents", "install", `--${agent}`], { cwd: folder, env: { HOME: home } })).code).toBe(0)
  }
  /** Run a command as the agent does: by a shell, with a text on its stdin. */
  const run = (command: string, stdin: object, cwd: string, more: Readonly<Record<string, string>> = {}) =>
    Effect.flatMap(
      start("bash", ["-c", 'printf %s "$1" | sh -c "$2"', "bash", JSON.stringify(stdin), command], {
        cwd,
        env: { PATH, ...env, ...more }
      }),
      ({ ended }) => ended
    ).pipe(Effect.scoped)
  const ports = (folder: string) =>
    Effect.map(
      portctl(["env", "--format", "json"], { cwd: folder, env: { ...env, PORT_SERVER_ADDR: address } }),
      ({ stdout }): Readonly<Record<string, string>> => JSON.parse(stdout).env
    )
  return { env, home, linked, main, ports, run, top }
})

/** The command at a path in a file. */
const commandIn = (file: string, ...path: ReadonlyArray<string | number>): string =>
  String(path.reduce<unknown>((value, key) => Object(value)[key], JSON.parse(readFileSync(file, "utf8"))))

describe.concurrent("the hook of", () => {
  it.scopedLive("Claude Code puts the variables of the folder into the session, anew when it changes", () =>
    Effect.gen(function* () {
      const { linked, main, ports, run, top } = yield* session("claude")
      const settings = join(main, ".claude/settings.json")
      const CLAUDE_ENV_FILE = join(top, "env-file")
      // https://code.claude.com/docs/en/hooks#sessionstart-input
      const input = {
        session_id: "abc123",
        transcript_path: "/home/you/.claude/projects/x/00893aaf.jsonl",
        cwd: main,
        hook_event_name: "SessionStart",
        source: "startup",
        model: "claude-sonnet-4-6"
      }
      const command = commandIn(settings, "hooks", "SessionStart", 0, "hooks", 0, "command")
      const started = yield* run(command, input, top, { CLAUDE_ENV_FILE })
      expect(started).toMatchObject({ code: 0, stderr: "" })
      const own = yield* ports(main)
      expect(started.stdout).toContain(`working copy shop/main in ${main}\nservice web: port ${own["PORT"]}, idle\n`)
      const sourced = (cwd: string) =>
        Effect.map(
          run(`. "$CLAUDE_ENV_FILE"; printf '%s\\n' "$PORT" "$DB_PORT" "$DB_URL"`, {}, cwd, { CLAUDE_ENV_FILE }),
          ({ stdout }) => stdout.trim().split("\n")
        )
      expect(yield* sourced(main)).toEqual([own["PORT"], own["DB_PORT"], own["DB_URL"]])

      // https://code.claude.com/docs/en/hooks#cwdchanged-input
      const moved = { ...input, cwd: linked, hook_event_name: "CwdChanged", old_cwd: main, new_cwd: linked }
      const other = commandIn(settings, "hooks", "CwdChanged", 0, "hooks", 0, "command")
      expect(yield* run(other, moved, top, { CLAUDE_ENV_FILE })).toMatchObject({ code: 0, stdout: "", stderr: "" })
      const theirs = yield* ports(linked)
      expect(theirs["PORT"]).not.toBe(own["PORT"])
      expect(yield* sourced(linked)).toEqual([theirs["PORT"], theirs["DB_PORT"], theirs["DB_URL"]])
      // A repository that has no ports gets none by that; those of the folder before are nobody's there.
      for (const folder of [top, repository(join(top, "other"))]) {
        const outside = { ...moved, cwd: folder, old_cwd: linked, new_cwd: folder }
        expect(yield* run(other, outside, top, { CLAUDE_ENV_FILE })).toMatchObject({ code: 0, stdout: "", stderr: "" })
      }
      expect(yield* sourced(top)).toEqual([""])
    })
  )

  it.scopedLive(
    "Claude Code takes back the variables of the folder that the session leaves, in the files of its hooks",
    () =>
      Effect.gen(function* () {
        const { main, ports, run, top } = yield* session("claude")
        const other = repository(join(top, "other"))
        writeFileSync(join(other, "portctl.json"), JSON.stringify({ services: { api: {} } }))
        const command = commandIn(join(main, ".claude/settings.json"), "hooks", "CwdChanged", 0, "hooks", 0, "command")
        const files = {
          SessionStart: join(top, "sessionstart-hook-0.sh"),
          CwdChanged: join(top, "cwdchanged-hook-1.sh")
        }
        /**
         * The variables of a command after an event. Claude Code empties the file of the second hook before that runs, and
         * puts the texts of the files before the command.
         */
        const variablesAfter = Effect.fnUntraced(function* (event: "SessionStart" | "CwdChanged", cwd: string) {
          const CLAUDE_ENV_FILE = files[event]
          if (event === "CwdChanged") writeFileSync(files.CwdChanged, "export OWN=1\n")
          const input = { hook_event_name: event, cwd, ...(event === "CwdChanged" ? { new_cwd: cwd } : {}) }
          const { stderr } = yield* run(command, input, top, { CLAUDE_ENV_FILE })
          const script = Object.values(files)
            .map((file) => readFileSync(file, "utf8").trim())
            .join("\n")
          const { stdout } = yield* run(
            `true && ${script} && eval 'env | grep -E "^(OWN|PORT|[A-Z]+_PORT)=" | sort'`,
            {},
            top
          )
          return { stderr, variables: stdout.trim().split("\n") }
        })
        const [{ DB_PORT, PORT }, { API_PORT }] = [yield* ports(main), yield* ports(other)]
        writeFileSync(files.CwdChanged, "export OWN=1\n")
        const own = { stderr: "", variables: [`DB_PORT=${DB_PORT}`, "OWN=1", `PORT=${PORT}`] }
        expect(yield* variablesAfter("SessionStart", main)).toEqual(own)
        expect(yield* variablesAfter("CwdChanged", other)).toEqual({
          stderr: "",
          variables: [`API_PORT=${API_PORT}`, "OWN=1"]
        })
        expect(yield* variablesAfter("CwdChanged", top)).toEqual({ stderr: "", variables: ["OWN=1"] })
        // The session starts again, as after a compaction.
        expect(yield* variablesAfter("SessionStart", main)).toEqual(own)
        expect(yield* variablesAfter("CwdChanged", top)).toEqual({ stderr: "", variables: ["OWN=1"] })
        expect(yield* variablesAfter("CwdChanged", main)).toEqual(own)
        writeFileSync(join(other, "portctl.json"), "{")
        expect(yield* variablesAfter("CwdChanged", other)).toEqual({
          stderr: expect.stringContaining("portctl.json"),
          variables: ["OWN=1"]
        })
      })
  )

  it.scopedLive("Codex tells the model of the folder's ports", () =>
    Effect.gen(function* () {
      const { main, ports, run, top } = yield* session("codex")
      const command = commandIn(join(main, ".codex/hooks.json"), "hooks", "SessionStart", 0, "hooks", 0, "command")
      // https://developers.openai.com/codex/hooks#sessionstart
      const input = {
        session_id: "019",
        transcript_path: null,
        cwd: main,
        hook_event_name: "SessionStart",
        model: "gpt-5",
        permission_mode: "default",
        source: "startup"
      }
      const { code, stderr, stdout } = yield* run(command, input, top)
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
      expect(JSON.parse(stdout)).toEqual({
        hookSpecificOutput: {
          hookEventName: "SessionStart",
          additionalContext: expect.stringContaining(`\nvariable PORT=${(yield* ports(main))["PORT"]}\n`)
        }
      })
    })
  )

  it.scopedLive("Cursor gives the session its variables, and tells the model", () =>
    Effect.gen(function* () {
      const { linked, ports, run, top } = yield* session("cursor")
      const command = commandIn(join(linked, ".cursor/hooks.json"), "hooks", "sessionStart", 0, "command")
      // https://cursor.com/docs/agent/hooks#sessionstart
      const input = {
        conversation_id: "668320d2",
        generation_id: "490b90b7",
        model: "default",
        hook_event_name: "sessionStart",
        cursor_version: "1.7.2",
        workspace_roots: [linked],
        user_email: null,
        transcript_path: null,
        session_id: "668320d2",
        is_background_agent: false,
        composer_mode: "agent"
      }
      const { code, stderr, stdout } = yield* run(command, input, top)
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
      expect(JSON.parse(stdout)).toEqual({
        env: yield* ports(linked),
        additional_context: expect.stringContaining(`working copy shop/shop-vat in ${linked}`)
      })
    })
  )

  it.scopedLive("GitHub Copilot tells the model of the folder's ports", () =>
    Effect.gen(function* () {
      const { main, run, top } = yield* session("copilot")
      const file = join(main, ".github/hooks/port-server.json")
      const command = commandIn(file, "hooks", "sessionStart", 0, "bash")
      // https://docs.github.com/en/copilot/reference/hooks-configuration#session-start-hook
      const input = { timestamp: 1704614400000, cwd: main, source: "new", initialPrompt: "Create a new feature" }
      const { code, stderr, stdout } = yield* run(command, input, top)
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
      expect(JSON.parse(stdout)).toEqual({ additionalContext: expect.stringContaining(`shop/main in ${main}`) })
    })
  )

  it.scopedLive("whoever has no portctl does nothing, and one without input goes by its folder", () =>
    Effect.gen(function* () {
      const { main, run, top } = yield* session("claude")
      const command = commandIn(join(main, ".claude/settings.json"), "hooks", "SessionStart", 0, "hooks", 0, "command")
      expect(yield* run(command, {}, main, { PATH: "/usr/bin:/bin" })).toMatchObject({
        code: 0,
        stdout: "",
        stderr: ""
      })
      expect((yield* run(command, {}, main)).stdout).toContain(`working copy shop/main in ${main}\n`)
      expect(yield* run(command, {}, top)).toMatchObject({ code: 0, stdout: "", stderr: "" })
    })
  )
})
