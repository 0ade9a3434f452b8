import {
  closeSync,
  constants,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  rmSync,
  type Stats,
  statSync,
  writeSync
} from "node:fs"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as CallerOwned from "./CallerOwned.ts"
import { exclusiveOpen, Locked, lock } from "./FileLock.ts"

// A file that other programs append to is changed where it is. A rename would cut its hard links, drop its extended
// attributes and lose what is appended through a descriptor that was opened before; and the temporary file, with
// everything that is in the file, would outlive a kill.
//
// No appended line is lost, because nothing is ever written beyond the end that was read: room for a longer text is made
// by appending empty lines, which the kernel puts after whatever others have appended. A shorter text leaves empty lines,
// which are cut off only when nothing was appended for a while.
//
// The bytes that differ are replaced by one write. A kill leaves the old text or the new one, with some empty lines more;
// only a loss of power in the middle of a write across 4 KiB pages can mix the two.

/** How long nothing must have been appended before the end is cut off. */
const calm = "25 millis"

/** The outcome of an attempt on a file that another program replaced at the same time. */
const replaced = { isChanged: false, isDone: false }

/** How often the file may be replaced by another program while it is changed. */
const mostAttempts = 5

/** The system refused to open, read or write the file. */
export class SystemFailure extends Data.TaggedError("SystemFailure")<{ readonly cause: unknown }> {}

const attempt = <A>(run: () => A) => Effect.try({ try: run, catch: (cause) => new SystemFailure({ cause }) })

interface OpenFile {
  readonly file: number
  /** Whether it was made by this. */
  readonly isNew: boolean
  /** The same file; its writes go to the end, where pwrite(2) on Linux would put all others too. */
  readonly end: number
}

const closedAtEnd = (opening: () => number) =>
  Effect.acquireRelease(attempt(opening), (file) => Effect.sync(() => closeSync(file)))

const { O_APPEND, O_CREAT, O_RDWR } = constants

/** Open a file to read and write, or make it; fails with `EACCES` and the like where that is not allowed. */
const open = Effect.fnUntraced(function* (path: string) {
  const made = yield* Effect.option(closedAtEnd(() => CallerOwned.create(path, O_RDWR | exclusiveOpen)))
  const file = Option.isSome(made)
    ? made.value
    : yield* closedAtEnd(() => openSync(path, O_RDWR | O_CREAT | exclusiveOpen, 0o666))
  const end = yield* closedAtEnd(() => openSync(path, O_RDWR | O_APPEND))
  const opened: OpenFile = { file, isNew: Option.isSome(made), end }
  return opened
})

const read = (file: number): Buffer => {
  const chunks: Array<Buffer> = []
  for (let position = 0; ; ) {
    const chunk = Buffer.alloc(64 * 1024)
    const length = readSync(file, chunk, 0, chunk.length, position)
    if (length === 0) return Buffer.concat(chunks)
    chunks.push(chunk.subarray(0, length))
    position += length
  }
}

/** Where the last append ended, whatever others have appended since. */
const endOfAppend = (end: number): number => {
  const buffer = Buffer.alloc(64 * 1024)
  for (let after = 0; ; ) {
    const before = fstatSync(end).size
    const more = readSync(end, buffer, 0, buffer.length, null)
    after += more
    // The descriptor is at the end of the file, and the file had the same length before and after that was seen.
    if (more === 0 && fstatSync(end).size === before) return before - after
  }
}

/** Append all of the bytes, or none where the disk has no room for all; where they begin. */
const append = ({ end, file }: OpenFile, bytes: Uint8Array): number => {
  let done = 0
  try {
    while (done < bytes.length) done += writeSync(end, bytes, done, bytes.length - done, null)
  } catch (error) {
    if (done > 0) {
      const first = endOfAppend(end) - done
      // A full disk keeps others from appending, too; before what one has appended all the same, empty lines stay.
      if (fstatSync(file).size === first + done) ftruncateSync(file, first)
      else writeSync(file, Buffer.alloc(done, "\n"), 0, done, first)
    }
    throw error
  }
  return endOfAppend(end) - bytes.length
}

/** Replace a text by another of the same length, in one write of what differs. */
const overwrite = (file: number, old: Buffer, text: Buffer): void => {
  const first = text.findIndex((byte, index) => byte !== old[index])
  if (first === -1) return
  const last = text.findLastIndex((byte, index) => byte !== old[index])
  for (let done = first; done <= last; ) done += writeSync(file, text, done, last + 1 - done, done)
}

/** The text that a file is to have, made of the one that it has; or what is wrong with that one. */
export type TextOf<E> = (text: Buffer) => Either.Either<Buffer, E>

/** What a change left: how long the file is, and how many empty lines at its end are too many. */
interface Changed {
  readonly size: number
  readonly excess: number
}

/** Give the file the text that it is to have; undefined when it has it already. */
const change = <E>(opened: OpenFile, textOf: TextOf<E>): Either.Either<Changed | undefined, E> => {
  const { file } = opened
  const old = read(file)
  return Either.flatMap(textOf(old), (wanted) => {
    const growth = wanted.length - old.length
    if (wanted.equals(old)) return Either.right(undefined)
    if (growth <= 0) {
      overwrite(file, old, Buffer.concat([wanted, Buffer.alloc(-growth, "\n")]))
      return Either.right({ size: old.length, excess: -growth })
    }
    if (wanted.subarray(0, old.length).equals(old)) {
      append(opened, wanted.subarray(old.length))
      return Either.right({ size: wanted.length, excess: 0 })
    }
    const room = append(opened, Buffer.alloc(growth, "\n"))
    const now = read(file)
    return Either.map(textOf(Buffer.concat([now.subarray(0, room), now.subarray(room + growth)])), (text) => {
      // Another length means that another program changed more than the end: the next attempt sees what.
      if (text.length === now.length) overwrite(file, now, text)
      return { size: now.length, excess: 0 }
    })
  })
}

/** Cut off the empty lines that a shorter text has left, unless somebody is appending. */
const cut = (file: number, { excess, size }: Changed) =>
  excess === 0
    ? Effect.void
    : Effect.zipRight(
        Effect.sleep(calm),
        attempt(() => {
          if (fstatSync(file).size === size) ftruncateSync(file, size - excess)
        })
      )

/** Remove a file that was made for a text that could not be written. */
const removeEmpty = (path: string, { file, isNew }: OpenFile) =>
  Effect.ignore(attempt(() => isNew && fstatSync(file).size === 0 && rmSync(path)))

const isSame = (one: Stats, other: Stats | undefined) => one.dev === other?.dev && one.ino === other.ino

/**
 * Change a file in place, or make it; whether there was anything to change. Its links, owner, mode and attributes stay,
 * and so does what other programs append meanwhile.
 */
export const edit = <E>(path: string, textOf: TextOf<E>): Effect.Effect<boolean, E | Locked | SystemFailure> => {
  const once = Effect.gen(function* () {
    const opened = yield* open(path)
    const status = yield* attempt(() => fstatSync(opened.file))
    yield* lock(status)
    if (!isSame(status, yield* attempt(() => fstatSync(opened.end)))) return replaced
    const changed = yield* Effect.flatten(attempt(() => change(opened, textOf))).pipe(
      Effect.tapError(() => removeEmpty(path, opened))
    )
    if (changed !== undefined) yield* cut(opened.file, changed)
    yield* attempt(() => fsyncSync(opened.file))
    const now = yield* attempt(() => statSync(path, { throwIfNoEntry: false }))
    return { isChanged: changed !== undefined, isDone: changed === undefined && isSame(status, now) }
  }).pipe(Effect.scoped)

  return Effect.gen(function* () {
    let isChanged = false
    for (let attempts = 0; attempts < mostAttempts; attempts++) {
      const outcome = yield* once
      isChanged ||= outcome.isChanged
      if (outcome.isDone) return isChanged
    }
    return yield* new Locked()
  }).pipe(Effect.uninterruptible)
}
