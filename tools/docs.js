// Write the command reference of docs/cli.md from portctl's commands; with --check, compare it only.
import { readFileSync, writeFileSync } from "node:fs"
import { subcommandsOf } from "@port-server/command-line/command/Command"
import { term, usageLines, usageOf } from "@port-server/command-line/help/HelpText"
import { wrap } from "@port-server/command-line/help/Wrap"
import * as Effect from "effect/Effect"
import { portctl } from "../packages/cli/dist/Portctl.js"

const file = new URL("../docs/cli.md", import.meta.url)
const start = "<!-- commands -->\n"
const end = "<!-- /commands -->"
const columns = 100

/** @typedef {import("@port-server/command-line/command/Command").Command} Command */

/** @param {string} text */
const paragraph = (text) => wrap(text.split(" "), columns).join("\n")

/** @param {string} language @param {ReadonlyArray<string>} lines */
const block = (language, lines) => `\`\`\`${language}\n${lines.join("\n")}\n\`\`\``

/** A table with aligned columns. @param {ReadonlyArray<ReadonlyArray<string>>} rows */
const table = (rows) => {
  const cells = rows.map((row) => row.map((text) => text.replaceAll("|", "\\|")))
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  const lines = cells.map((row) => `| ${row.map((text, column) => text.padEnd(widths[column] ?? 0)).join(" | ")} |`)
  return [lines[0], `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`, ...lines.slice(1)].join("\n")
}

/** @param {ReadonlyArray<string>} path @param {Command} command @returns {ReadonlyArray<string>} */
const chapter = (path, { details, examples, exitCodes, parameters, ...command }) => [
  `### ${path.slice(1).join(" ")}`,
  `${command.summary}.`,
  ...details.map(paragraph),
  block("text", usageLines(usageOf(path.join(" "), { details, examples, exitCodes, parameters, ...command }), columns)),
  table([
    ["option", "required", "meaning"],
    ...parameters.map((spec) => [
      `\`${term(spec)}\``,
      spec.isRequired ? "yes" : "no",
      spec.description + (spec.variable === undefined ? "" : `; also \`${spec.variable}\``)
    ])
  ]),
  table([["exit status", "meaning"], ...Object.entries(exitCodes)]),
  block("bash", examples)
]

/** The chapters of a command and of those below it. @param {ReadonlyArray<string>} path @param {Command} command */
const chapters = async (path, command) => {
  /** @type {Array<string>} */
  const found = subcommandsOf(command).length === 0 || command.parameters.length > 0 ? [...chapter(path, command)] : []
  for (const { load, name } of subcommandsOf(command)) {
    found.push(...(await chapters([...path, name], await Effect.runPromise(load))))
  }
  return found
}

const text = readFileSync(file, "utf8")
const [before = "", after = ""] = [text.split(start)[0], text.split(end)[1]]
const current = `${before}${start}\n${(await chapters([portctl.root.name], portctl.root)).join("\n\n")}\n\n${end}${after}`

if (!process.argv.includes("--check")) writeFileSync(file, current)
else if (current !== text) {
  console.error("error: the commands in docs/cli.md are not current; run: npm run docs")
  process.exitCode = 1
}
