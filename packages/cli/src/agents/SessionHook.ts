import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { projectEnvironment } from "../compose/ProjectEnvironment.ts"
import * as Notes from "../output/Notes.ts"
import { nothingGiven } from "../project/Given.ts"
import { here, isInProject } from "../project/ProjectContext.ts"
import { heldPorts } from "../project/ProjectPorts.ts"
import * as ClaudeEnvFile from "./ClaudeEnvFile.ts"
import type { CodingAgent } from "./CodingAgents.ts"
import { format } from "./ContextFormat.ts"
import { contextOf } from "./WorkingCopyContext.ts"

const text = Schema.optionalWith(Schema.String, { exact: true })

/** What the agents tell a hook on stdin, as far as it matters here. */
const Input = Schema.parseJson(
  Schema.Struct({
    hook_event_name: text,
    cwd: text,
    new_cwd: text,
    workspace_roots: Schema.optionalWith(Schema.Array(Schema.String), { exact: true })
  })
)
type Input = typeof Input.Type

const stdin = Effect.promise(async () => {
  const chunks: Array<Uint8Array> = []
  for await (const chunk of process.stdin) chunks.push(chunk)
  return Buffer.concat(chunks).toString("utf8")
})

/** Where the session is: what the agent says, or else the folder that the hook runs in. */
const goThere = ({ cwd, new_cwd, workspace_roots = [] }: Input) =>
  Effect.try(() => process.chdir(new_cwd ?? cwd ?? workspace_roots[0] ?? ".")).pipe(Effect.ignore)

/** What an agent reads on the hook's stdout. */
const outputFor = (agent: CodingAgent, { hook_event_name = "SessionStart" }: Input, env: object, context: string) => {
  switch (agent) {
    case "claude":
      // Of this event alone, the output goes to the model: https://code.claude.com/docs/en/hooks
      return hook_event_name === "SessionStart" ? context : ""
    case "codex":
      // https://developers.openai.com/codex/hooks
      return JSON.stringify({ hookSpecificOutput: { hookEventName: "SessionStart", additionalContext: context } })
    case "cursor":
      // https://cursor.com/docs/agent/hooks
      return JSON.stringify({ env, additional_context: context })
    case "copilot":
    case "agents-md":
      // https://docs.github.com/en/copilot/reference/hooks-configuration
      return JSON.stringify({ additionalContext: context })
  }
}

/** The variables and the context of the working copy where a session is; outside a project, nothing. */
const found = Effect.fnUntraced(function* ({ hook_event_name }: Input) {
  if (!(yield* isInProject(nothingGiven))) return undefined
  const place = yield* here(nothingGiven)
  // A session that only passes by allocates nothing.
  const isPassing = hook_event_name === "CwdChanged" && place.project === undefined
  if (isPassing && (yield* heldPorts(place)).allocations.length === 0) return undefined
  const { env } = yield* projectEnvironment(place, [])
  return { env, context: yield* contextOf(place) }
})

/** Put the variables and the context of the working copy into the session of an agent, in place of the former one's. */
export const runHook = Effect.fnUntraced(function* (agent: CodingAgent) {
  const input = Option.getOrElse(Schema.decodeOption(Input)(yield* stdin), (): Input => ({}))
  yield* goThere(input)
  const isMoving = input.hook_event_name === "CwdChanged"
  const write = (env: Readonly<Record<string, string>>) =>
    agent === "claude" ? ClaudeEnvFile.write(env, !isMoving) : Effect.void
  const [session, notes] = yield* Notes.collect(found(input)).pipe(
    // Those of the folder that the session has left are wrong in any case.
    Effect.tapError(() => (isMoving ? write({}) : Effect.void))
  )
  yield* write(session?.env ?? {})
  if (session === undefined) return
  const output = outputFor(agent, input, session.env, format(session.context, notes))
  if (output !== "") yield* Console.log(output)
})
