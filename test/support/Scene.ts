import { execFileSync } from "node:child_process"
import { mkdirSync, rmSync, symlinkSync } from "node:fs"
import { basename, join } from "node:path"
import * as Effect from "effect/Effect"
import { container } from "./Containers.ts"
import type { Engine } from "./Engine.ts"
import { git, realFolder, repository } from "./Git.ts"
import { freePorts, listeningProgram } from "./Listening.ts"
import { type PortServer, portctl, startServer } from "./Programs.ts"

/** In namespaces of the tests' own, a home and ports as a user has them; elsewhere what is free. */
const place = Effect.gen(function* () {
  if (process.env["TEST_ENGINE"] !== "own") {
    const first = yield* freePorts(40)
    return { home: yield* realFolder, range: `${first}-${first + 39}` }
  }
  const home = "/home/me"
  yield* Effect.acquireRelease(
    Effect.sync(() => {
      execFileSync("mount", ["-t", "tmpfs", "tmpfs", "/home"])
      mkdirSync(home)
    }),
    () => Effect.sync(() => execFileSync("umount", ["--lazy", "/home"]))
  )
  return { home, range: "3000-9999" }
})

const ensure = (server: PortServer, cwd: string, services: string) =>
  Effect.gen(function* () {
    const args = ["ensure", "--service", services, "--json"]
    const { code, stderr, stdout } = yield* portctl(args, { server, cwd, env: { HOME: cwd, TERM_PROGRAM: "kitty" } })
    if (code !== 0) return yield* Effect.dieMessage(stderr)
    const { allocations }: { allocations: ReadonlyArray<{ service: string; port: number }> } = JSON.parse(stdout)
    return new Map(allocations.map(({ port, service }) => [service, port]))
  })

/** The ports of services that containers have, and how those containers are called. */
const stack = (engine: Engine, folder: string, ports: ReadonlyMap<string, number>, names: ReadonlyArray<string>) =>
  Effect.forEach(names, (service) =>
    container(engine, { name: `${basename(folder)}-${service}-1`, folder, port: ports.get(service) ?? 0 })
  )

/** Two projects with six worktrees, as somebody has them on a busy day, with a server in the wrong one of them. */
export const scene = Effect.fnUntraced(function* (engine?: Engine) {
  const { home, range } = yield* place
  const server = yield* startServer({
    args: ["--range", range, ...(engine === undefined ? [] : ["--engine", engine.env.DOCKER_HOST])],
    probe: true
  })
  const shop = repository(join(home, "shop"))
  const blog = repository(join(home, "blog"))
  const branch = (main: string, name: string) => {
    const folder = `${main}-${name}`
    git(main, "worktree", "add", "--quiet", "-b", name, folder)
    return folder
  }
  const [checkout, vat, prices] = [branch(shop, "checkout"), branch(shop, "vat"), branch(shop, "old-prices")]
  const [redesign, node] = [branch(blog, "redesign"), branch(blog, "node-26")]
  const ports = {
    shop: yield* ensure(server, shop, "web,api,db,mail"),
    checkout: yield* ensure(server, checkout, "web,api,db"),
    vat: yield* ensure(server, vat, "web,api,db"),
    blog: yield* ensure(server, blog, "web,db"),
    redesign: yield* ensure(server, redesign, "web,storybook,db"),
    node: yield* ensure(server, node, "web,db"),
    prices: yield* ensure(server, prices, "web")
  }
  const programs = yield* realFolder
  const run = (cwd: string, program: string, port: number | undefined) => {
    const file = join(programs, `${program}-${port}`)
    symlinkSync(process.execPath, file)
    return listeningProgram({ cwd, file, thread: program, ...(port === undefined ? {} : { port }) })
  }
  yield* run(shop, "vite", ports.shop.get("web"))
  yield* run(shop, "api", ports.shop.get("api"))
  yield* run(checkout, "vite", ports.checkout.get("web"))
  yield* run(checkout, "api", ports.checkout.get("api"))
  yield* run(redesign, "astro", ports.redesign.get("web"))
  yield* run(redesign, "storybook", ports.redesign.get("storybook"))
  if (engine !== undefined) {
    yield* stack(engine, shop, ports.shop, ["db", "mail"])
    yield* stack(engine, checkout, ports.checkout, ["db"])
    yield* stack(engine, redesign, ports.redesign, ["db"])
    yield* container(engine, {
      name: "old-blog-db-1",
      folder: join(home, "old-blog"),
      port: ports.node.get("db") ?? 0,
      isStopped: true
    })
  }
  // Started in the wrong worktree.
  yield* run(shop, "vite", ports.vat.get("web"))
  yield* run(blog, "python3", undefined)
  rmSync(prices, { recursive: true })
  return { server, home, shop, blog, ports }
})
