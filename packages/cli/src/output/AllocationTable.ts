import type { Terminal } from "@port-server/command-line/terminal/Terminal"
import type { Allocation } from "@port-server/domain/Allocation"
import * as Table from "./Table.ts"

/** An allocation and its owner, as the sentences name them: `myapp/dev/postgres (id=1)`. */
export const ownerAndId = (allocation: Allocation): string => `${allocation.owner} (id=${allocation.id})`

/** A time of the API as tables show it: `2025-02-08 15:04:05`. */
export const formatTime = (text: string): string => text.replace("T", " ").replace("Z", "")

/** What a table of allocations shows of each. */
type Row = Pick<Allocation, "id" | "app" | "instance" | "service" | "port" | "created_at" | "path">

const owner: ReadonlyArray<Table.Column<Row>> = [
  { heading: "ID", cell: ({ id }) => String(id) },
  { heading: "APP", cell: ({ app }) => app, shorten: "end" },
  { heading: "INSTANCE", cell: ({ instance }) => instance, shorten: "end" },
  { heading: "SERVICE", cell: ({ service }) => service, shorten: "end" },
  { heading: "PORT", cell: ({ port }) => String(port), style: "cyan" }
]

/** From this width on a terminal shows the folders too, where there are any. */
const wide = 120

/** The allocations as a table, with further columns where given, or `no allocations`. */
export const table = <A extends Row>(
  allocations: ReadonlyArray<A>,
  terminal: Terminal,
  further: ReadonlyArray<Table.Column<A>> = [],
  hasFolder = false
): string => {
  const created: Table.Column<Row> = {
    heading: "CREATED",
    cell: ({ created_at }) => formatTime(created_at),
    style: "dim",
    isOptional: further.length > 0
  }
  const folder: Table.Column<Row> = { heading: "FOLDER", cell: ({ path = "-" }) => path, shorten: "start" }
  const isShown = hasFolder || ((terminal.columns ?? 0) >= wide && allocations.some(({ path }) => path !== undefined))
  return allocations.length === 0
    ? "no allocations"
    : Table.table([...owner, created, ...further, ...(isShown ? [folder] : [])], allocations, terminal)
}
