import { basename } from "node:path"
import { portArguments, type Splice } from "./DevServers.ts"
import { scriptNamed, simpleWords } from "./PackageScripts.ts"

/** What a command line needs so that the development server that it starts listens on a port. */
export interface Injection extends Splice {
  /** The name of the server. */
  readonly tool: string
}

type Words = ReadonlyArray<string>

/** The same, for words that come after that many others. */
const after = (count: number, injection: Injection | undefined): Injection | undefined =>
  injection && { ...injection, at: injection.at + count }

const indexOfFirst = (words: Words, from: number, isMeant: (word: string) => boolean): number => {
  const index = words.findIndex((word, index) => index >= from && isMeant(word))
  return index === -1 ? words.length : index
}

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

const direct = (words: Words, port: string): Injection | undefined => {
  const [program = "", ...args] = words
  const tool = nameOf(program)
  const splice = portArguments(tool, args, port)
  return splice && { ...splice, at: splice.at + 1, tool }
}

/** `python -m flask run`, `python manage.py runserver` */
const python = (words: Words, port: string): Injection | undefined => {
  const at = indexOfFirst(words, 1, (word) => !/^-[bBdEiIOPqsSuvx]+$/.test(word))
  return words[at] === "-m"
    ? after(at + 1, direct(words.slice(at + 1), port))
    : after(at, direct(words.slice(at), port))
}

/** `node node_modules/vite/bin/vite.js` */
const node = (words: Words, port: string): Injection | undefined => {
  const [, file = "", ...args] = words
  if (!file.includes("node_modules/")) return undefined
  const tool = basename(file).replace(/\.[cm]?js$/, "")
  const splice = portArguments(tool, args, port)
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
  const missing = separator.filter((word) => !words.includes(word))
  return { ...injection, at: words.length, words: [...missing, ...injection.words] }
}

/** A script of package.json with further arguments; `separator`: what stands before those on the command line. */
const script = (name: string, words: Words, at: number, separator: Words, port: string): Injection | undefined => {
  const own = simpleWords(scriptNamed(name) ?? "")
  if (own === undefined) return undefined
  const all = [...own, ...words.slice(at).filter((word) => !separator.includes(word))]
  return atEnd(injectionFor(all, port, false), all.length, words, separator)
}

const isNoFlag = (word: string): boolean => !word.startsWith("-")

/** `npx vite`, `pnpm dlx vite`, `bun x vite`: a program at the first word that is no flag. */
const executor = (words: Words, from: number, port: string): Injection | undefined => {
  const at = indexOfFirst(words, from, isNoFlag)
  // Another flag names the package, and what follows is a line for a shell.
  const known = ["-y", "--yes", "--no", "--no-install", "-q", "--quiet", "--bun", "--"]
  return words.slice(from, at).every((flag) => known.includes(flag))
    ? after(at, injectionFor(words.slice(at), port, false))
    : undefined
}

const npm = (words: Words, port: string): Injection | undefined => {
  const [, verb = "", first = ""] = words
  if (["exec", "x"].includes(verb)) {
    if (first === "--") return executor(words, 2, port)
    // npm takes the flags before its own `--` for its own.
    const all = words.filter((word) => word !== "--")
    return atEnd(executor(all, 2, port), all.length, words, ["--"])
  }
  if (["run", "run-script"].includes(verb)) return script(first, words, 3, ["--"], port)
  return verb === "start" ? script("start", words, 2, ["--"], port) : undefined
}

const others = (words: Words, port: string): Injection | undefined => {
  const at = indexOfFirst(words, 1, (word) => word !== "--bun" && word !== "-b")
  const verb = words[at] ?? ""
  if (["exec", "dlx", "x"].includes(verb)) return executor(words, at + 1, port)
  const named = verb === "run" ? at + 1 : at
  const name = words[named] ?? ""
  return scriptNamed(name) === undefined
    ? after(named, direct(words.slice(named), port))
    : script(name, words, named + 1, [], port)
}

/**
 * What a command line needs so that the development server that it starts listens on a port; nothing where it starts none
 * or its user has chosen where that listens.
 *
 * @param hasScripts whether it may be a script of package.json: one in a script would get its arguments otherwise
 */
export const injectionFor = (words: Words, port: string, hasScripts = true): Injection | undefined => {
  const [program = ""] = words
  const name = basename(program)
  const wrapper = wrappers.find((wrapper) =>
    wrapper.every((word, index) => word === (index === 0 ? name : words[index]))
  )
  if (wrapper !== undefined) {
    const at = indexOfFirst(words, wrapper.length, (word) => !/^[A-Za-z_][A-Za-z0-9_]*=/.test(word))
    return after(at, injectionFor(words.slice(at), port, hasScripts))
  }
  if (/^python[0-9.]*$/.test(name)) return python(words, port)
  if (name === "node") return node(words, port)
  if (name === "npx" || name === "bunx") return executor(words, 1, port)
  if (name === "npm") return hasScripts ? npm(words, port) : undefined
  if (["pnpm", "yarn", "bun"].includes(name)) return hasScripts ? others(words, port) : undefined
  return direct(words, port)
}
