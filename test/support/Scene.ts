import { mkdirSync, rmSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import { git, realFolder, repository } from "./Git.ts"
import { freePorts, listeningProgram } from "./Listening.ts"
import { type PortServer, portctl, startServer } from "./Programs.ts"

/** Two projects with six worktrees, as somebody has them on a busy day. */
export const scene = Effect.gen(function* () {
  const first = yield* freePorts(40)
  const server = yield* startServer({ args: ["--range", `${first}-${first + 39}`], probe: true })
  const home = yield* realFolder
  const shop = repository(join(home, "shop"))
  const blog = repository(join(home, "blog"))
  const branch = (main: string, name: string) => {
    const folder = join(home, `${main.split("/").at(-1)}-${name}`)
    git(main, "worktree", "add", "--quiet", "-b", name, folder)
    return folder
  }
  const checkout = branch(shop, "checkout")
  const vat = branch(shop, "fix-vat")
  const gone = branch(shop, "old-prices")
  const redesign = branch(blog, "redesign")
  const upgrade = branch(blog, "node-26")
  const ensure = (folder: string, services: string) => ensured(server, folder, services)
  const ports = {
    shop: yield* ensure(shop, "web,api,db,mail"),
    checkout: yield* ensure(checkout, "web,api,db"),
    vat: yield* ensure(vat, "web,api,db"),
    gone: yield* ensure(gone, "web"),
    blog: yield* ensure(blog, "web,storybook"),
    redesign: yield* ensure(redesign, "web,storybook"),
    upgrade: yield* ensure(upgrade, "web,storybook")
  }
  const programs = yield* realFolder
  const run = (cwd: string, program: string, port: number | undefined) => {
    const file = join(programs, program)
    if (!made.has(program)) symlinkSync(process.execPath, file)
    made.add(program)
    return listeningProgram({ cwd, file, thread: program, ...(port === undefined ? {} : { port }) })
  }
  const made = new Set<string>()
  yield* run(shop, "node", ports.shop.get("web"))
  yield* run(shop, "api", ports.shop.get("api"))
  yield* run(checkout, "vite", ports.checkout.get("web"))
  yield* run(redesign, "astro", ports.redesign.get("web"))
  yield* run(redesign, "storybook", ports.redesign.get("storybook"))
  // A server that was started in the wrong worktree.
  yield* run(blog, "astro", ports.vat.get("web"))
  yield* run(blog, "python3", undefined)
  rmSync(gone, { recursive: true })
  mkdirSync(join(home, "elsewhere"))
  return { server, home, shop, blog, ports }
})

const ensured = (server: PortServer, cwd: string, services: string) =>
  Effect.gen(function* () {
    const { code, stderr, stdout } = yield* portctl(["ensure", "--service", services, "--json"], {
      server,
      cwd,
      env: { HOME: cwd }
    })
    if (code !== 0) return yield* Effect.dieMessage(stderr)
    const { allocations }: { allocations: ReadonlyArray<{ service: string; port: number }> } = JSON.parse(stdout)
    return new Map(allocations.map(({ port, service }) => [service, port]))
  })
