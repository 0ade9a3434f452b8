import { basename } from "node:path"
import type { Splice } from "./Arguments.ts"
import { type Environment, portArguments } from "./DevServers.ts"
import { isAssignment, isOwnCommand, scriptNamed, simpleWords } from "./PackageScripts.ts"

/** What a command line needs so that the development server that it starts listens on a port. */
export interface Injection extends Splice {
  /** The name of the server. */
  readonly tool: string
}

type Words = ReadonlyArray<string>

/** What holds for a command line, whichever programs are in it. */
interface Given {
  readonly port: string
  /** The variables that its programs will have. */
  readonly environment: Environment
}

/** The same, for words that come after that many others. */
const after = (count: number, injection: Injection | undefined): Injection | undefined =>
  injection && { ...injection, at: injection.at + count }

const indexOfFirst = (words: Words, from: number, isMeant: (word: string, index: number) => boolean): number => {
  const index = words.findIndex((word, index) => index >= from && isMeant(word, index))
  return index === -1 ? words.length : index
}

/** Whether a word is one of these flags, or the value of one. */
const isValueOf = (flags: Words, words: Words, index: number): boolean =>
  flags.includes(words[index] ?? "") || flags.includes(words[index - 1] ?? "")

/** Programs that run another one, by their first words. */
const wrappers: ReadonlyArray<Words> = [
  ["bundle", "exec"],
  ["hatch", "run"],
  ["pdm", "run"],
  ["pipenv", "run"],
  ["poetry", "run"],
  ["uv", "run"],
  ["cross-env"],
  ["env"]
]

/** The name that a file goes by where it is in a folder of programs; a package without its version. */
const nameOf = (word: string): string => {
  if (basename(word) === "manage.py") return "manage.py"
  if (word.startsWith("@")) return word.replace(/(?<=.)@.*$/, "")
  if (!word.includes("/")) return word.replace(/@.*$/, "")
  return /(^|\/)(\.bin|s?bin)\/[^/]+$/.test(word) ? basename(word) : ""
}

const direct = (words: Words, { environment, port }: Given): Injection | undefined => {
  const [program = "", ...args] = words
  const tool = nameOf(program)
  const splice = portArguments(tool, args, port, environment)
  return splice && { ...splice, at: splice.at + 1, tool }
}

/** `python -m flask run`, `python manage.py runserver` */
const python = (words: Words, given: Given): Injection | undefined => {
  const isFlag = (word: string) => /^-[bBdEiIOPqsSuvx]+$|^-[WX]./.test(word)
  const at = indexOfFirst(words, 1, (word, index) => !isFlag(word) && !isValueOf(["-W", "-X"], words, index))
  return words[at] === "-m"
    ? after(at + 1, direct(words.slice(at + 1), given))
    : after(at, direct(words.slice(at), given))
}

/** `node node_modules/vite/bin/vite.js` */
const node = (words: Words, { environment, port }: Given): Injection | undefined => {
  const [, file = "", ...args] = words
  if (!file.includes("node_modules/")) return undefined
  const tool = basename(file).replace(/\.[cm]?js$/, "")
  const splice = portArguments(tool, args, port, environment)
  return splice && { ...splice, at: splice.at + 2, tool }
}

/** An injection at the end of a command line; elsewhere, words cannot be added from outside. */
const atEnd = (
  injection: Injection | undefined,
  count: number,
  words: Words,
  separator: Words
): Injection | undefined => {
  if (injection === undefined || injection.replaced > 0 || injection.at < count) return undefined
  return { ...injection, at: words.length, words: [...separator, ...injection.words] }
}

/** A script of package.json with further arguments; `separator`: what is missing before those in the command line. */
const script = (name: string, args: Words, words: Words, separator: Words, given: Given): Injection | undefined => {
  const own = simpleWords(scriptNamed(name) ?? "")
  if (own === undefined) return undefined
  const all = [...own, ...args]
  return atEnd(injectionIn(all, given, false), all.length, words, separator)
}

const isNoFlag = (word: string): boolean => !word.startsWith("-")

/** Flags of programs that run a package, which leave the package to the first word that is none. */
const executorFlags = ["-y", "--yes", "--no", "--no-install", "-q", "--quiet", "--bun", "--"]

/** `npx vite`, `pnpm dlx vite`, `bun x vite`: a program at the first word that is no flag. */
const executor = (words: Words, from: number, given: Given): Injection | undefined => {
  const at = indexOfFirst(words, from, isNoFlag)
  // Another flag names the package, and what follows is a line for a shell.
  return words.slice(from, at).every((flag) => executorFlags.includes(flag))
    ? after(at, injectionIn(words.slice(at), given, false))
    : undefined
}

/** What npm prints, which changes nothing of what it runs. */
const isLoudness = (word: string): boolean => /^(-s|-q|-d+|--silent|--quiet|--verbose|--loglevel=\w+)$/.test(word)

const npm = (words: Words, given: Given): Injection | undefined => {
  const end = indexOfFirst(words, 1, (word) => word === "--")
  const separator = end === words.length ? ["--"] : []
  const args = words.slice(end + 1)
  const [verb = "", ...rest] = words.slice(1, end).filter((word) => !isLoudness(word))
  const isExec = verb === "exec" || verb === "x"
  // npm takes all flags before `--`, and one may choose another folder or workspace.
  if (rest.some((word) => !isNoFlag(word) && !(isExec && executorFlags.includes(word)))) return undefined
  const named = rest.filter(isNoFlag)
  if (isExec) {
    if (named.length === 0) return after(end + 1, injectionIn(args, given, false))
    const all = [...named, ...args]
    return atEnd(injectionIn(all, given, false), all.length, words, separator)
  }
  if (verb === "start") return script("start", [...named, ...args], words, separator, given)
  const [name = "", ...more] = named
  return ["run", "run-script"].includes(verb) ? script(name, [...more, ...args], words, separator, given) : undefined
}

const others = (words: Words, given: Given): Injection | undefined => {
  const at = indexOfFirst(words, 1, (word) => word !== "--bun" && word !== "-b")
  const verb = words[at] ?? ""
  if (["exec", "dlx", "x"].includes(verb)) return executor(words, at + 1, given)
  if (isOwnCommand(basename(words[0] ?? ""), verb)) return undefined
  const named = verb === "run" ? at + 1 : at
  const name = words[named] ?? ""
  return scriptNamed(name) === undefined
    ? after(named, direct(words.slice(named), given))
    : script(name, words.slice(named + 1), words, [], given)
}

const injectionIn = (words: Words, given: Given, hasScripts: boolean): Injection | undefined => {
  const own = indexOfFirst(words, 0, (word) => !isAssignment(word))
  if (own > 0) {
    const assigned = words.slice(0, own).map((word) => [word.replace(/=.*/s, ""), word.replace(/^[^=]*=/, "")])
    const environment = { ...given.environment, ...Object.fromEntries(assigned) }
    return after(own, injectionIn(words.slice(own), { ...given, environment }, hasScripts))
  }
  const [program = ""] = words
  const name = basename(program)
  const wrapper = wrappers.find((wrapper) =>
    wrapper.every((word, index) => word === (index === 0 ? name : words[index]))
  )
  if (wrapper !== undefined) {
    return after(wrapper.length, injectionIn(words.slice(wrapper.length), given, hasScripts))
  }
  if (/^python[0-9.]*$/.test(name)) return python(words, given)
  if (name === "node") return node(words, given)
  if (name === "npx" || name === "bunx") return executor(words, 1, given)
  if (name === "npm") return hasScripts ? npm(words, given) : undefined
  if (["pnpm", "yarn", "bun"].includes(name)) return hasScripts ? others(words, given) : undefined
  return direct(words, given)
}

/**
 * What a command line needs so that the development server that it starts listens on a port; nothing where it starts none
 * or its user has chosen where that listens. Scripts of package.json are looked into, but not into scripts that those run:
 * one would get its arguments otherwise.
 *
 * @param environment the variables that the command will have
 */
export const injectionFor = (words: Words, port: string, environment: Environment): Injection | undefined =>
  injectionIn(words, { port, environment }, true)
