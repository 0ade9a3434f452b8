import { escapeControls } from "@port-server/domain/Name"
import { clip } from "../output/DisplayWidth.ts"
import { summary } from "../output/ListenerFormat.ts"
import { instanceLabel } from "../project/PlaceNotes.ts"
import type { WorkingCopyContext } from "./WorkingCopyContext.ts"

/** Longest text, in characters: it goes into prompts. */
const longest = 2000

/** Longest line, so that no single one takes the place of all others. */
const longestLine = 160

const linesOf = (
  { app, folder, instance, services, siblings, variables }: WorkingCopyContext,
  notes: ReadonlyArray<string>
) => [
  `working copy ${instanceLabel({ app, instance })} in ${folder}`,
  ...services.map(({ listeners, port, service, state }) => {
    const process = summary(listeners)
    if (port === undefined) return `service ${service}: no port yet`
    return `service ${service}: port ${port}, ${state}${process === "" ? "" : `, ${process}`}`
  }),
  ...Object.entries(variables).map(([name, value]) => `variable ${name}=${value}`),
  ...notes,
  ...siblings.map((sibling) => {
    const ports = sibling.ports.map(({ port, service }) => `${service} ${port}`).join(", ")
    return `not yours: ${app}/${sibling.instance}${sibling.folder === undefined ? "" : ` in ${sibling.folder}`}: ${ports}`
  })
]

/** The context as text for a prompt, never longer than 2,000 characters; what has no place in it is counted. */
export const format = (context: WorkingCopyContext, notes: ReadonlyArray<string>): string => {
  const lines = linesOf(context, notes).map((line) => clip(escapeControls(line), longestLine, "end"))
  const shown: Array<string> = []
  let length = 0
  const more = (count: number) => `${count} more lines: portctl context --json`
  for (const [index, line] of lines.entries()) {
    const rest = lines.length - index - 1
    const needed = rest === 0 ? 0 : more(rest).length + 1
    if (length + line.length + 1 + needed >= longest) return [...shown, more(rest + 1)].join("\n")
    shown.push(line)
    length += line.length + 1
  }
  return shown.join("\n")
}
