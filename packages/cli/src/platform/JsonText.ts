import * as Predicate from "effect/Predicate"
import { type Node, parseTree } from "jsonc-parser"

// Own code beside jsonc-parser's `modify`, which formats the members around a change.

/** A member of an object in a JSON text that is set, or removed where its value is `undefined`. */
export interface Change {
  readonly path: ReadonlyArray<string>
  readonly value: unknown
}

/** Where a node ends. */
export const endOf = ({ length, offset }: Node): number => offset + length

/** The member of an object that has this key. */
export const memberOf = (object: Node, key: string): Node | undefined =>
  object.children?.find(({ children: [name] = [] }) => name?.value === key)

const valueIn = (member: Node | undefined): Node | undefined => member?.children?.[1]

/** What is between the members of an object, and between their keys and values. */
interface Layout {
  readonly open: string
  readonly colon: string
  readonly gap: string
  readonly close: string
}

/** The same white space without empty lines, and in one line without what aligns it with other lines. */
const plain = (space: string): string => /\r?\n[^\n]*$/.exec(space)?.[0] ?? space.slice(0, 1)

const plainAround = (sign: string, text: string): string => text.split(sign).map(plain).join(sign)

/** The layout of an object; `undefined` for one without members, and for what is none. */
const layoutOf = (text: string, object: Node): Layout | undefined => {
  const { children: members = [], type } = object
  const [first, previous, last] = [members[0], members.at(-2), members.at(-1)]
  const [key, value] = last?.children ?? []
  if (type !== "object" || !first || !last || !key || !value) return undefined
  const open = plain(text.slice(object.offset + 1, first.offset))
  const colon = plainAround(":", text.slice(endOf(key), value.offset))
  const alone = open.includes("\n") ? open : /\s$/.test(colon) ? " " : ""
  const gap = previous === undefined ? `,${alone}` : plainAround(",", text.slice(endOf(previous), last.offset))
  return { open, colon, gap, close: plain(text.slice(endOf(last), endOf(object) - 1)) }
}

/** The layout for an object among the members of another: that of the last one there, else in one line. */
const layoutAmong = (text: string, parent: Node | undefined): Layout => {
  const siblings = (parent?.children ?? []).map(valueIn).filter(Predicate.isNotUndefined)
  const found = siblings.map((sibling) => layoutOf(text, sibling)).findLast(Predicate.isNotUndefined)
  if (found !== undefined) return found
  const own = parent && layoutOf(text, parent)
  if (own !== undefined && !Object.values(own).join("").includes("\n")) return own
  const space = own === undefined || /\s$/.test(own.colon) ? " " : ""
  return { open: space, colon: `:${space}`, gap: `,${space}`, close: space }
}

const membersText = (members: object, { colon, gap }: Layout): string =>
  Object.entries(members)
    .map(([key, value]) => `${JSON.stringify(key)}${colon}${JSON.stringify(value)}`)
    .join(gap)

const braced = (members: string, { close, open }: Layout): string => `{${open}${members}${close}}`

const valueText = (value: unknown, layout: Layout): string =>
  Predicate.isRecord(value) ? braced(membersText(value, layout), layout) : JSON.stringify(value)

/** The text with another one from an offset to an end. */
const spliced = (text: string, offset: number, end: number, other: string): string =>
  text.slice(0, offset) + other + text.slice(end)

const inserted = (text: string, object: Node, key: string, value: unknown): string => {
  const last = object.children?.at(-1)
  // The parent of a value is the member that it is of.
  const layout = layoutOf(text, object) ?? layoutAmong(text, object.parent?.parent)
  const member = `${JSON.stringify(key)}${layout.colon}${valueText(value, layoutAmong(text, object))}`
  return last === undefined
    ? spliced(text, object.offset, endOf(object), braced(member, layout))
    : spliced(text, endOf(last), endOf(last), layout.gap + member)
}

/** The text without a member and what separates it from one beside it: those that stay keep their lines. */
const without = (text: string, object: Node, member: Node): string => {
  const { children: members = [] } = object
  const index = members.indexOf(member)
  const [before, after] = [members[index - 1], members[index + 1]]
  const hasBreak = (start: number, end: number) => text.slice(start, end).includes("\n")
  if (before === undefined && after === undefined) return spliced(text, object.offset, endOf(object), "{}")
  const isFirstInLine =
    before !== undefined &&
    after !== undefined &&
    hasBreak(endOf(before), member.offset) &&
    !hasBreak(endOf(member), after.offset)
  return before === undefined || isFirstInLine
    ? spliced(text, member.offset, after?.offset ?? endOf(member), "")
    : spliced(text, endOf(before), endOf(member), "")
}

/** The JSON text with a member set or removed: every byte of the others stays. The objects on its path must be there. */
export const changed = (text: string, { path, value }: Change): string => {
  const key = path.at(-1) ?? ""
  const object = path
    .slice(0, -1)
    .reduce<Node | undefined>((node, name) => node && valueIn(memberOf(node, name)), parseTree(text))
  if (object?.type !== "object") return text
  const member = memberOf(object, key)
  const old = valueIn(member)
  if (value === undefined) return member === undefined ? text : without(text, object, member)
  return old === undefined
    ? inserted(text, object, key, value)
    : spliced(text, old.offset, endOf(old), valueText(value, layoutOf(text, old) ?? layoutAmong(text, object)))
}
