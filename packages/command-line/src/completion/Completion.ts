import * as Effect from "effect/Effect"
import { flagsOf, tokenize } from "../command/Arguments.ts"
import { type Command, subcommandsOf } from "../command/Command.ts"
import { builtIns } from "../command/Flag.ts"
import type { Spec } from "../command/Parameter.ts"

/** A word that can stand at the cursor. */
export interface Candidate {
  readonly value: string
  readonly text: string
}

/** What can stand at the cursor: these words, or what the shell itself knows best. */
export type Completion =
  | { readonly _tag: "Words"; readonly candidates: ReadonlyArray<Candidate> }
  | { readonly _tag: "Files" | "Folders" | "Command" }

/**
 * The values that only the program knows.
 *
 * @param completes what {@link Spec} names them
 * @param given the flags on the line, by name
 */
export type Values = (completes: string, given: ReadonlyMap<string, string>) => Effect.Effect<ReadonlyArray<Candidate>>

const words = (candidates: ReadonlyArray<Candidate>): Completion => ({ _tag: "Words", candidates })

const nothing = words([])

/** The values of a flag that takes a list are separated so. */
const comma = ","

const prefixed = (prefix: string, completion: Completion): Completion =>
  completion._tag === "Words"
    ? words(completion.candidates.map(({ text, value }) => ({ value: `${prefix}${value}`, text })))
    : completion

/** What can stand for the value of a parameter of which `typed` is there already. */
const ofValue = (
  { completes, isList, kind, position }: Spec,
  typed: string,
  given: ReadonlyMap<string, string>,
  values: Values
): Effect.Effect<Completion> => {
  switch (kind._tag) {
    case "File":
      return Effect.succeed({ _tag: "Files" })
    case "Folder":
      return Effect.succeed({ _tag: "Folders" })
    case "Choice":
      return Effect.succeed(words(kind.words.map((value) => ({ value, text: "" }))))
  }
  if (completes === undefined) return Effect.succeed(nothing)
  const isCommaList = isList && position === "flag"
  const before = isCommaList ? typed.slice(0, typed.lastIndexOf(comma) + 1) : ""
  const taken = new Set(before.split(comma))
  return Effect.map(values(completes, given), (candidates) =>
    prefixed(
      before,
      words(candidates.filter(({ value }) => !isCommaList || !(value.includes(comma) || taken.has(value))))
    )
  )
}

/** What can stand at the end of the arguments of a command; the last one is not yet finished. */
const ofArguments = (parameters: ReadonlyArray<Spec>, line: ReadonlyArray<string>, values: Values) => {
  const flags = flagsOf([...parameters, ...builtIns])
  const takesCommand = parameters.some(({ isDirect, position }) => position === "passthrough" && !isDirect)
  const before = line.slice(0, -1)
  const current = line.at(-1) ?? ""
  if (before.includes("--")) return Effect.succeed<Completion>(takesCommand ? { _tag: "Command" } : nothing)
  const tokens = tokenize(flags, before)
  const options = tokens.filter(({ isFlag }) => isFlag)
  const given = new Map(options.flatMap(({ flag, value = "" }) => (flag === undefined ? [] : [[flag.name, value]])))
  const last = tokens.at(-1)
  const open = last?.value === undefined ? last?.flag : undefined
  if (open !== undefined && open.kind._tag !== "Switch") return ofValue(open, current, given, values)

  const [name = "", ...value] = current.split("=")
  const flag = flags.get(name)
  if (value.length > 0) {
    return flag === undefined || flag.kind._tag === "Switch"
      ? Effect.succeed(nothing)
      : Effect.map(ofValue(flag, value.join("="), given, values), (completion) => prefixed(`${name}=`, completion))
  }
  const args = parameters.filter((spec) => spec.position === "argument")
  const argument = args[tokens.length - options.length] ?? args.find(({ isList }) => isList)
  if (argument !== undefined && !current.startsWith("-")) return ofValue(argument, current, given, values)
  const left = [...flags.values()].filter(({ isList, name }) => isList || !given.has(name))
  return Effect.succeed(
    words([
      ...(takesCommand ? [{ value: "--", text: "The command, with its own arguments" }] : []),
      ...left.map(({ description, name }) => ({ value: `--${name}`, text: description }))
    ])
  )
}

const help: Candidate = { value: "help", text: "Show the help of a command" }

/** What the first word for another program can be. */
const firstWords = ({ parameters }: Command): ReadonlyArray<Candidate> =>
  parameters.flatMap(({ isDirect = false, kind }) =>
    isDirect && kind._tag === "Choice" ? kind.words.map((value) => ({ value, text: "" })) : []
  )

const noValues: Values = () => Effect.succeed([])

/** What can stand at the end of the line of a program, `line` without its name; after `help`, only commands. */
export const complete = (
  command: Command,
  line: ReadonlyArray<string>,
  values = noValues,
  { isHelp, isRoot } = { isHelp: false, isRoot: true }
): Effect.Effect<Completion> => {
  const [first = "", ...rest] = line
  const isLast = rest.length === 0
  const subcommand = subcommandsOf(command).find(({ name }) => name === first)
  if (!isLast && subcommand !== undefined) {
    return Effect.flatMap(subcommand.load, (next) => complete(next, rest, values, { isHelp, isRoot: false }))
  }
  if (!isLast && isRoot && first === help.value) return complete(command, rest, values, { isHelp: true, isRoot: false })
  const names = first.startsWith("-") ? [] : subcommandsOf(command)
  if (names.length > 0 && isLast) {
    return Effect.map(
      Effect.forEach(names, ({ load, name: value }) => Effect.map(load, ({ summary }) => ({ value, text: summary }))),
      (candidates) => words([...candidates, ...(isRoot ? [help] : []), ...firstWords(command)])
    )
  }
  // The other program knows what follows its own words.
  const isOver = !isLast && command.parameters.some(({ isDirect = false }) => isDirect)
  return isHelp || isOver || (names.length > 0 && command.parameters.length === 0)
    ? Effect.succeed(nothing)
    : ofArguments(command.parameters, line, values)
}
