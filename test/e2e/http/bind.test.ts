import { spawnSync } from "node:child_process"
import { createSocket } from "node:dgram"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { created, expectError } from "../../support/Api.ts"
import { freePorts, hasIpv6 } from "../../support/Listening.ts"
import { inOwnNetwork, noNamespaces } from "../../support/Networks.ts"
import { portctl, portctlAsNormalUser, start, startServer, temporaryFolder } from "../../support/Programs.ts"
import { connected, listener } from "../../support/Sockets.ts"
import { call } from "../../support/Wire.ts"

const owner = { app: "myapp", instance: "dev", service: "web" }
const linux = describe.skipIf(process.platform !== "linux")

/** A UDP socket of the test's own, bound to the port. */
const udp = (port: number, address = "127.0.0.1") =>
  Effect.acquireRelease(
    Effect.async<ReturnType<typeof createSocket>>((resume) => {
      const socket = createSocket(address.includes(":") ? "udp6" : "udp4")
      socket.bind(port, address, () => resume(Effect.succeed(socket)))
    }),
    (socket) => Effect.sync(() => socket.close())
  )

/** A program with a socket of TCP that is bound and does not listen. */
const bound = (port: number) =>
  Effect.gen(function* () {
    const script = `use Socket; socket(S, PF_INET, SOCK_STREAM, 0) or die; bind(S, sockaddr_in(${port}, INADDR_LOOPBACK)) or die; $| = 1; print "bound\\n"; sleep`
    const program = yield* start("perl", ["-e", script])
    yield* program.printed(/bound/)
    return program
  })

linux("auto-assignment", { concurrent: true }, () => {
  const holders = [
    ["a socket of UDP holds", (port: number) => udp(port)],
    ...(hasIpv6 ? [["a socket of UDP holds at ::1", (port: number) => udp(port, "::1")] as const] : []),
    ["is bound without listening", bound]
  ] as const
  for (const [title, hold] of holders) {
    it.scopedLive(`skips a port that ${title}, and check knows it`, () =>
      Effect.gen(function* () {
        const first = yield* freePorts(3)
        const server = yield* startServer({ args: ["--range", `${first}-${first + 2}`], probe: true })
        yield* hold(first)
        const services = [{ service: "api", prefer: first }]
        const ensured = yield* call(server.port, "POST", "/v1/ensure", { app: "shop", instance: "main", services })
        expect(ensured.json).toMatchObject({ allocations: [{ port: first + 1 }] })
        expect(created(yield* call(server.port, "POST", "/v1/allocations", owner)).port).toBe(first + 2)
        expectError(
          yield* call(server.port, "POST", "/v1/allocations", owner),
          409,
          `no free ports in range ${first}-${first + 2}`
        )
        const { code, stdout } = yield* portctl(["check", "--port", String(first)], { server })
        expect(code, stdout).toBe(1)
      })
    )
  }
})

linux("auto-assignment of a port from which the system made a connection", () => {
  it.scopedLive("skips it", () =>
    Effect.gen(function* () {
      const { port: near } = yield* connected((yield* listener()).port)
      const server = yield* startServer({ args: ["--range", `${near}-${near + 50}`], probe: true })
      const services = [{ service: "api", prefer: near }]
      const ensured = yield* call(server.port, "POST", "/v1/ensure", { app: "shop", instance: "main", services })
      expect(ensured.status).toBe(200)
      expect(Object(ensured.json).allocations[0].port).toBeGreaterThan(near)
      expect(created(yield* call(server.port, "POST", "/v1/allocations", owner)).port).toBeGreaterThan(near)
    })
  )
})

describe.skipIf(noNamespaces !== undefined)("auto-assignment where the system keeps IPv4 and IPv6 apart", () => {
  it.scopedLive("skips what a socket of IPv4 alone holds", () =>
    Effect.gen(function* () {
      const { stdout, stderr } = yield* inOwnNetwork(`echo 1 > /proc/sys/net/ipv6/bindv6only
hold() { exec perl -MSocket -e "socket(S, PF_INET, $1, 0) && bind(S, sockaddr_in($2, INADDR_ANY)) or die; $| = 1; print qq(bound\n); sleep 60"; }
exec 8< <(hold SOCK_DGRAM 3000); udp=$!
exec 9< <(hold SOCK_STREAM 3001); tcp=$!
read -r -u 8; read -r -u 9
"$portctl" start > /dev/null
"$portctl" allocate --quiet --app a --instance b --service c
kill "$udp" "$tcp"`)
      expect(stdout, stderr).toBe("3002\n")
    })
  )
})

linux("GET /v1/ports/{port}", () => {
  it.scopedLive("finds a socket that no table has, without its address, and only on a port that is not allocated", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const port = yield* freePorts(1)
      const program = yield* bound(port)
      const check = Effect.map(call(server.port, "GET", `/v1/ports/${port}`), ({ json }) => json)
      const held = { listener: {}, listeners: [{ protocol: "tcp", state: "bound" }] }
      expect(yield* check).toEqual({ port, available: true, ...held })
      const { stdout } = yield* portctl(["why", "--port", String(port)], { server })
      expect(stdout).toContain("something is bound to it (tcp)\n")
      const listed = (yield* call(server.port, "GET", "/v1/listeners")).json
      expect(listed).not.toContainEqual(expect.objectContaining({ port }))
      const holder = created(yield* call(server.port, "POST", "/v1/allocations", { ...owner, port }))
      expect(yield* check).toEqual({ port, available: false, holder })
      yield* call(server.port, "DELETE", "/v1/allocations", { port })
      program.process.kill("SIGKILL")
      yield* program.ended
      expect(yield* check).toEqual({ port, available: true })
    })
  )
})

linux("a note on stderr", () => {
  it.scopedLive("tells that start has a range from which the system takes ports, too", () =>
    Effect.gen(function* () {
      const home = yield* temporaryFolder
      const port = String(yield* freePorts(1))
      const env = { HOME: home, PORT_SERVER_ADDR: `127.0.0.1:${port}` }
      const started = yield* portctl(["start", "--port", port, "--range", "30000-40000"], { env })
      yield* portctl(["stop", "--port", port], { env })
      expect(started.code).toBe(0)
      expect(started.stderr).toMatch(/^note: range 30000-40000 overlaps \d+-\d+, from which the system takes ports/m)
      const other = yield* portctl(["start", "--port", port, "--range", "3000-4000"], { env })
      yield* portctl(["stop", "--port", port], { env })
      expect(other.stderr).not.toContain("overlaps")
    })
  )

  const normalUser = ["--reuid=65534", "--regid=65534", "--clear-groups"]
  const canDrop = process.getuid?.() === 0 && spawnSync("setpriv", [...normalUser, "true"]).status === 0
  it.scopedLive.skipIf(!canDrop)("tells why a privileged port that a service prefers is not given", () =>
    Effect.gen(function* () {
      const folder = yield* temporaryFolder
      writeFileSync(join(folder, "portctl.json"), JSON.stringify({ app: "wish", services: { web: { prefer: 86 } } }))
      const env = { HOME: folder, PORT_SERVER_ADDR: `127.0.0.1:${yield* freePorts(1)}` }
      const ensured = yield* portctlAsNormalUser(["ensure"], folder, env)
      yield* portctlAsNormalUser(["stop"], folder, env)
      expect(ensured.stderr).toMatch(
        /^note: web prefers port 86 and has \d+: port 86 is privileged: a normal user may bind ports from /m
      )
    })
  )

  it.scopedLive.skipIf(!canDrop)("tells that a port is privileged, and it is granted all the same", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const args = ["allocate", "--app", "a", "--instance", "b", "--service", "c", "--quiet", "--port"]
      const asNobody = (port: string, before: ReadonlyArray<string> = args) =>
        Effect.flatMap(
          start("setpriv", [...normalUser, `${process.cwd()}/bin/portctl`, ...before, port], {
            env: { PORT_SERVER_ADDR: server.address }
          }),
          ({ ended }) => ended
        )
      const granted = yield* asNobody("81")
      expect(granted).toMatchObject({ code: 0, stdout: "81\n" })
      expect(granted.stderr).toMatch(/^note: port 81 is privileged: .*ip_unprivileged_port_start/m)
      const ensure = ["ensure", "--app", "a", "--instance", "b", "--quiet", "--service"]
      const ensured = yield* asNobody("d=83", ensure)
      expect(ensured).toMatchObject({ code: 0, stdout: "83\n" })
      expect(ensured.stderr).toMatch(/^note: port 83 is privileged: /m)
      expect((yield* asNobody("e=8083", ensure)).stderr).not.toContain("privileged")
      expect((yield* asNobody("8081")).stderr).not.toContain("privileged")
      expect((yield* portctl([...args, "82"], { server })).stderr).not.toContain("privileged")
      const check = ["check", "--port"]
      const checked = yield* asNobody("85", check)
      expect(checked).toMatchObject({ code: 0, stdout: "port 85 is available\n" })
      expect(checked.stderr).toMatch(/^note: port 85 is privileged: /)
      expect((yield* asNobody("81", check)).stderr).toBe("")
      expect((yield* portctl([...check, "85"], { server })).stderr).toBe("")
    })
  )
})
