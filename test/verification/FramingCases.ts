import type { HostileCase } from "./HostileCases.ts"

const path = "/v1/allocations"
const local = "Host: localhost"

interface Route {
  readonly method: string
  readonly target: string
  /** What it responds with is not JSON. */
  readonly isDocument?: true
}

/** Every route with every method that it has, and one that it has not. */
const routes: ReadonlyArray<Route> = [
  { method: "GET", target: "/healthz" },
  { method: "HEAD", target: "/healthz" },
  { method: "PUT", target: "/healthz" },
  { method: "OPTIONS", target: "/healthz" },
  { method: "GET", target: path },
  { method: "POST", target: path },
  { method: "DELETE", target: path },
  { method: "DELETE", target: `${path}/9000001` },
  { method: "GET", target: "/v1/ports/80" },
  { method: "HEAD", target: "/v1/ports/80" },
  { method: "POST", target: "/v1/ensure" },
  { method: "GET", target: "/v1/listeners", isDocument: true },
  { method: "POST", target: "/v1/prune" },
  { method: "GET", target: "/v1/server", isDocument: true },
  { method: "POST", target: "/v1/import" },
  { method: "GET", target: "/openapi.json", isDocument: true },
  { method: "GET", target: "/portctl.schema.json", isDocument: true },
  { method: "GET", target: "/docs", isDocument: true },
  { method: "GET", target: "/docs/swagger-ui.js", isDocument: true },
  { method: "HEAD", target: "/docs/swagger-ui.css", isDocument: true },
  { method: "GET", target: "/nothing" }
]

interface Break {
  readonly title: string
  /** Headers and what follows them. */
  readonly rest: string
  readonly leave?: "end" | "reset"
  /** More than the server reads at once: it may respond before it sees the break. */
  readonly isLong?: true
  /** The method cannot be read: the response to a HEAD has a body. */
  readonly isUnread?: true
}

const chunked = (body: string) => `Transfer-Encoding: chunked\r\n\r\n${body}`
const filler = "a".repeat(20_000)

const breaks: ReadonlyArray<Break> = [
  { title: "a chunk size that is no number", rest: chunked("Z\r\n") },
  { title: "a chunk longer than its size", rest: chunked("1\r\n{}\r\n0\r\n\r\n") },
  { title: "a chunk size of 2^64", rest: chunked("10000000000000000\r\n") },
  { title: "bare LF in a chunk", rest: chunked("2\n{}\n0\n\n") },
  { title: "a trailer without a colon", rest: chunked("0\r\nbroken\r\n\r\n") },
  { title: "a trailer of NUL", rest: chunked("0\r\nX: \0\r\n\r\n") },
  { title: "trailers of 20 KB", rest: chunked(`0\r\nX: ${filler}\r\n\r\n`), isLong: true },
  { title: "a chunk extension of 20 KB", rest: chunked(`2;${filler}\r\n{}\r\n0\r\n\r\n`), isLong: true },
  { title: "a header of 20 KB", rest: `X: ${filler}\r\n\r\n`, isLong: true, isUnread: true },
  { title: "two lengths", rest: "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", isUnread: true },
  {
    title: "a length and chunks",
    rest: "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    isUnread: true
  },
  ...(["end", "reset"] as const).flatMap(
    (leave): ReadonlyArray<Break> => [
      { title: `${leave} in the headers`, rest: "X-A", leave, isUnread: true },
      { title: `${leave} before the body`, rest: "Content-Length: 100\r\n\r\n", leave, isLong: true },
      { title: `${leave} in the body`, rest: "Content-Length: 100\r\n\r\n{", leave, isLong: true },
      { title: `${leave} before a chunk`, rest: chunked(""), leave, isLong: true },
      { title: `${leave} in a chunk`, rest: chunked("5\r\n{"), leave, isLong: true },
      { title: `${leave} after a chunk`, rest: chunked("2\r\n{}\r\n"), leave, isLong: true },
      { title: `${leave} in the trailers`, rest: chunked("0\r\nX-A"), leave, isLong: true }
    ]
  )
]

const ok = `GET /healthz HTTP/1.1\r\n${local}\r\n\r\n`
const unchanged = `DELETE ${path}/9000002 HTTP/1.1\r\n${local}\r\n\r\n`

/** Where the broken request comes among others of its connection, and what is responded to those before it. */
const places: ReadonlyArray<readonly [title: string, before: string, after: string, responses: string]> = [
  ["alone", "", "", ""],
  ["before others", "", ok + unchanged, ""],
  ["between others", ok + unchanged, ok, "200 404 "],
  ["after others", unchanged + ok, "", "404 200 "]
]

/** Some refusals come by the request line alone, before anything is broken. */
const refusals = "(400|404|405|408|413|431|501)"

/** Broken framing on every route and method, by itself and beside other requests of its connection. */
export const framingCases: ReadonlyArray<HostileCase> = routes.flatMap(({ isDocument, method, target }) =>
  breaks
    .filter(({ isLong, leave }) => isDocument !== true || isLong !== true || leave === "reset")
    .flatMap(({ isLong, isUnread, leave, rest, title }) =>
      places.map(([place, before, after, responses]): HostileCase => {
        const count = responses.split(" ").length - 1
        // Without a body to wait for, the response may be sent before the rest of the request is there.
        const early = isLong === true || method === "OPTIONS" || method === "PUT" ? "((200|204|400|404|405) )?" : ""
        const all = `${responses}${early}${refusals}?( ${refusals})?`
        return {
          title: `framing: ${method} ${target}, ${title}, ${place}`,
          bytes: `${before}${method} ${target} HTTP/1.1\r\n${local}\r\n${rest}${leave === undefined ? after : ""}`,
          // Of a connection that is reset, or ended before its responses, nothing need arrive.
          outcome: leave === undefined ? new RegExp(`^${all}$`) : new RegExp(`^(200|204|${refusals}| )*$`),
          heads: method === "HEAD" && isUnread !== true ? [count] : [],
          ...(leave === undefined ? {} : { leave })
        }
      })
    )
)
