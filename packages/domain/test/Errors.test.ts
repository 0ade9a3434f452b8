import * as HttpApiSchema from "@effect/platform/HttpApiSchema"
import { describe, expect, it } from "@effect/vitest"
import { Allocation } from "@port-server/domain/Allocation"
import { sentenceOf, variable } from "@port-server/domain/EnvConfig"
import {
  AllocationNotFound,
  InvalidRequest,
  ListenersUnavailable,
  PortTaken,
  RangeExhausted,
  StorageFull,
  StorageUnavailable
} from "@port-server/domain/Errors"
import { RequestedPortFromDigits } from "@port-server/domain/Port"
import { PortRangeFromText } from "@port-server/domain/PortRange"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const holder = {
  id: 3,
  app: "other",
  instance: "dev",
  service: "db",
  port: 5432,
  created_at: "2025-02-08T14:00:00Z"
}

const range = Schema.decodeSync(PortRangeFromText)("3000-9999")

const errors: ReadonlyArray<
  readonly [status: number, schema: Schema.Schema.AnyNoContext, error: unknown, body: unknown]
> = [
  [400, InvalidRequest.body, new InvalidRequest({ message: "invalid port" }), { error: "invalid port" }],
  [404, AllocationNotFound.body, new AllocationNotFound(), { error: "allocation not found" }],
  [
    409,
    PortTaken.body,
    new PortTaken({ holder: Schema.decodeSync(Allocation)(holder) }),
    { error: "port already allocated", holder }
  ],
  [409, RangeExhausted.body, RangeExhausted.of(range), { error: "no free ports in range 3000-9999" }],
  [507, StorageFull.body, new StorageFull({ message: "the disk is full" }), { error: "the disk is full" }],
  [
    503,
    ListenersUnavailable.body,
    ListenersUnavailable.of("denied"),
    { error: "what listens on this machine's ports cannot be read: denied", unavailable: "listeners" }
  ],
  [503, StorageUnavailable.body, new StorageUnavailable({ message: "locked" }), { error: "locked" }],
  [503, StorageUnavailable.body, new StorageUnavailable({ message: "locked", retryAfter: 1 }), { error: "locked" }]
]

describe("an error on the wire", () => {
  for (const [status, schema, error, body] of errors) {
    it(`is ${status} with ${JSON.stringify(body)}, and nothing more`, () => {
      expect(HttpApiSchema.getStatusErrorAST(schema.ast)).toBe(status)
      expect(JSON.parse(JSON.stringify(Schema.encodeUnknownSync(schema)(error)))).toEqual(body)
    })
  }

  it("409 with a holder is not a RangeExhausted", () => {
    expect(Schema.decodeUnknownOption(RangeExhausted.body)({ error: "port already allocated", holder })._tag).toBe(
      "None"
    )
  })

  it("409 without a holder is not a PortTaken", () => {
    expect(Schema.decodeUnknownOption(PortTaken.body)({ error: "no free ports in range 1-2" })._tag).toBe("None")
  })

  it("never says more than 300 characters about a request", () => {
    const { left } = { left: Schema.decodeUnknownEither(Schema.Literal("x".repeat(5000)))("y") }
    const message = left._tag === "Left" ? InvalidRequest.fromParseError(left.left).message : ""
    expect(message.length).toBeGreaterThan(0)
    expect(message.length).toBeLessThanOrEqual(300)
  })
})

describe("an environment variable", () => {
  const read = (value?: string) =>
    variable("PORT", RequestedPortFromDigits, 51234).pipe(
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(value === undefined ? [] : [["PORT", value]])))
    )

  for (const [title, value, expected] of [
    ["missing", undefined, 51234],
    ["empty", "", 51234],
    ["given", "8080", 8080],
    ["0", "0", 0]
  ] as const) {
    it.effect(`that is ${title} is ${expected}`, () =>
      Effect.gen(function* () {
        expect(yield* read(value)).toBe(expected)
      })
    )
  }

  for (const value of ["abc", "65536", "-1", " 80", "8080x"]) {
    it.effect(`that is ${JSON.stringify(value)} is an error that names it and says why`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(read(value))
        expect(sentenceOf(error)).toBe("PORT: port must be an integer from 1 to 65535, or 0 for any")
      })
    )
  }
})
