import { markdown } from "../dotenv/ManagedBlock.ts"
import * as BlockPiece from "./BlockPiece.ts"
import * as JsonPiece from "./JsonPiece.ts"
import { ownFile, type Piece } from "./Piece.ts"
import { instructions, skill } from "./Texts.ts"
import * as TomlPiece from "./TomlPiece.ts"

/** The agents that there are files for; `agents-md` is AGENTS.md alone. */
export const codingAgents = ["claude", "codex", "cursor", "copilot", "agents-md"] as const
/** An agent that there are files for. */
export type CodingAgent = (typeof codingAgents)[number]

const server = { command: "portctl", args: ["mcp"] }
const name = "port-server"

/** The command of a hook. Who clones the project may not have portctl: the session starts all the same. */
const hook = (agent: CodingAgent) => `command -v portctl > /dev/null || exit 0; portctl agents hook ${agent}`

const skillIn = (folder: string) => ownFile(`${folder}/skills/${name}/SKILL.md`, skill)
const block = (file: string, agent: CodingAgent) => BlockPiece.make(file, agent, instructions, markdown)
const commandHook = (agent: CodingAgent) => ({ hooks: [{ type: "command", command: hook(agent) }] })

const claudeHook = (event: string) =>
  JsonPiece.make(".claude/settings.json", ["hooks", event], commandHook("claude"), { isElement: true })

/** What each agent reads in a project. */
export const pieces: Readonly<Record<CodingAgent, ReadonlyArray<Piece>>> = {
  claude: [
    // https://code.claude.com/docs/en/memory
    block("CLAUDE.md", "claude"),
    // https://code.claude.com/docs/en/skills
    skillIn(".claude"),
    // https://code.claude.com/docs/en/mcp (project scope)
    JsonPiece.make(".mcp.json", ["mcpServers", name], server),
    // https://code.claude.com/docs/en/hooks (SessionStart, CwdChanged: both have CLAUDE_ENV_FILE)
    claudeHook("SessionStart"),
    claudeHook("CwdChanged")
  ],
  codex: [
    // https://developers.openai.com/codex/guides/agents-md
    block("AGENTS.md", "codex"),
    // https://developers.openai.com/codex/skills
    skillIn(".agents"),
    // https://developers.openai.com/codex/mcp (.codex/config.toml of a trusted project)
    TomlPiece.make(
      ".codex/config.toml",
      "codex",
      ["mcp_servers", name],
      [`command = "${server.command}"`, `args = ${JSON.stringify(server.args)}`]
    ),
    // https://developers.openai.com/codex/hooks
    JsonPiece.make(".codex/hooks.json", ["hooks", "SessionStart"], commandHook("codex"), { isElement: true })
  ],
  cursor: [
    // https://cursor.com/docs/context/rules (AGENTS.md)
    block("AGENTS.md", "cursor"),
    // https://cursor.com/docs/context/skills
    skillIn(".cursor"),
    // https://cursor.com/docs/context/mcp
    JsonPiece.make(".cursor/mcp.json", ["mcpServers", name], server),
    // https://cursor.com/docs/agent/hooks
    JsonPiece.make(
      ".cursor/hooks.json",
      ["hooks", "sessionStart"],
      { command: hook("cursor") },
      {
        base: { version: 1 },
        isElement: true
      }
    )
  ],
  copilot: [
    // https://docs.github.com/en/copilot/how-tos/configure-custom-instructions/add-repository-instructions
    block(".github/copilot-instructions.md", "copilot"),
    // https://docs.github.com/en/copilot/concepts/agents/about-agent-skills
    skillIn(".github"),
    // https://code.visualstudio.com/docs/agents/reference/mcp-configuration
    JsonPiece.make(".vscode/mcp.json", ["servers", name], server),
    // https://docs.github.com/en/copilot/reference/hooks-configuration
    JsonPiece.make(
      ".github/hooks/port-server.json",
      ["hooks", "sessionStart"],
      { type: "command", bash: hook("copilot") },
      {
        base: { version: 1 },
        isElement: true
      }
    )
  ],
  "agents-md": [block("AGENTS.md", "agents-md")]
}

/** Files of a project that show that an agent is used in it. */
export const traces: Readonly<Record<CodingAgent, ReadonlyArray<string>>> = {
  claude: [".claude", "CLAUDE.md"],
  codex: [".codex"],
  cursor: [".cursor"],
  copilot: [".github/copilot-instructions.md", ".github/hooks"],
  "agents-md": ["AGENTS.md"]
}
