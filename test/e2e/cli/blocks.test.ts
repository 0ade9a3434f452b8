import { readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer, expectError, expectUsageError } from "../../support/Expectations.ts"
import { temporaryRepository } from "../../support/Git.ts"
import { portctl, startServer } from "../../support/Programs.ts"

/** A repository `shop` with a project file. */
const project = Effect.fnUntraced(function* (contents: object) {
  const server = yield* startServer()
  const top = yield* temporaryRepository("shop")
  const file = join(top, "portctl.json")
  writeFileSync(file, JSON.stringify(contents))
  const run = (...args: ReadonlyArray<string>) => portctl(args, { server, cwd: top })
  return { file, run, top }
})

const services = { web: { env: "PORT" }, workers: { size: 3, align: 10 } }

describe.concurrent("a block in portctl.json", () => {
  it.scopedLive("has consecutive ports, of which the variable has the first and placeholders any", () =>
    Effect.gen(function* () {
      const { run } = yield* project({ services, variables: { POOL: "{workers}-{workers+2}" } })
      expectAnswer(
        yield* run("ensure"),
        "shop/main\nweb        3000\nworkers    3010\nworkers+1  3011\nworkers+2  3012\n"
      )
      expectAnswer(yield* run("env"), "# shop/main\nPORT=3000\nWORKERS_PORT=3010\nPOOL=3010-3012\n")
      expectAnswer(
        yield* run(
          "run",
          "--quiet",
          "--",
          "sh",
          "-c",
          'echo "$PORT $WORKERS_PORT $POOL $1 $2"',
          "x",
          "{workers+1}",
          "{{workers+1}"
        ),
        "3000 3010 3010-3012 3011 {workers+1}\n"
      )
    })
  )

  it.scopedLive("is PORT by its first port, and one of its ports can be named alone", () =>
    Effect.gen(function* () {
      const { run } = yield* project({ services: { workers: { size: 3 } } })
      // Asked for first, it is given in its block.
      expectAnswer(yield* run("get", "workers+1"), "3001\n")
      expectAnswer(yield* run("get", "workers"), "3000\n")
      expectAnswer(yield* run("run", "--quiet", "--", "sh", "-c", 'echo "$PORT $WORKERS_PORT"'), "3000 3000\n")
      expectAnswer(
        yield* run("run", "--quiet", "--service", "workers+2", "--", "sh", "-c", 'echo "$PORT $WORKERS_PORT"'),
        "3002 3000\n"
      )
      expectAnswer(yield* run("ensure", "--quiet", "--service", "workers+2"), "3002\n")
      expect(yield* run("ensure", "--quiet", "--service", "workers=4000")).toMatchObject({
        stdout: "4000\n4001\n4002\n",
        stderr:
          "note: shop/main/workers has ports 3000-3002 too; portctl release --service workers --port 3000 gives them back\n"
      })
      expectAnswer(yield* run("release", "--service", "workers", "--port", "3000"), "released 3 allocation(s)\n")
      expectAnswer(yield* run("get", "workers"), "4000\n")
      expectError(
        yield* run("ensure", "--service", "workers+1=4000"),
        "workers+1 is a port of the block workers; name a port for workers"
      )
    })
  )

  it.scopedLive("of which some were released: the note names those that are left", () =>
    Effect.gen(function* () {
      const { run } = yield* project({ services: { workers: { size: 4 } } })
      yield* run("ensure")
      yield* run("release", "--port", "3001")
      expect((yield* run("ensure", "--service", "workers=4000")).stderr).toBe(
        "note: shop/main/workers has ports 3000, 3002, 3003 too; portctl release --service workers --port 3000 gives them back\n"
      )
    })
  )

  it.scopedLive("that cannot begin at the port that it prefers: the note names the one that is in its way", () =>
    Effect.gen(function* () {
      const { run } = yield* project({ services: { workers: { size: 3, prefer: 4000 } } })
      yield* run("allocate", "--app", "other", "--instance", "dev", "--service", "web", "--port", "4002")
      expect((yield* run("ensure")).stderr).toBe(
        "note: workers prefers port 4000 and has 3000: 4002 belongs to other/dev/web (id=1)\n"
      )
    })
  )

  it.scopedLive("is released as a whole by its first name", () =>
    Effect.gen(function* () {
      const { run, top } = yield* project({ services })
      yield* run("ensure")
      expectAnswer(
        yield* run("release", "--here", "--service", "workers+2"),
        `released 1 allocation(s) of ${top} (shop/main)\n`
      )
      expectAnswer(
        yield* run("release", "--here", "--service", "workers"),
        `released 2 allocation(s) of ${top} (shop/main)\n`
      )
      yield* run("ensure")
      expectAnswer(yield* run("release", "--app", "shop", "--service", "workers"), "released 3 allocation(s)\n")
      expect((yield* run("list")).stdout).not.toContain("workers")
    })
  )

  it.scopedLive("is in a backup, and the same one after its import", () =>
    Effect.gen(function* () {
      const { run, top } = yield* project({ services })
      const other = yield* startServer()
      const given = yield* run("ensure", "--json")
      const file = join(top, "backup.json")
      writeFileSync(file, (yield* run("export")).stdout)
      const there = (...args: ReadonlyArray<string>) => portctl(args, { server: other, cwd: top })
      expect((yield* there("import", file)).stdout).toMatch(/^imported 4 allocation/)
      const portsIn = (text: string) => text.match(/"port":\d+/g)
      expect(portsIn((yield* there("ensure", "--json")).stdout)).toEqual(portsIn(given.stdout))
      rmSync(file)
    })
  )

  it.scopedLive("is added and removed", () =>
    Effect.gen(function* () {
      const { file, run } = yield* project({ services: { web: {} } })
      const contents = () => JSON.parse(readFileSync(file, "utf8")).services
      expectAnswer(yield* run("add", "--size", "8", "workers=4000"), `added workers to ${file}\n`)
      expect(contents()).toEqual({ web: {}, workers: { env: "WORKERS_PORT", prefer: 4000, size: 8 } })
      expectAnswer(
        yield* run("add", "--size", "2", "workers"),
        `changed workers in ${file}; a port that is allocated already stays until portctl release --here --service workers\n`
      )
      expect(contents().workers).toEqual({ env: "WORKERS_PORT", prefer: 4000, size: 2 })
      expectError(
        yield* run("add", "workers+1"),
        'portctl.json would be wrong: service "workers+1" is there twice: it is also a port of the block "workers"'
      )
      expectError(
        yield* run("remove", "workers+1"),
        `${file} has no service workers+1, but the block workers that it is a port of`
      )
      // A name that every object has.
      expectAnswer(yield* run("add", "constructor"), `added constructor to ${file}\n`)
      expect((yield* run("remove", "constructor")).code).toBe(0)
      expectUsageError(yield* run("add", "x", "x"), /service "x" is asked for twice/, "portctl add")
      expectUsageError(yield* run("add", "a=3000", "b=3000"), /port 3000 is asked for twice/, "portctl add")
      expectUsageError(yield* run("add", "--size", "0", "x"), /size must be an integer from 1 to 256/, "portctl add")
      expectAnswer(
        yield* run("remove", "workers"),
        `removed workers from ${file}; portctl release --here --service workers gives back its port\n`
      )
      expect(contents()).toEqual({ web: {} })
    })
  )

  const bad: ReadonlyArray<readonly [contents: object, sentence: string]> = [
    [{ services: { a: { size: 0 } } }, "services.a.size: size must be an integer from 1 to 256"],
    [{ services: { a: { align: "x" } } }, "services.a.align: align must be an integer from 1 to 65535"],
    [{ services: { a: { prefer: 15, align: 10 } } }, "services.a: prefer 15 is not a multiple of align, 10"],
    [{ services: { a: { size: 3 }, "a+2": {} } }, 'service "a+2" is there twice: it is also a port of the block "a"'],
    [
      { services: { a: { size: 3 } }, variables: { X: "{a+3}" } },
      "variables.X must contain the port of a service, like {a}"
    ]
  ]
  for (const [contents, sentence] of bad) {
    it.scopedLive(`is refused: ${sentence}`, () =>
      Effect.gen(function* () {
        const { file, run } = yield* project(contents)
        expectError(yield* run("ensure"), `${file}: ${sentence}`)
      })
    )
  }
})
