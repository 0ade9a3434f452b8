import * as Either from "effect/Either"
import { getNodeValue, type Node, type ParseError, parseTree } from "jsonc-parser"
import { endOf, memberOf } from "../platform/JsonText.ts"
import type { FileText, Piece } from "./Piece.ts"

// Own code beside jsonc-parser's `modify`, which formats what is around a change: here one piece of text goes in, and the
// very same comes out.

/** The container that a path leads to as far as there is one, and what of the path is left. */
interface Place {
  readonly container: Node
  readonly rest: ReadonlyArray<string>
  /** The containers above it, from the root. */
  readonly above: ReadonlyArray<Node>
}

const follow = (root: Node, path: ReadonlyArray<string>): Place => {
  let container = root
  const above: Array<Node> = []
  for (const [index, key] of path.entries()) {
    const next = container.type === "object" ? memberOf(container, key)?.children?.[1] : undefined
    if (next === undefined || (index === path.length - 1 && next.type !== "array")) {
      return { container, rest: path.slice(index), above }
    }
    above.push(container)
    container = next
  }
  return { container, rest: [], above }
}

/** How the lines of a file are indented; by two spaces where none is. */
const indentationOf = (text: string): string => /^([ \t]+)\S/m.exec(text)?.[1] ?? "  "

/** The white space that the line of an offset begins with. */
const indentAt = (text: string, offset: number): string =>
  /^[ \t]*/.exec(text.slice(text.lastIndexOf("\n", offset - 1) + 1))?.[0] ?? ""

const inserted = (text: string, { container, rest }: Place, value: unknown): string => {
  const unit = indentationOf(text)
  const lineBreak = text.includes("\r\n") ? "\r\n" : "\n"
  const outer = indentAt(text, container.offset)
  const [key, ...inner] = rest
  const nested = inner.reduceRight<unknown>((below, name) => ({ [name]: below }), value)
  const json = JSON.stringify(nested, undefined, unit).replaceAll("\n", lineBreak + outer + unit)
  const item = lineBreak + outer + unit + (key === undefined ? json : `${JSON.stringify(key)}: ${json}`)
  const last = container.children?.at(-1)
  if (last !== undefined) return `${text.slice(0, endOf(last))},${item}${text.slice(endOf(last))}`
  const start = container.offset + 1
  const isOpen = text.slice(start, endOf(container) - 1).includes("\n")
  return text.slice(0, start) + item + (isOpen ? "" : lineBreak + outer) + text.slice(start)
}

/** The text without a child of a container; where it is the only one, once with the white space after it, once without. */
const without = (text: string, container: Node, child: Node): ReadonlyArray<string> => {
  const siblings = container.children ?? []
  const index = siblings.indexOf(child)
  const [before, after] = [siblings[index - 1], siblings[index + 1]]
  if (before !== undefined) return [text.slice(0, endOf(before)) + text.slice(endOf(child))]
  if (after !== undefined) return [text.slice(0, child.offset) + text.slice(after.offset)]
  const start = text.slice(0, container.offset + 1)
  return [start + text.slice(endOf(container) - 1), start + text.slice(endOf(child))]
}

const hasValue = (node: Node, value: unknown): boolean => JSON.stringify(getNodeValue(node)) === JSON.stringify(value)

const parse = (text: string): Either.Either<Node, string> => {
  const errors: Array<ParseError> = []
  const root = parseTree(text, errors, { allowTrailingComma: true })
  return errors.length === 0 && root?.type === "object" ? Either.right(root) : Either.left("is not a JSON object")
}

/**
 * A value in a JSON file: a member of an object by its path, or, with `isElement`, an element of the array there.
 *
 * @param base what a new file has beside the value
 */
export const make = (
  file: string,
  path: ReadonlyArray<string>,
  value: unknown,
  { base = {}, isElement = false }: { readonly base?: object; readonly isElement?: boolean } = {}
): Piece => {
  const skeleton = `${JSON.stringify(base, undefined, 2)}\n`
  /** The node of the value, with its container and those above. */
  const find = (root: Node) => {
    const { above, container, rest } = follow(root, path)
    if (isElement) {
      const node = container.children?.find((each) => hasValue(each, value))
      return rest.length === 0 && node !== undefined ? { node, containers: [...above, container] } : undefined
    }
    const node = rest.length === 1 ? memberOf(container, rest[0] ?? "") : undefined
    return node === undefined ? undefined : { node, containers: [...above, container] }
  }
  const add = (text: string): Either.Either<string, string> =>
    Either.flatMap(parse(text), (root) => {
      if (find(root) !== undefined) return Either.right(text)
      const place = follow(root, path)
      const isFit = place.rest.length === 0 ? place.container.type === "array" : place.container.type === "object"
      const taken = place.rest[0] === undefined ? undefined : memberOf(place.container, place.rest[0])
      if (!isFit || taken !== undefined) return Either.left(`has something else at ${path.join(".")}`)
      return Either.right(inserted(text, place, isElement && place.rest.length > 0 ? [value] : value))
    })
  const remove = (text: string): Either.Either<FileText, string> =>
    Either.map(parse(text), (root) => {
      const found = find(root)
      const leaf = found?.node.type === "property" ? found.node.children?.[1] : found?.node
      // What somebody has changed since is theirs.
      if (found === undefined || leaf === undefined || !hasValue(leaf, value)) return text
      const { containers, node } = found
      const candidates: Array<string> = []
      let child: Node = node
      for (const container of containers.toReversed()) {
        candidates.unshift(...without(text, container, child))
        if (container.children?.length !== 1 || container.parent === undefined) break
        child = container.parent.type === "property" ? container.parent : container
      }
      const isBefore = (candidate: string) => Either.getOrElse(add(candidate), () => "") === text
      const before = candidates.find(isBefore) ?? candidates[0]
      return before === skeleton ? undefined : before
    })
  return {
    file,
    added: (text) => add(text ?? skeleton),
    removed: (text) => (text === undefined ? Either.right(undefined) : remove(text))
  }
}
