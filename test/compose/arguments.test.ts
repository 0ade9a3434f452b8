import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { composeProject, planIn, resolved, shortly } from "../support/ComposeProject.ts"
import { image, noEngine, sharedEngine } from "../support/Engine.ts"
import { expectAnswer, expectError } from "../support/Expectations.ts"
import { freePorts } from "../support/Listening.ts"
import { bin, start } from "../support/Programs.ts"
import { noTerminal, onTerminal } from "../support/Terminals.ts"

const service = (ports: ReadonlyArray<string>, more: object = {}) => ({
  image,
  init: true,
  command: ["sleep", "60"],
  ports,
  ...more
})

const file = (services: Readonly<Record<string, object>>) => JSON.stringify({ services })

/** The published ports of each service, as Compose itself resolves them. */
const published = (...args: Parameters<typeof resolved>) =>
  Effect.map(resolved(...args), ({ model }) =>
    Object.entries(model.services).map(([name, each]) => {
      const { ports = [] } = Object(each)
      return `${name} ${Object(ports[0]).published}`
    })
  )

describe.skipIf(noEngine !== undefined)("the arguments of portctl compose", () => {
  sharedEngine("are Docker Compose's", (it) => {
    it.effect("for which files there are", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const base = yield* freePorts(4)
          const { first, main, worktree } = yield* composeProject({
            "deploy/one.yaml": file({ one: service([`${base}:80`]) }),
            "deploy/two.yaml": file({ one: { labels: { from: "two" } }, two: service([`\${TWO:-${base + 1}}:80`]) }),
            "deploy/compose.yaml": file({ three: service([`${base + 2}:80`]) }),
            "deploy/other.env": `TWO=${base + 3}\n`
          })
          const other = worktree("search")
          const files = ["-f", "deploy/one.yaml", "--file=deploy/two.yaml"]
          expect(yield* published(main, files)).toEqual([`one ${base}`, `two ${base + 1}`])
          expect(yield* published(other, files)).toEqual([`one ${first}`, `two ${first + 1}`])
          expect(shortly(yield* planIn(other, files))).toEqual([
            `one:80/tcp ${base}→${first}`,
            `two:80/tcp ${base + 1}→${first + 1}`
          ])
          const list = { COMPOSE_FILE: "deploy/one.yaml:deploy/two.yaml" }
          expect(yield* published(other, [], list)).toEqual([`one ${first}`, `two ${first + 1}`])
          const [, changed] = yield* planIn(other, [...files, "--env-file", "deploy/other.env"])
          expect(changed).toMatchObject({ service: "two", file: base + 3, port: first + 1 })
          // Another Compose project of the same working copy.
          expect(yield* published(main, ["--project-directory", "deploy"])).toEqual([`three ${base + 2}`])
          expect(yield* published(other, ["--project-directory", "deploy"])).toEqual([`three ${first + 2}`])
        })
      )
    )

    it.effect("also for those who call Compose themselves, with an override of their own", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const base = yield* freePorts(1)
          const { first, main, worktree } = yield* composeProject({
            "compose.yaml": file({ db: service([`${base}:80`]) })
          })
          const other = worktree("search")
          yield* published(main)
          const written = yield* other.portctl(["compose", "override", "--write", "ports.yaml"])
          expectAnswer(written, "wrote the ports of shop/search to ports.yaml\n")
          const text = readFileSync(join(other.folder, "ports.yaml"), "utf8")
          const [comment, ...lines] = text.split("\n")
          expect(comment).toBe("# Written by portctl compose override: the ports of shop/search.")
          expectAnswer(yield* other.portctl(["compose", "override"]), lines.join("\n"))
          const own = yield* other.compose(["-f", "compose.yaml", "-f", "ports.yaml", "config", "--format", "json"])
          expect(JSON.parse(own.stdout)).toMatchObject({
            name: "shop-search",
            services: { db: { ports: [{ target: 80, published: String(first) }] } }
          })
        })
      )
    )

    it.effect("also where the override is written again, as a file that Compose reads by itself", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const base = yield* freePorts(1)
          const { first, main, worktree } = yield* composeProject({
            "compose.yaml": file({ db: service([`${base}:80`]) })
          })
          const other = worktree("search")
          yield* published(main)
          const name = "compose.override.yaml"
          const write = (...flags: ReadonlyArray<string>) =>
            other.portctl(["compose", ...flags, "override", "--write", name])
          for (const flags of [[], [], ["-f", "compose.yaml", "-f", name]]) {
            expect((yield* write(...flags)).code).toBe(0)
            const { stdout } = yield* other.compose(["config", "--format", "json"])
            expect(JSON.parse(stdout).services.db.ports).toMatchObject([{ target: 80, published: String(first) }])
          }
          const text = "services: {db: {init: true}}\n"
          writeFileSync(join(other.folder, name), text)
          const sentence = `${name} is a Compose file of this project that portctl has not written: choose another name`
          expectError(yield* write(), sentence)
          expect(readFileSync(join(other.folder, name), "utf8")).toBe(text)
        })
      )
    )

    it.effect("and name services for portctl init", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const base = yield* freePorts(4)
          const { main } = yield* composeProject({
            "compose.yaml": file({
              db: service([`${base}:5432`]),
              web: service([`${base + 1}:80`, `${base + 2}:443`]),
              worker: service([])
            })
          })
          expect((yield* main.portctl(["init"])).code).toBe(0)
          const { services } = Object(JSON.parse(readFileSync(join(main.folder, "portctl.json"), "utf8")))
          expect(services).toEqual({
            db: { env: "DB_PORT", prefer: base },
            "web-80": { env: "WEB_80_PORT", prefer: base + 1 },
            "web-443": { env: "WEB_443_PORT", prefer: base + 2 }
          })
        })
      )
    )
  })

  sharedEngine("and so are", (it) => {
    it.effect("its exit statuses and sentences", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { main } = yield* composeProject({
            "compose.yaml": file({ db: service([`${yield* freePorts(1)}:80`]) }),
            "wrong.yaml": "services: {db: {image: box, prots: [80]}}",
            "broken.yaml": "services: ["
          })
          const run = (line: string, env = {}) => main.portctl(["compose", ...line.split(" ")], env)
          expectError(yield* run("-f none.yaml up"), `open ${main.folder}/none.yaml: no such file or directory`, "", 14)
          expectError(yield* run("-f broken.yaml up"), "yaml: line 1: did not find expected node content", "", 15)
          const wrong = `validating ${main.folder}/wrong.yaml: services.db Additional property prots is not allowed`
          expectError(yield* run("-f wrong.yaml plan"), wrong, "", 15)
          expect(yield* run("up --unknown")).toMatchObject({ code: 16, stderr: expect.stringMatching(/^unknown flag/) })
          expectError(yield* run("--unknown up"), "unknown flag: --unknown", "", 16)
          expectError(yield* run("-x plan"), "unknown shorthand flag: 'x' in -x", "", 16)
          expect(yield* run("run --rm db ls /none")).toMatchObject({ code: 1 })
          const absent = yield* run("up --detach", { DOCKER_HOST: `unix://${main.folder}/none.sock` })
          expect(absent).toMatchObject({ code: 1, stdout: "" })
          expect(absent.stderr).toBe(
            `Cannot connect to the Docker daemon at unix://${main.folder}/none.sock. Is the docker daemon running?\n`
          )
        })
      )
    )

    it.effect("its signals and terminal", () =>
      Effect.scoped(
        Effect.gen(function* () {
          const { env, main } = yield* composeProject({
            "compose.yaml": file({ db: service([], { stop_signal: "SIGKILL" }) })
          })
          const running = yield* start(bin.portctl, ["compose", "up"], { cwd: main.folder, env })
          yield* running.printed(/Attaching to/)
          const services = ["ps", "--status", "running", "--quiet"]
          yield* Effect.repeat(main.compose(services), { until: ({ stdout }) => stdout !== "" })
          // portctl has become it.
          expect(readFileSync(`/proc/${running.pid}/comm`, "utf8")).toBe("docker\n")
          process.kill(running.pid, "SIGINT")
          expect((yield* running.ended).signal).toBe(null)
          expect((yield* main.compose(["ps", "--all", "--format", "{{.State}}"])).stdout).toBe("exited\n")
          if (noTerminal !== undefined) return
          const words = [bin.portctl, "compose", "run", "--rm", "db", "tty"]
          expect((yield* onTerminal(words, { cwd: main.folder, env })).stdout).toContain("/dev/pts/0\n")
        })
      )
    )
  })
})
