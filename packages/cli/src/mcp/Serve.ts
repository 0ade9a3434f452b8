import type { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { version } from "@port-server/domain/Defaults"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Runtime from "effect/Runtime"
import type { CliError } from "../errors/CliError.ts"
import * as Folder from "./Folder.ts"
import { instructions } from "./Instructions.ts"
import { portTools } from "./PortTools.ts"
import { projectTools } from "./ProjectTools.ts"
import * as Resources from "./Resources.ts"
import type { CallToolResult } from "./Sdk.ts"
import * as StdioTransport from "./StdioTransport.ts"

/** An error for a model: the sentence of the command line, and what to do next. */
const told = (cause: Cause.Cause<CliError>): string => {
  const error = Cause.squash(cause)
  if (!(error instanceof Error)) return String(error)
  const hint = "hint" in error && typeof error.hint === "string" ? `\nhint: ${error.hint}` : ""
  return `${error.message}${hint}`
}

/** Serve the Model Context Protocol on stdin and stdout, until the client goes and has its answers. */
export const serve = Effect.fnUntraced(function* (isReadOnly: boolean) {
  const sdk = yield* Effect.promise(() => import("./Sdk.ts"))
  const { McpServer, ResourceTemplate, serveStdio } = sdk
  const { finished, transport } = yield* StdioTransport.make(sdk)
  const runtime = yield* Effect.runtime<PortServerClient>()
  const inFolder = yield* Folder.make
  const tools = [...projectTools(inFolder), ...portTools(inFolder)].filter((tool) => !isReadOnly || tool.isReadOnly)

  const run = <A>(effect: Effect.Effect<A, CliError, PortServerClient>, signal: AbortSignal) =>
    Runtime.runPromiseExit(runtime)(effect, { signal })

  const call = async (effect: Effect.Effect<object, CliError, PortServerClient>, signal: AbortSignal) =>
    Exit.match(await run(effect, signal), {
      onFailure: (cause): CallToolResult => ({ content: [{ type: "text", text: told(cause) }], isError: true }),
      onSuccess: (value): CallToolResult => ({
        content: [{ type: "text", text: JSON.stringify(value) }],
        structuredContent: { ...value }
      })
    })

  const read = async (uri: URL, effect: Effect.Effect<unknown, CliError, PortServerClient>, signal: AbortSignal) => {
    const exit = await run(effect, signal)
    if (Exit.isFailure(exit)) throw new Error(told(exit.cause))
    return { contents: [{ uri: uri.href, mimeType: "application/json", text: JSON.stringify(exit.value) }] }
  }

  const make = () => {
    const server = new McpServer(
      { name: "port-server", title: "port-server", version },
      { instructions: instructions(isReadOnly) }
    )
    for (const { call: answer, config, name } of tools) {
      server.registerTool(name, config, (args, { mcpReq }) => call(answer(args), mcpReq.signal))
    }
    const mimeType = "application/json"
    server.registerResource(
      "listeners",
      Resources.listenersUri,
      { title: "What is on the ports of this machine", mimeType },
      (uri, { mcpReq }) => read(uri, Resources.listeners, mcpReq.signal)
    )
    server.registerResource(
      "allocations",
      new ResourceTemplate(Resources.copiesTemplate, {
        list: async ({ mcpReq }) => ({
          resources: Exit.getOrElse(await run(Resources.workingCopies, mcpReq.signal), () => []).map((each) => ({
            ...each,
            mimeType
          }))
        })
      }),
      { title: "The ports of a working copy", mimeType },
      (uri, _, { mcpReq }) => read(uri, Resources.allocations(inFolder, uri), mcpReq.signal)
    )
    return server
  }

  yield* Effect.acquireUseRelease(
    Effect.sync(() => serveStdio(make, { transport })),
    () => finished,
    (handle) => Effect.promise(() => handle.close())
  )
})
