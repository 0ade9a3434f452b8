import { shown } from "./Text.ts"
import type { HistoryEvent } from "./Types.ts"

/** The texts that a search of the events looks at. */
export const textsOf = ({
  allocation,
  by = {},
  from,
  kind
}: HistoryEvent): ReadonlyArray<string | number | undefined> => [
  kind,
  allocation.app,
  allocation.instance,
  allocation.service,
  allocation.port,
  allocation.path,
  from,
  ...Object.values(by).map(String)
]

/** Who did it, as the client said: `portctl ensure`, the page. */
export const clientName = ({ by = {} }: HistoryEvent): string => {
  const { agent, command, terminal } = by
  const name = command === "dashboard" ? "this page" : command === undefined ? "" : `portctl ${String(command)}`
  const place = agent ?? terminal
  return shown(place === undefined ? name : `${name} in ${String(place)}`.trim())
}
