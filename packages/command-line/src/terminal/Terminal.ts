import * as Config from "effect/Config"
import * as Effect from "effect/Effect"

/** How text can look: a name of picocolors. */
export type Style = "bold" | "cyan" | "dim" | "green" | "red" | "yellow"

/** Where a program's output goes: a person's terminal, or a pipe, a file, another program. */
export interface Terminal {
  /** Characters in a line; `undefined` when it is no terminal. */
  readonly columns: number | undefined
  /** The text in a style, or as it is where there is no colour. */
  readonly paint: (style: Style, text: string) => string
}

/** What a pipe and a file get: plain text, of any width. */
export const plain: Terminal = { columns: undefined, paint: (_, text) => text }

/** What a terminal is when it does not say how wide it is. */
const standardColumns = 80

// https://no-color.org: set and not empty, whatever its value. A terminal that is "dumb" can only print.
const colourAllowed = Config.all([
  Config.string("NO_COLOR").pipe(Config.withDefault("")),
  Config.string("TERM").pipe(Config.withDefault(""))
]).pipe(
  Effect.map(([noColor, term]) => noColor === "" && term !== "dumb"),
  Effect.orElseSucceed(() => false)
)

const terminalOf = (stream: () => NodeJS.WriteStream): Effect.Effect<Terminal> =>
  Effect.suspend(() => {
    const { columns, isTTY } = stream()
    if (!isTTY) return Effect.succeed(plain)
    const width = columns > 0 ? columns : standardColumns
    return Effect.flatMap(colourAllowed, (allowed) =>
      allowed
        ? Effect.map(
            Effect.promise(() => import("picocolors")),
            ({ default: { createColors } }) => {
              const styles: Readonly<Record<Style, (text: string) => string>> = createColors(true)
              return { columns: width, paint: (style, text) => styles[style](text) }
            }
          )
        : Effect.succeed({ ...plain, columns: width })
    )
  })

/** Where answers go. */
export const stdout: Effect.Effect<Terminal> = terminalOf(() => process.stdout)

/** Where errors and hints go. */
export const stderr: Effect.Effect<Terminal> = terminalOf(() => process.stderr)
