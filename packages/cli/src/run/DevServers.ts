import type { Splice } from "./Arguments.ts"
import { type DevServer, devServers, withArgument } from "./KnownServers.ts"
import { phpArguments } from "./PhpServer.ts"

/** Environment variables by name. */
export type Environment = Readonly<Record<string, string | undefined>>

const isFlag = (word: string): boolean => word.startsWith("-")

const isShort = (word: string): boolean => /^-[^-]/.test(word)

/**
 * Whether a word is a flag or has it: `--port=1`, `-p1`, `-Dp1` behind the letters of others, or `--por`, as far as it
 * may be shortened.
 */
const isGiven = (flag: string, word: string, letters: string): boolean => {
  if (!flag.startsWith("--")) {
    const first = [...word.slice(1)].find((letter) => !letters.includes(letter))
    return isShort(word) && first === flag.slice(1)
  }
  const name = word.replace(/=.*/s, "")
  return name.length > 2 && flag.startsWith(name)
}

/** The words that are no flags and no values of the flags that take one. */
const argumentsIn = (args: ReadonlyArray<string>, valued: ReadonlyArray<string>): ReadonlyArray<string> =>
  args.filter((word, index) => !isFlag(word) && !valued.includes(args[index - 1] ?? ""))

/**
 * The words that are certainly no flags and no values, and what follows the first flag of which it is not known whether
 * the next word is its value.
 */
const split = (
  args: ReadonlyArray<string>,
  { bare = [], valued = [] }: DevServer
): readonly [certain: ReadonlyArray<string>, rest: ReadonlyArray<string>] => {
  const isBare = (word: string) =>
    bare.includes(word) || (isShort(word) && [...word.slice(1)].every((letter) => bare.includes(`-${letter}`)))
  const certain: Array<string> = []
  for (let at = 0; at < args.length; at++) {
    const [word = "", next = "-"] = args.slice(at, at + 2)
    if (!isFlag(word)) certain.push(word)
    else if (valued.includes(word) && !isFlag(next)) at++
    else if (!isBare(word) && !valued.some((flag) => word.startsWith(`${flag}=`))) return [certain, args.slice(at)]
  }
  return [certain, []]
}

const serves = (server: DevServer, args: ReadonlyArray<string>): boolean => {
  const [certain, rest] = split(args, server)
  const isOther = (words: string) =>
    words.split(" ").every((word, at) => (at < certain.length ? certain[at] === word : rest.includes(word)))
  const { commands, others = [] } = server
  if (others.some(isOther)) return false
  const [first, second = ""] = certain
  if (first === undefined) return commands === undefined || (commands.includes("") && rest.length === 0)
  return commands === undefined || commands.includes(first) || commands.includes(`${first} ${second}`)
}

/**
 * What a development server needs in its arguments so that it listens on a port; nothing where it needs nothing.
 *
 * @param environment the variables that it will have
 */
export const portArguments = (
  name: string,
  args: ReadonlyArray<string>,
  port: string,
  environment: Environment
): Splice | undefined => {
  if (name === "php") return phpArguments(args, port)
  const end = args.includes("--") ? args.indexOf("--") : args.length
  const server = devServers.find(({ names }) => names.includes(name))
  const { exact, letters = "", own = [], valued = [], variables = [] } = server ?? {}
  const hasAny = (flags: ReadonlyArray<string>) =>
    args.some((word) => flags.some((flag) => isGiven(flag, word, letters)))
  if (hasAny(["--help", "--version", "-h"].filter((flag) => !valued.includes(flag)))) return undefined
  if (server !== undefined) {
    const isOwn = hasAny(own) || variables.some((name) => Boolean(environment[name]))
    const words = ["--port", port, ...(exact === undefined || hasAny([exact]) ? [] : [exact])]
    return serves(server, args) && !isOwn ? { at: end, replaced: 0, words } : undefined
  }
  const other = withArgument.find(({ names }) => names.includes(name))
  if (other === undefined) return undefined
  const given = argumentsIn(args, other.valued)
  const isMeant = other.command === "" ? given.length === 0 : given.length === 1 && args[0] === other.command
  return isMeant ? { at: end, replaced: 0, words: [port] } : undefined
}
