import * as Effect from "effect/Effect"
import { type Command, type Definition, subcommandsOf } from "../command/Command.ts"
import { builtIns } from "../command/Flag.ts"
import type { Spec } from "../command/Parameter.ts"
import type { Terminal } from "../terminal/Terminal.ts"
import type { Usage } from "../UsageError.ts"
import { wrap } from "./Wrap.ts"

/** The widest that a line of help may be. */
const columns = 80

/** A term that is wider has a line of its own. */
const widestTerm = 27

/** The width of the column of terms. */
const termWidth = (terms: ReadonlyArray<string>): number =>
  Math.max(0, ...terms.map(({ length }) => (length > widestTerm ? 0 : length)))

const definitionLines = (
  definitions: ReadonlyArray<Definition>,
  width = termWidth(definitions.map(([term]) => term))
): ReadonlyArray<string> => {
  const indent = " ".repeat(width + 4)
  return definitions.flatMap(([term, text]) => {
    const [first = "", ...others] = wrap(text.split(/\s+/), columns - indent.length)
    return term.length > width
      ? [`  ${term}`, ...[first, ...others].map((line) => `${indent}${line}`)]
      : [`  ${term.padEnd(width)}  ${first}`.trimEnd(), ...others.map((line) => `${indent}${line}`)]
  })
}

/** A flag or an argument with its value: `--service NAME,...`. */
export const term = ({ isDirect, isList, name, placeholder, position }: Spec): string => {
  switch (position) {
    case "flag":
      return [`--${name}`, ...(placeholder === "" ? [] : [`${placeholder}${isList ? ",..." : ""}`])].join(" ")
    case "argument":
      return isList ? `${name}...` : name
    case "passthrough":
      return isDirect ? placeholder : `-- ${placeholder}`
  }
}

/** Whether a command does nothing but name others. */
const isGroup = <R>(command: Command<R>): boolean =>
  subcommandsOf(command).length > 0 && command.parameters.every(({ position }) => position !== "passthrough")

/** The usage of a command, by its words from the program's name on: what is required goes first, arguments last. */
export const usageOf = <R>(path: string, command: Command<R>): Usage => {
  const subcommands = subcommandsOf(command).map(({ name }) => name)
  const rank = ({ isRequired, position }: Spec) => (position === "flag" ? (isRequired ? 0 : 1) : 2)
  const terms = [...command.parameters]
    .sort((left, right) => rank(left) - rank(right))
    .map((spec) => (spec.isRequired ? term(spec) : `[${term(spec)}]`))
  const below = path.includes(" ") ? subcommands.join("|") : "COMMAND"
  // One that takes the words of another program runs by itself, too.
  const further = isGroup(command) ? [below, "[OPTIONS]"] : [`[${below}]`]
  return { command: path, terms: [...terms, ...(subcommands.length === 0 ? [] : further)] }
}

/** A usage on as many lines as it needs, the further ones below its first term. */
export const usageLines = ({ command, terms }: Usage, width: number): ReadonlyArray<string> =>
  wrap(terms, width - command.length - 1).map(
    (text, index) => `${index === 0 ? command : " ".repeat(command.length)} ${text}`
  )

const indented = (lines: ReadonlyArray<string>): ReadonlyArray<string> => lines.map((line) => `  ${line}`)

const paragraph = (text: string): string => wrap(text.split(/\s+/), columns).join("\n")

/** The flags and arguments of a command, those that all commands have too. */
export const parameterTerms = <R>({ parameters }: Command<R>): ReadonlyArray<Definition> =>
  [...parameters, ...builtIns].map((spec) => [`${spec.name === "help" ? "-h, " : ""}${term(spec)}`, spec.description])

/** The environment variables of a command: those of its flags, its own, then those of the whole program. */
export const variables = <R>(command: Command<R>, root: Command<R>): ReadonlyArray<Definition> => [
  ...command.parameters.flatMap(
    ({ name, variable }): ReadonlyArray<Definition> =>
      variable === undefined ? [] : [[variable, `The value where --${name} is not given`]]
  ),
  ...command.environment,
  ...(command === root ? [] : root.environment)
]

/** The whole help of a command. @param path its words, from the program's name on */
export const helpText = <R>(
  path: string,
  command: Command<R>,
  root: Command<R>,
  { paint }: Terminal
): Effect.Effect<string> =>
  Effect.gen(function* () {
    const section = (title: string, lines: ReadonlyArray<string>): ReadonlyArray<string> =>
      lines.length === 0 ? [] : [[paint("bold", `${title}:`), ...lines].join("\n")]
    const width = termWidth(subcommandsOf(command).map(({ name }) => name))
    const groups = yield* Effect.forEach(Object.entries(command.groups), ([title, subcommands]) =>
      Effect.map(
        Effect.forEach(subcommands, ({ load }) => load),
        (loaded) =>
          section(
            title,
            definitionLines(
              loaded.map(({ name, summary }) => [name, summary] as const),
              width
            )
          )
      )
    )
    return [
      paragraph(command.summary),
      ...(command.details.length === 0 ? [] : [command.details.map(paragraph).join("\n")]),
      ...section("Usage", indented(usageLines(usageOf(path, command), columns - 2))),
      ...groups.flat(),
      ...section("Options", definitionLines(parameterTerms(command))),
      ...section("Environment", definitionLines(variables(command, root))),
      ...section("Exit status", isGroup(command) ? [] : definitionLines(Object.entries(command.exitCodes))),
      ...section("Examples", indented(command.examples)),
      ...(groups.length === 0 ? [] : [`Run "${path} COMMAND --help" for the options of a command.`])
    ].join("\n\n")
  })
