import { visit } from "jsonc-parser"

/** A key that is there for the second time in one object, and where in the text. */
export interface RepeatedKey {
  readonly key: string
  readonly offset: number
}

/** The first such key of a JSON text, if there is one. */
export const find = (text: string): RepeatedKey | undefined => {
  const objects: Array<Set<string>> = []
  let found: RepeatedKey | undefined
  visit(text, {
    onObjectBegin: () => {
      objects.push(new Set())
    },
    onObjectProperty: (key, offset) => {
      const keys = objects.at(-1)
      if (keys?.has(key)) found ??= { key, offset }
      keys?.add(key)
    },
    onObjectEnd: () => {
      objects.pop()
    }
  })
  return found
}
