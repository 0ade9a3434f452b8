const stream = "/v1/events/stream"
const local = "Host: localhost"

/** What a hostile or broken client does with the event stream. */
export interface StreamCase {
  readonly title: string
  /** What is sent, one character for each byte. */
  readonly bytes: string
  /** What comes, from the first byte on; empty: closed without an answer. */
  readonly outcome: RegExp
  /** The client resets the connection or sends its end once that has come; else it stays and reads no more. */
  readonly leave?: "reset" | "end"
}

const lines = (...all: ReadonlyArray<string>) => `${all.join("\r\n")}\r\n\r\n`
const get = (...headers: ReadonlyArray<string>) => lines(`GET ${stream} HTTP/1.1`, local, ...headers)
const health = lines("GET /healthz HTTP/1.1", local, "Connection: close")

const opened = /^HTTP\/1\.1 200 OK\r\n(?=.*content-type: text\/event-stream\r\n).*\r\n\r\n.*retry: 1000\n\n.*\n\n/is
const status = (code: number) => new RegExp(`^HTTP/1\\.1 ${code} .*\\r\\n\\r\\n`, "s")
const resumed = (id: string) => get(`Last-Event-ID: ${id}`)

type Row = readonly [title: string, bytes: string, outcome: RegExp, leave?: StreamCase["leave"]]

const rows: ReadonlyArray<Row> = [
  ["read in part", get(), opened],
  ["reset while it is read", get(), opened, "reset"],
  ["ended by its client", get(), opened, "end"],
  ["HEAD, and another request", lines(`HEAD ${stream} HTTP/1.1`, local) + health, /^HTTP\/1\.1 200 .*"status":"ok"/s],
  ["HTTP/1.0", lines(`GET ${stream} HTTP/1.0`), /^HTTP\/1\.1 200 OK\r\n(?!.*chunked).*\r\n\r\nretry: 1000\n\n/s],
  ["HTTP/1.0 that keeps alive", lines(`GET ${stream} HTTP/1.0`, "Connection: keep-alive"), /^HTTP\/1\.1 200 OK/],
  ["HTTP/1.1 without a Host", lines(`GET ${stream} HTTP/1.1`), status(400)],
  ["pipelined behind another", lines("GET /healthz HTTP/1.1", local) + get(), /^.*"status":"ok".*retry: 1000/s],
  ["before another", get() + health, opened],
  ["before 200 others", get() + get().repeat(200), opened],
  ["before what is no request", `${get()}\0\0\0\r\n\r\n`, opened],
  ["before what is no request, reset", `${get()}Z\r\n\r\n`, opened, "reset"],
  ["with a body", `${get("Content-Length: 5")}hello`, /^HTTP\/1\.1 (200|400) /],
  ["with a body that does not come", get("Content-Length: 5"), /^HTTP\/1\.1 (200|400|408) /],
  ["with a bad chunk", `${get("Transfer-Encoding: chunked")}Z\r\n`, /^HTTP\/1\.1 (200|400) /],
  ["with a chunk, reset", `${get("Transfer-Encoding: chunked")}5\r\nhel`, /^(HTTP\/1\.1 (200|400|408) )?/, "reset"],
  ["reset at once", get(), /^/, "reset"],
  ["POST", lines(`POST ${stream} HTTP/1.1`, local, "Content-Length: 0", "Connection: close"), status(405)],
  ["DELETE", lines(`DELETE ${stream} HTTP/1.1`, local, "Connection: close"), status(405)],
  ["OPTIONS", lines(`OPTIONS ${stream} HTTP/1.1`, local, "Connection: close"), status(204)],
  ["an upgrade", get("Connection: Upgrade", "Upgrade: websocket"), status(426)],
  ["another origin", get("Origin: https://evil.example"), status(403)],
  ["another site", get("Sec-Fetch-Site: cross-site"), status(403)],
  ["a rebound Host", lines(`GET ${stream} HTTP/1.1`, "Host: rebound.example"), status(403)],
  ["a Range", get("Range: bytes=0-0"), opened],
  ["an Accept of JSON", get("Accept: application/json", "Accept-Encoding: gzip, br"), opened],
  ["an unknown field", lines(`GET ${stream}?x=1 HTTP/1.1`, local), status(400)],
  ["a kind that is none", lines(`GET ${stream}?kind=x HTTP/1.1`, local), status(400)],
  ...[
    "",
    " ",
    "abc",
    "-1",
    "1.5",
    "1e3",
    "0x10",
    "9007199254740993",
    "9".repeat(16),
    "9".repeat(10_000),
    "\xff\xfe"
  ].map((id): Row => [`Last-Event-ID ${JSON.stringify(id.slice(0, 20))}`, resumed(id), opened]),
  ["Last-Event-ID of 20 KB", resumed("9".repeat(20_000)), status(431)],
  ["Last-Event-ID with a NUL", resumed("1\0"), status(400)],
  ["Last-Event-ID twice", get("Last-Event-ID: 1", "Last-Event-ID: 2"), opened],
  ["Last-Event-ID 0, which replays everything", resumed("0"), opened],
  ["Last-Event-ID 0, reset while that comes", resumed("0"), opened, "reset"]
]

/** All of them. */
export const streamCases: ReadonlyArray<StreamCase> = rows.map(([title, bytes, outcome, leave]) => ({
  title,
  bytes,
  outcome,
  ...(leave === undefined ? {} : { leave })
}))

/** The stream itself, once more. */
export const openingBytes = get()
