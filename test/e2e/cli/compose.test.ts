import { execFileSync } from "node:child_process"
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { composeRepository, userWithPrograms } from "../../support/ComposePrograms.ts"
import { expectAnswer, expectError } from "../../support/Expectations.ts"
import { type FakeContainer, fakeEngine } from "../../support/FakeEngine.ts"
import { repository, worktree } from "../../support/Git.ts"
import { freePorts } from "../../support/Listening.ts"

/** A user with these programs alone, and a Compose file. */
const userWith = (programs: Readonly<Record<string, string>>) =>
  Effect.gen(function* () {
    const me = yield* userWithPrograms(programs)
    writeFileSync(join(me.home, "compose.yaml"), 'services: {db: {image: box, ports: ["5432:5432"]}}\n')
    return me
  })

/** A program that tells its version, and what it is called with. */
const version = (text: string) => `case "$*" in *"version --short") echo ${text};; *) echo "ran $*";; esac`

const noPlugin = "echo \"docker: 'compose' is not a docker command.\" >&2; exit 1"

describe.concurrent("portctl compose, as Compose itself", () => {
  it.scopedLive("goes without a service that it refuses in a profile that is off", () =>
    Effect.gen(function* () {
      const refusing = `case "$*" in
  *"version --short") echo 2.30.0 ;;
  *"--profile *"*) echo "env file debug.env not found" >&2; exit 14 ;;
  *config*) cat model.json ;;
  *) echo "ran $*" ;;
esac`
      const { home, portctl } = yield* userWith({ docker: refusing })
      const db = { ports: [{ target: 5432, published: "5432" }] }
      writeFileSync(join(home, "model.json"), JSON.stringify({ name: "shop", services: { db } }))
      expect((yield* portctl("compose plan")).stdout).toMatch(/^db +5432 +5432 /m)
      // A service that is named has its profile on, and its port.
      const started = yield* portctl("compose up -d debug")
      expectError(started, "env file debug.env not found", "", 14)
      expect((yield* portctl("compose up -d db")).stdout).toContain("ran compose ")
      const none = "echo 'env file db.env not found' >&2; exit 14"
      const { portctl: other } = yield* userWith({ docker: refusing.replace("cat model.json", none) })
      expectError(yield* other("compose plan"), "env file db.env not found", "", 14)
    })
  )

  it.scopedLive("takes the path of --env-file from the current folder", () =>
    Effect.gen(function* () {
      const { folder, portctl, write } = yield* composeRepository("shop")
      write("services: {}\n", { name: "zed" })
      const linked = worktree(folder, join(folder, "../fix"))
      mkdirSync(join(linked, "deploy"))
      for (const name of ["deploy/compose.yaml", "local.env"]) writeFileSync(join(linked, name), "services: {}\n")
      writeFileSync(join(linked, "model.json"), JSON.stringify({ name: "zed" }))
      const plan = "compose -f deploy/compose.yaml --env-file local.env plan"
      expect((yield* portctl(plan, linked)).stdout).toMatch(/, Compose project zed-\S+\n/)
      writeFileSync(join(linked, "local.env"), "COMPOSE_PROJECT_NAME=zed\n")
      expect((yield* portctl(plan, linked)).stdout).toMatch(/, Compose project zed\n/)
    })
  )

  it.scopedLive("has a port for each container, also where portctl.json has a smaller block", () =>
    Effect.gen(function* () {
      const { folder, portctl, write } = yield* composeRepository("shop")
      const first = yield* freePorts(4)
      const web = { ports: [{ target: 80, published: String(first) }], deploy: { replicas: 4 } }
      write("services: {}\n", { name: "shop", services: { web } })
      writeFileSync(join(folder, "portctl.json"), JSON.stringify({ services: { web: { size: 2 } } }))
      yield* portctl("compose create")
      expect((yield* portctl("list")).stdout.match(/^\d+ /gm)).toHaveLength(4)
    })
  )

  it.scopedLive("ends nothing of another working copy where there is no file", () =>
    Effect.gen(function* () {
      const { home, portctl, write } = yield* composeRepository("shop")
      write("services: {}\n", { name: "shop" })
      yield* portctl("compose create")
      const other = repository(join(home, "other"))
      writeFileSync(join(other, "model.json"), "")
      const left = (command: string) => portctl(command, other, { COMPOSE_PROJECT_NAME: "shop" })
      expect((yield* left("compose ps")).stdout).toMatch(/^ran (compose )?ps of shop\n$/)
      const ended = yield* left("compose down")
      expect(ended.stdout).toBe("")
      expect(ended.stderr).toContain(
        `note: COMPOSE_PROJECT_NAME was set to shop, the project of ${join(home, "shop")}, and is replaced\n`
      )
      expectAnswer(yield* left("compose ls"), "ran compose ls of shop\n")
      // Its own, of which the file is on another branch, is ended.
      rmSync(join(home, "shop/compose.yaml"))
      const own = { COMPOSE_PROJECT_NAME: "shop" }
      expectAnswer(yield* portctl("compose down", join(home, "shop"), own), "ran compose down of shop\n")
    })
  )

  it.scopedLive("is forgotten with a worktree in which its file was further down", () =>
    Effect.gen(function* () {
      const { folder, portctl, write } = yield* composeRepository("shop")
      write("services: {}\n", { name: "shop" })
      const linked = worktree(folder, join(folder, "../fix"))
      mkdirSync(join(linked, "deploy"))
      writeFileSync(join(linked, "deploy/compose.yaml"), "services: {}\n")
      writeFileSync(join(linked, "model.json"), JSON.stringify({ name: "deploy" }))
      yield* portctl("compose -f deploy/compose.yaml create", linked)
      rmSync(linked, { recursive: true })
      expect((yield* portctl("prune --yes")).stderr).toMatch(
        /^note: forgot the Compose project \S+ of \S+\/fix\/deploy, which is gone$/m
      )
    })
  )
})

describe.concurrent("portctl compose without a Docker Compose that it can use", () => {
  for (const [what, programs, told] of [
    ["an old plugin", { docker: version("2.20.3") }, "docker compose is 2.20.3"],
    ["one with a v", { docker: version("v2.24.3-desktop.1") }, "docker compose is 2.24.3-desktop.1"],
    ["the first one", { docker: noPlugin, "docker-compose": version("1.29.2") }, "docker-compose is 1.29.2"]
  ] as const) {
    it.scopedLive(`says so of ${what}, allocates nothing, and passes on what needs no file`, () =>
      Effect.gen(function* () {
        const { portctl } = yield* userWith(programs)
        for (const command of ["up -d", "plan", "override", "-f compose.yaml down"]) {
          const sentence = `portctl compose needs Docker Compose 2.24.4 or newer, and ${told}`
          expectError(yield* portctl(`compose ${command}`), sentence)
        }
        expect((yield* portctl("compose ls --all")).stdout).toMatch(/^ran (compose )?ls --all\n$/)
        expectAnswer(yield* portctl("list"), "no allocations\n")
      })
    )
  }

  it.scopedLive("says that there is none, with the status of a shell", () =>
    Effect.gen(function* () {
      const sentence =
        "there is no Docker Compose: none of docker compose, docker-compose and podman-compose can be run (docs.docker.com/compose/install)"
      for (const programs of [{}, { docker: noPlugin }]) {
        const { home, portctl } = yield* userWith(programs)
        for (const command of ["up", "version", "plan"]) {
          expectError(yield* portctl(`compose ${command}`), sentence, "", 127)
        }
        const json = `${JSON.stringify({ error: sentence })}\n`
        for (const command of ["plan --json", "-f compose.yaml plan --json"]) {
          expectError(yield* portctl(`compose ${command}`), sentence, json, 127)
        }
        expect(readFileSync(join(home, "compose.yaml"), "utf8")).toContain("5432:5432")
      }
    })
  )
})

describe.concurrent("portctl compose with podman-compose", () => {
  const model = `services:
  db:
    container_name: thedb
    ports:
    - 5432:5432
    - 127.0.0.1:9000-9001:80-81/udp
    - '[::1]:7000:7000'
  web:
    ports:
    - published: '8080'
      target: 80
    - '81'
`

  it.scopedLive("says so where that is too old", () =>
    Effect.gen(function* () {
      const { portctl } = yield* userWith({ docker: noPlugin, "podman-compose": version("1.0.3") })
      expectError(
        yield* portctl("compose up"),
        "portctl compose needs podman-compose 1.4 or newer, and podman-compose is 1.0.3"
      )
    })
  )

  it.scopedLive("reads its YAML, and gives it ports that it can replace", () =>
    Effect.gen(function* () {
      const script = `case "$*" in *"version --short") echo 1.4.0;; *config) cat <<'X'\n${model}X\n;; *) echo "ran $* of $COMPOSE_PROJECT_NAME";; esac`
      const { home, portctl } = yield* userWith({ "podman-compose": script })
      writeFileSync(join(home, "compose.yaml"), model)
      const plan = yield* portctl("compose plan --json")
      expect(plan.stderr).toBe("")
      const rows = [
        ["db", 5432, "tcp", 5432],
        ["db", 80, "udp", 9000],
        ["db", 81, "udp", 9001],
        ["db", 7000, "tcp", 7000],
        ["web", 80, "tcp", 8080],
        ["web", 81, "tcp", null]
      ].map(([service, target, protocol, file]) => ({ service, target, protocol, file }))
      expect(JSON.parse(plan.stdout)).toMatchObject(rows)
      const services = ["db-5432", "db-80", "db-7000", "web"].map((service, index) => `${service}=${3000 + 10 * index}`)
      yield* portctl(`ensure --instance main --service ${services.join(",")}`)
      const lines = (yield* portctl("compose override")).stdout.split("\n")
      expect(lines).toContainEqual(expect.stringMatching(/^name: \S+$/))
      expect(lines.join("\n")).toContain(
        '"db": {ports: !override ["3000:5432/tcp","127.0.0.1:3010:80/udp","127.0.0.1:3011:81/udp","[::1]:3020:7000/tcp"]}'
      )
      expect(lines).toContain('  "web": {ports: !override ["3030:80/tcp","81/tcp"]}')
      expect((yield* portctl("compose up -d")).stdout).toMatch(/^ran up -d of \S+\n$/)
      expect(readFileSync(join(home, "compose.yaml"), "utf8")).toContain("5432:5432")
    })
  )
})

/** A Docker Compose that notes what it is called with; its file publishes `DB_PORT`, or else 5432. */
const noting = `
echo "$*" >> "$HOME/asked"
case "$*" in
  *"version --short") cat "$HOME/version" ;;
  *config*) [ ! -e "$HOME/refuses" ] || { echo "it refuses" >&2; exit 15; }
    echo '{"name":"shop","services":{"db":{"ports":[{"target":80,"published":"'"\${DB_PORT:-5432}"'"}]}}}' ;;
esac`

const userWithNoting = Effect.gen(function* () {
  const me = yield* userWith({ docker: noting })
  const file = (name: string) => join(me.home, name)
  writeFileSync(file("version"), "2.30.0\n")
  const asked = () =>
    readFileSync(file("asked"), "utf8")
      .split("\n")
      .filter((line) => line.includes("version")).length
  const plan = Effect.map(me.portctl("compose plan --json"), ({ stderr, stdout }) => ({
    rows: Object(JSON.parse(stdout)),
    stderr
  }))
  return { ...me, file, asked, plan }
})

describe.skipIf(process.getuid?.() !== 0)("portctl compose override --write by sudo", () => {
  it.scopedLive("gives the user who called it the file that it makes, and none that a link of theirs leads to", () =>
    Effect.gen(function* () {
      const { home, portctl } = yield* userWithNoting
      for (const folder of ["user", "root"]) mkdirSync(join(home, folder))
      chownSync(join(home, "user"), 65534, 65534)
      symlinkSync("../root/new.yaml", join(home, "user/link.yaml"))
      const owners = Effect.fnUntraced(function* (written: string, made: string) {
        const env = { SUDO_UID: "65534", SUDO_GID: "65534", SUDO_USER: "nobody" }
        expect(yield* portctl(`compose override --write ${written}`, { env })).toMatchObject({ code: 0, stderr: "" })
        expect(readFileSync(join(home, made), "utf8")).toContain("Written by portctl compose override")
        return statSync(join(home, made)).uid
      })
      expect(yield* owners("user/own.yaml", "user/own.yaml")).toBe(65534)
      expect(yield* owners("root/own.yaml", "root/own.yaml")).toBe(0)
      for (const _time of ["made", "written again"]) expect(yield* owners("user/link.yaml", "root/new.yaml")).toBe(0)
    })
  )
})

describe.concurrent("portctl compose asks Docker Compose", () => {
  it.scopedLive("for its version once, and again when another one may be there", () =>
    Effect.gen(function* () {
      const { asked, file, plan, portctl } = yield* userWithNoting
      const known = file(".port_server/compose-program.json")
      const first = yield* plan
      expect([first.stderr, first.rows[0].file, asked()]).toEqual(["", 5432, 1])
      expect(yield* plan).toEqual(first)
      expect(asked()).toBe(1)
      expect(statSync(known).mode & 0o777).toBe(0o600)
      // Whoever can write it could say anything.
      chmodSync(known, 0o622)
      expect(yield* plan).toEqual(first)
      expect(asked()).toBe(2)
      chmodSync(known, 0o600)
      for (const text of ["{", '{"words":"sh -c","version":"9.0","files":""}']) {
        writeFileSync(known, text)
        expect(yield* plan).toEqual(first)
      }
      expect(asked()).toBe(4)
      // What starts another Compose may look as before: where it refuses, its version is asked for.
      writeFileSync(file("refuses"), "")
      expectError(yield* portctl("compose up"), "it refuses", "", 15)
      writeFileSync(file("version"), "2.20.3\n")
      const old = "portctl compose needs Docker Compose 2.24.4 or newer, and docker compose is 2.20.3"
      expectError(yield* portctl("compose up"), old)
      rmSync(file("refuses"))
      writeFileSync(file("programs/docker"), `#!/bin/sh\n# Another one.\n${noting}\n`)
      expectError(yield* portctl("compose plan"), old)
    })
  )

  it.scopedLive("for the model with the ports that there are, not those of the last run", () =>
    Effect.gen(function* () {
      const { file, plan, portctl } = yield* userWithNoting
      yield* portctl("ensure --service db=3021")
      expect((yield* portctl("compose up")).code).toBe(0)
      const configs = () =>
        readFileSync(file("asked"), "utf8")
          .split("\n")
          .filter((line) => line.includes("config")).length
      const [before, after] = [configs(), yield* plan]
      expect(after.rows).toMatchObject([{ file: 3021, port: 3021 }])
      expect(configs()).toBe(before + 1)
      yield* portctl("release --here")
      yield* portctl("ensure --service db=3022")
      expect((yield* plan).rows).toMatchObject([{ file: 3022, port: 3022 }])
      yield* portctl("release --here")
      expect((yield* plan).rows[0].file).toBe(5432)
    })
  )

  it.scopedLive("again, where the files have the variable of a port that was given just now", () =>
    Effect.gen(function* () {
      const { file, home, portctl } = yield* userWithNoting
      const base = yield* freePorts(1)
      const same = noting.replace('"target":80', `"target":'"\${DB_PORT:-${base}}"'`).replace(":-5432", `:-${base}`)
      writeFileSync(file("programs/docker"), `#!/bin/sh\n${same}\n`)
      const folders = ["shop", "search"].map((name) => join(home, name))
      const [other = ""] = folders.toReversed()
      worktree(repository(join(home, "shop")), other)
      for (const folder of folders) writeFileSync(join(folder, "compose.yaml"), "# DB_PORT\n")
      const run = (args: string, cwd: string) => portctl(args, { cwd, env: { PWD: cwd } })
      expect(yield* run("compose up", join(home, "shop"))).toMatchObject({ code: 0, stderr: "" })
      const up = yield* run("compose up", other)
      expect(up.code).toBe(0)
      const [, port] = /^shop\/search: db (\d+) \((\d+) in the file\)\n$/.exec(up.stderr) ?? []
      expect(port).not.toBe(String(base))
      // The file has it in both places by now.
      const kept = readFileSync(file(".port_server/compose/shop-search.yaml"), "utf8")
      expect(kept.split("\n").slice(2).join("\n")).toBe("name: shop-search\n")
      expect((yield* run("compose override", other)).stdout).toBe("name: shop-search\n")
    })
  )

  it.scopedLive("without Docker, by its plugin, where that is known to be the same", () =>
    Effect.gen(function* () {
      const { asked, file, home, plan } = yield* userWithNoting
      mkdirSync(join(home, ".docker/cli-plugins"), { recursive: true })
      const plugin = file(".docker/cli-plugins/docker-compose")
      const install = (script: string) => {
        writeFileSync(plugin, `#!/bin/sh\n${script}\n`)
        chmodSync(plugin, 0o755)
      }
      const reads = () =>
        readFileSync(file("asked"), "utf8")
          .split("\n")
          .filter((line) => line.includes("config"))
      install(`printf "$DOCKER_CLI_PLUGIN_ORIGINAL_CLI_COMMAND's plugin: " >> "$HOME/asked"\n${noting}`)
      const first = yield* plan
      expect(asked()).toBe(2)
      expect(reads()).toEqual(["compose --profile * config --format json"])
      expect(yield* plan).toEqual(first)
      expect(reads().slice(1)).toEqual(["docker's plugin: compose --profile * config --format json"])
      // Docker runs another one.
      install(version("2.31.0"))
      expect(yield* plan).toEqual(first)
      expect(yield* plan).toEqual(first)
      expect(reads().slice(2)).toEqual(Array(2).fill("compose --profile * config --format json"))
    })
  )

  it.scopedLive("and refuses a name that a container of another folder has when Compose has read the project", () =>
    Effect.gen(function* () {
      const { file, home, portctl } = yield* userWithNoting
      const containers: Array<FakeContainer> = []
      yield* portctl("stop")
      expect((yield* portctl(`start --engine ${yield* fakeEngine(containers)}`)).code).toBe(0)
      const reading = `case "$*" in *config*) : > "$HOME/reads"; while [ ! -e "$HOME/read" ]; do sleep 0.02; done ;; esac`
      writeFileSync(file("programs/docker"), `#!/bin/sh\n${reading}\n${noting}\n`)
      symlinkSync(execFileSync("sh", ["-c", "command -v sleep"], { encoding: "utf8" }).trim(), file("programs/sleep"))
      const up = yield* Effect.fork(portctl("compose -p proj up"))
      yield* Effect.repeat(
        Effect.delay(
          Effect.sync(() => existsSync(file("reads"))),
          20
        ),
        { until: Boolean }
      )
      mkdirSync(join(home, "elsewhere"))
      containers.push({ name: "proj", port: 8080, folder: join(home, "elsewhere") })
      writeFileSync(file("read"), "")
      expectError(
        yield* Fiber.join(up),
        `the Compose project proj belongs to ${join(home, "elsewhere")}; choose another name, or leave --project-name out`
      )
    })
  )
})

describe.concurrent("portctl compose shows", () => {
  it.scopedLive("in a plan which other service has a port, and what portctl.json prefers", () =>
    Effect.gen(function* () {
      const { folder, portctl, write } = yield* composeRepository("shop")
      const first = yield* freePorts(5)
      const ports = (published: number) => [{ target: 80, published: String(published) }]
      const services = {
        api: { ports: ports(first), scale: 2 },
        web: { ports: ports(first + 1) },
        db: { ports: ports(first + 3) }
      }
      write("services: {}\n", { name: "shop", services })
      writeFileSync(join(folder, "portctl.json"), JSON.stringify({ services: { db: { prefer: first + 4 } } }))
      const { stdout } = yield* portctl("compose plan --json")
      expect(JSON.parse(stdout)).toMatchObject([
        { service: "api", reason: "there are 2 containers" },
        { service: "web", reason: `api has ${first}-${first + 1} here` },
        { service: "db", port: first + 4, reason: "portctl.json prefers it" }
      ])
    })
  )

  it.scopedLive("the port that a service has too when it moves to more ports", () =>
    Effect.gen(function* () {
      const { portctl, write } = yield* composeRepository("shop")
      const first = yield* freePorts(2)
      const ports = (published: number) => [{ target: 80, published: String(published) }]
      const services = { api: { ports: ports(first) }, web: { ports: ports(first + 1) } }
      write("services: {}\n", { name: "shop", services })
      expect(yield* portctl("compose up -d")).toMatchObject({ code: 0, stderr: "" })
      const note = `note: shop/main/api has port ${first} (id=1) too; portctl release --id 1 gives it back\n`
      expect((yield* portctl("compose plan --json")).stderr).toBe("")
      expect((yield* portctl("compose up -d --scale api=3")).stderr).toContain(note)
      expect((yield* portctl("compose up -d --scale api=3")).stderr).not.toContain("note:")
    })
  )
})
