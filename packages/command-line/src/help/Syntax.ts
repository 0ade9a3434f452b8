import * as CliConfig from "@effect/cli/CliConfig"
import * as CommandDescriptor from "@effect/cli/CommandDescriptor"
import type { HelpDoc } from "@effect/cli/HelpDoc"
import type { Span } from "@effect/cli/HelpDoc/Span"
import * as Usage from "@effect/cli/Usage"

/** What is shown of a command: any of @effect/cli's, whatever it parses to. */
export type Descriptor = CommandDescriptor.Command<unknown>

/** How both programs parse: flags exactly as written. */
export const config = CliConfig.make({ isCaseSensitive: true, showBuiltIns: false })

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

/** A block of a help document. */
export type Block =
  | { readonly _tag: "Heading"; readonly text: string; readonly level: number }
  | { readonly _tag: "Paragraph"; readonly text: string }
  | { readonly _tag: "Definition"; readonly term: string; readonly text: string }

// What @effect/cli says of every option, which says nothing of this one.
const boilerplate =
  /^(A user-defined piece of text\.|A true or false value\.|This setting is optional\..*|One of the following: .*|)$/

/** The blocks of a help document, in their order. */
export const blocks = (doc: HelpDoc): ReadonlyArray<Block> => {
  switch (doc._tag) {
    case "Header":
      return [{ _tag: "Heading", text: spanText(doc.value), level: doc.level }]
    case "Paragraph":
      return [{ _tag: "Paragraph", text: spanText(doc.value) }]
    case "Sequence":
      return [...blocks(doc.left), ...blocks(doc.right)]
    case "DescriptionList":
      return doc.definitions.map(([term, text]) => ({
        _tag: "Definition",
        term: spanText(term),
        text: blocks(text)
          .map(({ text }) => text)
          .filter((line) => !boilerplate.test(line))
          .join(" ")
      }))
    default:
      return []
  }
}

/** What @effect/cli adds after an author's description. */
const generated = new Set(["OPTIONS", "ARGUMENTS"])

const halves = (descriptor: Descriptor) => {
  const all = blocks(CommandDescriptor.getHelp(descriptor, config))
  const end = all.findIndex((block) => block._tag === "Heading" && block.level === 1 && generated.has(block.text))
  const at = end === -1 ? all.length : end
  return { written: all.slice(0, at), made: all.slice(at) }
}

/** A command's description as its author wrote it. */
export const description = (descriptor: Descriptor): ReadonlyArray<Block> =>
  halves(descriptor).written.filter((block) => !(block._tag === "Heading" && block.level === 1))

/** A flag or an argument of a command. */
export interface Parameter {
  /** `--port` of a flag, `FILE` of an argument. */
  readonly name: string
  /** What stands for the value of a flag; of an argument and of a flag that takes none, nothing. */
  readonly placeholder: string
  readonly text: string
}

/** The shells that `--completions` knows, as its placeholder. */
export const shells = "bash|zsh|fish"

/** The flags and arguments that every command takes, for the help and for completion. */
export const builtIns: ReadonlyArray<Parameter & { readonly term: string }> = [
  { name: "--help", placeholder: "", term: "-h, --help", text: "Show this help" },
  { name: "--version", placeholder: "", term: "--version", text: "Show the version" },
  {
    name: "--completions",
    placeholder: shells,
    term: "--completions SHELL",
    text: "Print completions for bash, zsh or fish"
  }
]

/** The flags and arguments of a command. */
export const parameters = (descriptor: Descriptor): ReadonlyArray<Parameter> =>
  halves(descriptor).made.flatMap((block) => {
    if (block._tag !== "Definition") return []
    const [name = "", ...rest] = block.term.replace(/[<>]/g, "").split(" ")
    return [{ name, placeholder: rest.join("").replace(/(?<!,)\.\.\.$/, ""), text: block.text }]
  })

const parts = (usage: Usage.Usage): ReadonlyArray<Usage.Usage> =>
  usage._tag === "Concat" ? [...parts(usage.left), ...parts(usage.right)] : [usage]

/** A command's line of usage, such as `check --port PORT [--json]`: what is required goes first. */
export const usage = (descriptor: Descriptor): string => {
  const [name = "", ...terms] = parts(CommandDescriptor.getUsage(descriptor)).map((part) =>
    Usage.enumerate(part, config).map(spanText).join(" ").replaceAll(" | ", "|").trim()
  )
  const rank = (term: string) => (term.startsWith("-") ? 0 : term.startsWith("[-") ? 1 : 2)
  return [name, ...terms.filter((term) => term !== "").sort((left, right) => rank(left) - rank(right))].join(" ")
}
