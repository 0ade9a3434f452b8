import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"
import { portRange } from "./Defaults.ts"
import { Port } from "./Port.ts"

/** The ports that auto-assignment hands out, `first` to `last`, both included. */
export class PortRange extends Schema.Class<PortRange>("PortRange")({ first: Port, last: Port }) {
  override toString(): string {
    return `${this.first}-${this.last}`
  }
}

const rangeForm = /^([1-9][0-9]{0,4})-([1-9][0-9]{0,4})$/

const rangeText = Schema.String.annotations({ jsonSchema: { type: "string", pattern: rangeForm.source } })

/** {@link PortRange} written as `3000-9999`. */
export const PortRangeFromText = Schema.transformOrFail(rangeText, Schema.typeSchema(PortRange), {
  strict: true,
  decode: (text, _, ast) => {
    const [, first, last] = rangeForm.exec(text) ?? []
    const [low, high] = [Number(first), Number(last)]
    return Schema.is(Port)(low) && Schema.is(Port)(high) && low <= high
      ? ParseResult.succeed(new PortRange({ first: low, last: high }))
      : ParseResult.fail(
          new ParseResult.Type(
            ast,
            text,
            `range must be two ports like ${portRange.first}-${portRange.last}, the first not above the last`
          )
        )
  },
  encode: (range) => ParseResult.succeed(range.toString())
})
