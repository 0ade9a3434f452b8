import * as Effect from "effect/Effect"
import type { Verb } from "../command/Command.ts"
import * as Flag from "../command/Flag.ts"
import { summary } from "../help/HelpText.ts"
import * as Syntax from "../help/Syntax.ts"

/** A word that can stand at the cursor. */
export interface Candidate {
  readonly value: string
  readonly text: string
}

/** What can stand at the cursor: these words, or what the shell itself knows best. */
export type Completion =
  | { readonly _tag: "Words"; readonly candidates: ReadonlyArray<Candidate> }
  | { readonly _tag: "Files" | "Folders" | "Command" }

/** What the values of a flag can be, where only the program knows; `given` are the flags that are on the line. */
export type Values = (
  flag: string,
  command: string,
  given: ReadonlyMap<string, string>
) => Effect.Effect<ReadonlyArray<Candidate>>

const words = (candidates: ReadonlyArray<Candidate>): Completion => ({ _tag: "Words", candidates })

const nothing = words([])

const file = /^(FILE|PATH)\b/

const folder = /^(FOLDER|DIR|DIRECTORY)\b/

/** What follows is the command of another program. */
const end = "--"

/** The values of a flag that takes a list are separated so. */
const comma = ","

/** What can stand for a placeholder, when the placeholder alone says so. */
const ofPlaceholder = (placeholder: string): Completion | undefined => {
  if (file.test(placeholder)) return { _tag: "Files" }
  if (folder.test(placeholder)) return { _tag: "Folders" }
  const values = Flag.wordsOf(placeholder)
  return values.length === 0 ? undefined : words(values.map((value) => ({ value, text: "" })))
}

const prefixed = (prefix: string, completion: Completion): Completion =>
  completion._tag === "Words"
    ? words(completion.candidates.map(({ text, value }) => ({ value: `${prefix}${value}`, text })))
    : completion

/** What can stand at the end of a command's line, `line` without the command's name, its last word not yet finished. */
export const ofVerb = (verb: Verb, line: ReadonlyArray<string>, values: Values) => {
  const parameters = [...Syntax.parameters(verb.descriptor), ...Syntax.builtIns]
  const flags = new Map(parameters.filter(({ name }) => name.startsWith("-")).map((flag) => [flag.name, flag]))
  const given = new Map<string, string>()
  const current = line.at(-1) ?? ""
  const takesCommand = verb.usage.includes(` ${end} `)

  const valuesOf = ({ name, placeholder }: Syntax.Parameter, typed: string): Effect.Effect<Completion> => {
    const known = ofPlaceholder(placeholder)
    if (known !== undefined) return Effect.succeed(known)
    const several = placeholder.includes(comma)
    const before = several ? typed.slice(0, typed.lastIndexOf(comma) + 1) : ""
    const taken = new Set(before.split(comma))
    return Effect.map(values(name.slice(2), verb.name, given), (candidates) =>
      prefixed(
        before,
        words(candidates.filter(({ value }) => !several || !(value.includes(comma) || taken.has(value))))
      )
    )
  }

  for (let index = 0; index < line.length - 1; index++) {
    const word = line[index] ?? ""
    if (word === end) return Effect.succeed<Completion>(takesCommand ? { _tag: "Command" } : nothing)
    const [name = "", ...rest] = word.split("=")
    const flag = flags.get(name)
    if (flag === undefined) continue
    if (rest.length > 0 || flag.placeholder === "") {
      given.set(name, rest.join("="))
      continue
    }
    index++
    if (index === line.length - 1) return valuesOf(flag, current)
    given.set(name, line[index] ?? "")
  }

  const [name = "", ...rest] = current.split("=")
  const flag = flags.get(name)
  if (rest.length > 0) {
    return flag === undefined || flag.placeholder === ""
      ? Effect.succeed(nothing)
      : Effect.map(valuesOf(flag, rest.join("=")), (completion) => prefixed(`${name}=`, completion))
  }
  const argument = parameters.find((parameter) => !parameter.name.startsWith("-"))
  if (argument !== undefined && !current.startsWith("-")) {
    return Effect.succeed(ofPlaceholder(argument.name) ?? nothing)
  }
  const open = [...flags.values()].filter(({ name, placeholder }) => !given.has(name) || placeholder.includes(comma))
  return Effect.succeed(
    words([
      ...(takesCommand ? [{ value: end, text: "The command, with its own arguments" }] : []),
      ...open.map(({ name: value, text }) => ({ value, text }))
    ])
  )
}

/** What can stand at the end of the line of a program that has commands; `line` without the program's name. */
export const ofProgram = (
  line: ReadonlyArray<string>,
  commands: ReadonlyArray<{ readonly name: string; readonly load: Effect.Effect<Verb> }>,
  values: Values
): Effect.Effect<Completion> => {
  const [first = "", ...rest] = line
  const builtIn = Syntax.builtIns.find(({ name }) => name === first)
  if (line.length === 2 && builtIn !== undefined) {
    return Effect.succeed(ofPlaceholder(builtIn.placeholder) ?? nothing)
  }
  if (line.length > 1 && first !== help.value) {
    const command = commands.find(({ name }) => name === first)
    return command === undefined
      ? Effect.succeed(nothing)
      : Effect.flatMap(command.load, (verb) => ofVerb(verb, rest, values))
  }
  if (line.length > 2) return Effect.succeed(nothing)
  if (first.startsWith("-")) {
    return Effect.succeed(words(Syntax.builtIns.map(({ name: value, text }) => ({ value, text }))))
  }
  return Effect.map(
    Effect.forEach(commands, ({ load, name: value }) =>
      Effect.map(load, ({ descriptor }) => ({ value, text: summary(descriptor) }))
    ),
    (candidates) => words(line.length === 1 ? [...candidates, help] : candidates)
  )
}

const help: Candidate = { value: "help", text: "Show the help of a command" }
