import * as Either from "effect/Either"
import * as ManagedBlock from "../dotenv/ManagedBlock.ts"
import type { FileText, Piece } from "./Piece.ts"

const bytesOf = (text: FileText) => Buffer.from(text ?? "", "latin1")
const separator = ", "

/** The text around a block without it: the line break before it is the block's, and the one after it. */
const around = ({ after, before, lineBreak }: ManagedBlock.Found): FileText => {
  const start = before.endsWith(lineBreak) ? before.slice(0, -lineBreak.length) : before
  const rest = after.startsWith(lineBreak) ? after.slice(lineBreak.length) : after
  return start + rest === "" ? undefined : start + rest
}

/** A marked block of a file. Several agents can share it: its title names them, and the last one takes it away. */
export const make = (file: string, agent: string, lines: ReadonlyArray<string>, marks = ManagedBlock.hash): Piece => {
  const find = (text: FileText) => ManagedBlock.find(bytesOf(text), marks)
  const written = (found: ManagedBlock.Found, agents: ReadonlyArray<string>) =>
    ManagedBlock.withBlock(found, agents.join(separator), lines, marks).toString("latin1")
  const agentsOf = ({ block }: ManagedBlock.Found) => (block === undefined ? [] : block.title.split(separator))
  return {
    file,
    added: (text) =>
      Either.map(find(text), (found) => {
        if (found.block !== undefined) return written(found, [...new Set([...agentsOf(found), agent])].sort())
        const { lineBreak } = found
        return written(
          { before: text === undefined || text === "" ? "" : text + lineBreak, after: lineBreak, lineBreak },
          [agent]
        )
      }),
    removed: (text) =>
      Either.map(find(text), (found) => {
        const agents = agentsOf(found)
        if (!agents.includes(agent)) return text
        const others = agents.filter((each) => each !== agent)
        return others.length > 0 ? written(found, others) : around(found)
      })
  }
}
