import { readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"

const root = new URL("../../", import.meta.url)

/** A file of the repository, by its path from the top. */
export const readDocument = (path: string): string => readFileSync(new URL(path, root), "utf8")

/** The path on this machine of a file of the repository. */
export const documentPath = (path: string): string => fileURLToPath(new URL(path, root))

/** The contents of the fenced code blocks of a language, in their order. */
export const codeBlocks = (markdown: string, language: string): ReadonlyArray<string> =>
  [...markdown.matchAll(/^```(\S+)\n([\s\S]*?)^```$/gm)].flatMap(([, of, code = ""]) => (of === language ? [code] : []))

/** The document without its fenced code blocks, line by line: each line of such a block is empty. */
export const withoutCodeBlocks = (markdown: string): string =>
  markdown.replace(/^```[\s\S]*?^```$/gm, (block) => block.replace(/.+/g, ""))

/** The part of a document from the heading with this text to the next heading of the same or a higher level. */
export const section = (markdown: string, heading: string): string => {
  const levels = withoutCodeBlocks(markdown)
    .split("\n")
    .map((line) => ({ level: /^#+(?= )/.exec(line)?.[0].length ?? Number.POSITIVE_INFINITY, text: line }))
  const start = levels.findIndex(({ level, text }) => text.slice(level + 1) === heading)
  if (start === -1) throw new Error(`no heading ${JSON.stringify(heading)}`)
  const top = levels[start]?.level ?? 0
  const length = levels.slice(start + 1).findIndex(({ level }) => level <= top)
  return markdown
    .split("\n")
    .slice(start, length === -1 ? undefined : start + 1 + length)
    .join("\n")
}
