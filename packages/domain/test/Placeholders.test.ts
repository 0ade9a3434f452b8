import { describe, expect, it } from "@effect/vitest"
import { fill, literalsIn } from "../src/Placeholders.ts"

describe("the texts around the ports of a template", () => {
  it.each([
    ["{web}", ["", ""]],
    ["http://localhost:{web}/u/{id}", ["http://localhost:", "/u/{id}"]],
    ["{web}{db}", ["", "", ""]],
    ["{{db}:{db}:{", ["{db}:", ":{"]],
    ["a {b} c", ["a {b} c"]]
  ])("of %s are what is left of it", (template, literals) => {
    const ports = new Map([
      ["web", "3000"],
      ["db", "3001"]
    ])
    expect(literalsIn(template, ports.keys())).toEqual(literals)
    const pattern = literals.map((text) => text.replace(/[$()*+.?[\\\]^{|}]/g, "\\$&")).join("300[01]")
    expect(fill(template, ports)).toMatch(new RegExp(`^${pattern}$`))
  })
})
