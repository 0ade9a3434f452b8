import { type ClientOptions, Client as ClientV2 } from "@modelcontextprotocol/client"
import { StdioClientTransport as TransportV2 } from "@modelcontextprotocol/client/stdio"
import { Client as ClientV1 } from "@modelcontextprotocol/sdk/client/index.js"
import { StdioClientTransport as TransportV1 } from "@modelcontextprotocol/sdk/client/stdio.js"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { bin } from "./Programs.ts"

const Result = Schema.Struct({
  isError: Schema.optional(Schema.Boolean),
  content: Schema.Array(Schema.Struct({ type: Schema.Literal("text"), text: Schema.String })),
  structuredContent: Schema.optional(Schema.Unknown)
})

const Tools = Schema.Array(
  Schema.Struct({
    name: Schema.String,
    title: Schema.String,
    description: Schema.String,
    inputSchema: Schema.Struct({
      properties: Schema.Record({ key: Schema.String, value: Schema.Unknown }),
      required: Schema.Array(Schema.String)
    }),
    outputSchema: Schema.Struct({ type: Schema.Literal("object") }),
    annotations: Schema.Record({ key: Schema.String, value: Schema.Boolean })
  })
)

const Resources = Schema.Array(Schema.Struct({ uri: Schema.String, name: Schema.String }))
const Contents = Schema.Tuple(Schema.Struct({ uri: Schema.String, mimeType: Schema.String, text: Schema.String }))

/** How `portctl mcp` is started. */
export interface McpOptions {
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly args?: ReadonlyArray<string>
}

const parametersOf = ({ args = [], cwd, env }: McpOptions) => ({
  command: bin.portctl,
  args: ["mcp", ...args],
  cwd,
  env: { PATH: process.env["PATH"] ?? "", ...env }
})

/** What both official clients can do. */
interface Session {
  readonly pid: number | null
  readonly close: () => Promise<void>
  readonly instructions: string
  readonly tools: () => Promise<{ readonly tools: unknown }>
  readonly call: (request: { readonly name: string; arguments: Record<string, unknown> }) => Promise<unknown>
  readonly resources: () => Promise<{ readonly resources: unknown }>
  readonly templates: () => Promise<{ readonly resourceTemplates: unknown }>
  readonly read: (request: { readonly uri: string }) => Promise<{ readonly contents: unknown }>
}

const sessionOf = (client: ClientV1 | ClientV2, pid: number | null): Session => ({
  pid,
  close: () => client.close(),
  instructions: client.getInstructions() ?? "",
  tools: () => client.listTools(),
  call: (request) => client.callTool(request),
  resources: () => client.listResources(),
  templates: () => client.listResourceTemplates(),
  read: (request) => client.readResource(request)
})

const v1 = async (options: McpOptions) => {
  const client = new ClientV1({ name: "test", version: "1" })
  const transport = new TransportV1(parametersOf(options))
  await client.connect(transport)
  return sessionOf(client, transport.pid)
}

const v2 = (versionNegotiation?: NonNullable<ClientOptions["versionNegotiation"]>) => async (options: McpOptions) => {
  const client = new ClientV2(
    { name: "test", version: "1" },
    versionNegotiation === undefined ? {} : { versionNegotiation }
  )
  const transport = new TransportV2(parametersOf(options))
  await client.connect(transport)
  return sessionOf(client, transport.pid)
}

/** The official clients, each with the protocol that it comes to. */
export const clients = {
  "SDK v1": v1,
  "SDK v2": v2(),
  "SDK v2, auto": v2({ mode: "auto" }),
  "SDK v2, pinned to 2026-07-28": v2({ mode: { pin: "2026-07-28" } })
}

/** A result of a tool. */
export interface ToolResult {
  /** The sentence of a tool error. */
  readonly error?: string
  readonly value: Record<string, unknown>
}

const decodeValue = Schema.decodeUnknownSync(Schema.Record({ key: Schema.String, value: Schema.Unknown }))

/** An agent's connection to `portctl mcp`. */
export const connect = (options: McpOptions, kind: keyof typeof clients = "SDK v2, auto") =>
  Effect.gen(function* () {
    const session = yield* Effect.acquireRelease(
      Effect.promise(() => clients[kind](options)),
      ({ close }) => Effect.promise(close)
    )
    return {
      pid: session.pid ?? 0,
      instructions: session.instructions,
      tools: Effect.promise(async () => Schema.decodeUnknownSync(Tools)((await session.tools()).tools)),
      call: (name: string, args: Record<string, unknown> = {}): Effect.Effect<ToolResult> =>
        Effect.promise(async () => {
          const answer = await session.call({ name, arguments: args })
          const { content, isError, structuredContent } = Schema.decodeUnknownSync(Result)(answer)
          const text = content.map((each) => each.text).join("\n")
          return isError === true ? { error: text, value: {} } : { value: decodeValue(structuredContent) }
        }),
      resources: Effect.promise(async () => Schema.decodeUnknownSync(Resources)((await session.resources()).resources)),
      templates: Effect.promise(async () => (await session.templates()).resourceTemplates),
      read: (uri: string) =>
        Effect.promise(async (): Promise<unknown> => {
          const [{ text }] = Schema.decodeUnknownSync(Contents)((await session.read({ uri })).contents)
          return JSON.parse(text)
        })
    }
  })
