import { describe, expect, it } from "@effect/vitest"
import { durationText } from "../src/DurationText.ts"

const [second, hour, day] = [1000, 3_600_000, 86_400_000]

describe("durationText", () => {
  it.each([
    [0, "0 seconds"],
    [-5 * second, "0 seconds"],
    [999, "0 seconds"],
    [second, "1 second"],
    [61 * second, "1 minute 1 second"],
    [hour, "1 hour"],
    [hour + second, "1 hour"],
    [3 * hour + 12 * 60 * second + second, "3 hours 12 minutes"],
    [2 * day + 59 * second, "2 days"]
  ])("writes %d ms as %s", (milliseconds, text) => {
    expect(durationText(milliseconds)).toBe(text)
  })

  it("writes as few units as it is asked for", () => {
    expect(durationText(day + hour, 1)).toBe("1 day")
  })
})
