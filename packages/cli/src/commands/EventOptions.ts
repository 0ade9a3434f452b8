import * as Flag from "@port-server/command-line/command/Flag"
import { NumberFromDigits } from "@port-server/domain/Port"
import { isTimestamp, timestampOf } from "@port-server/domain/Timestamp"
import * as Duration from "effect/Duration"
import * as ParseResult from "effect/ParseResult"
import * as Schema from "effect/Schema"

const units = { s: "seconds", m: "minutes", h: "hours", d: "days", w: "weeks" } as const
const duration = /^([1-9][0-9]{0,5})(s|m|h|d|w)$/

/** A day or a time of it, in UTC where it has no zone, as `log` prints it. */
const timeForm = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d)(:\d\d(?:\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?$/

/** The time in ms since 1970; not a number where there is no such time. */
const millisecondsOf = (text: string): number => {
  const [, day = "", minutes = "00:00", seconds = ":00", zone = "Z"] = timeForm.exec(text) ?? []
  // Of a day that a month does not have, JavaScript takes one of the next month.
  return isTimestamp(`${day}T00:00:00Z`) ? Date.parse(`${day}T${minutes}${seconds}${zone}`) : Number.NaN
}

const isUnit = (text: string): text is keyof typeof units => text in units

/** How long ago, or a time in ms since 1970. */
type Since = { readonly ago: Duration.Duration } | { readonly time: number }

const Since = Schema.Union(Schema.Struct({ ago: Schema.DurationFromSelf }), Schema.Struct({ time: Schema.Number }))

const SinceFromText = Schema.transformOrFail(Schema.String, Since, {
  strict: true,
  decode: (text, _, ast) => {
    const [, amount, unit = ""] = duration.exec(text) ?? []
    if (isUnit(unit)) return ParseResult.succeed({ ago: Duration.decode(`${Number(amount)} ${units[unit]}`) })
    const time = millisecondsOf(text)
    return Number.isNaN(time)
      ? ParseResult.fail(
          new ParseResult.Type(
            ast,
            text,
            "since must be a duration like 30m, 1h or 2d, or a time like 2025-02-08T15:04:05Z"
          )
        )
      : ParseResult.succeed({ time })
  },
  encode: (since, _, ast) => ParseResult.fail(new ParseResult.Forbidden(ast, since, "it is only read"))
})

/** From when on events are shown. */
export const since = Flag.text({
  name: "since",
  placeholder: "TIME",
  description: "All events since then: 30m, 1h or 2d ago, or a time (UTC)"
}).pipe(Flag.withSchema(SinceFromText), Flag.optional)

/** How many events are shown at most. */
export const limit = Flag.number(
  { name: "limit", placeholder: "NUMBER", description: "At most this many, the newest ones (default: 50)" },
  NumberFromDigits.pipe(
    Schema.filter((limit) => limit >= 1 && limit <= 500),
    Schema.annotations({ message: () => ({ message: "limit must be an integer from 1 to 500", override: true }) })
  )
).pipe(Flag.optional)

/** The time in the form of the API. */
export const timeOf = (since: Since, now: number): string => {
  const time = "time" in since ? since.time : now - Duration.toMillis(since.ago)
  return timestampOf(Math.max(0, time))
}
