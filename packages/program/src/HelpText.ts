import * as CliConfig from "@effect/cli/CliConfig"
import * as CommandDescriptor from "@effect/cli/CommandDescriptor"
import type { HelpDoc } from "@effect/cli/HelpDoc"
import type { Span } from "@effect/cli/HelpDoc/Span"
import * as Usage from "@effect/cli/Usage"
import * as HashSet from "effect/HashSet"

/** What {@link HelpText} shows of a command: any of @effect/cli's, whatever it parses to. */
export type Descriptor = CommandDescriptor.Command<unknown>

const spanText = (span: Span): string => {
  switch (span._tag) {
    case "Text":
    case "URI":
      return span.value
    case "Sequence":
      return spanText(span.left) + spanText(span.right)
    default:
      return spanText(span.value)
  }
}

/** The text of a help document as lines, without the library's own sentences on what a text or a flag is. */
export const lines = (doc: HelpDoc): ReadonlyArray<string> => {
  switch (doc._tag) {
    case "Header":
    case "Paragraph":
      return spanText(doc.value).split("\n")
    case "Sequence":
      return [...lines(doc.left), ...lines(doc.right)]
    case "Enumeration":
      return doc.elements.flatMap(lines)
    default:
      return []
  }
}

const boilerplate = /^(A user-defined piece of text\.|A true or false value\.|This setting is optional\..*|)$/

const definitions = (doc: HelpDoc): ReadonlyArray<readonly [term: string, text: string]> => {
  switch (doc._tag) {
    case "Sequence":
      return [...definitions(doc.left), ...definitions(doc.right)]
    case "DescriptionList":
      return doc.definitions.map(([term, text]) => [
        spanText(term),
        lines(text)
          .filter((line) => !boilerplate.test(line))
          .join(" ")
      ])
    default:
      return []
  }
}

/** How both programs parse: flags exactly as written, no suggestions of the library's own. */
export const config = CliConfig.make({ isCaseSensitive: true, showBuiltIns: false })

const columns = (rows: ReadonlyArray<readonly [string, string]>): ReadonlyArray<string> => {
  const width = Math.max(...rows.map(([term]) => term.length))
  return rows.map(([term, text]) => `  ${term.padEnd(width)}  ${text}`.trimEnd())
}

/** The commands below a command, by name. A command without any counts itself in @effect/cli. */
export const subcommandsOf = (descriptor: Descriptor): ReadonlyMap<string, Descriptor> => {
  const own = CommandDescriptor.getNames(descriptor)
  const below = [...CommandDescriptor.getSubcommands(descriptor)].filter(([name]) => !HashSet.has(own, name))
  return new Map(below.sort(([one], [other]) => one.localeCompare(other)))
}

const nameOf = (descriptor: Descriptor): string => [...CommandDescriptor.getNames(descriptor)].join("|")

/**
 * The command's own line of usage, such as `portctl check --port PORT [--json]`.
 *
 * @param parent what stands before the command's name: the program's name for a subcommand
 */
export const usage = (descriptor: Descriptor, parent?: string): string => {
  const own =
    subcommandsOf(descriptor).size > 0
      ? [nameOf(descriptor), "COMMAND [OPTIONS]"]
      : Usage.enumerate(CommandDescriptor.getUsage(descriptor), config).map(spanText)
  return [...(parent === undefined ? [] : [parent]), ...own].join(" ").trim()
}

/** A command's description as its author wrote it: the paragraphs ahead of the options. */
const description = (doc: HelpDoc): ReadonlyArray<string> => {
  const text = lines(doc)
  const heading = text.findIndex((line) => /^(OPTIONS|ARGUMENTS|COMMANDS)$/.test(line))
  return (heading === -1 ? text : text.slice(0, heading)).filter((line) => line !== "DESCRIPTION")
}

const builtIns = [
  ["-h, --help", "Show this help"],
  ["--version", "Show the version"],
  ["--completions SHELL", "Print completions for bash, zsh or fish"]
] as const

/** The whole help of a command, plain text for a terminal of 80 columns and more; `parent` as in {@link usage}. */
export const help = (descriptor: Descriptor, parent?: string): string => {
  const doc = CommandDescriptor.getHelp(descriptor, config)
  const commands = [...subcommandsOf(descriptor)].map(
    ([name, command]) => [name, description(CommandDescriptor.getHelp(command, config))[0] ?? ""] as const
  )
  const isProgram = commands.length > 0
  const sections = [
    description(doc).join("\n"),
    `Usage:\n  ${usage(descriptor, parent)}`,
    ...(isProgram ? [["Commands:", ...columns(commands)].join("\n")] : []),
    ["Options:", ...columns([...(isProgram ? [] : definitions(doc)), ...builtIns])].join("\n"),
    ...(isProgram ? [`Run "${nameOf(descriptor)} COMMAND --help" for the options of a command.`] : [])
  ]
  return sections.join("\n\n")
}
