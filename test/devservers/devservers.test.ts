import { execFile } from "node:child_process"
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { promisify } from "node:util"
import { afterAll, beforeAll, describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { git, repository, worktree } from "../support/Git.ts"
import { startServerOnFreePorts } from "../support/Listening.ts"
import { npmEnvironment } from "../support/Npm.ts"
import { bin, portctl, type Running, start } from "../support/Programs.ts"

/**
 * From npm; not wrangler, which asks a server of its maker at each start. Those in Debian are the machine's: flask,
 * uvicorn, django, php, hugo, jekyll and Python's own.
 */
const packages = {
  vite: "8.4.0",
  astro: "7.3.5",
  webpack: "5.113.0",
  "webpack-cli": "7.3.1",
  "webpack-dev-server": "6.1.0",
  storybook: "10.6.7",
  "@storybook/html-vite": "10.6.0",
  parcel: "2.16.4",
  "@react-router/dev": "8.4.0",
  "@react-router/node": "8.4.0",
  "react-router": "8.4.0",
  isbot: "5.1.39",
  react: "19.2.7",
  "react-dom": "19.2.7"
}

interface DevServer {
  readonly name: string
  readonly command: ReadonlyArray<string>
  /** Of its project, with `NAME` for what tells one worktree from the other. */
  readonly files: Readonly<Record<string, string>>
  /** Where NAME is served, if anywhere. */
  readonly path?: string
}

/** A server that is the script `dev` of a package. */
const script = (dev: string, files: DevServer["files"], path?: string): DevServer => ({
  name: `npm run dev (${dev})`,
  command: ["npm", "run", "dev"],
  files: { "package.json": JSON.stringify({ type: "module", scripts: { dev } }), ...files },
  ...(path === undefined ? {} : { path })
})

const page = { "index.html": "<!doctype html><title>NAME</title><p>NAME</p>" }

const wsgi = `
def app(environ, start_response):
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"NAME"]
`

const flask = `from flask import Flask\napp = Flask("shop")\n@app.route("/")\ndef home():\n    return "NAME"\n`

const servers: ReadonlyArray<DevServer> = [
  script("vite", page, "/"),
  script("vite preview --outDir .", page, "/"),
  script("astro dev", { "src/pages/index.astro": "<html><body>NAME</body></html>" }, "/"),
  script(
    "webpack serve",
    {
      "src/index.js": "",
      "webpack.config.js": "export default { mode: 'development', devServer: { static: '.' } }",
      ...page
    },
    "/"
  ),
  script(
    "storybook dev --no-open --ci",
    {
      ".storybook/main.js": "export default { framework: '@storybook/html-vite', stories: ['../*.stories.js'] }",
      "a.stories.js": "export default { title: 'NAME' }\nexport const One = { render: () => 'NAME' }"
    },
    "/index.json"
  ),
  script("parcel index.html", page, "/"),
  script(
    "react-router dev",
    {
      "vite.config.js":
        "import { reactRouter } from '@react-router/dev/vite'\nexport default { plugins: [reactRouter()] }",
      "app/routes.js": "import { index } from '@react-router/dev/routes'\nexport default [index('home.jsx')]",
      "app/root.jsx":
        "import { Outlet } from 'react-router'\nexport default () => <html><body><Outlet /></body></html>",
      "app/home.jsx": "export default () => <p>NAME</p>"
    },
    "/"
  ),
  {
    name: "flask run",
    command: ["flask", "--app", "shop", "run"],
    files: {
      "shop.py": flask
    },
    path: "/"
  },
  {
    name: "python3 -m flask run",
    command: ["/usr/bin/python3", "-m", "flask", "--app", "shop", "run"],
    files: { "shop.py": flask },
    path: "/"
  },
  { name: "uvicorn", command: ["uvicorn", "--interface", "wsgi", "shop:app"], files: { "shop.py": wsgi }, path: "/" },
  {
    name: "manage.py runserver",
    command: ["./manage.py", "runserver", "--noreload"],
    files: {
      "manage.py":
        "#!/usr/bin/python3\nimport os, sys\nos.environ['DJANGO_SETTINGS_MODULE'] = 'shop'\nfrom django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n",
      "shop.py":
        "from django.http import HttpResponse\nfrom django.urls import path\nSECRET_KEY = 'x'\nDEBUG = True\nROOT_URLCONF = 'shop'\nurlpatterns = [path('', lambda request: HttpResponse('NAME'))]\n"
    },
    path: "/"
  },
  { name: "php -S", command: ["php", "-S", "localhost"], files: { "index.php": "<?php echo 'NAME';" }, path: "/" },
  { name: "python3 -m http.server", command: ["python3", "-m", "http.server"], files: page, path: "/" },
  {
    name: "hugo server",
    command: ["hugo", "server"],
    files: { "config.toml": "title = 'shop'\n", "layouts/index.html": "NAME" },
    path: "/"
  },
  {
    name: "jekyll serve",
    command: ["jekyll", "serve", "--no-watch"],
    files: { "_config.yml": "title: shop\n", ...page },
    path: "/"
  }
]

let installed = ""

const environment = () => ({
  ...npmEnvironment,
  PATH: `${dirname(process.execPath)}:/usr/bin:${process.env["PATH"] ?? ""}`,
  HOME: installed,
  CI: "1",
  ASTRO_TELEMETRY_DISABLED: "1",
  STORYBOOK_DISABLE_TELEMETRY: "1"
})

beforeAll(async () => {
  installed = realpathSync(mkdtempSync(join(tmpdir(), "port-server-devservers-")))
  writeFileSync(join(installed, "package.json"), JSON.stringify({ private: true, dependencies: packages }))
  const args = ["install", "--no-audit", "--no-fund", "--no-package-lock", "--prefer-offline", "--loglevel=error"]
  await promisify(execFile)("npm", args, { cwd: installed, env: environment() })
})

afterAll(() => rmSync(installed, { recursive: true, force: true, maxRetries: 5 }))

const write = (folder: string, files: DevServer["files"], name: string) => {
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true })
    writeFileSync(join(folder, file), text.replaceAll("NAME", name))
    if (text.startsWith("#!")) chmodSync(join(folder, file), 0o755)
  }
}

/** The text that is served at a port, once something is. */
const served = (port: string, path: string, running: Running): Effect.Effect<string> =>
  Effect.promise(async () => {
    for (const host of ["127.0.0.1", "[::1]"]) {
      try {
        const response = await fetch(`http://${host}:${port}${path}`, { signal: AbortSignal.timeout(30_000) })
        if (response.status === 200) return await response.text()
      } catch {
        // Not yet, or at the other address.
      }
    }
    return undefined
  }).pipe(
    Effect.flatMap((text) => {
      if (text !== undefined) return Effect.succeed(text)
      return running.process.exitCode === null
        ? Effect.delay(served(port, path, running), "200 millis")
        : Effect.dieMessage(`it has ended: ${running.output.stdout}${running.output.stderr}`)
    })
  )

describe("a development server in two worktrees at once", () => {
  for (const { command, files, name, path = "/" } of servers) {
    it.scopedLive(name, () =>
      Effect.gen(function* () {
        const server = yield* startServerOnFreePorts(2)
        const project = mkdtempSync(join(installed, "project-"))
        const main = repository(join(project, "shop"))
        write(main, files, "in-main")
        git(main, "add", "--all")
        git(main, "commit", "--quiet", "--message=files")
        const login = worktree(main, join(project, "login"))
        write(login, files, "in-login")

        const env = { ...environment(), PORT_SERVER_ADDR: server.address }
        const runs = yield* Effect.forEach([main, login], (cwd) =>
          Effect.gen(function* () {
            const { stdout } = yield* portctl(["ensure", "--quiet"], { cwd, env })
            // In a session of its own, so that all that it starts can be ended.
            const running = yield* start("setsid", [bin.portctl, "run", "--", ...command], { cwd, env })
            yield* Effect.addFinalizer(() => Effect.ignore(Effect.try(() => process.kill(-running.pid, "SIGKILL"))))
            return { running, port: stdout.trim() }
          })
        )
        expect(new Set(runs.map(({ port }) => port)).size).toBe(2)
        const texts = yield* Effect.forEach(runs, ({ port, running }) => served(port, path, running), {
          concurrency: "unbounded"
        })
        expect(texts[0]).toContain("in-main")
        expect(texts[1]).toContain("in-login")
        // The watcher would have had the time for a note.
        yield* Effect.sleep("2 seconds")
        for (const { port, running } of runs) {
          expect(running.output.stderr).toMatch(
            new RegExp(`^shop/\\w+: WEB_PORT=${port} PORT=${port}; .* gets .*${port}`)
          )
          expect(running.output.stderr).not.toMatch(/^note: .* listens on/m)
        }
      })
    )
  }
})
