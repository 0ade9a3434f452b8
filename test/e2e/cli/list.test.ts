import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer, expectClean } from "../../support/Expectations.ts"
import { portctl, startServer, temporaryFolder } from "../../support/Programs.ts"
import { execute, originalSchema } from "../../support/Sqlite.ts"

/** A server on a database that the original program wrote, so that every value of every row is known. */
const serverWith = (...rows: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const insert = "INSERT INTO allocations (id, app, instance, service, port, created_at) VALUES"
    yield* execute(join(folder, "ports.db"), originalSchema, ...rows.map((row) => `${insert} (${row})`))
    return yield* startServer({ folder })
  })

const specified = [
  "1, 'myapp', 'dev', 'postgres', 3000, '2025-02-08 15:04:05'",
  "2, 'myapp', 'dev', 'web', 8080, '2025-02-08 15:04:06'"
] as const

describe.concurrent("list", () => {
  it.scopedLive("prints the specification's table", () =>
    Effect.gen(function* () {
      const server = yield* serverWith(...specified)
      expectAnswer(
        yield* portctl(["list"], { server }),
        [
          "ID  APP    INSTANCE  SERVICE   PORT  CREATED",
          "1   myapp  dev       postgres  3000  2025-02-08 15:04:05",
          "2   myapp  dev       web       8080  2025-02-08 15:04:06",
          ""
        ].join("\n")
      )
    })
  )

  it.scopedLive("makes every column as wide as its widest value or heading, also for wide characters", () =>
    Effect.gen(function* () {
      const server = yield* serverWith(
        "7, 'a', 'b', 'c', 1, '2025-02-08 15:04:05'",
        "12345, 'application', 'production-1', 'database', 65535, '2025-02-08 15:04:06'",
        "12346, '日本', 'b', 'é', 80, '2025-02-08 15:04:07'"
      )
      expectAnswer(
        yield* portctl(["list"], { server }),
        [
          "ID     APP          INSTANCE      SERVICE   PORT   CREATED",
          "7      a            b             c         1      2025-02-08 15:04:05",
          "12345  application  production-1  database  65535  2025-02-08 15:04:06",
          "12346  日本         b             é         80     2025-02-08 15:04:07",
          ""
        ].join("\n")
      )
    })
  )

  it.scopedLive("prints JSON, indented by two spaces", () =>
    Effect.gen(function* () {
      const server = yield* serverWith(...specified)
      expectAnswer(
        yield* portctl(["list", "--json", "--service", "web"], { server }),
        `[
  {
    "id": 2,
    "app": "myapp",
    "instance": "dev",
    "service": "web",
    "port": 8080,
    "created_at": "2025-02-08T15:04:06Z"
  }
]
`
      )
      const all = yield* portctl(["list", "--json"], { server })
      expect(all.stdout).toBe(`${JSON.stringify(JSON.parse(all.stdout), undefined, 2)}\n`)
      expect(JSON.parse(all.stdout)).toMatchObject([{ id: 1 }, { id: 2 }])
    })
  )

  it.scopedLive("says that there is nothing", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      expectAnswer(yield* portctl(["list"], { server }), "no allocations\n")
      expectAnswer(yield* portctl(["list", "--json"], { server }), "[]\n")
    })
  )

  it.scopedLive("filters by app, instance and service, all of those given", () =>
    Effect.gen(function* () {
      const server = yield* serverWith(
        "1, 'shop', 'dev', 'web', 3000, '2025-02-08 15:04:05'",
        "2, 'shop', 'test', 'web', 3001, '2025-02-08 15:04:05'",
        "3, 'blog', 'dev', 'a&b=c d+%', 3002, '2025-02-08 15:04:05'"
      )
      const ids = (...filters: ReadonlyArray<string>) =>
        Effect.map(portctl(["list", ...filters], { server }), ({ code, stderr, stdout }) => {
          expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
          return [...stdout.matchAll(/^\d+/gm)].map(([digits]) => Number(digits))
        })
      expect(yield* ids("--app", "shop")).toEqual([1, 2])
      expect(yield* ids("--instance", "dev")).toEqual([1, 3])
      expect(yield* ids("--service", "web")).toEqual([1, 2])
      expect(yield* ids("--app", "shop", "--instance", "dev", "--service", "web")).toEqual([1])
      expect(yield* ids("--service=a&b=c d+%")).toEqual([3])
      expect(yield* ids("--app", "")).toEqual([1, 2, 3])
      expectAnswer(yield* portctl(["list", "--app", "Shop"], { server }), "no allocations\n")
      expectAnswer(yield* portctl(["list", "--app", "blog", "--service", "web", "--json"], { server }), "[]\n")
    })
  )

  it.scopedLive("lists a name with control characters that an older program stored, escaped in every sentence", () =>
    Effect.gen(function* () {
      const server = yield* serverWith(
        "1, char(27) || '[31mred', 'a' || char(10) || 'b', char(0x202e) || 'c' || char(0x9b), 3000, '2025-02-08 15:04:05'"
      )
      const owner = ["\\u{1b}[31mred", "a\\u{a}b", "\\u{202e}c\\u{9b}"] as const
      expectAnswer(
        yield* portctl(["list"], { server }),
        [
          "ID  APP            INSTANCE  SERVICE          PORT  CREATED",
          "1   \\u{1b}[31mred  a\\u{a}b   \\u{202e}c\\u{9b}  3000  2025-02-08 15:04:05",
          ""
        ].join("\n")
      )
      const check = yield* portctl(["check", "--port", "3000"], { server })
      expect(check).toMatchObject({ code: 1, stdout: `port 3000 is allocated to ${owner.join("/")} (id=1)\n` })
      const taken = yield* portctl(["allocate", "--app", "a", "--instance", "b", "--service", "c", "--port", "3000"], {
        server
      })
      expect(taken.stderr).toBe(`error: port 3000 is already allocated to ${owner.join("/")} (id=1)\n`)
      for (const ended of [check, taken]) expectClean(ended)
      const json = yield* portctl(["list", "--json"], { server })
      expect(JSON.parse(json.stdout)).toMatchObject([
        { app: "\u001b[31mred", instance: "a\nb", service: "\u202ec\u009b" }
      ])
    })
  )
})
