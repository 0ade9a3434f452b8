/** What the file that agents read in every session has for them. */
export const instructions: ReadonlyArray<string> = [
  "## Ports",
  "",
  "port-server is the registry of this machine's ports, and `portctl` its command line. Worktrees and agents share it.",
  "",
  "- Never choose a port yourself. Start every program with `portctl run -- COMMAND`: PORT and the other variables of",
  "  `portctl env` are then this worktree's own, the same ones every time.",
  "- Before you rely on a server that answers, run `portctl verify`: `own` is this worktree's; `foreign` is another one's:",
  "  do not use or end it.",
  "- When a port is taken, `portctl why --port N` shows who has it. Do not choose another number, and do not end the",
  "  process: `portctl kill --service NAME` ends only this worktree's own.",
  "- `portctl context` shows this worktree's ports, variables and processes. Docker Compose: `portctl compose up -d`.",
  "- When the worktree is done for good, `portctl release --here` gives its ports back."
]

/** A skill, in the form of agentskills.io. */
export const skill = `---
name: port-server
description: Start, reach, check and stop the servers of this worktree on its own ports, with portctl. Use it before anything listens on a port, when a port is taken, when a server answers that may be another worktree's, and for Docker Compose.
---

# Ports of this worktree

| to do | command |
| --- | --- |
| see what there is | \`portctl context\` |
| start something | \`portctl run -- COMMAND\` |
| the variables alone | \`portctl env\`, \`eval "$(portctl env --format export)"\` |
| the port of one service | \`portctl get web\` |
| a further service | \`portctl add NAME\` |
| check whose servers answer | \`portctl verify\` |
| who is on a port | \`portctl why --port N\` |
| end this worktree's own server | \`portctl kill --service web\` |
| Docker Compose with own ports | \`portctl compose up -d\`, \`portctl compose plan\` |
| give the ports back for good | \`portctl release --here\` |

Never choose a port, and never end a process by its number because it is on a port: it may be another worktree's, or
another agent's. \`portctl verify\` says \`foreign\` then, and \`portctl why\` shows whose it is. Tell the user instead.`
