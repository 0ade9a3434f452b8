import * as Schema from "effect/Schema"

/** Whether a number is a whole one of a range, both ends included. */
export const isIntegerBetween = (low: number, high: number) => (value: number) =>
  Number.isInteger(value) && value >= low && value <= high && !Object.is(value, -0)

/** A TCP or UDP port number that can be owned: an integer from 1 to 65535 (RFC 6335, section 6; 0 is reserved). */
export const Port = Schema.Number.pipe(
  Schema.filter(isIntegerBetween(1, 65535)),
  Schema.annotations({
    description: "a port number",
    examples: [5432],
    jsonSchema: { type: "integer", minimum: 1, maximum: 65535 },
    message: () => ({ message: "port must be an integer from 1 to 65535", override: true })
  }),
  // Which takes the identifier away.
  Schema.brand("Port", { identifier: "Port" })
)
/** A TCP or UDP port number that can be owned: an integer from 1 to 65535. */
export type Port = typeof Port.Type

/** A port asked for: an integer from 1 to 65535, or 0 for "any". */
export const RequestedPort = Schema.Number.pipe(
  Schema.filter(isIntegerBetween(0, 65535)),
  Schema.annotations({
    identifier: "RequestedPort",
    description: "a port number, or 0 for any",
    jsonSchema: { type: "integer", minimum: 0, maximum: 65535 },
    message: () => ({ message: "port must be an integer from 1 to 65535, or 0 for any", override: true })
  })
)

const digits = /^(0|[1-9][0-9]{0,15})$/

/**
 * A whole number written in decimal digits, as in a path, a query or a flag: no sign, no leading zeros, no spaces.
 * What is not one decodes to `NaN`, so that the schema behind it says what it wanted.
 */
export const NumberFromDigits = Schema.transform(Schema.String, Schema.Number, {
  strict: true,
  decode: (text) => (digits.test(text) ? Number(text) : Number.NaN),
  encode: String
})

/** {@link Port} written in digits. */
export const PortFromDigits = Schema.compose(NumberFromDigits, Port)

/** {@link RequestedPort} written in digits. */
export const RequestedPortFromDigits = Schema.compose(NumberFromDigits, RequestedPort)

/**
 * Ports that browsers refuse to open. Source: the Fetch standard, section "Port blocking", "bad port"
 * (https://fetch.spec.whatwg.org/#port-blocking), without its port 0.
 */
export const badPorts: ReadonlySet<number> = new Set([
  1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
  111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
  540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061,
  6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080
])
