// The development servers that take their port from the command line and not from PORT. Nuxt and Next.js read PORT.

/** How a development server gets its port. */
interface DevServer {
  /** What the program, its npm package or its Python module is called. */
  readonly names: ReadonlyArray<string>
  /** The subcommands that serve. */
  readonly commands?: ReadonlyArray<string>
  /** It serves without a subcommand, too, unless one of these words is there. */
  readonly otherCommands?: ReadonlyArray<string>
  /** Flags before the subcommand that take a value. */
  readonly valued?: ReadonlyArray<string>
  /** The flags by which its user chooses where it listens. */
  readonly own: ReadonlyArray<string>
  /** The variable of its own by which they do. */
  readonly variable?: string
  /** What is added; those that are there already are not. */
  readonly flags: (port: string) => ReadonlyArray<string>
}

const port = (port: string) => ["--port", port]

const devServers: ReadonlyArray<DevServer> = [
  {
    names: ["vite"],
    otherCommands: ["build", "optimize"],
    own: ["--port"],
    flags: (p) => ["--port", p, "--strictPort"]
  },
  { names: ["astro"], commands: ["dev", "preview"], valued: ["--root", "--config"], own: ["--port"], flags: port },
  {
    names: ["react-router", "@react-router/dev"],
    commands: ["dev"],
    own: ["--port"],
    flags: (p) => ["--port", p, "--strictPort"]
  },
  { names: ["ng", "@angular/cli"], commands: ["serve", "s", "dev"], own: ["--port"], flags: port },
  {
    names: ["storybook"],
    commands: ["dev"],
    own: ["--port", "-p"],
    // Without the second, it asks on a terminal whether another port is right.
    flags: (p) => ["--port", p, "--exact-port"]
  },
  { names: ["wrangler"], commands: ["dev", "pages dev"], own: ["--port"], flags: port },
  { names: ["webpack", "webpack-cli"], commands: ["serve", "server", "s"], own: ["--port"], flags: port },
  { names: ["webpack-dev-server"], otherCommands: [], own: ["--port"], flags: port },
  { names: ["parcel"], otherCommands: ["build", "watch", "help"], own: ["--port", "-p"], flags: port },
  { names: ["expo"], commands: ["", "start"], own: ["--port", "-p"], flags: port },
  {
    names: ["flask"],
    commands: ["run"],
    valued: ["--app", "-A", "--env-file", "-e"],
    own: ["--port", "-p"],
    variable: "FLASK_RUN_PORT",
    flags: port
  },
  {
    names: ["uvicorn"],
    otherCommands: [],
    own: ["--port", "--uds", "--fd"],
    variable: "UVICORN_PORT",
    flags: port
  },
  {
    names: ["hugo"],
    commands: ["server", "serve"],
    valued: ["--source", "-s", "--config", "--environment", "-e", "--contentDir", "-c", "--destination", "-d"],
    own: ["--port", "-p"],
    flags: port
  },
  {
    names: ["jekyll"],
    commands: ["serve", "server", "s"],
    valued: ["--source", "-s", "--destination", "-d", "--config"],
    own: ["--port", "-P"],
    flags: port
  }
]

/** The flags that take a value, of those servers whose port is an argument. */
const withArgument: ReadonlyArray<{
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

/** Words that replace that many arguments of a program. */
export interface Splice {
  readonly at: number
  readonly replaced: number
  readonly words: ReadonlyArray<string>
}

const isFlag = (word: string): boolean => word.startsWith("-")

/** Whether a word is a flag or starts with it and its value: `--port=1`, `-p1`. */
const isGiven = (flag: string, word: string): boolean =>
  word === flag ||
  word.startsWith(`${flag}=`) ||
  (!flag.startsWith("--") && word.startsWith(flag) && /^\d/.test(word.slice(2)))

/** The words that are no flags and no values of the flags that take one. */
const argumentsIn = (args: ReadonlyArray<string>, valued: ReadonlyArray<string>): ReadonlyArray<string> =>
  args.filter((word, index) => !isFlag(word) && !valued.includes(args[index - 1] ?? ""))

const serves = ({ commands = [], otherCommands, valued = [] }: DevServer, args: ReadonlyArray<string>): boolean => {
  const [first = "", second = ""] = argumentsIn(args, valued)
  if (commands.includes(first) || commands.includes(`${first} ${second}`)) return true
  return otherCommands !== undefined && !args.some((word) => otherCommands.includes(word))
}

/** The port of PHP's server is part of the address, without which it does not start. */
const php = (args: ReadonlyArray<string>, port: string): Splice | undefined => {
  const at = args.indexOf("-S") + 1
  if (at === 0) return undefined
  const address = args[at]
  if (address === undefined || isFlag(address)) return { at, replaced: 0, words: [`localhost:${port}`] }
  return /:\d+$/.test(address) ? undefined : { at, replaced: 1, words: [`${address.replace(/:$/, "")}:${port}`] }
}

/**
 * What a development server needs in its arguments so that it listens on a port; nothing where it needs nothing.
 *
 * @param assigned the variables that are set for it in the command line, like `FLASK_RUN_PORT=5000`
 */
export const portArguments = (
  name: string,
  args: ReadonlyArray<string>,
  port: string,
  assigned: ReadonlyArray<string>
): Splice | undefined => {
  if (args.includes("--help") || args.includes("--version")) return undefined
  if (name === "php") return php(args, port)
  const end = args.includes("--") ? args.indexOf("--") : args.length
  const server = devServers.find(({ names }) => names.includes(name))
  if (server !== undefined) {
    const { own, variable = "" } = server
    const isOwn =
      Boolean(process.env[variable]) ||
      (variable !== "" && assigned.some((word) => word.startsWith(`${variable}=`) && word !== `${variable}=`)) ||
      args.some((word) => own.some((flag) => isGiven(flag, word)))
    const words = server.flags(port).filter((word) => !args.includes(word))
    return serves(server, args) && !isOwn ? { at: end, replaced: 0, words } : undefined
  }
  const other = withArgument.find(({ names }) => names.includes(name))
  if (other === undefined) return undefined
  const given = argumentsIn(args, other.valued)
  const isMeant = other.command === "" ? given.length === 0 : given.length === 1 && given[0] === other.command
  return isMeant ? { at: end, replaced: 0, words: [port] } : undefined
}
