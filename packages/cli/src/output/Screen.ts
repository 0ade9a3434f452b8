import * as Terminal from "@port-server/command-line/terminal/Terminal"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

/** A terminal's own screen for as long as a program draws on it; what was there before comes back. */
export interface Screen {
  /** Replace what is on the screen. What does not fit in the height is left out and counted. */
  readonly draw: (text: string) => Effect.Effect<void>
  /** An element whenever the size of the terminal has changed. */
  readonly resized: Stream.Stream<void>
}

// The alternate screen of xterm, and its cursor: https://invisible-island.net/xterm/ctlseqs/ctlseqs.html
const [enter, leave] = ["\u001b[?1049h\u001b[?25l", "\u001b[?25h\u001b[?1049l"]
const [home, clearLine, clearBelow] = ["\u001b[H", "\u001b[K", "\u001b[J"]

const write = (text: string) => Effect.sync(() => process.stdout.write(text))

/** The lines that fit in a height, the last of them saying how many do not. */
const fitting = (lines: ReadonlyArray<string>, rows: number): ReadonlyArray<string> =>
  lines.length <= rows ? lines : [...lines.slice(0, rows - 1), `… and ${lines.length - rows + 1} more lines`]

/** The screen of the terminal that stdout is; `undefined` where it is none, or cannot be drawn on. */
export const open: Effect.Effect<Screen | undefined, never, Scope.Scope> = Effect.flatMap(
  Terminal.stdout,
  ({ columns }) =>
    columns === undefined || process.env["TERM"] === "dumb"
      ? Effect.succeed(undefined)
      : Effect.as(
          Effect.acquireRelease(write(enter), () => write(leave)),
          {
            draw: (text) => {
              const rows = process.stdout.rows > 0 ? process.stdout.rows : 24
              const lines = fitting(text.split("\n"), rows - 1)
              // Drawn over, not cleared first: that would flicker.
              return Effect.asVoid(
                write(`${home}${lines.map((line) => `${line}${clearLine}\n`).join("")}${clearBelow}`)
              )
            },
            resized: Stream.asyncPush<void>((emit) => {
              const onResize = () => emit.single(undefined)
              return Effect.acquireRelease(
                Effect.sync(() => process.stdout.on("resize", onResize)),
                () => Effect.sync(() => process.stdout.off("resize", onResize))
              )
            })
          } satisfies Screen
        )
)
