import { describe, expect, it } from "@effect/vitest"
import { Allocation, AllocationId, AllocationIdFromDigits } from "@port-server/domain/Allocation"
import { AllocationFilter, isEmptyFilter, ReleaseFilter, SelectorFromQuery } from "@port-server/domain/AllocationFilter"
import { AllocationRequest } from "@port-server/domain/AllocationRequest"
import { Health } from "@port-server/domain/api/Health"
import { PortStatus, ReleaseManyResult, ReleaseResult } from "@port-server/domain/api/Results"
import {
  AllocationNotFound,
  InvalidRequest,
  PortTaken,
  RangeExhausted,
  StorageFull,
  StorageUnavailable
} from "@port-server/domain/Errors"
import { escapeControls } from "@port-server/domain/Name"
import { badPorts, Port, PortFromDigits, RequestedPort, RequestedPortFromDigits } from "@port-server/domain/Port"
import { PortRangeFromText } from "@port-server/domain/PortRange"
import { AddressFromText } from "@port-server/domain/ServerAddress"
import * as Arbitrary from "effect/Arbitrary"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"

const names = FastCheck.fullUnicodeString({ minLength: 1, maxLength: 40 }).filter((text) =>
  Schema.is(AllocationRequest)({ app: text, instance: "i", service: "s" })
)
const ports = FastCheck.integer({ min: 1, max: 65_535 })
const requestedPorts = FastCheck.oneof(FastCheck.constant(0), ports)
const ids = FastCheck.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const texts = FastCheck.string16bits()
const allocations = FastCheck.record({
  id: ids,
  app: texts,
  instance: texts,
  service: texts,
  port: FastCheck.integer(),
  created_at: texts
})
const selectors = FastCheck.record(
  {
    app: FastCheck.fullUnicodeString(),
    instance: FastCheck.fullUnicodeString(),
    service: FastCheck.fullUnicodeString(),
    port: requestedPorts
  },
  { requiredKeys: [] }
)
const anything = FastCheck.oneof(
  FastCheck.anything(),
  FastCheck.jsonValue(),
  FastCheck.record(
    { app: FastCheck.jsonValue(), instance: texts, service: texts, port: FastCheck.jsonValue() },
    { requiredKeys: [] }
  )
)

/** Each schema of the API, with wire values that it must read. */
const wires: ReadonlyArray<readonly [title: string, schema: Schema.Schema.AnyNoContext, FastCheck.Arbitrary<unknown>]> =
  [
    ["Port", Port, ports],
    ["RequestedPort", RequestedPort, requestedPorts],
    ["AllocationId", AllocationId, ids],
    ["PortFromDigits", PortFromDigits, ports.map(String)],
    ["RequestedPortFromDigits", RequestedPortFromDigits, requestedPorts.map(String)],
    ["AllocationIdFromDigits", AllocationIdFromDigits, FastCheck.integer({ min: 1, max: 9_999_999_999 }).map(String)],
    [
      "PortRangeFromText",
      PortRangeFromText,
      FastCheck.tuple(ports, ports).map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`)
    ],
    [
      "AllocationRequest",
      AllocationRequest,
      FastCheck.record(
        { app: names, instance: names, service: names, port: requestedPorts },
        { requiredKeys: ["app", "instance", "service"] }
      )
    ],
    ["Allocation", Allocation, allocations],
    ["AllocationFilter", AllocationFilter, selectors],
    ["ReleaseFilter", ReleaseFilter, selectors.map((selector) => ({ ...selector, app: "a" }))],
    [
      "SelectorFromQuery",
      SelectorFromQuery,
      selectors.map(({ port, ...rest }) => (port === undefined ? rest : { ...rest, port: String(port) }))
    ],
    ["Health", Health, FastCheck.constant({ status: "ok" })],
    ["ReleaseResult", ReleaseResult, FastCheck.constant({ status: "deleted" })],
    ["ReleaseManyResult", ReleaseManyResult, FastCheck.record({ deleted: FastCheck.nat() })],
    [
      "PortStatus",
      PortStatus,
      FastCheck.record(
        { port: ports, available: FastCheck.boolean(), holder: allocations },
        { requiredKeys: ["port", "available"] }
      )
    ],
    ["InvalidRequest.body", InvalidRequest.body, FastCheck.record({ error: texts })],
    ["AllocationNotFound.body", AllocationNotFound.body, FastCheck.constant({ error: "allocation not found" })],
    [
      "PortTaken.body",
      PortTaken.body,
      FastCheck.record({ error: FastCheck.constant("port already allocated"), holder: allocations })
    ],
    ["RangeExhausted.body", RangeExhausted.body, FastCheck.record({ error: texts })],
    ["StorageFull.body", StorageFull.body, FastCheck.record({ error: texts })],
    ["StorageUnavailable.body", StorageUnavailable.body, FastCheck.record({ error: texts })],
    [
      "AddressFromText",
      AddressFromText,
      FastCheck.tuple(FastCheck.constantFrom("127.0.0.1", "localhost", "[::1]", "my-host.example"), ports).map(
        ([host, port]) => `${host}:${port}`
      )
    ]
  ]

describe("on the wire", () => {
  for (const [title, schema, values] of wires) {
    it.prop(`${title}: what was decoded is encoded to what it was`, { value: values }, ({ value }) => {
      expect(Schema.encodeUnknownSync(schema)(Schema.decodeUnknownSync(schema)(value))).toEqual(value)
    })

    it.prop(
      `${title}: its decoder never throws, and what it refuses it can put into words`,
      { value: anything },
      (_) => {
        const result = Schema.decodeUnknownEither(schema)(_.value)
        if (Either.isRight(result)) expect(Schema.encodeUnknownSync(schema)(result.right)).toBeDefined()
        else expect(InvalidRequest.fromParseError(result.left).message).toMatch(/./)
      }
    )
  }

  const generated = <A, I>(title: string, schema: Schema.Schema<A, I>) =>
    it.prop(
      `${title}: everything that the schema itself generates survives encoding and decoding`,
      { value: Arbitrary.make(schema) },
      ({ value }) => {
        expect(Schema.decodeSync(schema)(Schema.encodeSync(schema)(value))).toEqual(value)
      }
    )
  generated("Port", Port)
  generated("RequestedPort", RequestedPort)
  generated("AllocationId", AllocationId)
  generated("ReleaseManyResult", ReleaseManyResult)
  generated("AllocationFilter", AllocationFilter)
})

describe("a name", () => {
  const decode = Schema.decodeUnknownEither(AllocationRequest)
  const ofName = (app: string) => decode({ app, instance: "i", service: "s" })
  const fragment = FastCheck.oneof(
    FastCheck.string16bits({ maxLength: 5 }),
    FastCheck.fullUnicodeString({ maxLength: 5 }),
    FastCheck.constantFrom("\u0000", "\u001b", "\u007f", "\u0085", "\u202e", "\u2066", " ", "\ud800", "\udc00", "🦀")
  )
  const candidates = FastCheck.oneof(
    FastCheck.array(fragment, { maxLength: 8 }).map((parts) => parts.join("")),
    FastCheck.tuple(FastCheck.constantFrom("x", "🦀"), FastCheck.integer({ min: 250, max: 260 })).map(([char, count]) =>
      char.repeat(count)
    )
  )

  it.prop(
    "that is accepted is well-formed, not blank, 1 to 255 code points, without controls, and one that is not is refused",
    { name: candidates },
    ({ name }) => {
      const length = [...name].length
      const good =
        name.trim() !== "" &&
        length <= 255 &&
        !/\p{Surrogate}/u.test(name) &&
        !/[\p{Cc}\u2028\u2029]|\p{Bidi_Control}/u.test(name)
      expect(Either.isRight(ofName(name)), JSON.stringify(name)).toBe(good)
    },
    { fastCheck: { numRuns: 500 } }
  )

  it.prop("is kept as given", { name: names }, ({ name }) => {
    expect(Either.getOrThrow(ofName(name)).app).toBe(name)
  })

  it.prop("that is shown has no control characters, whatever was stored", { name: texts }, ({ name }) => {
    expect(escapeControls(name)).not.toMatch(/[\p{Cc}\u2028\u2029]|\p{Bidi_Control}/u)
  })

  it("of an owner is shown with its controls escaped", () => {
    const { owner } = Schema.decodeUnknownSync(Allocation)({
      id: 1,
      app: "a\u001b[31m",
      instance: "b\u202e",
      service: "c",
      port: 80,
      created_at: "2025-02-08T15:04:05Z"
    })
    expect(owner).toBe("a\\u{1b}[31m/b\\u{202e}/c")
  })
})

describe("a port", () => {
  it.prop("is an integer from 1 to 65535, and nothing else", { value: FastCheck.double() }, ({ value }) => {
    const good = Number.isInteger(value) && value >= 1 && value <= 65_535
    expect(Schema.is(Port)(value)).toBe(good)
  })

  for (const value of [0, -0, -1, 65_536, 1.5, Number.NaN, Number.POSITIVE_INFINITY, "80", null, true, [80], {}, 80n]) {
    it(`is not ${typeof value} ${String(value)}`, () => {
      expect(Schema.is(Port)(value)).toBe(false)
    })
  }

  it("asked for may be 0", () => {
    expect(Schema.is(RequestedPort)(0)).toBe(true)
  })

  it.prop("in digits is read as that number", { port: ports }, ({ port }) => {
    expect(Schema.decodeUnknownSync(PortFromDigits)(String(port))).toBe(port)
  })

  for (const text of ["", " ", "80 ", " 80", "+80", "-80", "8e1", "80.0", "0x50", "٨٠", "8_0", "NaN", "65536", "0"]) {
    it(`in digits is not ${JSON.stringify(text)}`, () => {
      expect(Either.isLeft(Schema.decodeUnknownEither(PortFromDigits)(text))).toBe(true)
    })
  }

  it("that browsers refuse is one of the Fetch standard's list", () => {
    expect(badPorts.size).toBe(82)
    expect([...badPorts].every((port) => Schema.is(Port)(port))).toBe(true)
    for (const port of [1, 22, 4190, 6000, 6566, 6665, 6669, 6679, 6697, 10_080]) expect(badPorts.has(port)).toBe(true)
    for (const port of [80, 443, 3000, 5432, 6664, 6670, 8080]) expect(badPorts.has(port)).toBe(false)
  })
})

describe("a range", () => {
  it.prop("is two ports in their order", { first: ports, last: ports }, ({ first, last }) => {
    const result = Schema.decodeUnknownEither(PortRangeFromText)(`${first}-${last}`)
    expect(Either.isRight(result)).toBe(first <= last)
    if (Either.isRight(result)) expect({ ...result.right }).toEqual({ first, last })
  })

  for (const text of [
    "",
    "-",
    "3000",
    "3000-",
    "-9999",
    "0-10",
    "1-65536",
    "3000 - 9999",
    "3000-9999-1",
    "a-b",
    "1.5-2"
  ]) {
    it(`is not ${JSON.stringify(text)}`, () => {
      expect(Either.isLeft(Schema.decodeUnknownEither(PortRangeFromText)(text))).toBe(true)
    })
  }
})

describe("a selector", () => {
  it.prop("selects all exactly when each field is absent, empty or 0", { selector: selectors }, ({ selector }) => {
    const given = [selector.app, selector.instance, selector.service].some((text) => text !== undefined && text !== "")
    const narrow = given || (selector.port !== undefined && selector.port !== 0)
    expect(isEmptyFilter(Schema.decodeUnknownSync(AllocationFilter)(selector))).toBe(!narrow)
    expect(Either.isRight(Schema.decodeUnknownEither(ReleaseFilter)(selector))).toBe(narrow)
  })

  it("that selects all says that at least one filter is required", () => {
    const error = Either.getOrThrow(Either.flip(Schema.decodeUnknownEither(ReleaseFilter)({ app: "" })))
    expect(InvalidRequest.fromParseError(error).message).toBe("at least one filter is required")
  })

  it("refuses a field that it does not know", () => {
    const error = Either.getOrThrow(Either.flip(Schema.decodeUnknownEither(AllocationFilter)({ ap: "x" })))
    expect(InvalidRequest.fromParseError(error).message).toBe('unknown field "ap"')
  })
})

describe("an address", () => {
  const decode = Schema.decodeUnknownEither(AddressFromText)

  for (const [text, url] of [
    ["127.0.0.1:51234", "http://127.0.0.1:51234"],
    ["http://localhost:80", "http://localhost:80"],
    ["http://localhost:80/", "http://localhost:80"],
    ["[::1]:65535", "http://[::1]:65535"]
  ] as const) {
    it(`${text} is ${url}`, () => {
      expect(Either.getOrThrow(decode(text)).url).toBe(url)
    })
  }

  for (const text of [
    "",
    "localhost",
    ":80",
    "localhost:",
    "localhost:0",
    "localhost:65536",
    "localhost:80/path",
    "https://localhost:80",
    "user@localhost:80",
    "::1:80",
    "local host:80",
    "localhost:80\n"
  ]) {
    it(`is not ${JSON.stringify(text)}, and the sentence shows what was given`, () => {
      const error = Either.getOrThrow(Either.flip(decode(text)))
      expect(InvalidRequest.fromParseError(error).message).toContain(JSON.stringify(text))
    })
  }
})
