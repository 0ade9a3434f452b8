import { parseArgs } from "node:util"
import * as Either from "effect/Either"
import { joinWithOr } from "./Flag.ts"
import type { Spec } from "./Parameter.ts"
import { suggest } from "./Suggestion.ts"

/** What a command line gives: the values of each parameter, by its name. */
export type Given = ReadonlyMap<string, ReadonlyArray<string>>

/** The flags of a command, by name. */
export const flagsOf = (specs: ReadonlyArray<Spec>): ReadonlyMap<string, Spec> =>
  new Map(specs.flatMap((spec) => (spec.position === "flag" ? [[spec.name, spec]] : [])))

const unexpected = (word: string): string => `unexpected argument ${JSON.stringify(word)}`

const unknownOption = (written: string, flags: Iterable<string>): string => {
  const meant = suggest(
    written,
    [...flags].map((name) => `--${name}`)
  )
  return `unknown option ${written}${meant === undefined ? "" : `, did you mean ${meant}?`}`
}

const needsValue = ({ kind, name }: Spec): string =>
  `option --${name} needs a value${kind._tag === "Choice" ? `: ${joinWithOr(kind.words)}` : ""}`

const digits = /^[0-9]+$/

/** What is missing, or is one word too many; a number is probably the value of the one flag that is missing. */
const incomplete = (specs: ReadonlyArray<Spec>, given: Given, extra: string | undefined): string | undefined => {
  const required = specs.filter(({ isRequired }) => isRequired)
  const missing = required.find(({ name }) => !given.has(name))
  if (extra !== undefined && digits.test(extra) && missing?.kind._tag === "Number" && required.length === 1) {
    return `${unexpected(extra)}, did you mean --${missing.name} ${extra}?`
  }
  if (missing === undefined) return extra === undefined ? undefined : unexpected(extra)
  switch (missing.position) {
    case "flag":
      return `option --${missing.name} is required`
    case "argument":
      return `${missing.name} is required`
    case "passthrough":
      return "the command goes after --"
  }
}

const isFlag = (flags: ReadonlyMap<string, Spec>, text: string): boolean =>
  text.startsWith("--") && flags.has(text.slice(2).split("=")[0] ?? "")

const help = /^(--help|-h)$/

/** A command's own arguments, and those after `--`. */
const split = (
  rest: Spec | undefined,
  argv: ReadonlyArray<string>
): readonly [ReadonlyArray<string>, ReadonlyArray<string>] => {
  if (rest?.isDirect) return help.test(argv[0] ?? "") ? [argv, []] : [[], argv]
  const end = argv.includes("--") ? argv.indexOf("--") : argv.length
  return [argv.slice(0, end), argv.slice(end + 1)]
}

const passthroughOf = (specs: ReadonlyArray<Spec>) => specs.find(({ position }) => position === "passthrough")

/** Whether the arguments ask for help, whatever else they say. */
export const asksForHelp = (specs: ReadonlyArray<Spec>, argv: ReadonlyArray<string>): boolean =>
  split(passthroughOf(specs), argv)[0].some((arg) => help.test(arg))

/** Arguments as flags with their values, and words. */
export const tokenize = (flags: ReadonlyMap<string, Spec>, args: ReadonlyArray<string>) => {
  const options = [...flags].map(
    ([name, { kind }]) => [name, { type: kind._tag === "Switch" ? "boolean" : "string" } as const] as const
  )
  const config = { strict: false, allowPositionals: true, tokens: true } as const
  return parseArgs({ ...config, args: [...args], options: Object.fromEntries(options) }).tokens
}

/** The arguments of a process as its command takes them, strictly; or what is wrong with them. */
export const parse = (specs: ReadonlyArray<Spec>, argv: ReadonlyArray<string>): Either.Either<Given, string> => {
  const flags = flagsOf(specs)
  const rest = passthroughOf(specs)
  const [own, after] = split(rest, argv)
  const given = new Map<string, Array<string>>()
  const words: Array<string> = []
  for (const token of tokenize(flags, own)) {
    if (token.kind === "positional") words.push(token.value)
    if (token.kind !== "option") continue
    const flag = token.rawName.startsWith("--") ? flags.get(token.name) : undefined
    if (flag === undefined) return Either.left(unknownOption(own[token.index]?.split("=")[0] ?? "", flags.keys()))
    const { isList, kind, name } = flag
    const before = given.get(name)
    if (before !== undefined && !isList) return Either.left(`option --${name} was given twice`)
    const value = token.value ?? ""
    if (kind._tag === "Switch") {
      if (token.value !== undefined) return Either.left(`option --${name} takes no value`)
    } else if (token.value === undefined || (token.inlineValue ? value === "" : isFlag(flags, value))) {
      return Either.left(needsValue(flag))
    }
    given.set(name, [...(before ?? []), ...(isList ? value.split(",") : [value])])
  }
  if (rest === undefined) words.push(...after)
  else if (after[0]) given.set(rest.name, [...after])
  for (const { isList, name, position } of specs) {
    if (position === "argument" && words.length > 0) given.set(name, words.splice(0, isList ? words.length : 1))
  }
  // What is asked for besides the command's work needs nothing of what that needs.
  const problem = given.has("version") || given.has("completions") ? undefined : incomplete(specs, given, words[0])
  return problem === undefined ? Either.right(given) : Either.left(problem)
}
