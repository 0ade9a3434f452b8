import type * as Command from "@effect/cli/Command"
import * as CommandDescriptor from "@effect/cli/CommandDescriptor"
import type { ValidationError } from "@effect/cli/ValidationError"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Terminal from "@effect/platform/Terminal"
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import { closest } from "../help/Suggestion.ts"
import * as Syntax from "../help/Syntax.ts"
import * as Flag from "./Flag.ts"
import { Rest } from "./PassthroughArgs.ts"

/** The command line asks for something that the program does not do; said with the usage of the command. */
export class UsageError extends Data.TaggedError("UsageError")<{
  readonly message: string
  readonly usage?: string
  /** What to do next, for a person at a terminal. */
  readonly hint?: string | undefined
}> {}

/** What a command line asks of a command: its work, or one of the things that every command can do. */
export type Demand =
  | { readonly _tag: "Work"; readonly work: Effect.Effect<void, unknown> }
  | { readonly _tag: "Help" }
  | { readonly _tag: "Version" }
  | { readonly _tag: "Completions"; readonly shell: "bash" | "fish" | "zsh" }

/** A command of a program; what its command line parses to is its own affair. */
export interface Verb {
  readonly name: string
  readonly descriptor: Syntax.Descriptor
  /** Its line of usage, such as `check --port PORT [--json]`. */
  readonly usage: string
  readonly parse: (args: ReadonlyArray<string>) => Effect.Effect<Demand, UsageError>
}

/**
 * What the parser of @effect/cli may need for kinds of options that these programs do not have. The real services cost
 * a short command more than its work.
 */
const platform = Context.empty().pipe(
  Context.add(FileSystem.FileSystem, FileSystem.makeNoop({})),
  Context.add(Terminal.Terminal, {
    columns: Effect.succeed(80),
    rows: Effect.succeed(24),
    isTTY: Effect.succeed(false),
    readInput: Effect.dieMessage("no option asks the terminal"),
    readLine: Effect.dieMessage("no option asks the terminal"),
    display: () => Effect.void
  })
)

const unexpected = (argument: string): string => `unexpected argument ${JSON.stringify(argument)}`

const unknownOption = (flag: string, known: Iterable<string>): string => {
  const meant = closest(flag, known)
  return `unknown option ${flag}${meant === undefined ? "" : `, did you mean ${meant}?`}`
}

/** The only required flag of a usage, where it is one that takes a number. */
const onlyNumberIn = (usage: string): string | undefined => {
  const [only, ...others] = usage.replaceAll(/\[[^\]]*\]\S*/g, "").matchAll(/(--[a-z][a-z-]*) (\S+)/g)
  return only !== undefined && others.length === 0 && Flag.isNumber(only[2] ?? "") ? only[1] : undefined
}

const digits = /^[0-9]+$/

// What @effect/cli takes for the value of a flag that has none.
const asBoolean = /^(true|false|1|0|y|yes|n|no|on|off)$/i

/** The flags of a usage, each with the placeholder of its value; empty for one that takes none. */
const flagsIn = (usage: string): ReadonlyMap<string, string> =>
  new Map([
    ["--completions", Syntax.shells],
    ["--version", ""],
    ...[...usage.matchAll(/(--[a-z][a-z-]*)(?: ([A-Za-z]\S*?)(?=\]?( |$)))?/g)].map(
      ([, flag = "", placeholder = ""]) => [flag, placeholder] as const
    )
  ])

/** What is wrong with the flags as such, which @effect/cli's parser reads as values or reports as something else. */
const misuse = (usage: string, flags: ReadonlyMap<string, string>, args: ReadonlyArray<string>): string | undefined => {
  let number: string | undefined
  const seen = new Set<string>()
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] ?? ""
    const [flag = "", ...value] = argument.split("=")
    if (digits.test(argument)) number ??= argument
    if (!flag.startsWith("-") || flag === "-") continue
    const placeholder = flags.get(flag)
    if (placeholder === undefined) return unknownOption(flag, flags.keys())
    if (seen.has(flag) && !Flag.isList(placeholder)) return `option ${flag} was given twice`
    seen.add(flag)
    const next = args[index + 1]
    if (placeholder === "") {
      if (value.length > 0) return `option ${flag} takes no value`
      if (next !== undefined && asBoolean.test(next)) return unexpected(next)
      continue
    }
    if (value.length === 0) index++
    const given = value.length > 0 ? value.join("=") || undefined : next
    const words = Flag.wordsOf(placeholder)
    if (given === undefined || flags.has(given.split("=")[0] ?? "")) {
      return `option ${flag} needs a value${words.length === 0 ? "" : `: ${Flag.either(words)}`}`
    }
    if (words.length > 0 && !words.includes(given)) return Flag.choiceSentence(flag, words)
  }
  if (number === undefined) return undefined
  const onlyNumber = onlyNumberIn(usage)
  return onlyNumber === undefined || seen.has(onlyNumber)
    ? undefined
    : `${unexpected(number)}, did you mean ${onlyNumber} ${number}?`
}

/** The arguments with each flag that is a list given once, with all of its values. */
const joined = (flags: ReadonlyMap<string, string>, args: ReadonlyArray<string>): ReadonlyArray<string> => {
  const others: Array<string> = []
  const lists = new Map<string, Array<string>>()
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] ?? ""
    const [flag = "", ...value] = argument.split("=")
    const placeholder = flags.get(flag) ?? ""
    const values = value.length > 0 || placeholder === "" ? value.join("=") : (args[++index] ?? "")
    if (Flag.isList(placeholder)) lists.set(flag, [...(lists.get(flag) ?? []), values])
    else others.push(argument, ...(value.length > 0 || placeholder === "" ? [] : [values]))
  }
  return [...[...lists].flatMap(([flag, values]) => [flag, values.join(",")]), ...others]
}

/** The library's sentence on what is wrong, in one line. */
const sentence = ({ error }: ValidationError): string => {
  const text = Syntax.blocks(error)
    .map(({ text }) => text)
    .join(" ")
  const missing = /^Expected to find option: '([^']+)'/.exec(text)
  if (missing !== null) return `option ${missing[1]} is required`
  const unknown = /^Received unknown argument: '(.*)'$/.exec(text)
  return unknown === null ? text : unexpected(unknown[1] ?? "")
}

/**
 * A command of @effect/cli as a {@link Verb}.
 *
 * @param rest what its usage calls the {@link Rest} that it wants after `--`; without it, it takes none
 */
export const make = <Name extends string, E, A>(command: Command.Command<Name, never, E, A>, rest?: string): Verb => {
  const [name = ""] = CommandDescriptor.getNames(command.descriptor)
  const options = Syntax.usage(command.descriptor)
  const parse = (all: ReadonlyArray<string>): Effect.Effect<Demand, UsageError> => {
    const end = all.includes("--") ? all.indexOf("--") : all.length
    const [args, others] = [all.slice(0, end), all.slice(end + 1)]
    if (args.includes("--help") || args.includes("-h")) return Effect.succeed({ _tag: "Help" })
    const flags = flagsIn(options)
    const wrong = misuse(options, flags, args)
    if (wrong !== undefined) return new UsageError({ message: wrong })
    // What follows `--` is no flag; for the parser it is arguments, among which it would still look for --help.
    const words = [name, ...joined(flags, args), ...(rest === undefined ? all.slice(end) : [])]
    return CommandDescriptor.parse(command.descriptor, words, Syntax.config).pipe(
      Effect.mapError((error) => new UsageError({ message: sentence(error) })),
      Effect.flatMap((directive): Effect.Effect<Demand, UsageError> => {
        if (directive._tag === "UserDefined") {
          const [leftover] = directive.leftover
          if (rest !== undefined && !others[0]) return new UsageError({ message: "the command goes after --" })
          if (leftover !== undefined) return new UsageError({ message: unexpected(leftover) })
          const work = command.transform(command.handler(directive.value), directive.value)
          return Effect.succeed({ _tag: "Work", work: Effect.provideService(work, Rest, others) })
        }
        switch (directive.option._tag) {
          case "ShowVersion":
            return Effect.succeed({ _tag: "Version" })
          case "ShowCompletions":
            return Effect.succeed({ _tag: "Completions", shell: directive.option.shellType })
          default:
            return Effect.succeed({ _tag: "Help" })
        }
      }),
      Effect.provide(platform),
      Effect.provide(Path.layer)
    )
  }
  return {
    name,
    descriptor: command.descriptor,
    usage: rest === undefined ? options : `${options} -- ${rest}`,
    parse
  }
}
