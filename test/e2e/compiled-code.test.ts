import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync
} from "node:fs"
import { dirname, join } from "node:path"
import { crc32 } from "node:zlib"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer } from "../support/Expectations.ts"
import { bin, start, temporaryFolder } from "../support/Programs.ts"

const version = /^\d+\.\d+\.\d+\n$/

const cachesIn = (folder: string) => readdirSync(folder).filter((file) => file.endsWith(".cache"))

/** A copy of portctl and of what stands beside it, which has run once, to be spoilt. */
const copy = Effect.gen(function* () {
  const place = join(yield* temporaryFolder, "bin")
  mkdirSync(place)
  for (const file of readdirSync(dirname(bin.portctl))) {
    if (/^(portctl|package\.json)/.test(file) && !file.endsWith(".cache"))
      copyFileSync(join(dirname(bin.portctl), file), join(place, file))
  }
  const runWith = (...args: ReadonlyArray<string>) =>
    Effect.flatMap(start(join(place, "portctl"), args), ({ ended }) => ended)
  const run = runWith("--version")
  yield* run
  const caches = () => cachesIn(place)
  return { place, caches, cache: join(place, caches()[0] ?? "none"), run, runWith }
})

describe.concurrent("the compiled code beside a program", () => {
  it("is left behind by the build, of some commands", () => {
    const names = cachesIn(dirname(bin.portctl)).map((file) => file.replace(/-[0-9a-f]{12}-v.*?-.*?-[0-9a-f]+/, ""))
    expect(names).toEqual(expect.arrayContaining(["port-server.cache", "portctl-health.cache", "portctl-list.cache"]))
  })

  it.scopedLive("is kept of each command that succeeded, apart from that of others", () =>
    Effect.gen(function* () {
      const { cache, caches, runWith } = yield* copy
      const other = cache.replace(".cache", "-config.cache")
      expect((yield* runWith("config", "list", "--json")).code).toBe(0)
      expect((yield* runWith("no-command")).code).toBe(1)
      expect((yield* runWith("nocommand")).code).toBe(1)
      expect(caches().map((file) => join(dirname(cache), file))).toEqual([cache, other].sort())
      const before = [cache, other].map((file) => statSync(file).ino)
      yield* runWith("config", "list", "--json")
      expect([cache, other].map((file) => statSync(file).ino)).toEqual(before)
    })
  )

  it.scopedLive("of runs that fail is kept in one file, whatever they are called", () =>
    Effect.gen(function* () {
      const { cache, caches, runWith } = yield* copy
      rmSync(cache)
      expect((yield* runWith("nocommand")).code).toBe(1)
      const { ino } = statSync(cache)
      for (const word of ["nothing", "config"]) expect((yield* runWith(word)).code).not.toBe(0)
      expect(caches()).toHaveLength(1)
      expect(statSync(cache).ino).toBe(ino)
    })
  )

  it.scopedLive("is left behind by the first run where it is missing", () =>
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
      // Beginning, end, every place within a word, the time, and the checksum itself.
      const places = [0, 1, 2, 3, 100_001, 200_002, 300_003, ...[10, 9, 8, 5, 4, 1].map((left) => whole.length - left)]
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

  it.scopedLive("is used from a copy of the folder, whose files are of another time", () =>
    Effect.gen(function* () {
      const { cache, run } = yield* copy
      const { ino, mtimeMs } = statSync(cache)
      utimesSync(cache, 1_000_000_000, 1_000_000_000)
      expect((yield* run).stdout).toMatch(version)
      expect(statSync(cache)).toMatchObject({ ino, mtimeMs })
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

  it.scopedLive("is kept for each set of V8's flags, so that two of them do not write it in turns", () =>
    Effect.gen(function* () {
      const { caches, place } = yield* copy
      const run = (...flags: ReadonlyArray<string>) =>
        start(process.execPath, [...flags, join(place, "portctl.cjs"), "--version"]).pipe(
          Effect.flatMap(({ ended }) => ended)
        )
      expect((yield* run("--stack-trace-limit=3")).stdout).toMatch(version)
      const both = caches().map((file) => statSync(join(place, file)).ino)
      expect(both).toHaveLength(2)
      yield* run()
      yield* run("--stack-trace-limit=3")
      expect(caches().map((file) => statSync(join(place, file)).ino)).toEqual(both)
    })
  )

  it.scopedLive("of a bundle that was replaced a month ago is removed", () =>
    Effect.gen(function* () {
      const { cache, caches, place, run } = yield* copy
      const [old, recent] = ["portctl-old.cache", "portctl-recent.cache"].map((name) => join(place, name))
      for (const file of [old, recent]) writeFileSync(file ?? "", "")
      utimesSync(old ?? "", 0, 0)
      rmSync(cache)
      yield* run
      expect(caches().map((file) => join(place, file))).toEqual([cache, recent].sort())
    })
  )
})

describe.skipIf(process.getuid?.() !== 0)("the compiled code of another user's program (as root)", () => {
  const nobody = 65_534

  /** A program of root's, and a home of nobody's. */
  const strange = Effect.gen(function* () {
    const { cache, caches, place } = yield* copy
    rmSync(cache)
    for (const folder of [dirname(place), place]) chmodSync(folder, 0o755)
    const home = yield* temporaryFolder
    chownSync(home, nobody, nobody)
    const run = (env: Readonly<Record<string, string>>, id = nobody) =>
      start("setpriv", [`--reuid=${id}`, `--regid=${id}`, "--clear-groups", join(place, "portctl"), "--version"], {
        env
      }).pipe(
        Effect.flatMap(({ ended }) => ended),
        Effect.tap((ended) => {
          expectAnswer(ended, ended.stdout)
          expect(ended.stdout).toMatch(version)
        })
      )
    return { caches, home, place, run }
  })

  it.scopedLive("is kept in that user's own cache folder, which nobody else can read", () =>
    Effect.gen(function* () {
      const { caches, home, run } = yield* strange
      const places = [
        [{ HOME: home }, join(home, ".cache/port-server")],
        [{ HOME: home, XDG_CACHE_HOME: join(home, "xdg") }, join(home, "xdg/port-server")]
      ] as const
      for (const [env, folder] of places) {
        yield* run(env)
        expect(caches()).toEqual([])
        const [file = "", ...others] = readdirSync(folder)
        expect(others).toEqual([])
        expect(statSync(folder).mode & 0o777).toBe(0o700)
        const { ino, mode } = statSync(join(folder, file))
        expect(mode & 0o777).toBe(0o600)
        yield* run(env)
        expect(statSync(join(folder, file)).ino).toBe(ino)
      }
    })
  )

  it.scopedLive("is not kept where there is no place for it, and that is no error", () =>
    Effect.gen(function* () {
      const { caches, home, place, run } = yield* strange
      for (const env of [{}, { HOME: "/nowhere" }, { HOME: place }, { HOME: "", XDG_CACHE_HOME: "relative" }])
        yield* run(env)
      expect([caches(), readdirSync(home), readdirSync(place).includes(".cache")]).toEqual([[], [], false])
    })
  )

  it.scopedLive("is neither read from nor written to a folder that others can write", () =>
    Effect.gen(function* () {
      const { caches, home, place, run } = yield* strange
      const cached = join(home, "port-server")
      const env = { XDG_CACHE_HOME: home }
      yield* run(env)
      const [file = ""] = readdirSync(cached)
      // Spoilt code that is read is written anew: here it is not even read.
      const spoil = (path: string) => {
        writeFileSync(path, "spoilt")
        chownSync(path, nobody, nobody)
      }
      spoil(join(cached, file))
      chmodSync(cached, 0o777)
      yield* run(env)
      expect(readFileSync(join(cached, file), "utf8")).toBe("spoilt")
      // Nor beside the program, by its owner.
      chmodSync(place, 0o777)
      spoil(join(place, file))
      yield* run({}, 0)
      expect(readFileSync(join(place, file), "utf8")).toBe("spoilt")
      expect(caches()).toEqual([file])
      chmodSync(cached, 0o700)
      yield* run(env)
      expect(readFileSync(join(cached, file), "utf8")).not.toBe("spoilt")
    })
  )

  it.scopedLive("is not made in the home of another user, as with sudo", () =>
    Effect.gen(function* () {
      const { home, place, run } = yield* strange
      chownSync(place, nobody, nobody)
      yield* run({ HOME: home }, 0)
      expect(readdirSync(home)).toEqual([])
    })
  )
})
