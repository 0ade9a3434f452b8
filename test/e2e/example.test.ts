import { expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer, expectError } from "../support/Expectations.ts"
import { codeBlocks, documentPath, readDocument } from "../support/Markdown.ts"
import { start, startServer } from "../support/Programs.ts"
import { closedAddress } from "../support/Sockets.ts"
import { call } from "../support/Wire.ts"

const script = documentPath("examples/dist/allocate.js")

const example = (address: string) =>
  Effect.flatMap(start(process.execPath, [script], { env: { PORT_SERVER_ADDR: address } }), ({ ended }) => ended)

it.scopedLive("the example gets a port, meets its holder, and gives it back", () =>
  Effect.gen(function* () {
    const server = yield* startServer({ args: ["--range", "4321-4330"] })
    const printed = "got port 4321\nport 4321 belongs to example/main/web\nreleased port 4321\n"
    expectAnswer(yield* example(server.address), printed)
    expect((yield* call(server.port, "GET", "/v1/allocations")).json).toEqual([])
    expectAnswer(yield* example(server.address), printed)
    expectAnswer(yield* example(`unix:${server.database}.sock`), printed)
  })
)

it.scopedLive("the example fails in one line without a server, and with an address that is none", () =>
  Effect.gen(function* () {
    const address = yield* closedAddress
    expectError(yield* example(address), `cannot reach port-server at ${address}`)
    expectError(
      yield* example("nonsense"),
      'PORT_SERVER_ADDR: the address must be host:port like 127.0.0.1:51234, not "nonsense"'
    )
  })
)

it("docs/client.md shows the example as it is", () => {
  expect(codeBlocks(readDocument("docs/client.md"), "ts")).toEqual([readDocument("examples/allocate.ts")])
})
