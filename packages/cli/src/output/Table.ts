import type { Style, Terminal } from "@port-server/command-line/terminal/Terminal"
import { escapeControls } from "@port-server/domain/Name"
import { clip, displayWidth } from "./DisplayWidth.ts"

/** A column of a table of `A`. */
export interface Column<A> {
  /** In a table whose columns have none, there is no line of headings. */
  readonly heading: string
  /** What it shows of a row; control characters are escaped. */
  readonly cell: (row: A) => string
  /** How its cells look where there is colour; all of them, or each by its row. */
  readonly style?: Style | ((row: A) => Style)
  /** The end at which a long cell may be shortened so that the row fits the terminal; by default it never is. */
  readonly shorten?: "start" | "end"
  /** Left out on a terminal that the rows would not fit with it. */
  readonly isOptional?: boolean
}

const gap = 2

/** The narrowest that a column is made to fit a terminal, or its heading when that is wider. */
const narrowest = 6

/** Take from the widest column that can be shortened, until the row fits or nothing can be taken. */
const fitted = (
  widths: ReadonlyArray<number>,
  floors: ReadonlyArray<number>,
  available: number
): ReadonlyArray<number> => {
  const result = [...widths]
  for (let excess = result.reduce((sum, width) => sum + width, 0) - available; excess > 0; excess--) {
    let widest = -1
    result.forEach((width, column) => {
      if (width > (floors[column] ?? 0) && width > (result[widest] ?? -1)) widest = column
    })
    if (widest === -1) break
    result[widest] = (result[widest] ?? 0) - 1
  }
  return result
}

/**
 * Rows under headings, every column as wide as its widest cell. On a terminal the headings are bold and long cells of
 * columns that allow it are shortened with `…` to fit its width, and optional columns left out; elsewhere everything is
 * plain and whole.
 */
export const table = <A>(
  columns: ReadonlyArray<Column<A>>,
  rows: ReadonlyArray<A>,
  { columns: available, paint }: Terminal
): string => {
  const written = rows.map((row) => ({ row, cells: columns.map(({ cell }) => escapeControls(cell(row))) }))
  const natural = columns.map(({ heading }, column) =>
    written.reduce((width, { cells }) => Math.max(width, displayWidth(cells[column] ?? "")), heading.length)
  )
  const floors = columns.map(({ heading, shorten }, column) =>
    shorten === undefined ? (natural[column] ?? 0) : Math.max(heading.length, narrowest)
  )
  const left = available === undefined ? Number.POSITIVE_INFINITY : available - gap * Math.max(0, columns.length - 1)
  if (floors.reduce((sum, width) => sum + width, 0) > left && columns.some(({ isOptional }) => isOptional)) {
    return table(
      columns.filter(({ isOptional }) => !isOptional),
      rows,
      { columns: available, paint }
    )
  }
  const widths = fitted(natural, floors, left)
  const line = (cells: ReadonlyArray<string>, style: (column: Column<A>) => Style | undefined): string =>
    columns
      .map((column, index) => {
        const width = widths[index] ?? 0
        const text = clip(cells[index] ?? "", width, column.shorten ?? "end")
        const look = style(column)
        const padding = index === columns.length - 1 ? "" : " ".repeat(width - displayWidth(text) + gap)
        return (look === undefined || text === "" ? text : paint(look, text)) + padding
      })
      .join("")
      .trimEnd()
  const headings = columns.map(({ heading }) => heading)
  return [
    ...(headings.some((heading) => heading !== "") ? [line(headings, () => "bold")] : []),
    ...written.map(({ cells, row }) => line(cells, ({ style }) => (typeof style === "function" ? style(row) : style)))
  ].join("\n")
}
