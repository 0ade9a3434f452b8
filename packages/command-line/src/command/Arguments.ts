import * as Either from "effect/Either"
import { joinWithOr } from "./Flag.ts"
import { meantChoice, meantFlag, meantValues, tooMany, unexpected, withDashes } from "./Misplaced.ts"
import { type Spec, toWord } from "./Parameter.ts"
import { shellWord } from "./ShellWord.ts"
import { suggest } from "./Suggestion.ts"

/** The flags of a command, by name, with its dashes. */
export const flagsOf = (specs: ReadonlyArray<Spec>): ReadonlyMap<string, Spec> =>
  new Map(specs.flatMap((spec) => (spec.position === "flag" ? [[`--${spec.name}`, spec]] : [])))

/** A word, or a flag with its value: what follows its `=`, or else the next word if it takes one. */
export interface Token {
  readonly written: string
  readonly isFlag: boolean
  readonly flag?: Spec | undefined
  readonly value?: string | undefined
  readonly isInline?: boolean
}

const dashed = /^(-[^=]+)(?:=(.*))?$/s

/** Arguments as flags with their values, and words. */
export const tokenize = (flags: ReadonlyMap<string, Spec>, args: ReadonlyArray<string>): ReadonlyArray<Token> => {
  const tokens: Array<Token> = []
  for (let index = 0; index < args.length; index++) {
    const [written = args[index] ?? "", name = "", inline] = dashed.exec(args[index] ?? "") ?? []
    const flag = flags.get(name)
    const takesNext = flag !== undefined && flag.kind._tag !== "Switch" && inline === undefined
    tokens.push(
      name === ""
        ? { written, isFlag: false }
        : {
            written: name,
            isFlag: true,
            flag,
            value: takesNext ? args[++index] : inline,
            isInline: inline !== undefined
          }
    )
  }
  return tokens
}

/** Where the first word that is no flag and no value of one stands; -1 where there is none. */
const firstWord = (flags: ReadonlyMap<string, Spec>, args: ReadonlyArray<string>): number =>
  args.findIndex((arg, index) => {
    const before = tokenize(flags, args.slice(0, index)).at(-1)
    const isValue = before?.isFlag === true && before.flag?.kind._tag !== "Switch" && before.value === undefined
    return !dashed.test(arg) && !(isValue && before.flag !== undefined)
  })

/** The one flag that a letter begins. */
const startingWith = (written: string, flags: ReadonlyMap<string, Spec>): string | undefined => {
  const [found, other] = [...flags.keys()].filter((flag) => flag.startsWith(`-${written.toLowerCase()}`))
  return /^-[a-z]$/i.test(written) && other === undefined ? found : undefined
}

const unknownOption = (written: string, flags: ReadonlyMap<string, Spec>, specs: ReadonlyArray<Spec>): string => {
  const argument = specs.find(
    ({ completes, name, position }) =>
      position === "argument" && [`--${completes}`, `--${name.toLowerCase()}`].includes(written)
  )
  if (argument !== undefined) return `unknown option ${written}: ${argument.name} is given without it`
  const meant =
    meantChoice([...flags.values()], written) ?? startingWith(written, flags) ?? suggest(written, flags.keys())
  return `unknown option ${written}${meant === undefined ? "" : `, did you mean ${meant}?`}`
}

/** What is wrong with a flag, if anything; `isRepeated`: the line has it already. */
const misuse = (
  { kind, isList, name }: Spec,
  { isInline, value }: Token,
  isRepeated: boolean,
  flags: ReadonlyMap<string, Spec>
): string | undefined => {
  if (isRepeated && !isList) return `option --${name} was given twice`
  if (kind._tag === "Switch") return isInline ? `option --${name} takes no value` : undefined
  const words = kind._tag === "Choice" ? joinWithOr(kind.words) : undefined
  if (value === undefined || (isInline ? value === "" : flags.has(value.split("=")[0] ?? ""))) {
    return `option --${name} needs a value${words === undefined ? "" : `: ${words}`}`
  }
  if (kind._tag === "Choice") return kind.words.includes(value) ? undefined : `--${name} must be ${words}`
  // Rather a flag that the command does not have than a value.
  if (!isInline && /^--[a-z]/i.test(value)) {
    return `option --${name} needs a value, and ${value} looks like an option (as a value: --${name}=${shellWord(value)})`
  }
  return undefined
}

/** What is missing, or the one word too many. */
const incomplete = (
  specs: ReadonlyArray<Spec>,
  given: ReadonlyMap<string, ReadonlyArray<string>>,
  extra: ReadonlyArray<string>,
  path: string
): string | undefined => {
  const [first] = extra
  const required = specs.filter(({ isRequired }) => isRequired)
  const missing = required.find(({ name }) => !given.has(name))
  const meant = first === undefined ? undefined : meantFlag(specs, given, extra)
  if (first !== undefined && meant !== undefined) {
    // Where it is the only thing that is missing.
    const isAnswer = missing === undefined || (required.length === 1 && meant.startsWith(`--${missing.name} `))
    if (isAnswer) return `${unexpected(first)}, did you mean ${meant}?`
  }
  if (missing === undefined) return first === undefined ? undefined : tooMany(specs, given, extra, path)
  switch (missing.position) {
    case "flag":
      return `option --${missing.name} is required`
    case "argument": {
      const values = meantValues(specs, given, missing)
      return `${missing.name} is required${values === undefined ? "" : `, did you mean ${values}?`}`
    }
    case "passthrough":
      return "the command goes after --"
  }
}

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

/**
 * The arguments of a process, checked strictly, as @effect/cli takes them for what they are: flags first, each value in
 * a word of its own, what a built-in flag asks for alone. Or else what is wrong with them.
 *
 * @param path the words that lead to the command
 */
export const normalize = (
  specs: ReadonlyArray<Spec>,
  argv: ReadonlyArray<string>,
  path = ""
): Either.Either<ReadonlyArray<string>, string> => {
  const flags = flagsOf(specs)
  const rest = specs.find(({ position }) => position === "passthrough")
  const [own, after] = split(rest, argv)
  // Whatever else they say.
  if (own.some((arg) => help.test(arg))) return Either.right(["--help"])
  // Behind a `--` of the other command, there are flags of what that starts.
  const isOthers = !argv.includes("--") || after[0]?.startsWith("-") === true
  const start = rest !== undefined && isOthers ? firstWord(flags, own) : -1
  if (start !== -1) {
    return Either.left(`the command goes after --: ${withDashes(path, own.slice(0, start), argv.slice(start))}`)
  }
  const given = new Map<string, ReadonlyArray<string>>()
  const words: Array<string> = []
  for (const token of tokenize(flags, own)) {
    const { flag, isFlag, value = "", written } = token
    if (!isFlag) words.push(written)
    else if (flag === undefined) return Either.left(unknownOption(written, flags, specs))
    else {
      const before = given.get(flag.name)
      const problem = misuse(flag, token, before !== undefined, flags)
      if (problem !== undefined) return Either.left(problem)
      given.set(flag.name, [...(before ?? []), ...(flag.isList ? value.split(",") : [value])])
    }
  }
  if (rest === undefined) words.push(...after)
  else if (after.length > 0) given.set(rest.name, after)
  for (const { isList, name, position } of specs) {
    if (position === "argument" && words.length > 0) given.set(name, words.splice(0, isList ? words.length : 1))
  }
  if (given.has("version")) return Either.right(["--version"])
  const shell = given.get("completions")
  if (shell !== undefined) return Either.right(["--completions", ...shell])
  const problem = incomplete(specs, given, words, path)
  if (problem !== undefined) return Either.left(problem)
  const written = (isFlag: boolean) =>
    specs.flatMap(({ kind, name, position }) => {
      const values = given.get(name)
      if (values === undefined || isFlag !== (position === "flag")) return []
      return [...(isFlag ? [`--${name}`] : []), ...(kind._tag === "Switch" ? [] : [toWord(values)])]
    })
  return Either.right([...written(true), "--", ...written(false)])
}
