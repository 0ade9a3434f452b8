import { mkdirSync, readdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { describe, expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { image, noEngine, SharedEngine, sharedEngine } from "../support/Engine.ts"
import { realFolder } from "../support/Git.ts"
import { bin, portctl, startServer } from "../support/Programs.ts"

/** Arguments of `docker run` for the programs of this machine, and a Node, at their own paths. */
const programs = ["/usr", "/lib", "/lib64", dirname(dirname(bin.portctl)), dirname(process.execPath)].flatMap(
  (path) => ["--volume", `${path}:${path}:ro`]
)

describe.skipIf(noEngine !== undefined)("a container", () => {
  sharedEngine("that has the socket mounted", (it) => {
    it.scoped("has the ports of the host, and is told that listeners are those of the host", () =>
      Effect.gen(function* () {
        const { docker } = yield* SharedEngine
        const [run, shop] = [yield* realFolder, yield* realFolder]
        const socket = join(run, "port-server.sock")
        const server = yield* startServer({ args: ["--socket", socket] })
        mkdirSync(join(shop, "home"))
        const script = `
          export PORTCTL_APP=shop PORTCTL_INSTANCE=main
          ${bin.portctl} ensure --service web,db
          ${bin.portctl} verify
          ${bin.portctl} start || echo "start $?"
          ${bin.portctl} doctor | grep '^ok *socket'`
        const inContainer = (...options: ReadonlyArray<string>) =>
          docker([
            ...["run", "--rm", "--network", "none", ...programs, "--volume", `${shop}:${shop}`, "--workdir", shop],
            ...["--env", "PATH=/usr/bin:/bin", "--env", `HOME=${shop}/home`, ...options, image, "sh", "-c"],
            `(${script}) 2>&1`
          ])
        const printed = yield* inContainer(
          ...["--volume", `${run}:/run/port-server:ro`],
          ...["--env", "PORT_SERVER_ADDR=unix:/run/port-server/port-server.sock"]
        )
        expect(printed).toContain("shop/main\nweb  3000\ndb   3001\n")
        expect(printed.match(/^note: port-server runs in another network/gm)?.length).toBe(2)
        expect(printed).toContain("error: PORT_SERVER_ADDR is unix:/run/port-server/port-server.sock, a socket:")
        expect(printed).toContain("ok       socket")
        expect(printed).not.toMatch(/\b(own|idle)\b/)
        // The host has the same.
        const ensured = yield* portctl("ensure --app shop --instance main --service web,db".split(" "), {
          server,
          cwd: shop
        })
        expect(ensured).toMatchObject({ code: 0, stdout: "shop/main\nweb  3000\ndb   3001\n", stderr: "" })
        expect(readdirSync(join(shop, "home"))).toEqual([])
      })
    )
  })
})
