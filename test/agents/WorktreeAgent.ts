import { expect } from "@effect/vitest"
import { EnsureResult } from "@port-server/domain/Ensure"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { bin, type Ended, type Running, start } from "../support/Programs.ts"

/** The services of each project. */
export const services = ["web", "api", "db"]

const program = `
  const server = require("node:http").createServer((_, response) => response.end(process.cwd()))
  server.listen(process.env.PORT, "127.0.0.1", () => console.log("listens on " + process.env.PORT))`

const listens = /listens on (\d+)/

/** What a command may fail with while the server is killed: no whole response of it, and nothing else. */
const reason = /^error: (cannot reach port-server at|port-server at|the connection to) \S+ [^\n]*\n$/

const json = <A, I>(schema: Schema.Schema<A, I>) => Schema.decodeUnknownSync(Schema.parseJson(schema))

const decode = {
  ensured: json(EnsureResult),
  states: json(Schema.Array(Schema.Struct({ service: Schema.String, state: Schema.String }))),
  killed: json(Schema.Struct({ ended: Schema.Array(Schema.Struct({ pid: Schema.Int })) })),
  released: json(Schema.Struct({ deleted: Schema.Int })),
  plan: json(Schema.Array(Schema.Struct({ service: Schema.String, port: Schema.Int })))
}

/** What all agents know together. */
export interface World {
  readonly env: Readonly<Record<string, string>>
  /** Which working copy has which port, as far as it was acknowledged and not asked back. */
  readonly holders: Map<number, string>
  readonly count: (what: string) => void
}

/** An agent in a working copy, which runs commands of portctl there and checks each answer. */
export const make = Effect.fnUntraced(function* (cwd: string, { count, env, holders }: World) {
  const scope = yield* Scope.Scope
  /** Its ports; `undefined` where nobody answered whether they were given or given back. */
  let own: ReadonlyMap<string, number> | undefined = new Map()
  let server: Running | undefined

  /** It ends by nobody but its own agent. */
  const expectServer = () => {
    expect(server?.process.exitCode ?? null, `the server of ${cwd}`).toBe(null)
    expect(server?.process.signalCode ?? null, `the server of ${cwd}`).toBe(null)
  }

  const failed = (command: string, { stderr }: Ended) => {
    const sentence = stderr.replace(/^(note|warning|started) .*\n/gm, "")
    expect(sentence, `${command} in ${cwd}`).toMatch(reason)
    count(`${command}: ${sentence.trim().replace(/127\.0\.0\.1:\d+/g, "ADDRESS")}`)
  }

  /** Run a command to its end; what it printed, or `undefined` if it could not reach the server. */
  const command = (...args: ReadonlyArray<string>): Effect.Effect<string | undefined> =>
    Effect.gen(function* () {
      const [name = ""] = args
      count(name)
      const running = yield* start(bin.portctl, [...args, "--json"], { cwd, env })
      const ended = yield* running.ended
      if (ended.code === 0) return ended.stdout
      failed(name, ended)
      return undefined
    }).pipe(Effect.scoped)

  const ensure = Effect.gen(function* () {
    const printed = yield* command("ensure")
    if (printed === undefined) return
    const ports = new Map(decode.ensured(printed).allocations.map((each) => [each.service, each.port]))
    expect([...ports.keys()]).toEqual(services)
    for (const each of ports.values()) {
      expect(holders.get(each) ?? cwd, `port ${each}`).toBe(cwd)
      holders.set(each, cwd)
    }
    for (const [name, each] of own ?? []) expect(ports.get(name), `${name} in ${cwd}`).toBe(each)
    own = ports
  })

  const run = Effect.gen(function* () {
    if (server !== undefined) return
    count("run")
    const args = ["run", "--no-watch", "--", process.execPath, "-e", program]
    const running = yield* Scope.extend(start(bin.portctl, args, { cwd, env }), scope)
    const [, digits] = yield* running.printed(listens).pipe(Effect.catchAllDefect(() => Effect.succeed([])))
    if (digits === undefined) return failed("run", yield* running.ended)
    server = running
    expect(own?.get("web") ?? Number(digits)).toBe(Number(digits))
    expect(holders.get(Number(digits)) ?? cwd).toBe(cwd)
  })

  const verify = Effect.gen(function* () {
    const printed = yield* command("verify")
    if (printed === undefined) return
    for (const { service, state } of decode.states(printed)) {
      expect(state, `${service} in ${cwd}`).toBe(server !== undefined && service === "web" ? "own" : "idle")
    }
    if (server === undefined) return
    const [, digits] = yield* server.printed(listens)
    const body = yield* Effect.promise(async () => await (await fetch(`http://127.0.0.1:${digits}`)).text())
    expect(body).toBe(cwd)
  })

  const kill = Effect.gen(function* () {
    expectServer()
    const running = server
    if (running === undefined) return
    const printed = yield* command("kill", "--service", "web")
    const hasEnded = running.process.exitCode !== null || running.process.signalCode !== null
    if (printed === undefined && !hasEnded) return
    if (printed !== undefined) expect(decode.killed(printed).ended).toEqual([{ pid: running.pid }])
    yield* running.ended
    server = undefined
  })

  const release = Effect.gen(function* () {
    yield* kill
    if (server !== undefined) return
    for (const [each, holder] of holders) if (holder === cwd) holders.delete(each)
    const before = own
    own = undefined
    const printed = yield* command("release", "--here")
    if (printed === undefined) return
    // Those that a run was given are not in it.
    if (before !== undefined && before.size > 0) expect(decode.released(printed).deleted).toBe(before.size)
    own = new Map()
  })

  const plan = Effect.gen(function* () {
    const printed = yield* command("compose", "plan")
    if (printed === undefined) return
    const [planned] = decode.plan(printed)
    expect(planned?.service).toBe("db")
    expect(own?.get("db") ?? planned?.port).toBe(planned?.port)
  })

  return {
    cwd,
    /** The commands, one of which is chosen at random; some more often than others. */
    commands: [ensure, ensure, run, verify, verify, kill, release, plan],
    /** What every agent does in the end. */
    finish: Effect.all([ensure, run, verify], { discard: true }),
    expectServer,
    ports: () => own
  }
})
