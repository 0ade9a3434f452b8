import { spawnSync } from "node:child_process"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { type Ended, type Running, start } from "./Programs.ts"

/** What is typed once something is on the screen. */
export type Typing = readonly [after: string, keys: string]

// Node has no terminals of its own to give; Python's standard library has. One that stays silent is closed.
const driver = `
import fcntl, json, os, pty, select, struct, sys, termios
columns, typing, command = int(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3:]
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    os.execvp(command[0], command)
screen, seen = b"", 0
try:
    while True:
        while typing and typing[0][0].encode() in screen[seen:]:
            after, keys = typing.pop(0)
            seen = screen.index(after.encode(), seen) + len(after.encode())
            os.write(terminal, keys.encode())
        if not select.select([terminal], [], [], 30)[0]: break
        data = os.read(terminal, 65536)
        if not data: break
        screen += data
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
except OSError: pass
os.close(terminal)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`

const works = spawnSync("python3", ["-c", "import pty"]).status === 0

/** Why no terminal can be had here; `undefined` when one can. */
export const noTerminal: string | undefined = works ? undefined : "python3 is not installed"

interface TerminalOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Default: 80. */
  readonly columns?: number
  readonly typing?: ReadonlyArray<Typing>
  readonly cwd?: string
}

/** Start a program on a terminal; its `stdout` is everything on the screen, errors too, with the terminal's `\r\n`. */
export const startOnTerminal = (
  command: ReadonlyArray<string>,
  { columns = 80, cwd, env = {}, typing = [] }: TerminalOptions = {}
): Effect.Effect<Running, never, Scope.Scope> =>
  start("python3", ["-c", driver, String(columns), JSON.stringify(typing), ...command], {
    env: { TERM: "xterm-256color", ...env },
    ...(cwd === undefined ? {} : { cwd })
  })

/** Run a program on a terminal to its end; `stdout` is everything that was on it, errors too. */
export const onTerminal = (command: ReadonlyArray<string>, options: TerminalOptions = {}): Effect.Effect<Ended> =>
  startOnTerminal(command, options).pipe(
    Effect.flatMap((running) => running.ended),
    Effect.map((ended) => ({ ...ended, stdout: ended.stdout.replaceAll("\r\n", "\n") })),
    Effect.scoped
  )
