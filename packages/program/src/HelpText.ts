import * as CliConfig from "@effect/cli/CliConfig"
import * as CommandDescriptor from "@effect/cli/CommandDescriptor"
import type { HelpDoc } from "@effect/cli/HelpDoc"
import type { Span } from "@effect/cli/HelpDoc/Span"
import * as Usage from "@effect/cli/Usage"

/** What is shown of a command: any of @effect/cli's, whatever it parses to. */
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

/** The text of a help document, line by line. */
export const lines = (doc: HelpDoc): ReadonlyArray<string> => {
  switch (doc._tag) {
    case "Header":
    case "Paragraph":
      return spanText(doc.value).split("\n")
    case "Sequence":
      return [...lines(doc.left), ...lines(doc.right)]
    default:
      return []
  }
}

// What @effect/cli says of every option, which says nothing of this one.
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

/** How both programs parse: flags exactly as written. */
export const config = CliConfig.make({ isCaseSensitive: true, showBuiltIns: false })

const columns = (rows: ReadonlyArray<readonly [string, string]>): ReadonlyArray<string> => {
  const width = Math.max(...rows.map(([term]) => term.length))
  return rows.map(([term, text]) => `  ${term.padEnd(width)}  ${text}`.trimEnd())
}

/** A command's line of usage, such as `check --port PORT [--json]`. */
export const usage = (descriptor: Descriptor): string =>
  Usage.enumerate(CommandDescriptor.getUsage(descriptor), config).map(spanText).join(" ").trim()

/** A command's description as its author wrote it: the lines ahead of the options. */
const description = (doc: HelpDoc): ReadonlyArray<string> => {
  const text = lines(doc)
  const heading = text.findIndex((line) => /^(OPTIONS|ARGUMENTS)$/.test(line))
  return (heading === -1 ? text : text.slice(0, heading)).filter((line) => line !== "DESCRIPTION")
}

const builtIns = [
  ["-h, --help", "Show this help"],
  ["--version", "Show the version"],
  ["--completions SHELL", "Print completions for bash, zsh or fish"]
] as const

/**
 * The whole help of a command: plain text for a terminal of 80 columns and more.
 *
 * @param usageLine the whole line of usage, from the program's name on
 */
export const commandHelp = (descriptor: Descriptor, usageLine: string): string => {
  const doc = CommandDescriptor.getHelp(descriptor, config)
  return [
    description(doc).join("\n"),
    `Usage:\n  ${usageLine}`,
    ["Options:", ...columns([...definitions(doc), ...builtIns])].join("\n")
  ].join("\n\n")
}

/** The whole help of a program that has commands, in their order. */
export const programHelp = (
  name: string,
  summary: string,
  commands: ReadonlyArray<{ readonly name: string; readonly descriptor: Descriptor }>
): string =>
  [
    summary,
    `Usage:\n  ${name} COMMAND [OPTIONS]`,
    [
      "Commands:",
      ...columns(
        commands.map(({ name: command, descriptor }) => [
          command,
          description(CommandDescriptor.getHelp(descriptor, config))[0] ?? ""
        ])
      )
    ].join("\n"),
    ["Options:", ...columns(builtIns)].join("\n"),
    `Run "${name} COMMAND --help" for the options of a command.`
  ].join("\n\n")
