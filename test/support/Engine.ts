import { execFileSync, spawnSync } from "node:child_process"
import { copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { homedir } from "node:os"
import { dirname, join } from "node:path"
import { layer } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import { until } from "./Processes.ts"
import { type Ended, start, temporaryFolder } from "./Programs.ts"

/** As `tools/engine/run` found it. */
const kind = process.env["TEST_ENGINE"] ?? "none"

/** Why there is no container engine here, if there is none. */
export const noEngine: string | undefined =
  kind === "none" ? "no container engine runs here, and none could be started: npm run test:compose" : undefined

/** Why there can be no engine of a test's own, which it can stop, if there cannot. */
export const noOwnEngine: string | undefined = kind === "own" ? undefined : "it needs root and dockerd"

/** Why Podman cannot be started here, if it cannot. */
export const noPodman: string | undefined =
  noOwnEngine ?? (spawnSync("podman", ["--version"]).status === 0 ? undefined : "podman is not installed")

/** An image with BusyBox alone: `sh`, `httpd`, `sleep`, `nc`, `wget`. */
export const image = "port-server-test"

/** Arguments of `docker run` for a container that serves a text at its port 80. */
export const serving = (text: string): ReadonlyArray<string> => [image, "sh", "-c", servingScript(text)]

/** The script of a shell that serves a text at a port. */
export const servingScript = (text: string, port = 80): string =>
  `mkdir -p /www; echo ${text} > /www/index.html; exec httpd -f -p ${port} -h /www`

/** What is served at a port of this machine, once it is: its proxy listens before the container does. */
export const contentAt = (port: number): Effect.Effect<string> =>
  Effect.tryPromise(async () => (await (await fetch(`http://127.0.0.1:${port}/`)).text()).trim()).pipe(
    Effect.retry(Schedule.spaced("50 millis")),
    Effect.orDie
  )

/** A container engine with Compose. */
export interface Engine {
  /** The variables by which a program finds it. */
  readonly env: { readonly DOCKER_HOST: string; readonly DOCKER_CONFIG: string }
  /** Run docker to its end, which must be a good one; its standard output without the last line break. */
  readonly docker: (args: ReadonlyArray<string>, options?: { readonly cwd?: string }) => Effect.Effect<string>
}

/** An engine that can be stopped and started again. */
export interface OwnEngine extends Engine {
  readonly socket: string
  /** Containers are killed with it. */
  readonly stop: Effect.Effect<void>
  readonly start: Effect.Effect<void>
}

const engineProgram =
  (program: string, env: Readonly<Record<string, string>>, flags: ReadonlyArray<string> = []): Engine["docker"] =>
  (args, options = {}) =>
    start(program, [...flags, ...args], { ...options, env }).pipe(
      Effect.flatMap((running) => running.ended),
      Effect.scoped,
      Effect.flatMap(({ code, stderr, stdout }: Ended) =>
        code === 0
          ? Effect.succeed(stdout.replace(/\n$/, ""))
          : Effect.dieMessage(`${program} ${args.join(" ")} ended with ${code}: ${stderr}`)
      )
    )

/** Import the image: no registry is needed. */
const importImage = ({ docker }: Pick<Engine, "docker">) =>
  Effect.scoped(
    Effect.gen(function* () {
      const [folder, root] = [yield* temporaryFolder, yield* temporaryFolder]
      const busybox = execFileSync("which", ["busybox"], { encoding: "utf8" }).trim()
      mkdirSync(join(root, "bin"))
      copyFileSync(busybox, join(root, "bin/busybox"))
      const names = execFileSync(busybox, ["--list"], { encoding: "utf8" }).split("\n")
      for (const name of names.filter((name) => !["", "busybox"].includes(name))) {
        symlinkSync("busybox", join(root, "bin", name))
      }
      // Debian has it in two packages; one is linked to libraries.
      const libraries = execFileSync("sh", ["-c", 'ldd "$1" 2>&1 || :', "sh", busybox], { encoding: "utf8" })
      for (const file of libraries.match(/\/\S+(?= \()/g) ?? []) {
        mkdirSync(join(root, dirname(file)), { recursive: true })
        copyFileSync(file, join(root, file))
      }
      const archive = join(folder, "image.tar")
      execFileSync("tar", ["-C", root, "-cf", archive, "."])
      yield* docker(["import", archive, image])
    })
  )

/** Start a dockerd in a folder, and wait until it responds. */
const startDaemon = (folder: string, socket: string, args: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    const file = (name: string) => join(folder, name)
    writeFileSync(file("daemon.json"), "{}")
    const own = ["--config-file", file("daemon.json"), "--pidfile", file("dockerd.pid"), "--storage-driver", "vfs"]
    const folders = ["--data-root", file("data"), "--exec-root", file("exec"), "--host", `unix://${socket}`]
    const running = yield* start("dockerd", [...own, ...folders, ...args], { env: { HOME: folder } })
    yield* Effect.addFinalizer(() =>
      Effect.sync(() => running.process.kill("SIGTERM")).pipe(
        Effect.zipRight(running.ended),
        // The network of a container that had the host's stays mounted.
        Effect.tap(() => Effect.sync(() => spawnSync("umount", ["--lazy", file("exec/netns/default")])))
      )
    )
    yield* until(() => running.output.stderr.includes("API listen on") || running.process.exitCode !== null)
    if (running.process.exitCode !== null) yield* Effect.dieMessage(`dockerd ended: ${running.output.stderr}`)
  })

/**
 * An engine of the test's own, ended with all its containers at the end of the scope. Only one runs at a time.
 *
 * @param args of dockerd, such as `--userland-proxy=false`
 */
export const startOwnEngine = (args: ReadonlyArray<string> = []): Effect.Effect<OwnEngine, never, Scope.Scope> =>
  Effect.gen(function* () {
    const folder = yield* temporaryFolder
    const socket = join(folder, "docker.sock")
    const env = { DOCKER_HOST: `unix://${socket}`, DOCKER_CONFIG: process.env["DOCKER_CONFIG"] ?? "" }
    const docker = engineProgram("docker", env)
    const daemon = yield* Ref.make<Scope.CloseableScope | undefined>(undefined)
    const stop = Effect.gen(function* () {
      const scope = yield* Ref.getAndSet(daemon, undefined)
      if (scope === undefined) return
      // It would wait ten seconds for each.
      const running = yield* docker(["ps", "--quiet"])
      if (running !== "") yield* docker(["kill", ...running.split("\n")])
      yield* Scope.close(scope, yield* Effect.exit(Effect.void))
    })
    const startAgain = Effect.gen(function* () {
      const scope = yield* Scope.make()
      yield* Ref.set(daemon, scope)
      yield* startDaemon(folder, socket, ["--shutdown-timeout=1", ...args]).pipe(Scope.extend(scope))
    })
    yield* Effect.addFinalizer(() => stop)
    yield* startAgain
    const engine = { env, docker, socket, stop, start: startAgain }
    yield* importImage(engine)
    return engine
  })

/** Podman as an engine of the test's own, which answers at a socket until the end of the scope. */
export const startPodman = Effect.gen(function* () {
  const folder = yield* temporaryFolder
  const folders = ["--root", join(folder, "root"), "--runroot", join(folder, "run"), "--storage-driver", "vfs"]
  const flags = [...folders, "--cgroup-manager", "cgroupfs", "--events-backend", "file"]
  const socket = join(folder, "podman.sock")
  const podman = engineProgram("podman", { HOME: folder }, flags)
  yield* importImage({ docker: podman })
  yield* Effect.addFinalizer(() => podman(["rm", "--all", "--force", "--time", "0"]))
  yield* start("podman", [...flags, "system", "service", "--time", "0", `unix://${socket}`], { env: { HOME: folder } })
  yield* until(() => existsSync(socket))
  return { podman, socket, command: ["podman", ...flags], home: folder } as const
})

/** The newest podman-compose that `tools/engine/run` has fetched, and why it cannot be run here, if it cannot. */
export const podmanCompose = join(process.env["DOCKER_CONFIG"] ?? "", "podman-compose")
export const noPodmanCompose: string | undefined =
  noPodman ??
  (spawnSync("/usr/bin/python3", [podmanCompose, "--version"]).status === 0
    ? undefined
    : "podman-compose needs python3-yaml and python3-dotenv")

/** The engine that runs on this machine already. */
const runningEngine = Effect.gen(function* () {
  const host = execFileSync("docker", ["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"])
  const env = {
    DOCKER_HOST: process.env["DOCKER_HOST"] ?? host.toString().trim(),
    DOCKER_CONFIG: process.env["DOCKER_CONFIG"] ?? join(homedir(), ".docker")
  }
  const engine: Engine = { env, docker: engineProgram("docker", env) }
  yield* importImage(engine)
  return engine
})

/** The engine that the tests of a file share. */
export class SharedEngine extends Context.Tag("test/Engine")<SharedEngine, Engine>() {}

/** Tests that share an engine: one of their own, or else the one that runs. */
export const sharedEngine = layer(Layer.scoped(SharedEngine, kind === "own" ? startOwnEngine() : runningEngine), {
  excludeTestServices: true
})
