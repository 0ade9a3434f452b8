import { appendFileSync, chmodSync, closeSync, openSync, readSync } from "node:fs"
import { finished } from "node:stream/promises"
import * as Cause from "effect/Cause"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"

/** How large the log may become before it is put aside, and how many that were are kept: `FILE.1` is the newest. */
const limits = { size: "1M", rotate: 3 } as const

/** What is written can be read by the user alone. */
const mode = 0o600

/** The log cannot be written; `message` is a sentence that names the file. */
export class LogUnusable extends Schema.TaggedError<LogUnusable>()("LogUnusable", { message: Schema.String }) {}

const reasonOf = (error: NodeJS.ErrnoException): string => {
  switch (error.code) {
    case "EACCES":
    case "EPERM":
      return "it is not yours to write"
    case "ENOTDIR":
      return "its folder is not a folder"
    case "ENOSPC":
      return "the disk is full"
    default:
      return /not a file/.test(error.message) ? "it is not a file" : error.message
  }
}

/** What a SQLite database begins with (https://sqlite.org/fileformat.html, section 1.3). */
const databaseHeader = "SQLite format 3\0"

/** Whether the file is a database, this server's or any, which a log would spoil, and put aside when it is large. */
const isDatabase = (file: string, database: string): boolean => {
  if (["", "-wal", "-shm"].some((suffix) => file === `${database}${suffix}`)) return true
  try {
    // This process has not opened the database yet, so that closing the file drops no locks of SQLite's.
    const descriptor = openSync(file, "r")
    try {
      const bytes = Buffer.alloc(databaseHeader.length)
      return bytes.toString("latin1", 0, readSync(descriptor, bytes)) === databaseHeader
    } finally {
      closeSync(descriptor)
    }
  } catch {
    return false
  }
}

const open = Effect.fnUntraced(function* (file: string, database: string) {
  if (isDatabase(file, database))
    return yield* new LogUnusable({ message: `cannot write the log ${file}: it is a database` })
  const { createStream } = yield* Effect.promise(() => import("rotating-file-stream"))
  const make = () => createStream(file, { ...limits, mode })
  const failed = (error: NodeJS.ErrnoException) =>
    new LogUnusable({ message: `cannot write the log ${file}: ${reasonOf(error)}` })
  const first = yield* Effect.async<ReturnType<typeof make>, LogUnusable>((resume) => {
    const stream = make()
    stream.once("error", (error) => resume(failed(error)))
    stream.once("open", () => resume(Effect.succeed(stream)))
  })
  // Of a log that was there already, the mode is what it was.
  yield* Effect.try({ try: () => chmodSync(file, mode), catch: () => failed(new Error("it belongs to another user")) })
  return { first, make }
})

/** One line of the log: when, and what. */
const line = (text: string): string => `${new Date().toISOString()} ${text}\n`

/** A log that takes lines for as long as the scope is open. */
const make = Effect.fnUntraced(function* (file: string, database: string) {
  const { first, make } = yield* open(file, database)
  let stream: typeof first | undefined = first
  const watch = (opened: typeof first) =>
    opened.on("error", () => {
      // A disk that is full is nothing to die of: the next line tries again.
      if (stream === opened) stream = undefined
    })
  watch(first)
  yield* Effect.addFinalizer(() =>
    Effect.promise(async () => {
      if (stream === undefined) return
      stream.end()
      await finished(stream).catch(() => {})
    })
  )
  return (text: string): void => {
    stream ??= watch(make())
    stream.write(line(text))
  }
})

/** The console whose every word is a line of the log. */
const logged = (console: Console.Console, write: (text: string) => void): Console.Console => {
  const print = (...args: ReadonlyArray<unknown>) => Effect.sync(() => write(args.map(String).join(" ")))
  return { ...console, log: print, info: print, debug: print, warn: print, error: print }
}

const logger = (write: (text: string) => void): Logger.Logger<unknown, void> =>
  Logger.make(({ cause, logLevel, message }) => {
    const words = Array.isArray(message) ? message.map(String) : [String(message)]
    write([logLevel.label, ...words, ...(Cause.isEmpty(cause) ? [] : [Cause.pretty(cause)])].join(" "))
  })

/** What Node itself says of this process, also when it is about to die, which no stream would live to write. */
const logProcessWarnings = (file: string, write: (text: string) => void): void => {
  process.on("warning", (warning) => write(`${warning.name}: ${warning.message}`))
  process.on("uncaughtExceptionMonitor", (error) => appendFileSync(file, line(error.stack ?? error.message), { mode }))
}

/**
 * Everything that is printed, from here on, as lines of a file: each with its time, readable by the user alone, put aside
 * at the {@link limits}.
 */
export const layer = (file: string, database: string): Layer.Layer<never, LogUnusable> =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      const write = yield* make(file, database)
      const console = yield* Console.consoleWith(Effect.succeed)
      logProcessWarnings(file, write)
      return Layer.merge(
        Console.setConsole(logged(console, write)),
        Logger.replace(Logger.defaultLogger, logger(write))
      )
    })
  )
