import { userInfo } from "node:os"
import * as HttpClient from "@effect/platform/HttpClient"
import * as HttpClientRequest from "@effect/platform/HttpClientRequest"
import { clientHeader, maxClientBytes } from "@port-server/domain/ClientHeader"

type Environment = Readonly<Record<string, string | undefined>>

/** Variables that agents set, and the names of the agents. */
const agents: ReadonlyArray<readonly [variable: string, name: string]> = [
  ["CLAUDECODE", "claude"],
  ["CODEX_SANDBOX", "codex"],
  ["CURSOR_AGENT", "cursor"],
  ["GEMINI_CLI", "gemini"],
  ["OPENCODE", "opencode"],
  ["GOOSE_TERMINAL", "goose"],
  ["CLINE_ACTIVE", "cline"],
  ["AUGMENT_AGENT", "augment"]
]

/** Variables in which an agent or a terminal has its name. */
const agentNames = ["AI_AGENT", "AGENT"]
const terminalNames = ["TERM_PROGRAM", "TERMINAL_EMULATOR", "LC_TERMINAL"]

const isSet = (value: string | undefined): value is string => value !== undefined && value !== ""

const firstOf = (env: Environment, names: ReadonlyArray<string>) => names.map((name) => env[name]).find(isSet)

/** The agent or the terminal that a program runs in, where the environment tells it. */
const surroundings = (env: Environment) => {
  const agent = agents.find(([variable]) => isSet(env[variable]))?.[1] ?? firstOf(env, agentNames)
  if (agent !== undefined) return { agent }
  const terminal = firstOf(env, terminalNames)
  return terminal === undefined ? {} : { terminal }
}

const attempt = <A>(get: () => A): A | undefined => {
  try {
    return get()
  } catch {
    // The folder was removed, or the system has no entry for the user.
    return undefined
  }
}

/** JSON in ASCII, as a header carries it. */
const asciiJson = (value: unknown): string =>
  JSON.stringify(value).replace(/[\u007f-\uffff]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)

/** What this program says about itself: its command's name without arguments, and whose it is and where. */
const headerOf = (command: string): string => {
  const known = { command, user: attempt(() => userInfo().username), ...surroundings(process.env) }
  const all = asciiJson({ ...known, folder: attempt(() => process.cwd()) })
  if (all.length <= maxClientBytes) return all
  const short = asciiJson(known)
  return short.length <= maxClientBytes ? short : asciiJson({ command })
}

/** A client that says with each request that may change something which command of portctl it is for. */
export const make = (command: string, client: HttpClient.HttpClient): HttpClient.HttpClient =>
  HttpClient.mapRequest(client, (request) =>
    request.method === "GET" ? request : HttpClientRequest.setHeader(request, clientHeader, headerOf(command))
  )
