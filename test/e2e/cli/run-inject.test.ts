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

const scripts = {
  dev: "vite",
  start: "astro dev --host",
  quoted: 'webpack serve --config "a b.js"',
  "with-variables": "A=1 cross-env B=2 vite --host",
  chosen: "vite --port 4000",
  "own-port": "UVICORN_PORT=5 uvicorn x:y",
  two: "vite & webpack serve",
  chained: "tsc && vite",
  variable: "vite --port $PORT",
  build: "vite build",
  through: "npx vite",
  again: "npm run dev",
  php: "php -S localhost",
  django: "python manage.py runserver",
  node: "node server.js",
  unbalanced: "vite --base 'x",
  server: "vite",
  test: "vite",
  workspace: "vite",
  broken: 1
}

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

/** What a command line becomes, `P` for the port; nothing: it stays. */
const cases: ReadonlyArray<readonly [given: string, becomes?: string]> = [
  ["vite", "vite --port P --strictPort"],
  ["vite dev --host", "vite dev --host --port P --strictPort"],
  ["vite preview", "vite preview --port P --strictPort"],
  ["vite --strictPort app", "vite --strictPort app --port P"],
  ["storybook dev --exact-port=false", "storybook dev --exact-port=false --port P"],
  ["vite --mode x -- y", "vite --mode x --port P --strictPort -- y"],
  ["vite build"],
  ["vite preview --outDir build", "vite preview --outDir build --port P --strictPort"],
  ["vite --mode build", "vite --mode build --port P --strictPort"],
  ["vite --host ::1 preview", "vite --host ::1 preview --port P --strictPort"],
  ["vite --unknown x build"],
  ["vite --mode x build"],
  ["vite --port 4000"],
  ["vite --port=4000"],
  ["vite --version"],
  ["node_modules/.bin/vite", "node_modules/.bin/vite --port P --strictPort"],
  ["node node_modules/vite/bin/vite.js", "node node_modules/vite/bin/vite.js --port P --strictPort"],
  ["node vite.js"],
  ["astro dev", "astro dev --port P"],
  ["astro --root x preview", "astro --root x preview --port P"],
  ["react-router dev -p 4000"],
  ["astro build"],
  ["astro --verbose dev"],
  ["astro dev stop"],
  ["astro dev --json status"],
  ["react-router dev", "react-router dev --port P --strictPort"],
  ["ng serve shop", "ng serve shop --port P"],
  ["ng build"],
  ["ng --project serve"],
  ["storybook dev", "storybook dev --port P --exact-port"],
  ["storybook dev -p 6006"],
  ["storybook dev -cp", "storybook dev -cp --port P --exact-port"],
  ["storybook build"],
  ["wrangler dev", "wrangler dev --port P"],
  ["wrangler pages dev dist", "wrangler pages dev dist --port P"],
  ["wrangler deploy"],
  ["wrangler --env dev deploy"],
  ["wrangler --env shop dev", "wrangler --env shop dev --port P"],
  ["wrangler --env=shop pages dev", "wrangler --env=shop pages dev --port P"],
  ["wrangler --env-file=a dev"],
  ["wrangler -c dev.toml --cwd dev deploy"],
  ["webpack serve", "webpack serve --port P"],
  ["webpack"],
  ["webpack serve --config-name build", "webpack serve --config-name build --port P"],
  ["webpack serve -h"],
  ["webpack serve --help=verbose"],
  ["npx webpack --config-name server"],
  ["webpack --env server"],
  ["webpack --env=a serve"],
  ["webpack-dev-server", "webpack-dev-server --port P"],
  ["parcel index.html", "parcel index.html --port P"],
  ["parcel build index.html"],
  ["parcel index.html --dist-dir build", "parcel index.html --dist-dir build --port P"],
  ["parcel -p1234 index.html"],
  ["expo start", "expo start --port P"],
  ["expo", "expo --port P"],
  ["expo prebuild"],
  ["expo start -cp 4000"],
  ["expo --web", "expo --web --port P"],
  ["expo --non-interactive export"],
  ["flask run", "flask run --port P"],
  ["flask --app run shell"],
  ["flask run -h ::1", "flask run -h ::1 --port P"],
  ["flask --debug run", "flask --debug run --port P"],
  ["flask --unknown run routes"],
  ["flask --app shop run --debug", "flask --app shop run --debug --port P"],
  ["python3 -m flask run", "python3 -m flask run --port P"],
  ["uvicorn shop:app --reload", "uvicorn shop:app --reload --port P"],
  ["uvicorn shop:app --uds /tmp/x"],
  ["python3 manage.py runserver", "python3 manage.py runserver P"],
  ["python3.12 -u ./manage.py runserver --settings a.b", "python3.12 -u ./manage.py runserver --settings a.b P"],
  ["python3 manage.py runserver 8000"],
  ["python3 manage.py migrate"],
  ["django-admin runserver", "django-admin runserver P"],
  ["php -S localhost", "php -S localhost:P"],
  ["php -S 0.0.0.0: -t public", "php -S 0.0.0.0:P -t public"],
  ["php -t public -S", "php -t public -S localhost:P"],
  ["php -S -t public", "php -S localhost:P -t public"],
  ["php -S localhost:8000"],
  ["php x.php"],
  ["php tool.php -S value"],
  ["php -f tool.php -S value"],
  ["php -r code -- -S x"],
  ["php -r code -S x"],
  ["php -R code -S x"],
  ["php -t -S x"],
  ["php -- -S x"],
  ["php -Slocalhost:8000"],
  ["php -n -d a=b -dc=d -c php.ini -S localhost x.php", "php -n -d a=b -dc=d -c php.ini -S localhost:P x.php"],
  ["php -S localhost x.php --help -S x", "php -S localhost:P x.php --help -S x"],
  ["php -S", "php -S localhost:P"],
  ["hugo server", "hugo server --port P"],
  ["hugo"],
  ["hugo --theme server"],
  ["hugo -DF --theme=server server", "hugo -DF --theme=server server --port P"],
  ["hugo --unknown server"],
  ["hugo -- server"],
  ["hugo server -Dp 21999"],
  ["hugo server -DFp21999"],
  ["hugo server -p=21999"],
  ["hugo server -sp", "hugo server -sp --port P"],
  ["hugo -FD server", "hugo -FD server --port P"],
  ["hugo server trust"],
  ["jekyll serve", "jekyll serve --port P"],
  ["jekyll serve -P4001"],
  ["jekyll serve -lP 4100"],
  ["jekyll serve -lqP4100"],
  ["jekyll serve --por 4100"],
  ["jekyll serve --po=4100"],
  ["jekyll serve -ldP", "jekyll serve -ldP --port P"],
  ["bundle exec jekyll s", "bundle exec jekyll s --port P"],
  ["python3 -m http.server", "python3 -m http.server P"],
  ["python3 -m http.server -d public --bind ::1", "python3 -m http.server -d public --bind ::1 P"],
  ["python3 -m http.server 9000"],
  ["python3 x.py"],
  ["python3 -W d -X utf8 -m http.server", "python3 -W d -X utf8 -m http.server P"],
  ["python3 -Wd -u -m flask run", "python3 -Wd -u -m flask run --port P"],
  ["hugo -s site server", "hugo -s site server --port P"],
  ["jekyll serve --source docs", "jekyll serve --source docs --port P"],
  ["jekyll --source docs serve"],
  ["django-admin --unknown runserver"],
  ["cross-env UVICORN_PORT=5 uvicorn x:y"],
  ["cross-env UVICORN_PORT= uvicorn x:y", "cross-env UVICORN_PORT= uvicorn x:y --port P"],
  ["cross-env FLASK_RUN_PORT=5 python3 -m flask run"],
  ["npm -s run dev", "npm -s run dev -- --port P --strictPort"],
  ["npm run --silent dev --", "npm run --silent dev -- --port P --strictPort"],
  ["npm run dev -- --"],
  ["npm run own-port"],
  ["poetry run uvicorn x:y", "poetry run uvicorn x:y --port P"],
  ["uv run flask run", "uv run flask run --port P"],
  ["cross-env A=1 vite", "cross-env A=1 vite --port P --strictPort"],
  ["npx vite", "npx vite --port P --strictPort"],
  ["npx --yes vite@8 preview", "npx --yes vite@8 preview --port P --strictPort"],
  ["npx @angular/cli@22 serve", "npx @angular/cli@22 serve --port P"],
  ["npx -p vite vite"],
  ["bunx astro dev", "bunx astro dev --port P"],
  ["npm exec -- vite", "npm exec -- vite --port P --strictPort"],
  ["npm exec vite", "npm exec vite -- --port P --strictPort"],
  ["npm exec vite -- --host", "npm exec vite -- --host --port P --strictPort"],
  ["npm run dev", "npm run dev -- --port P --strictPort"],
  ["npm run dev -- --host", "npm run dev -- --host --port P --strictPort"],
  ["npm run dev -- --port 4000"],
  ["npm start", "npm start -- --port P"],
  ["npm run quoted", "npm run quoted -- --port P"],
  ["npm run with-variables", "npm run with-variables -- --port P --strictPort"],
  ["npm run through", "npm run through -- --port P --strictPort"],
  ["npm run django", "npm run django -- P"],
  ...["chosen", "two", "chained", "variable", "build", "again", "php", "node", "unbalanced", "none"].map(
    (name) => [`npm run ${name}`] as const
  ),
  ["npm run dev -s -- --host", "npm run dev -s -- --host --port P --strictPort"],
  ["npm run dev app", "npm run dev app -- --port P --strictPort"],
  ["npm run dev -- -w b", "npm run dev -- -w b --port P --strictPort"],
  ...["-w b", "--workspace=b", "--work=b", "--workspaces", "-ws", "-sw b"].map(
    (flag) => [`npm run dev ${flag}`] as const
  ),
  ["npm -w b run dev"],
  ["npm run --prefix web dev"],
  ["npm start --prefix=web"],
  ["npm start -C web"],
  ["npm exec --prefix web -- vite"],
  ["npm run dev --prefix web -- --host"],
  ["npm exec -w b vite"],
  ["npm exec vite -w b"],
  ["npm exec webpack --config-name serve"],
  ["npm exec vite -- a -- b"],
  ["npm install vite"],
  ["pnpm run dev", "pnpm run dev --port P --strictPort"],
  ["pnpm dev --host", "pnpm dev --host --port P --strictPort"],
  ["pnpm vite", "pnpm vite --port P --strictPort"],
  ["pnpm exec vite", "pnpm exec vite --port P --strictPort"],
  ["pnpm dlx storybook@10 dev", "pnpm dlx storybook@10 dev --port P --exact-port"],
  ["pnpm build"],
  ["pnpm --filter b dev"],
  ["pnpm -F b run dev"],
  ["pnpm run -C web dev"],
  ["yarn --cwd web dev"],
  ["yarn workspace b dev"],
  ["yarn workspaces run dev"],
  ["yarn run -T dev"],
  ["bun --cwd web dev"],
  ["bun --cwd=web run dev"],
  ["bun run --filter b dev"],
  ["bun --filter b dev"],
  ["pnpm server"],
  ["pnpm run server", "pnpm run server --port P --strictPort"],
  ["yarn server", "yarn server --port P --strictPort"],
  ["bun test"],
  ["yarn workspace test"],
  ["yarn __proto__"],
  ["npm run toString"],
  ["npm run broken"],
  ["yarn dev", "yarn dev --port P --strictPort"],
  ["yarn run start", "yarn run start --port P"],
  ["yarn dlx vite", "yarn dlx vite --port P --strictPort"],
  ["bun run dev", "bun run dev --port P --strictPort"],
  ["bun --bun run dev", "bun --bun run dev --port P --strictPort"],
  ["bun x vite", "bun x vite --port P --strictPort"],
  ["bun server.ts"],
  ["next dev"],
  ["nuxt dev"]
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
