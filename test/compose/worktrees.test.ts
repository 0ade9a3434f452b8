import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { composeProject, planIn, shortly, type WorkingCopy } from "../support/ComposeProject.ts"
import { contentAt, image, noEngine, SharedEngine, sharedEngine } from "../support/Engine.ts"
import { git } from "../support/Git.ts"
import { freePorts } from "../support/Listening.ts"
import type { Ended } from "../support/Programs.ts"

/** A service that serves the folder `www` of the working copy. */
const serving = (port: number, ports: ReadonlyArray<string>, more = "") => `
    image: ${image}
    init: true
    command: ["httpd", "-f", "-p", "${port}", "-h", "/www"]
    volumes: ["./www:/www:ro"]
    ports: [${ports.map((each) => JSON.stringify(each)).join(", ")}]
${more}`

/** A database and a page, with fixed ports. */
const fixedPorts = (db: number, web: number) => ({
  "compose.yaml": `
name: shop
services:
  db:${serving(5432, [`${db}:5432`], '    volumes: ["./www:/www:ro", "data:/data"]').replace('    volumes: ["./www:/www:ro"]\n', "")}
  web:${serving(80, [`${web}:80`], "    container_name: the-page")}
volumes:
  data: {}
`,
  "www/index.html": "main\n"
})

const says = (copy: WorkingCopy, text: string) => writeFileSync(join(copy.folder, "www/index.html"), `${text}\n`)

const up = (copy: WorkingCopy) =>
  Effect.tap(copy.portctl(["compose", "up", "--detach", "--quiet-pull"]), (ended) =>
    Effect.sync(() => expect(ended.code, ended.stderr).toBe(0))
  )

const idsIn = ({ stdout }: Ended) => stdout.split("\n").filter(Boolean).sort()

const containersOf = (copy: WorkingCopy) => Effect.map(copy.portctl(["compose", "ps", "--all", "--quiet"]), idsIn)

const portOf = (rows: Effect.Effect.Success<ReturnType<typeof planIn>>, service: string): number =>
  Number(rows.find((row) => row.service === service)?.port)

describe.skipIf(noEngine !== undefined)("worktrees of a project with fixed ports", () => {
  sharedEngine("on one engine", (it) => {
    it.effect("keep the ports of their Compose services, whatever portctl.json names", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const file = yield* freePorts(2)
          const services = JSON.stringify({ services: { api: {} } })
          const { main } = yield* composeProject({ ...fixedPorts(file, file + 1), "portctl.json": services })
          yield* up(main)
          yield* main.portctl(["compose", "down"])
          expect(yield* main.portctl(["prune", "--dry-run"])).toMatchObject({ code: 0, stdout: "nothing is stale\n" })
        })
      )
    )

    it.effect("are all up at once, each on its own ports, with containers and volumes of its own", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { docker } = yield* SharedEngine
          const file = yield* freePorts(2)
          const { first, main, worktree } = yield* composeProject(fixedPorts(file, file + 1))
          const copies = [main, worktree("search"), worktree("Übersicht #2")]
          for (const [index, copy] of copies.entries()) says(copy, `copy ${index}`)
          for (const copy of copies) yield* up(copy)

          const plans = yield* Effect.forEach(copies, (copy) => planIn(copy))
          expect(shortly(plans[0] ?? [])).toEqual([`db:5432/tcp ${file}→${file}`, `web:80/tcp ${file + 1}→${file + 1}`])
          expect(shortly(plans[1] ?? [])).toEqual([
            `db:5432/tcp ${file}→${first}`,
            `web:80/tcp ${file + 1}→${first + 1}`
          ])
          for (const [index, plan] of plans.entries()) {
            expect(yield* contentAt(portOf(plan, "db"))).toBe(`copy ${index}`)
            expect(yield* contentAt(portOf(plan, "web"))).toBe(`copy ${index}`)
          }
          const names = (yield* docker(["ps", "--format", "{{.Names}}"])).split("\n").sort()
          expect(names).toEqual([
            "shop-bersicht2-db-1",
            "shop-bersicht2-web-1",
            "shop-db-1",
            "shop-search-db-1",
            "shop-search-web-1",
            "the-page"
          ])
          const volumes = yield* docker(["volume", "ls", "--quiet"])
          expect(volumes.split("\n").sort()).toEqual(["shop-bersicht2_data", "shop-search_data", "shop_data"])

          // Again: nothing is made anew.
          const before = yield* Effect.forEach(copies, containersOf)
          yield* Effect.forEach(copies, up)
          expect(yield* Effect.forEach(copies, containersOf)).toEqual(before)

          // Down in one leaves the others, and releases nothing.
          expect((yield* copies[1]?.portctl(["compose", "down", "--timeout", "0"]) ?? Effect.die("no copy")).code).toBe(
            0
          )
          expect(yield* contentAt(portOf(plans[0] ?? [], "web"))).toBe("copy 0")
          expect(yield* contentAt(portOf(plans[2] ?? [], "web"))).toBe("copy 2")
          expect(yield* planIn(copies[1] ?? main)).toEqual(plans[1])
        })
      )
    )

    it.effect("have nothing written into them, and an override that only its owner can read", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const file = yield* freePorts(2)
          const { main, server, worktree } = yield* composeProject(fixedPorts(file, file + 1))
          const other = worktree("search")
          yield* main.portctl(["compose", "config"])
          yield* other.portctl(["compose", "config"])
          expect(git(other.folder, "status", "--porcelain")).toBe("")
          const folder = join(server.home, ".port_server/compose")
          expect(readdirSync(folder).sort()).toEqual(["shop-search.yaml", "shop.yaml"])
          for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600)
          const text = readFileSync(join(folder, "shop-search.yaml"), "utf8")
          expect(text).not.toContain("image")
          expect(text).toMatch(/^ {2}"web": \{container_name: !reset null, ports: !override \[/m)
        })
      )
    )

    it.effect("know their ports and the name of their project in env and run", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const file = yield* freePorts(2)
          const { first, main, worktree } = yield* composeProject(fixedPorts(file, file + 1))
          const other = worktree("search")
          yield* main.portctl(["compose", "config"])
          yield* other.portctl(["compose", "config"])
          expect((yield* other.portctl(["env"])).stdout).toBe(
            `# shop/search\nDB_PORT=${first}\nWEB_PORT=${first + 1}\nCOMPOSE_PROJECT_NAME=shop-search\n`
          )
          const run = yield* other.portctl(["run", "--quiet", "--", "sh", "-c", "echo $DB_PORT $COMPOSE_PROJECT_NAME"])
          expect(run.stdout).toBe(`${first} shop-search\n`)
          expect((yield* main.portctl(["run", "--quiet", "--", "sh", "-c", "echo $COMPOSE_PROJECT_NAME"])).stdout).toBe(
            "shop\n"
          )
        })
      )
    )

    it.effect("take no ports for a command that starts nothing", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const file = yield* freePorts(2)
          const { first, main, server, worktree } = yield* composeProject(fixedPorts(file, file + 1))
          const other = worktree("search")
          yield* up(main)
          const files = () => readdirSync(join(server.home, ".port_server/compose")).sort()
          const services = Effect.map(
            main.portctl(["list", "--json"]),
            ({ stdout }) => Object(JSON.parse(stdout)).length
          )
          for (const line of ["ps --all", "logs", "images", "top", "stop", "kill", "rm --force", "down --timeout 0"]) {
            const ended = yield* other.portctl(["compose", ...line.split(" ")])
            expect(ended.code, `${line}: ${ended.stderr}`).toBe(0)
            expect([yield* services, files()], line).toEqual([2, ["shop.yaml"]])
          }
          expect(yield* contentAt(file + 1)).toBe("main")
          // They are about the containers that are there.
          yield* up(other)
          expect((yield* containersOf(other)).length).toBe(2)
          expect((yield* other.portctl(["compose", "port", "web", "80"])).stdout).toBe(`0.0.0.0:${first + 1}\n`)
          yield* other.portctl(["compose", "down", "--timeout", "0"])
          expect(yield* containersOf(other)).toEqual([])
          expect(yield* contentAt(file + 1)).toBe("main")
        })
      )
    )

    it.effect("keep every port that a plain docker compose up has, also when its containers are stopped", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const file = yield* freePorts(2)
          const { main, worktree } = yield* composeProject(fixedPorts(file, file + 1))
          expect((yield* main.compose(["up", "--detach"])).code).toBe(0)
          const before = idsIn(yield* main.compose(["ps", "--all", "--quiet"]))
          const kept = [`db:5432/tcp ${file}→${file}`, `web:80/tcp ${file + 1}→${file + 1}`]
          expect(shortly(yield* planIn(main))).toEqual(kept)
          yield* main.compose(["stop", "--timeout", "0"])
          expect(shortly(yield* planIn(main))).toEqual(kept)
          const [elsewhere] = yield* planIn(worktree("search"))
          expect(elsewhere?.reason).toBe(
            `shop-db-1 (${image}, Compose project shop) is stopped and publishes port ${file}`
          )
          yield* up(main)
          expect(yield* containersOf(main)).toEqual(before)
          expect(yield* contentAt(file + 1)).toBe("main")
        })
      )
    )
  })
})
