import * as Argument from "@port-server/command-line/command/Argument"
import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import * as Parameter from "@port-server/command-line/command/Parameter"
import { escapeControls } from "@port-server/domain/Name"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type CodingAgent, codingAgents } from "../../agents/CodingAgents.ts"
import { type Change, carryOut, plan, projectTop, usedIn } from "../../agents/Installation.ts"
import { runHook } from "../../agents/SessionHook.ts"
import * as Output from "../../output/Output.ts"

const parameters = {
  claude: Flag.boolean("claude", "Claude Code: CLAUDE.md, skill, .mcp.json, hooks"),
  codex: Flag.boolean("codex", "Codex: AGENTS.md, skill, .codex"),
  cursor: Flag.boolean("cursor", "Cursor: AGENTS.md, skill, .cursor"),
  copilot: Flag.boolean("copilot", "GitHub Copilot: .github, skill, .vscode/mcp.json"),
  agentsMd: Flag.boolean("agents-md", "AGENTS.md alone"),
  dryRun: Flag.boolean("dry-run", "Only show which files would change")
}

type Chosen = Readonly<Record<Exclude<CodingAgent, "agents-md"> | "agentsMd", boolean>>

const chosenOf = ({ agentsMd, ...flags }: Chosen): ReadonlyArray<CodingAgent> =>
  codingAgents.filter((agent) => (agent === "agents-md" ? agentsMd : flags[agent]))

const lineOf = ({ after, before, file, link }: Change, dryRun: boolean): string => {
  if (after === before) return `${file}: nothing to do`
  const verb = after === undefined ? "remove" : "write"
  const led = link === undefined ? "" : ` (${link} leads to it)`
  return `${dryRun ? `would ${verb}` : `${verb === "write" ? "wrote" : "removed"}`} ${file}${led}`
}

/** Change the files of agents in the project here. */
const changing = (way: "added" | "removed", chosenIn: (top: string) => ReadonlyArray<CodingAgent>, dryRun: boolean) =>
  Effect.gen(function* () {
    const top = yield* projectTop
    const changes = yield* plan(top, chosenIn(top), way)
    if (!dryRun) yield* carryOut(top, changes)
    yield* Console.log([`in ${escapeControls(top)}`, ...changes.map((each) => lineOf(each, dryRun))].join("\n"))
  }).pipe(Output.toCliError)

const install = Command.make(
  "install",
  {
    summary: "Tell this project's agents about its ports: instructions, skill, MCP, hooks",
    details: [
      "It changes files of the project only, at the top of the working copy, and leaves everything else in them as it is. Without a flag it is for the agents whose files are there, or else for AGENTS.md."
    ],
    examples: ["portctl agents install --claude --codex", "portctl agents install --dry-run"],
    parameters
  },
  ({ dryRun, ...flags }) => {
    const chosen = chosenOf(flags)
    return changing("added", (top) => (chosen.length > 0 ? chosen : usedIn(top)), dryRun)
  }
)

const uninstall = Command.make(
  "uninstall",
  {
    summary: "Remove what portctl agents install wrote into this project's files",
    details: ["It is for the agents that are named, or for all. What has been changed since then stays."],
    examples: ["portctl agents uninstall"],
    parameters
  },
  ({ dryRun, ...flags }) => {
    const chosen = chosenOf(flags)
    return changing("removed", () => (chosen.length > 0 ? chosen : codingAgents), dryRun)
  }
)

const hooked = ["claude", "codex", "cursor", "copilot"] as const

const hook = Command.make(
  "hook",
  {
    summary: "Give an agent's session this working copy's variables; the agent's hook runs it",
    details: [
      "It reads the input of the hook on stdin. Claude Code gets the variables in CLAUDE_ENV_FILE, and every agent gets what portctl context shows."
    ],
    examples: ["portctl agents hook claude < input.json"],
    parameters: {
      agent: Argument.text({
        name: "AGENT",
        description: Flag.joinWithOr(hooked),
        kind: { _tag: "Choice", words: hooked }
      }).pipe(
        Parameter.withSchema(
          Schema.compose(
            Schema.String,
            Schema.Literal(...hooked).annotations({
              message: () => ({ message: `AGENT must be ${Flag.joinWithOr(hooked)}`, override: true })
            }),
            { strict: false }
          )
        )
      )
    }
  },
  ({ agent }) => Output.toCliError(runHook(agent))
)

/** `portctl agents` */
export const agents = Command.group("agents", {
  summary: "Tell coding agents about this project's ports",
  details: ["Instructions, a skill, the MCP server and session hooks, in the files that each agent reads."],
  examples: ["portctl agents install", "portctl agents uninstall"],
  groups: { Commands: [install, uninstall, hook].map(Command.loaded) }
})
