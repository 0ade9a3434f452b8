import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync
} from "node:fs"
import { dirname, join } from "node:path"
import { crc32 } from "node:zlib"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer } from "../support/Expectations.ts"
import { bin, start, temporaryFolder } from "../support/Programs.ts"

const version = /^\d+\.\d+\.\d+\n$/

/** A copy of portctl and of what stands beside it, to be spoilt. */
const copy = Effect.map(temporaryFolder, (folder) => {
  const place = join(folder, "bin")
  mkdirSync(place)
  for (const file of readdirSync(dirname(bin.portctl))) {
    if (/^(portctl|package\.json)/.test(file)) copyFileSync(join(dirname(bin.portctl), file), join(place, file))
  }
  const caches = () => readdirSync(place).filter((file) => file.endsWith(".cache"))
  const run = Effect.flatMap(start(join(place, "portctl"), ["--version"]), (running) => running.ended)
  return { place, caches, cache: join(place, caches()[0] ?? "none"), run }
})

describe.concurrent("the compiled code beside a program", () => {
  it.scopedLive("is left behind by the build, and by the first run where it is missing", () =>
    Effect.gen(function* () {
      const { cache, caches, run } = yield* copy
      expect(caches()).toHaveLength(1)
      rmSync(cache)
      expect((yield* run).stdout).toMatch(version)
      expect(caches()).toHaveLength(1)
      expect(join(dirname(cache), caches()[0] ?? "")).toBe(cache)
    })
  )

  const spoils: ReadonlyArray<readonly [name: string, spoil: (cache: string) => void]> = [
    ["was cut off", (cache) => truncateSync(cache, 100_000)],
    ["is empty", (cache) => truncateSync(cache, 0)],
    ["is not V8's", (cache) => writeFileSync(cache, "garbage".repeat(10_000))],
    [
      "was overwritten in the middle",
      (cache) => {
        const bytes = readFileSync(cache)
        bytes.fill(0x5a, 200_000, 210_000)
        writeFileSync(cache, bytes)
      }
    ],
    [
      "is a folder",
      (cache) => {
        rmSync(cache)
        mkdirSync(cache)
      }
    ]
  ]
  for (const [name, spoil] of spoils) {
    it.scopedLive(`is ignored when it ${name}`, () =>
      Effect.gen(function* () {
        const { cache, run } = yield* copy
        spoil(cache)
        const ended = yield* run
        expectAnswer(ended, ended.stdout)
        expect(ended.stdout).toMatch(version)
      })
    )
  }

  it.scopedLive("is written anew when any byte of it was spoilt, and left alone when none was", () =>
    Effect.gen(function* () {
      const { cache, run } = yield* copy
      const whole = readFileSync(cache)
      // Beginning, end, every place within a word, and the checksum itself.
      const places = [0, 1, 2, 3, 100_001, 200_002, 300_003, whole.length - 6, whole.length - 5, whole.length - 1]
      for (const place of places) {
        const spoilt = Buffer.from(whole)
        spoilt[place] = (spoilt[place] ?? 0) ^ 1
        writeFileSync(cache, spoilt)
        expect((yield* run).stdout).toMatch(version)
        expect(readFileSync(cache).equals(spoilt)).toBe(false)
        const { ino } = statSync(cache)
        expect((yield* run).stdout).toMatch(version)
        expect(statSync(cache).ino).toBe(ino)
      }
    })
  )

  it.scopedLive("is written anew when V8 does not take it", () =>
    Effect.gen(function* () {
      const { cache, run } = yield* copy
      // Whole, by its checksum, and compiled for another V8.
      const foreign = Buffer.from(readFileSync(cache).subarray(0, -4))
      foreign.fill(0, 0, 16)
      const end = Buffer.alloc(4)
      end.writeUInt32LE(crc32(foreign))
      const file = Buffer.concat([foreign, end])
      writeFileSync(cache, file)
      expect((yield* run).stdout).toMatch(version)
      expect(readFileSync(cache).equals(file)).toBe(false)
    })
  )

  it.scopedLive("of another bundle is ignored, whatever its size", () =>
    Effect.gen(function* () {
      const { cache, caches, place, run } = yield* copy
      const loader = readFileSync(join(place, "portctl.cjs"), "utf8")
      const hash = /portctl-([0-9a-f]{12})-/.exec(cache)?.[1] ?? ""
      writeFileSync(join(place, "portctl.cjs"), loader.replaceAll(hash, "0123456789ab"))
      expect((yield* run).stdout).toMatch(version)
      expect(caches()).toHaveLength(2)
    })
  )

  it.scopedLive.skipIf(process.getuid?.() !== 0)(
    "is no error where the folder cannot be written (as root: as nobody)",
    () =>
      Effect.gen(function* () {
        const { cache, caches, place } = yield* copy
        rmSync(cache)
        chmodSync(dirname(place), 0o755)
        chmodSync(place, 0o755)
        const running = yield* start("setpriv", [
          "--reuid=65534",
          "--regid=65534",
          "--clear-groups",
          join(place, "portctl"),
          "--version"
        ])
        const ended = yield* running.ended
        expectAnswer(ended, ended.stdout)
        expect(ended.stdout).toMatch(version)
        expect(caches()).toEqual([])
      })
  )
})
