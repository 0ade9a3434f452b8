import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs"
import { delimiter, join } from "node:path"
import { expect } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { Server, sharedServer } from "../../support/Api.ts"
import { expectAnswer } from "../../support/Expectations.ts"
import { temporaryRepository } from "../../support/Git.ts"
import { portctl } from "../../support/Programs.ts"

/** Programs that print their name and their arguments. */
const programs =
  "vite astro react-router ng storybook wrangler webpack webpack-dev-server parcel expo flask uvicorn django-admin php hugo jekyll python3 python3.12 npm npx pnpm yarn bun bunx bundle poetry uv cross-env next nuxt node"

const scripts = { dev: "vite", chained: "tsc && vite" }

const project = Effect.fnUntraced(function* (name: string) {
  const server = yield* Server
  const top = yield* temporaryRepository(name)
  const folder = join(top, "fake/bin")
  mkdirSync(folder, { recursive: true })
  for (const program of programs.split(" ")) {
    writeFileSync(join(folder, program), `#!/bin/sh\nprintf '%s' "\${0##*/}"\nprintf '|%s' "$@"\n`)
    chmodSync(join(folder, program), 0o755)
  }
  mkdirSync(join(top, "node_modules/.bin"), { recursive: true })
  symlinkSync(join(folder, "vite"), join(top, "node_modules/.bin/vite"))
  writeFileSync(join(top, "manage.py"), "")
  writeFileSync(join(top, "package.json"), JSON.stringify({ scripts }))
  mkdirSync(join(top, "src"))
  const env = { PATH: `${folder}${delimiter}${process.env["PATH"] ?? ""}` }
  const { stdout } = yield* portctl(["ensure", "--quiet"], { server, cwd: top })
  const port = stdout.trim()
  return {
    port,
    run: (args: ReadonlyArray<string>, cwd = top, own: Readonly<Record<string, string>> = {}) =>
      portctl(["run", ...args], { server, cwd, env: { ...env, ...own } }),
    below: join(top, "src"),
    top
  }
})

/** What a command line becomes, `P` for the port; nothing: it stays. The rules have a test of their own. */
const cases: ReadonlyArray<readonly [given: string, becomes?: string]> = [
  ["vite", "vite --port P --strictPort"],
  ["vite --mode x -- y", "vite --mode x --port P --strictPort -- y"],
  ["vite --port 4000"],
  ["node_modules/.bin/vite", "node_modules/.bin/vite --port P --strictPort"],
  ["php -S localhost", "php -S localhost:P"],
  ["python3 manage.py runserver", "python3 manage.py runserver P"],
  ["uv run flask run", "uv run flask run --port P"],
  ["npx vite", "npx vite --port P --strictPort"],
  ["npm run dev -- --host", "npm run dev -- --host --port P --strictPort"],
  ["npm run chained"],
  ["pnpm dev --host", "pnpm dev --host --port P --strictPort"],
  ["next dev"]
]

sharedServer()("portctl run: flags of development servers", (it) => {
  it.scoped("are added where the server needs them and its user gave none", () =>
    Effect.gen(function* () {
      const { port, run } = yield* project("flags")
      const printed = yield* Effect.forEach(cases, ([given]) => run(["--quiet", "--", ...given.split(" ")]), {
        concurrency: 4
      })
      const shown = printed.map(({ stderr, stdout }) => stderr + stdout.replaceAll("|", " ").trimEnd())
      expect(shown).toEqual(
        cases.map(([given, becomes = given]) =>
          // A fake program knows itself by its file.
          becomes.replace(/^node_modules\/\.bin\//, "").replace(/(?<=[ :])P(?= |$)/g, port)
        )
      )
    })
  )

  it.scoped("are not added where the user has chosen a port by the server's own variable", () =>
    Effect.gen(function* () {
      const { below, port, run } = yield* project("variables")
      const own = { FLASK_RUN_PORT: "5678", UVICORN_PORT: "" }
      expectAnswer(yield* run(["--quiet", "--", "flask", "run"], below, own), "flask|run")
      expectAnswer(yield* run(["--quiet", "--", "uvicorn", "a:b"], below, own), `uvicorn|a:b|--port|${port}`)
      expectAnswer(yield* run(["--quiet", "--", "uvicorn", "a:b"], below, { UVICORN_FD: "3" }), "uvicorn|a:b")
      expectAnswer(
        yield* run(["--quiet", "--", "env", "FLASK_RUN_PORT=", "flask", "run"], below, own),
        `flask|run|--port|${port}`
      )
    })
  )

  it.scoped("are not added where portctl run itself sets the server's own variable", () =>
    Effect.gen(function* () {
      const { run, top } = yield* project("set")
      const services = { web: { env: "PORT" }, api: { env: "FLASK_RUN_PORT" }, ui: { env: "SBCONFIG_PORT" } }
      writeFileSync(join(top, "portctl.json"), JSON.stringify({ services }))
      const given = ["--quiet", "--service", "web", "--"]
      expectAnswer(yield* run([...given, "flask", "run"]), "flask|run")
      expectAnswer(yield* run([...given, "storybook", "dev"]), "storybook|dev")
      const { stdout } = yield* run([...given, "uvicorn", "a:b"])
      expect(stdout).toMatch(/^uvicorn\|a:b\|--port\|\d+$/)
    })
  )

  it.scoped("are shown in the line on the variables, and --no-inject leaves them out", () =>
    Effect.gen(function* () {
      const { below, port, run } = yield* project("shown")
      const set = `shown/main: WEB_PORT=${port} PORT=${port}`
      expect(yield* run(["--", "npx", "vite", "a b"])).toMatchObject({
        stdout: `npx|vite|a b|--port|${port}|--strictPort`,
        stderr: `${set}; vite gets --port ${port} --strictPort\n`
      })
      expect(yield* run(["--no-inject", "--", "npx", "vite"])).toMatchObject({ stdout: "npx|vite", stderr: `${set}\n` })
      expectAnswer(
        yield* run(["--quiet", "--", "npm", "run", "dev"], below),
        `npm|run|dev|--|--port|${port}|--strictPort`
      )
      expect((yield* run(["--", "npm", "run", "dev"])).stderr).toBe(`${set}; vite gets --port ${port} --strictPort\n`)
      // Without PORT there is no telling which port it would be.
      expectAnswer(yield* run(["--quiet", "--service", "web,db", "--", "vite"]), "vite|")
    })
  )
})
