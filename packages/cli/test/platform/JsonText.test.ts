import { describe, expect, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { type Change, changed } from "../../src/platform/JsonText.ts"

type Fields = Readonly<Record<string, number | string>>
type Services = ReadonlyArray<readonly [name: string, fields: Fields]>

const fields = FastCheck.record({ env: FastCheck.constantFrom("PORT", '{ "x": 1 },', "a\\nb") }, { requiredKeys: [] })
const portFields = FastCheck.constantFrom<Fields>({}, { prefer: 3000 }, { prefer: 3000, size: 2 })
const service = FastCheck.record({
  name: FastCheck.constantFrom("web", "db", "a b", '"', "w{e}b", "x:y", "z,"),
  fields: FastCheck.tuple(fields, portFields).map(([env, ports]): Fields => ({ ...env, ...ports }))
})
const services = FastCheck.uniqueArray(service, { minLength: 1, maxLength: 5, selector: ({ name }) => name }).map(
  (list): Services => list.map(({ fields, name }, index) => [name, index === 0 ? { env: "FIRST", ...fields } : fields])
)

/** What is done to the services: the change of the text, and what they are then. */
interface Operation {
  readonly change: Change
  readonly after: Services
}

/** Everything that can be done to some services; the only one is not removed. */
const operationsOn = (before: Services): ReadonlyArray<Operation> => [
  ...[{ env: "NEW" }, { env: "NEW", prefer: 5, size: 2 }].map(
    (value): Operation => ({ change: { path: ["services", "new"], value }, after: [...before, ["new", value]] })
  ),
  ...before.flatMap(([name, fields], index): ReadonlyArray<Operation> => {
    const set = { ...fields, prefer: 5 }
    return [
      {
        change: { path: ["services", name, "prefer"], value: 5 },
        after: before.map((each, other) => (other === index ? [name, set] : each))
      },
      ...(before.length === 1
        ? []
        : [{ change: { path: ["services", name], value: undefined }, after: before.filter((_, at) => at !== index) }])
    ]
  })
]

const projectOf = (services: Services) => ({
  app: '{"services": {}}',
  services: Object.fromEntries(services),
  variables: { A: "{web}" }
})

/** Each object in one line, or each member in its own, as a person would write it. */
interface Style {
  readonly unit: string
  readonly lineBreak: string
  /** How many levels of objects have their members in lines of their own. */
  readonly levels: number
  readonly brace: string
  readonly space: string
}

const styles = FastCheck.record({
  unit: FastCheck.constantFrom("  ", "    ", "\t", " "),
  lineBreak: FastCheck.constantFrom("\n", "\r\n"),
  levels: FastCheck.integer({ min: 0, max: 3 }),
  brace: FastCheck.constantFrom("", " "),
  space: FastCheck.constantFrom("", " ")
})

const written = (value: object | number | string, style: Style, level = 0): string => {
  if (typeof value !== "object") return JSON.stringify(value)
  const entries = Object.entries(value)
  if (entries.length === 0) return "{}"
  const isOpen = level < style.levels
  const lineAt = (depth: number) => style.lineBreak + style.unit.repeat(depth)
  const members = entries.map(
    ([key, each]) => `${JSON.stringify(key)}:${style.space}${written(each, style, level + 1)}`
  )
  return isOpen
    ? `{${lineAt(level + 1)}${members.join(`,${lineAt(level + 1)}`)}${lineAt(level)}}`
    : `{${style.brace}${members.join(`,${style.space}`)}${style.brace}}`
}

const spaces = FastCheck.infiniteStream(
  FastCheck.constantFrom("", "", " ", "   ", "\t", "\n", "\n  ", "\n\n    ", "\r\n\t", " \r\n \r\n  ")
)

/** With any white space in each place that may have some. */
const scattered = (value: object | number | string, space: () => string): string => {
  if (typeof value !== "object") return JSON.stringify(value)
  const members = Object.entries(value).map(
    ([key, each]) => `${space()}${JSON.stringify(key)}${space()}:${space()}${scattered(each, space)}${space()}`
  )
  return `{${members.length === 0 ? space() : members.join(",")}}`
}

const commonLength = (one: string, other: string): number => {
  let length = 0
  while (length < Math.min(one.length, other.length) && one[length] === other[length]) length++
  return length
}

const reversed = (text: string) => [...text].toReversed().join("")

describe("a change of a JSON text", () => {
  it("leaves what whoever wrote the file would have written", () => {
    FastCheck.assert(
      FastCheck.property(services, styles, (before, style) => {
        for (const { after, change } of operationsOn(before)) {
          expect(changed(written(projectOf(before), style), change)).toBe(written(projectOf(after), style))
        }
      }),
      { numRuns: 2000 }
    )
  })

  it("leaves every byte of the other members, however they are laid out", () => {
    FastCheck.assert(
      FastCheck.property(services, spaces, (before, stream) => {
        const text = scattered(projectOf(before), () => stream.next().value)
        for (const { after, change } of operationsOn(before)) {
          const result = changed(text, change)
          expect(JSON.stringify(JSON.parse(result))).toBe(JSON.stringify(projectOf(after)))
          // One piece was put in, taken out or replaced.
          const start = commonLength(text, result)
          const end = Math.min(
            commonLength(reversed(text), reversed(result)),
            Math.min(text.length, result.length) - start
          )
          const [was, is] = [text, result].map((whole) => whole.slice(start, whole.length - end))
          if (change.value === undefined) expect(is).toBe("")
          else if (typeof change.value === "object") expect(was?.trim()).toBe("")
          else expect(was).toMatch(/^(\d*|\{\s*\}|\s*)$/)
        }
      }),
      { numRuns: 2000 }
    )
  })

  for (const [name, text, change, wanted] of [
    [
      "commas before members",
      '{"services":\n  { "a": {"env": "A"}\n  , "b": {"env": "B"}\n  }}',
      { path: ["services", "c"], value: { env: "C" } },
      '{"services":\n  { "a": {"env": "A"}\n  , "b": {"env": "B"}\n  , "c": {"env": "C"}\n  }}'
    ],
    [
      "braces in lines of their own",
      '{\n  "services":\n  {\n    "a":\n    {\n      "env": "A"\n    }\n  }\n}\n',
      { path: ["services", "b"], value: { env: "B", size: 2 } },
      '{\n  "services":\n  {\n    "a":\n    {\n      "env": "A"\n    },\n    "b":\n    {\n      "env": "B",\n      "size": 2\n    }\n  }\n}\n'
    ],
    [
      "several members in each line",
      '{"services": {\n  "a": {}, "b": {},\n  "c": {}, "d": {}\n}}',
      { path: ["services", "c"], value: undefined },
      '{"services": {\n  "a": {}, "b": {},\n  "d": {}\n}}'
    ],
    [
      "columns and empty lines",
      '{\n  "services": {\n    "web":    { "env": "W",  "size":   2 },\n\n    "worker": { "env": "WO", "size": 100 }\n  }\n}\n',
      { path: ["services", "db"], value: { env: "DB" } },
      '{\n  "services": {\n    "web":    { "env": "W",  "size":   2 },\n\n    "worker": { "env": "WO", "size": 100 },\n    "db": { "env": "DB" }\n  }\n}\n'
    ],
    [
      "no members from which to take the layout",
      '{\n  "services": {\n    "a": {}\n  }\n}\n',
      { path: ["services", "b"], value: { env: "B" } },
      '{\n  "services": {\n    "a": {},\n    "b": { "env": "B" }\n  }\n}\n'
    ],
    [
      "an escaped key",
      '{"services": {"\\u0061": {}, "b": {}}}',
      { path: ["services", "a"], value: undefined },
      '{"services": {"b": {}}}'
    ]
  ] as const) {
    it(`follows ${name}`, () => {
      expect(changed(text, change)).toBe(wanted)
    })
  }
})
