import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { composeRepository } from "../../support/ComposePrograms.ts"
import { expectAnswer, expectError } from "../../support/Expectations.ts"
import { repository, worktree } from "../../support/Git.ts"
import { freePorts, listeningProgram } from "../../support/Listening.ts"

describe.concurrent("the name of the Compose project in portctl env and run", () => {
  const nameIn = (portctl: (args: string) => Effect.Effect<{ readonly stdout: string }>) =>
    Effect.gen(function* () {
      const [env, run, compose] = [
        yield* portctl("env"),
        yield* portctl("run -- docker go"),
        yield* portctl("compose go")
      ]
      const names = [/^COMPOSE_PROJECT_NAME=(.*)$/m.exec(env.stdout), / of (.*)$/m.exec(run.stdout)]
      expect(names.map((found) => found?.[1])).toEqual(Array(2).fill(/ of (.*)$/m.exec(compose.stdout)?.[1]))
      return names[0]?.[1]
    })

  it.scopedLive("is that of portctl compose, also when the file has another one than before", () =>
    Effect.gen(function* () {
      const { portctl, write } = yield* composeRepository("shop")
      for (const [line, name] of [
        ["name: alpha", "alpha"],
        ['name: "zeta" # ours', "zeta"],
        ["name:\t'alpha'", "alpha"]
      ] as const) {
        write(`${line}\nservices: {}\n`, { name })
        expect(yield* nameIn(portctl)).toBe(name)
      }
      write('{"name": "json"}', { name: "json" })
      expect(yield* nameIn(portctl)).toBe("json")
      write("services: {}\n", { name: "shop" })
      expect(yield* nameIn(portctl)).toBe("shop")
    })
  )

  it.scopedLive("is that of the last run where only Compose can tell", () =>
    Effect.gen(function* () {
      const { folder, portctl, write } = yield* composeRepository("shop")
      const texts = ["name: $NAME\n", '"name": one\n', "name: &x one\n", "{name: one}\n"]
      for (const [index, text] of texts.entries()) {
        const name = ["one", "two"][index % 2]
        write(text, { name })
        yield* portctl("compose create")
        expect(yield* nameIn(portctl)).toBe(name)
      }
      write("name: plain\n", { name: "two" })
      writeFileSync(join(folder, ".env"), "COMPOSE_PROJECT_NAME=two\n")
      expect(yield* nameIn(portctl)).toBe("two")
    })
  )

  it.scopedLive("is not that of a worktree that is gone, which a shell still has", () =>
    Effect.gen(function* () {
      const { folder, home, portctl, write } = yield* composeRepository("shop")
      write("services: {}\n", { name: "shop" })
      const [red, blue] = ["red", "blue"].map((name) => worktree(folder, join(home, name)))
      for (const linked of [red, blue])
        cpSync(folder, linked ?? "", { recursive: true, filter: (path) => !/\.git$/.test(path) })
      yield* portctl("compose create", red)
      rmSync(red ?? "", { recursive: true })
      const left = { COMPOSE_PROJECT_NAME: "shop-red" }
      for (const command of ["compose up", "run -- docker go"]) {
        const ended = yield* portctl(command, blue, left)
        expect(ended.stdout).toMatch(/ of shop-blue\n$/)
        expect(ended.stderr).toContain(
          `note: COMPOSE_PROJECT_NAME was set to shop-red, the project of ${red}, and is replaced\n`
        )
      }
      // Where there is no Compose file, what it has left can be ended by its name.
      expectAnswer(yield* portctl("compose down", home, left), "ran compose down of shop-red\n")
    })
  )

  it.scopedLive("is kept by prune as long as its folder has ports", () =>
    Effect.gen(function* () {
      const { folder, home, portctl, write } = yield* composeRepository("shop")
      write("services: {}\n", { name: "shop" })
      const linked = worktree(folder, join(home, "red"))
      cpSync(join(folder, "model.json"), join(linked, "model.json"))
      cpSync(join(folder, "compose.yaml"), join(linked, "compose.yaml"))
      yield* portctl("compose create", linked)
      const port = Number((yield* portctl("get web", linked)).stdout)
      const program = yield* listeningProgram({ cwd: folder, port })
      rmSync(linked, { recursive: true })
      const note = "Compose project shop-red"
      for (const mode of ["--dry-run", "--yes"]) expect((yield* portctl(`prune ${mode}`)).stderr).not.toContain(note)
      process.kill(program.pid)
      yield* program.ended
      expect((yield* portctl("prune --dry-run")).stderr).toContain(`would forget the ${note}`)
      expect((yield* portctl("prune --yes")).stderr).toContain(`forgot the ${note}`)
    })
  )

  it.scopedLive("is that of the path by which the folder is reached", () =>
    Effect.gen(function* () {
      const { folder, home, portctl, write } = yield* composeRepository("shop")
      const link = join(home, "link")
      symlinkSync(folder, link)
      write("services: {}\n", { name: "link" })
      expect(yield* nameIn((args) => portctl(args, link))).toBe("link")
      write("services: {}\n", { name: "shop" })
      expect(yield* nameIn(portctl)).toBe("shop")
    })
  )
})

/** A model with services that publish one port each. */
const modelOf = (services: Readonly<Record<string, string>>, more: Readonly<Record<string, object>> = {}) => ({
  name: "shop",
  services: Object.fromEntries(
    Object.entries(services).map(([name, published]) => [name, { ports: [{ target: 80, published }], ...more[name] }])
  )
})

/** The variables that `portctl env` prints, without its comment and the name of the Compose project. */
const namesIn = (text: string) =>
  text.split("\n").flatMap((line) => /^(?!COMPOSE_PROJECT_NAME)(\w+)=/.exec(line)?.[1] ?? [])

describe.concurrent("the variables of services that a Compose file alone names", () => {
  it.scopedLive("are each of one service, and of the others a note says so", () =>
    Effect.gen(function* () {
      const { folder, portctl, write } = yield* composeRepository("shop")
      const first = yield* freePorts(10)
      const services = { "my-svc": first, my_svc: first + 1, worker: first + 2, "worker-1": first + 6 }
      const published = Object.entries(services).map(([name, port]) => [name, String(port)])
      write("services: {}\n", modelOf(Object.fromEntries(published), { worker: { scale: 2 } }))
      const note = (what: string) => `note: service "my_svc" ${what}, for MY_SVC_PORT is that of "my-svc"`
      const envNote = `${note("has no variable")}; portctl.json can give it an "env"\n`
      for (const _ of [1, 2]) {
        expect(yield* portctl("compose config")).toMatchObject({ code: 0, stderr: envNote })
        const env = yield* portctl("env")
        expect(env).toMatchObject({ code: 0, stderr: envNote })
        expect(namesIn(env.stdout)).toEqual(["MY_SVC_PORT", "WORKER_PORT", "WORKER_1_PORT"])
        expect(env.stdout).toContain(`MY_SVC_PORT=${first}\n`)
        expect(env.stdout).toContain(`WORKER_1_PORT=${first + 6}\n`)
      }
      expect(yield* portctl("run --quiet -- docker {my_svc} {worker+1}")).toMatchObject({
        code: 0,
        stdout: `ran ${first + 1} ${first + 3} of shop\n`
      })
      expect((yield* portctl("context")).code).toBe(0)
      expect((yield* portctl("agents hook claude")).stdout).toContain("MY_SVC_PORT")
      expectError(
        yield* portctl("env --service my-svc,my_svc"),
        'services "my-svc" and "my_svc" have the same variable MY_SVC_PORT; give one another "env" in portctl.json'
      )
      expect((yield* portctl("init")).stderr).toBe(`${note("is not in it")}\n`)
      const file = join(folder, "portctl.json")
      const { services: written } = Object(JSON.parse(readFileSync(file, "utf8")))
      expect(Object.keys(written)).toEqual(["my-svc", "worker", "worker-1"])
      // One that the file names keeps its variable.
      writeFileSync(file, '{"services": {"my_svc": {}}}')
      const env = yield* portctl("env")
      expect(env.stdout).toContain(`MY_SVC_PORT=${first + 1}\n`)
      expect(env.stderr).toContain('note: service "my-svc" has no variable, for MY_SVC_PORT is that of "my_svc"; ')
    })
  )

  it.scopedLive("are none that steer other programs", () =>
    Effect.gen(function* () {
      const { folder, portctl, write } = yield* composeRepository("shop")
      const first = yield* freePorts(4)
      const steering = {
        "port-server": "PORT_SERVER_PORT",
        portctl: "PORTCTL_PORT",
        "npm-config-x": "NPM_CONFIG_X_PORT"
      }
      const services = Object.keys(steering).map((name, index) => [name, String(first + index)] as const)
      write("services: {}\n", modelOf({ ...Object.fromEntries(services), "git-server": String(first + 3) }))
      const notes = (what: string, end: string) =>
        Object.entries(steering)
          .map(
            ([name, variable]) => `note: service "${name}" ${what}, for ${variable} would steer other programs${end}\n`
          )
          .join("")
      const told = notes("has no variable", '; portctl.json can give it an "env"')
      expect(yield* portctl("compose config")).toMatchObject({ code: 0, stderr: told })
      const env = yield* portctl("env")
      expect(env.stderr).toBe(told)
      expect(namesIn(env.stdout)).toEqual(["GIT_SERVER_PORT"])
      expect((yield* portctl("run -- env")).stdout).not.toMatch(/^(PORT_SERVER_PORT|PORTCTL_PORT|NPM_CONFIG_X_PORT)=/m)
      expect((yield* portctl("get port-server")).stdout).toBe(`${first}\n`)
      expect(yield* portctl("init")).toMatchObject({ code: 0, stderr: notes("is not in it", "") })
      const { services: written } = Object(JSON.parse(readFileSync(join(folder, "portctl.json"), "utf8")))
      expect(Object.keys(written)).toEqual(["git-server"])
      // Nor where PORT is another service's.
      const named = { portctl: { env: "PORT", folder: "ctl" }, web: { folder: "web" } }
      mkdirSync(join(folder, "web"))
      writeFileSync(join(folder, "portctl.json"), JSON.stringify({ services: named }))
      expect(namesIn((yield* portctl("env", join(folder, "web"))).stdout)).not.toContain("PORTCTL_PORT")
    })
  )
})

describe.concurrent("consecutive ports of a service", () => {
  /** A model with one service that publishes ports in a row. */
  const rowOf = (first: number, targets: ReadonlyArray<number>) => ({
    name: "shop",
    services: { box: { ports: targets.map((target, index) => ({ target, published: String(first + index) })) } }
  })

  it.scopedLive("are apart where the file has no range, whatever their variables are", () =>
    Effect.gen(function* () {
      const { portctl, write } = yield* composeRepository("shop")
      const first = yield* freePorts(4)
      const text = 'services: {box: {image: box, ports: ["$API:9000", "$UI:9001"], labels: [2024-9000-9001]}}\n'
      for (const last of [first + 1, first + 3]) {
        const ports = [
          { target: 9000, published: String(first) },
          { target: 9001, published: String(last) }
        ]
        write(text, { name: "shop", services: { box: { ports } } })
        yield* portctl("compose config")
        expect(namesIn((yield* portctl("env")).stdout)).toEqual(["BOX_9000_PORT", "BOX_9001_PORT"])
      }
    })
  )

  for (const [what, lines] of [
    ["two ports", (first: number) => [`${first}:${first}`, `${first + 1}:${first + 1}`]],
    ["three ports", (first: number) => [0, 1, 2].map((index) => `${first + index}:${first + index}`)],
    ["ports that are exposed too", (first: number) => [`${first}:${first}`, `$NEXT:$NEXT`]]
  ] as const) {
    it.scopedLive(`are apart where the file lists ${what} without quotes`, () =>
      Effect.gen(function* () {
        const { portctl, write } = yield* composeRepository("shop")
        const first = yield* freePorts(3)
        const ports = lines(first)
        const targets = ports.map((_, index) => first + index)
        const list = (items: ReadonlyArray<string | number>) => items.map((each) => `      - ${each}\n`).join("")
        write(
          `services:\n  box:\n    image: box\n    ports:\n${list(ports)}    expose:\n${list(targets)}`,
          rowOf(first, targets)
        )
        yield* portctl("compose config")
        expect(namesIn((yield* portctl("env")).stdout)).toEqual(targets.map((port) => `BOX_${port}_PORT`))
      })
    )
  }

  for (const [what, text] of [
    ["is there", (first: number) => `"${first}-${first + 1}:9000-9001"`],
    ["is that of the container", () => '"$API:9000-9001"'],
    ["is what a variable is by default", (first: number) => `"\${API:-${first}-${first + 1}}:\${TARGET}"`]
  ] as const) {
    it.scopedLive(`are a block where a range ${what}, and the next port is apart`, () =>
      Effect.gen(function* () {
        const { folder, portctl, write } = yield* composeRepository("shop")
        const first = yield* freePorts(3)
        const model = rowOf(first, [9000, 9001, 9002])
        const service = `services: {box: {image: box, ports: [${text(first)}, "\${MORE}:9002"]}}\n`
        mkdirSync(join(folder, "more"))
        writeFileSync(join(folder, "more/box.yml"), service)
        for (const each of [service, 'include: ["more/box.yml"]\n']) {
          write(each, model)
          yield* portctl("compose config")
          expect(namesIn((yield* portctl("env")).stdout)).toEqual(["BOX_9000_PORT", "BOX_9000_1_PORT", "BOX_9002_PORT"])
        }
      })
    )
  }

  it.scopedLive("are a block where a range is that of a variable in .env, also for init", () =>
    Effect.gen(function* () {
      const { folder, portctl, write } = yield* composeRepository("shop")
      const first = yield* freePorts(3)
      const model = rowOf(first, [first, first + 1, first + 2])
      write('services: {box: {image: box, ports: ["$RANGE:$RANGE"]}}\n', model)
      writeFileSync(join(folder, ".env"), `RANGE=${first}-${first + 2}\n`)
      yield* portctl("compose config")
      expect(namesIn((yield* portctl("env")).stdout)).toEqual(["BOX_PORT", "BOX_1_PORT", "BOX_2_PORT"])
      yield* portctl("init")
      const { services } = Object(JSON.parse(readFileSync(join(folder, "portctl.json"), "utf8")))
      expect(services).toEqual({ box: expect.objectContaining({ size: 3 }) })
    })
  )

  it.scopedLive("that stay as they are have one row in the plan, and one note", () =>
    Effect.gen(function* () {
      const { portctl, write } = yield* composeRepository("shop")
      const targets = (first: number, size: number) => Array.from({ length: size }, (_, index) => first + index)
      const portsOf = (first: number, size: number, more: object) =>
        targets(first, size).map((target) => ({ target, published: String(target), ...more }))
      const model = {
        name: "shop",
        services: {
          host: { network_mode: "host", ports: portsOf(7000, 3, {}) },
          mode: { ports: [...portsOf(6000, 2, { mode: "host" }), ...portsOf(6002, 1, { mode: "host" })] },
          // The text does not have it.
          turn: { ports: portsOf(10000, 10001, { protocol: "udp" }) }
        }
      }
      write("x: 7000-7002 6000 6001 6002\n", model)
      const host = "network_mode: host: the container's own ports are those of this machine"
      const mode = "mode: host: it is left as it is"
      const large = "a range of more than 256 ports is left as it is"
      const rows = [
        ["host", 7000, "tcp", "7000-7002", host],
        ...targets(6000, 3).map((port) => ["mode", port, "tcp", port, mode] as const),
        ["turn", 10000, "udp", "10000-20000", large]
      ] as const
      const plan = yield* portctl("compose plan")
      const [, , ...lines] = plan.stdout.trimEnd().split("\n")
      expect(lines.map((line) => line.split(/ {2,}/))).toEqual(
        rows.map(([service, target, protocol, port, reason]) => {
          const inside = protocol === "tcp" ? target : `${target}/${protocol}`
          return [service, inside, port, port, reason].map(String)
        })
      )
      // For programs, each is there by itself.
      expect(JSON.parse((yield* portctl("compose plan --json")).stdout)).toHaveLength(3 + 3 + 10001)
      const notes = rows.map(([service, , , port, reason]) => `note: port ${port} of ${service}: ${reason}\n`).join("")
      expect(yield* portctl("compose up -d")).toMatchObject({ code: 0, stderr: notes })
    })
  )
})

describe.concurrent("the services that a Compose file alone names, beside those of portctl.json", () => {
  it.scopedLive("are verified, as portctl context has them", () =>
    Effect.gen(function* () {
      const { bash, folder, home, portctl, write } = yield* composeRepository("shop")
      const first = yield* freePorts(4)
      const published = { db: String(first), workers: String(first + 1) }
      write("services: {}\n", modelOf(published, { workers: { scale: 2 } }))
      writeFileSync(join(folder, "portctl.json"), '{"services": {"api": {"size": 2}}}')
      yield* portctl("compose config")
      // Nobody else's working copy has it.
      yield* listeningProgram({ cwd: repository(join(home, "other")), port: first })
      const states = [
        ["api", undefined, "idle"],
        ["api+1", undefined, "idle"],
        ["db", first, "foreign"],
        ["workers", first + 1, "idle"],
        ["workers+1", first + 2, "idle"]
      ].map(([service, port, state]) =>
        expect.objectContaining({ service, ...(port === undefined ? {} : { port }), state })
      )
      const verified = yield* portctl("verify --json")
      expect([verified.code, JSON.parse(verified.stdout)]).toEqual([3, states])
      expect(JSON.parse((yield* portctl("context --json")).stdout)).toMatchObject({ services: states })
      const initialize = { protocolVersion: "2025-06-18", capabilities: {}, clientInfo: { name: "t", version: "1" } }
      const lines = [
        { jsonrpc: "2.0", id: 0, method: "initialize", params: initialize },
        { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "verify_ports", arguments: {} } }
      ].map((line) => `echo '${JSON.stringify(line)}'`)
      const { stdout } = yield* bash(`cd '${folder}' && (${lines.join("; ")}) | timeout 60 "$portctl" mcp`)
      const [, answer = ""] = stdout.trim().split("\n")
      expect(JSON.parse(answer)).toMatchObject({ result: { structuredContent: { services: states } } })
      // What is given to programs is the same.
      expect(namesIn((yield* portctl("env")).stdout)).toEqual(["API_PORT", "DB_PORT", "WORKERS_PORT", "WORKERS_1_PORT"])
      expect((yield* portctl("ensure")).stdout).toMatch(/^shop\/main\napi {4}\d+\napi\+1 {2}\d+\n$/)
    })
  )
})
