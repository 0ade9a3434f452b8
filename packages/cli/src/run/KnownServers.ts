// The development servers that take their port from the command line and not from PORT. Nuxt and Next.js read PORT.

/** How a development server gets its port. */
export interface DevServer {
  /** What the program, its npm package or its Python module is called. */
  readonly names: ReadonlyArray<string>
  /** The subcommands that serve, `""` for none; where there are none of them, it serves without one. */
  readonly commands?: ReadonlyArray<string>
  /** The subcommands that do something else, in a second word where one that serves has its own. */
  readonly others?: ReadonlyArray<string>
  /** Flags that always take one value. */
  readonly valued?: ReadonlyArray<string>
  /** Flags that take none, and may stand before the subcommand. */
  readonly bare?: ReadonlyArray<string>
  /** The letters of short flags that take none, so that another one may follow in the same word. */
  readonly letters?: string
  /** The flags by which its user chooses where it listens. */
  readonly own: ReadonlyArray<string>
  /** The variables of its own by which they do. */
  readonly variables?: ReadonlyArray<string>
  /** The flag without which it may listen on another port than the one that it was told. */
  readonly exact?: string
}

const words = (text: string): ReadonlyArray<string> => text.split(" ")

/** Those whose port is a flag. */
export const devServers: ReadonlyArray<DevServer> = [
  {
    names: ["vite"],
    others: ["build", "optimize"],
    valued: ["--mode", "-m", "--config", "-c", "--base", "--logLevel", "-l", "--configLoader", "--filter", "-f"],
    own: ["--port"],
    exact: "--strictPort"
  },
  {
    names: ["astro"],
    commands: ["dev", "preview"],
    others: ["dev stop", "dev status", "dev logs"],
    valued: ["--root", "--config", "--site", "--base"],
    own: ["--port"]
  },
  {
    names: ["react-router", "@react-router/dev"],
    commands: ["dev"],
    own: ["--port", "-p"],
    exact: "--strictPort"
  },
  { names: ["ng", "@angular/cli"], commands: ["serve", "s", "dev"], own: ["--port"] },
  {
    names: ["storybook"],
    commands: ["dev"],
    valued: ["--host", "-h"],
    own: ["--port", "-p"],
    variables: ["SBCONFIG_PORT"],
    // It asks on a terminal whether another port is right.
    exact: "--exact-port"
  },
  {
    names: ["wrangler"],
    commands: ["dev", "pages dev"],
    valued: ["--config", "-c", "--cwd", "--env", "-e", "--profile"],
    own: ["--port"]
  },
  // With any flag before its subcommand, webpack builds.
  { names: ["webpack", "webpack-cli"], commands: ["serve", "server", "s"], own: ["--port"] },
  { names: ["webpack-dev-server"], own: ["--port"] },
  {
    names: ["parcel"],
    others: ["build", "watch", "help", "info"],
    valued: ["--dist-dir", "--public-url", "--cache-dir", "--host"],
    own: ["--port", "-p"]
  },
  {
    names: ["expo"],
    commands: ["", "start"],
    valued: ["--host", "-m", "--max-workers", "--scheme"],
    bare: words("--android -a --ios -i --web -w --dev-client -d --go -g --clear -c --lan --localhost --offline"),
    letters: "acdgiw",
    own: ["--port", "-p"],
    variables: ["RCT_METRO_PORT"]
  },
  {
    names: ["flask"],
    commands: ["run"],
    valued: ["--app", "-A", "--env-file", "-e", "--host", "-h"],
    bare: ["--debug", "--no-debug"],
    own: ["--port", "-p"],
    variables: ["FLASK_RUN_PORT"]
  },
  {
    names: ["uvicorn"],
    own: ["--port", "--uds", "--fd"],
    variables: ["UVICORN_PORT", "UVICORN_UDS", "UVICORN_FD"]
  },
  {
    names: ["hugo"],
    commands: ["server", "serve"],
    others: ["server trust", "serve trust"],
    valued: words(
      "--source -s --config --configDir --environment -e --contentDir -c --destination -d --layoutDir -l --theme -t --themesDir --baseURL -b --cacheDir --clock --ignoreVendorPaths --logFile --logLevel --poll"
    ),
    bare: words(
      "--buildDrafts -D --buildExpired -E --buildFuture -F --debug --verbose -v --quiet --minify --gc --ignoreCache --noBuildLock"
    ),
    letters: "DEFMNOvw",
    own: ["--port", "-p"]
  },
  // With any flag before its subcommand, jekyll knows none.
  { names: ["jekyll"], commands: ["serve", "server", "s"], letters: "BDIVloqtvw", own: ["--port", "-P"] }
]

/** Those whose port is an argument, with their flags that take a value. */
export const withArgument: ReadonlyArray<{
  readonly names: ReadonlyArray<string>
  readonly command: string
  readonly valued: ReadonlyArray<string>
}> = [
  {
    names: ["manage.py", "django-admin", "django"],
    command: "runserver",
    valued: ["--settings", "--pythonpath", "--verbosity", "-v"]
  },
  { names: ["http.server"], command: "", valued: ["--bind", "-b", "--directory", "-d", "--protocol", "-p"] }
]
