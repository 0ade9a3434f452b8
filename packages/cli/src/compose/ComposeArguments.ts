/** A command line of Docker Compose. */
export interface ComposeArguments {
  /** The flags before the command, each with its value in a word of its own, if it has one. */
  readonly flags: ReadonlyArray<readonly [name: string, value?: string]>
  /** How many words they are. */
  readonly flagCount: number
  /** The command and what follows it; empty where there is none. */
  readonly command: ReadonlyArray<string>
}

/** The flags before the command that take a value, by all of their names. */
const valueFlags: Readonly<Record<string, string>> = {
  "--ansi": "--ansi",
  "--env-file": "--env-file",
  "--file": "--file",
  "-f": "--file",
  "--insecure-registry": "--insecure-registry",
  "--parallel": "--parallel",
  "--profile": "--profile",
  "--progress": "--progress",
  "--project-directory": "--project-directory",
  "--project-name": "--project-name",
  "-p": "--project-name",
  "--workdir": "--project-directory"
}

/** A flag with its value, as far as the word has it: `--file=a`, `-fa`, `-f=a`. */
const split = (word: string): readonly [name: string, value?: string] => {
  const [, long, longValue] = /^(--[^=]+)=(.*)$/s.exec(word) ?? []
  if (long !== undefined && longValue !== undefined) return [valueFlags[long] ?? long, longValue]
  const short = word.startsWith("--") ? undefined : valueFlags[word.slice(0, 2)]
  if (short !== undefined && word.length > 2) return [short, word.slice(2).replace(/^=/, "")]
  return [valueFlags[word] ?? word]
}

/** Tell the flags before the command from the command, as Compose does. */
export const parse = (words: ReadonlyArray<string>): ComposeArguments => {
  const flags: Array<readonly [name: string, value?: string]> = []
  let at = 0
  for (; words[at]?.startsWith("-") === true; at++) {
    const word = words[at] ?? ""
    if (word === "--") break
    const [name, value] = split(word)
    const takesNext = value === undefined && Object.values(valueFlags).includes(name)
    const found = takesNext ? (words[++at] ?? "") : value
    flags.push(found === undefined ? [name] : [name, found])
  }
  return { flags, flagCount: Math.min(at, words.length), command: words.slice(at) }
}

/** The values of a flag before the command. */
export const valuesOf = ({ flags }: ComposeArguments, name: string): ReadonlyArray<string> =>
  flags.flatMap(([found, value]) => (found === name && value !== undefined ? [value] : []))

/** What steers how Compose reads its files, as words. */
export const modelFlags = ({ flags }: ComposeArguments): ReadonlyArray<string> =>
  flags.flatMap(([name, value]) =>
    ["--compatibility", "--env-file", "--file", "--project-directory", "--project-name"].includes(name) ||
    !(name in valueFlags || ["--dry-run", "--verbose", "--all-resources"].includes(name))
      ? [name, ...(value === undefined ? [] : [value])]
      : []
  )

/** The commands of Docker Compose, for completion. */
export const composeCommands =
  "attach build config cp create down events exec images kill logs ls pause port ps pull push restart rm run scale start stats stop top unpause up version wait watch".split(
    " "
  )

/** Commands that read no Compose file. */
const withoutFile = ["version", "ls", "help", "completion", "__complete", "__completeNoDesc"]

/** Whether Compose only shows something of itself. */
export const readsNoFile = ({ command, flags }: ComposeArguments): boolean => {
  const [name, ...rest] = command
  return (
    name === undefined ||
    withoutFile.includes(name) ||
    flags.some(([flag]) => ["--help", "-h", "--version", "-v"].includes(flag)) ||
    (rest.length === 1 && ["--help", "-h"].includes(rest[0] ?? ""))
  )
}

/** Commands for containers that are there already, and for images. */
const withoutPorts =
  "attach build cp down events exec images kill logs pause port ps pull push rm stats stop top unpause wait".split(" ")

/** Whether Compose starts nothing, and shows no ports of the files: none need to be there for it. */
export const needsNoPorts = ({ command: [name = ""] }: ComposeArguments): boolean => withoutPorts.includes(name)

const starting = "create run scale start up watch".split(" ")

/** Whether the command may start containers: a note shows which ports differ from the file. */
export const mayStart = ({ command: [name = ""] }: ComposeArguments): boolean => starting.includes(name)

/** Whether the command may start another service than these: one that is named has its profile on. */
export const mayStartOther = (args: ComposeArguments, services: ReadonlyArray<string>): boolean => {
  const [name, ...words] = args.command
  const names = words.filter((word) => !/^(-.*|\d+)$/.test(word)).map((word) => word.replace(/=\d+$/, ""))
  // Behind the service there is a command line.
  if (name === "run") return !names.some((word) => services.includes(word))
  return mayStart(args) && names.some((word) => !services.includes(word))
}

/** Commands that only show what there is; `config` shows ports, which are ensured for it. */
const showing = "events images logs port ps stats top volumes".split(" ")

/** Whether the command changes nothing of the project's containers, networks, volumes and images. */
export const onlyShows = ({ command: [name = ""] }: ComposeArguments): boolean => showing.includes(name)

/** How many containers of a service the command line wants: `up --scale web=3`, `scale web=3`. */
export const scalesOf = ({ command: [name, ...words] }: ComposeArguments): ReadonlyMap<string, number> => {
  const pairs =
    name === "scale" ? words : words.flatMap((word, index) => (words[index - 1] === "--scale" ? [word] : []))
  const inline = words.flatMap((word) => (word.startsWith("--scale=") ? [word.slice("--scale=".length)] : []))
  return new Map(
    [...pairs, ...inline].flatMap((pair) => {
      const [, service = "", count = ""] = /^([^=]+)=(\d+)$/.exec(pair) ?? []
      return service === "" ? [] : [[service, Number(count)] as const]
    })
  )
}
