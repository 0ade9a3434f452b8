import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { composeProject, planIn, shortly, type WorkingCopy } from "../support/ComposeProject.ts"
import { contentAt, image, noEngine, SharedEngine, servingScript, sharedEngine } from "../support/Engine.ts"
import { freePorts } from "../support/Listening.ts"

/** A service that serves its name, with `init` so that it ends at once. */
const serving = (text: string, more: object, port = 80) => ({
  image,
  init: true,
  command: ["sh", "-c", servingScript(text, port)],
  ...more
})

/** Every way to publish a port. */
const everyShape = (first: number) => ({
  services: {
    replicas: serving("replica", { ports: [`${first}:80`], deploy: { replicas: 2 } }),
    range: {
      ...serving("range", { ports: [`${first + 10}-${first + 11}:8000-8001`] }),
      command: ["sh", "-c", servingScript("range", 8000).replace("exec", "httpd -p 8001 -h /www; exec")]
    },
    both: serving("both", { ports: [`${first + 20}:80`, `${first + 20}:80/udp`] }),
    addresses: serving("addresses", { ports: [`127.0.0.1:${first + 25}:80`, `[::1]:${first + 25}:80`] }),
    random: serving("random", { ports: ["80"] }),
    mode: serving("mode", {
      ports: [{ target: 80, published: String(first + 30), mode: "host" }],
      profiles: ["fixed"]
    }),
    host: serving("host", { network_mode: "host", profiles: ["fixed"] }, first + 35)
  }
})

const up = ({ portctl }: WorkingCopy, flags: ReadonlyArray<string>, more: ReadonlyArray<string>) =>
  Effect.map(portctl(["compose", ...flags, "up", "--detach", ...more]), ({ code, stderr }) => {
    expect(code, stderr).toBe(0)
    return stderr
  })

const contents = (rows: Effect.Effect.Success<ReturnType<typeof planIn>>, service: string, index = 0) =>
  Effect.gen(function* () {
    const row = rows.filter((each) => each.service === service && each.protocol === "tcp")[index]
    const numbers = String(row?.port).split("-").map(Number)
    return yield* Effect.forEach(numbers, contentAt)
  })

/** Services in files that the project's own file names. */
const severalFiles = (first: number) => {
  const file = (services: object, more = {}) => JSON.stringify({ ...more, services })
  return {
    "compose.yaml": file(
      { web: { extends: { file: "base/web.yaml", service: "page" }, ports: [`${first + 1}:81`] } },
      { include: ["db/compose.yaml"] }
    ),
    "base/web.yaml": file({ page: serving("web", { ports: [`${first}:80`] }) }),
    "db/compose.yaml": file({ db: serving("$$NAME", { env_file: "db.env", ports: [`${first + 2}:80`] }) }),
    "db/db.env": "NAME=included\n"
  }
}

describe.skipIf(noEngine !== undefined)("every way to publish a port", () => {
  sharedEngine("in two worktrees", (it) => {
    it.effect("is reached on ports of the worktree's own, up at once", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { docker } = yield* SharedEngine
          const first = yield* freePorts(40)
          const files = { "compose.yaml": JSON.stringify(everyShape(first)) }
          const { main, worktree, ...own } = yield* composeProject(files)
          const other = worktree("search")
          const told = yield* up(main, ["--profile", "fixed"], ["--scale", "both=2"])
          expect(told).toContain(`note: port ${first + 30} of mode: mode: host: it is left as it is\n`)
          yield* up(other, [], [])

          const [plan, second] = [yield* planIn(main), yield* planIn(other)]
          // The ports of a worktree, by service.
          const rows = (here: ReadonlyArray<number>) => {
            const [addresses = 0, both = 0, range = 0, replicas = 0] = here
            return [
              `addresses:80/tcp ${first + 25}→${addresses}`,
              `addresses:80/tcp ${first + 25}→${addresses}`,
              `both:80/tcp ${first + 20}→${both}`,
              `both:80/udp ${first + 20}→${both}`,
              `mode:80/tcp ${first + 30}→${first + 30}`,
              "random:80/tcp null→null",
              `range:8000/tcp ${first + 10}→${range}`,
              `range:8001/tcp ${first + 11}→${range + 1}`,
              `replicas:80/tcp ${first}→${replicas}-${replicas + 1}`
            ]
          }
          expect(shortly(plan)).toEqual(rows([first + 25, first + 20, first + 10, first]))
          expect(shortly(second)).toEqual(rows([own.first, own.first + 1, own.first + 2, own.first + 4]))
          for (const each of [plan, second]) {
            expect(yield* contents(each, "replicas")).toEqual(["replica", "replica"])
            expect(yield* contents(each, "range", 0)).toEqual(["range"])
            expect(yield* contents(each, "range", 1)).toEqual(["range"])
            expect(yield* contents(each, "both")).toEqual(["both"])
            expect(yield* contents(each, "addresses")).toEqual(["addresses"])
          }
          expect(yield* contentAt(first + 30)).toBe("mode")
          expect(yield* contentAt(first + 35)).toBe("host")
          expect(yield* docker(["port", "shop-search-both-1", "80/udp"])).toContain(`0.0.0.0:${own.first + 1}`)
          const scaled = yield* docker(["port", "shop-both-2", "80/tcp"])
          expect(scaled).toMatch(new RegExp(`^0\\.0\\.0\\.0:(${first + 20}|${first + 21})$`, "m"))
        })
      )
    )

    it.effect("is the same for services of included and extended files", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const first = yield* freePorts(3)
          const { main, worktree, ...own } = yield* composeProject(severalFiles(first))
          const other = worktree("search")
          for (const copy of [main, other]) yield* up(copy, [], [])
          const rows = ([db = 0, web = 0, further = 0]: ReadonlyArray<number>) => [
            `db:80/tcp ${first + 2}→${db}`,
            `web:80/tcp ${first}→${web}`,
            `web:81/tcp ${first + 1}→${further}`
          ]
          const plans = [yield* planIn(main), yield* planIn(other)] as const
          expect(shortly(plans[0])).toEqual(rows([first + 2, first, first + 1]))
          expect(shortly(plans[1])).toEqual(rows([own.first, own.first + 1, own.first + 2]))
          for (const plan of plans) {
            expect(yield* contents(plan, "db")).toEqual(["included"])
            expect(yield* contents(plan, "web")).toEqual(["web"])
          }
        })
      )
    )
  })
})
