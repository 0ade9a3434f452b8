import { type Client, EventKind, type RegistryEvent } from "@port-server/domain/Event"
import { escapeControls } from "@port-server/domain/Name"
import { formatTime } from "./AllocationTable.ts"

const kindWidth = Math.max(...EventKind.literals.map(({ length }) => length))

const text = (value: unknown): ReadonlyArray<string> => (typeof value === "string" && value !== "" ? [value] : [])

/** What a client says about itself: `portctl run, me, in /home/me/shop, claude`; of another program, its JSON. */
const clientText = (client: Client): string => {
  const { agent, command, folder, terminal, user } = client
  const parts = [
    ...text(command).map((name) => `portctl ${name}`),
    ...text(user),
    ...text(folder).map((path) => `in ${path}`),
    ...text(agent ?? terminal)
  ]
  return text(command).length === 0 ? JSON.stringify(client) : parts.join(", ")
}

const folders = ({ allocation: { path }, from, kind }: RegistryEvent): ReadonlyArray<string> => {
  if (path === undefined) return []
  return [kind === "moved" && from !== undefined ? `${from} -> ${path}` : path]
}

/** An event as one line. */
export const line = (event: RegistryEvent): string => {
  const { allocation, at, by, kind } = event
  return [
    formatTime(at),
    kind.padEnd(kindWidth),
    String(allocation.port),
    allocation.owner,
    ...folders(event),
    ...(by === undefined ? [] : [`(says: ${clientText(by)})`])
  ]
    .map(escapeControls)
    .join("  ")
}
