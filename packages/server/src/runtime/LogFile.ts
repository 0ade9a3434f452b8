import {
  accessSync,
  appendFileSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readSync
} from "node:fs"
import { dirname } from "node:path"
import { finished } from "node:stream/promises"
import { errorCode, fileReason } from "@port-server/domain/SystemError"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as FiberRef from "effect/FiberRef"
import * as HashSet from "effect/HashSet"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Schema from "effect/Schema"

/** How large the log may become before it is rotated, and how many rotated ones are kept: `FILE.1` is the newest. */
const limits = { size: "1M", rotate: 3 } as const

/** Of a new log: readable only by its owner. */
const mode = 0o600

/** The log cannot be written; `message` is a sentence that names the file. */
export class LogUnusable extends Schema.TaggedError<LogUnusable>()("LogUnusable", { message: Schema.String }) {}

const unusable = (file: string, reason: string) =>
  new LogUnusable({ message: `cannot write the log ${file}: ${reason}` })

const toUnusable = (file: string) => (error: unknown) => {
  if (errorCode(error) === "ELOOP") return unusable(file, "it is a symbolic link")
  if (errorCode(error) === "EISDIR") return unusable(file, "it is not a file")
  return unusable(file, fileReason(error) ?? String(error))
}

/** What a SQLite database begins with (https://sqlite.org/fileformat.html, section 1.3). */
const databaseHeader = "SQLite format 3\0"

/** Open a log that is there; no link is followed, and nothing waits for the other end of a pipe. */
const openThere = (file: string, flags = 0): number => {
  const { O_APPEND, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants
  return openSync(file, O_RDWR | O_APPEND | O_NOFOLLOW | O_NONBLOCK | flags, mode)
}

/** The same, of one that is made where it is missing, with its folder. */
const openLog = (file: string): number => {
  try {
    return openThere(file, constants.O_CREAT)
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error
    mkdirSync(dirname(file), { recursive: true })
    return openThere(file, constants.O_CREAT)
  }
}

/** Whether a log is missing; throws where it could not be made. */
const isMissing = (file: string): boolean => {
  if (lstatSync(file, { throwIfNoEntry: false }) !== undefined) return false
  let folder = dirname(file)
  while (!existsSync(folder)) folder = dirname(folder)
  accessSync(folder, constants.W_OK | constants.X_OK)
  return true
}

const verify = (file: string, database: string, open: (file: string) => number): Effect.Effect<void, LogUnusable> =>
  Effect.gen(function* () {
    // By its name, too: this one may not be there yet. It is not open yet, so that closing it here drops no locks of
    // SQLite's (https://sqlite.org/howtocorrupt.html, section 2.2).
    if (["", "-wal", "-shm"].some((suffix) => file === `${database}${suffix}`)) {
      return yield* unusable(file, "it is a database")
    }
    const descriptor = yield* Effect.acquireRelease(
      Effect.try({ try: () => open(file), catch: toUnusable(file) }),
      (descriptor) => Effect.sync(() => closeSync(descriptor))
    )
    const status = fstatSync(descriptor)
    if (!status.isFile()) return yield* unusable(file, "it is not a file")
    if (process.getuid !== undefined && status.uid !== process.getuid()) {
      return yield* unusable(file, "it belongs to another user")
    }
    const bytes = Buffer.alloc(databaseHeader.length)
    if (bytes.toString("latin1", 0, readSync(descriptor, bytes, 0, bytes.length, 0)) === databaseHeader) {
      return yield* unusable(file, "it is a database")
    }
  }).pipe(Effect.scoped)

/**
 * Fails when the file is not one that a log may be written to: another user's, or a database, this server's or any. One
 * that is missing is not made.
 */
export const check = (file: string, database: string): Effect.Effect<void, LogUnusable> =>
  Effect.flatMap(Effect.try({ try: () => isMissing(file), catch: toUnusable(file) }), (missing) =>
    missing ? Effect.void : verify(file, database, openThere)
  )

const open = Effect.fnUntraced(function* (file: string, database: string) {
  yield* verify(file, database, openLog)
  const { createStream } = yield* Effect.promise(() => import("rotating-file-stream"))
  const make = () => createStream(file, { ...limits, mode })
  const first = yield* Effect.async<ReturnType<typeof make>, LogUnusable>((resume) => {
    const stream = make()
    stream.once("error", (error) => resume(toUnusable(file)(error)))
    stream.once("open", () => resume(Effect.succeed(stream)))
  })
  return { first, make }
})

/** Takes lines for as long as the scope is open. */
const make = Effect.fnUntraced(function* (file: string, database: string) {
  const { first, make } = yield* open(file, database)
  let stream: typeof first | undefined = first
  const watch = (opened: typeof first) =>
    opened.on("error", () => {
      // A full disk does not end the server: the next line tries again.
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
    stream.write(text)
  }
})

/** One entry of the log: when, and what. */
const entry = (date: Date, text: string): string => `${date.toISOString()} ${text}\n`

const logger = (write: (text: string) => void): Logger.Logger<unknown, void> =>
  Logger.make(({ cause, date, logLevel, message }) => {
    const level = logLevel === LogLevel.Info ? [] : [`${logLevel.label.toLowerCase()}:`]
    const words = Array.isArray(message) ? message.map(String) : [String(message)]
    write(entry(date, [...level, ...words, ...(Cause.isEmpty(cause) ? [] : [Cause.pretty(cause)])].join(" ")))
  })

/** Log what Node reports of this process; an uncaught exception at once, since the process is about to end. */
const logProcessWarnings = (file: string, write: (text: string) => void): void => {
  process.on("warning", (warning) => write(entry(new Date(), `${warning.name}: ${warning.message}`)))
  process.on("uncaughtExceptionMonitor", (error) => {
    const descriptor = openLog(file)
    appendFileSync(descriptor, entry(new Date(), error.stack ?? error.message))
    closeSync(descriptor)
  })
}

/** Logs to a file, rotated at the {@link limits}, and nowhere else. */
export const layer = (file: string, database: string): Layer.Layer<never, LogUnusable> =>
  Layer.scopedDiscard(
    Effect.gen(function* () {
      const write = yield* make(file, database)
      logProcessWarnings(file, write)
      yield* Effect.locallyScoped(FiberRef.currentLoggers, HashSet.make(logger(write)))
    })
  )
