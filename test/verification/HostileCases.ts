const path = "/v1/allocations"
const local = "Host: localhost"
const last = "Connection: close"

/** One thing that a hostile or broken client sends. */
export interface HostileCase {
  readonly title: string
  /** What is sent, one character for each byte. */
  readonly bytes: string
  /** The statuses that may come, in their order, with a space between; empty: closed without an answer. */
  readonly outcome: RegExp
  /** Positions of answers to a HEAD. */
  readonly heads?: ReadonlyArray<number>
  /** The client sends its end after the bytes, or resets the connection. */
  readonly leave?: "end" | "reset"
}

const refused = /^(400|501)?$/

const lines = (...all: ReadonlyArray<string>) => `${all.join("\r\n")}\r\n\r\n`
const utf8 = (text: string) => Buffer.from(text, "utf8").toString("latin1")
const request = (app: string, more = "") => `{"app":${JSON.stringify(app)},"instance":"i","service":"s"${more}}`

const get = (target: string, ...headers: ReadonlyArray<string>) => lines(`GET ${target} HTTP/1.1`, local, ...headers)
const post = (body: string, ...headers: ReadonlyArray<string>) =>
  lines(`POST ${path} HTTP/1.1`, local, ...headers, `Content-Length: ${body.length}`) + body
const framed = (body: string, ...headers: ReadonlyArray<string>) =>
  lines(`POST ${path} HTTP/1.1`, local, ...headers) + body
const chunked = (body: string, ...headers: ReadonlyArray<string>) =>
  framed(body, last, "Transfer-Encoding: chunked", ...headers)
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`

type Row = readonly [title: string, bytes: string, outcome: RegExp, more?: Pick<HostileCase, "heads" | "leave">]

const bodies: ReadonlyArray<Row> = (
  [
    ["arrays 60,000 deep", "[".repeat(60_000), /^400$/],
    ["objects 9,000 deep in a known field", `{"app":${'{"a":'.repeat(9_000)}1${"}".repeat(9_000)}}`, /^400$/],
    ["deep arrays as the port", request("h", `,"port":${"[".repeat(5_000)}${"]".repeat(5_000)}`), /^400$/],
    ["a 60 KB number as the port", request("h", `,"port":${"9".repeat(60_000)}`), /^400$/],
    ["60 KB of decimals that make 1", request("json decimals", `,"port":1.${"0".repeat(60_000)}`), /^(201|400)$/],
    ["1e309", request("h", ',"port":1e309'), /^400$/],
    ["-1e309", request("h", ',"port":-1e309'), /^400$/],
    ["-0", request("h", ',"port":-0'), /^400$/],
    ["-0.0", request("h", ',"port":-0.0'), /^400$/],
    ["1e-400, which reads as 0", request("json tiny", ',"port":1e-400'), /^(201|400)$/],
    ["0.1", request("h", ',"port":0.1'), /^400$/],
    ["2^53+1", request("h", ',"port":9007199254740993'), /^400$/],
    ["a number in hexadecimal", request("h", ',"port":0x50'), /^400$/],
    ["a number with a leading zero", request("h", ',"port":080'), /^400$/],
    ["a number with a plus", request("h", ',"port":+80'), /^400$/],
    ["a port as a boolean", request("h", ',"port":true'), /^400$/],
    ["the same key twice, the last bad", request("h", ',"port":20001,"port":70000'), /^400$/],
    ["the same key twice, the last blank", request("h", ',"app":""'), /^400$/],
    ["5,000 times the same unknown key", request("h", ',"x":1'.repeat(5_000)), /^400$/],
    ["8,000 unknown keys", request("h", Array.from({ length: 5_000 }, (_, i) => `,"k${i}":1`).join("")), /^400$/],
    ["an unknown key of 60 KB", request("h", `,"${"k".repeat(60_000)}":1`), /^400$/],
    ["an unknown key of control characters", request("h", ',"\\u001b[2J\\u0007\\r\\n":1'), /^400$/],
    ["an unknown key that turns text around", request("h", utf8(',"\u202eevil\u2066":1')), /^400$/],
    ["an unknown key of a lone surrogate", request("h", ',"\\ud800":1'), /^400$/],
    ["an unknown key cut inside a pair", request("h", `,"${"\\ud83d\\udc22".repeat(200)}":1`), /^400$/],
    ["an unknown key cut inside a pair, one off", request("h", `,"x${"\\ud83d\\udc22".repeat(200)}":1`), /^400$/],
    ["__proto__ beside the fields", request("h", ',"__proto__":{"port":80}'), /^400$/],
    ["__proto__ for the fields", '{"__proto__":{"app":"h","instance":"i","service":"s"}}', /^400$/],
    ["__proto__ null", request("h", ',"__proto__":null'), /^400$/],
    ["constructor beside the fields", request("h", ',"constructor":{"prototype":{"polluted":1}}'), /^400$/],
    ["toString, valueOf, hasOwnProperty", request("h", ',"toString":1,"valueOf":1,"hasOwnProperty":1'), /^400$/],
    ["toJSON and then", request("h", ',"toJSON":1,"then":1'), /^400$/],
    ["an empty key", request("h", ',"":1'), /^400$/],
    ["a name as an array", '{"app":["h"],"instance":"i","service":"s"}', /^400$/],
    ["a name as an object with length", '{"app":{"length":1},"instance":"i","service":"s"}', /^400$/],
    ["a name of NUL", '{"app":"\\u0000","instance":"i","service":"s"}', /^400$/],
    ["a raw NUL in a name", '{"app":"a\0","instance":"i","service":"s"}', /^400$/],
    ["a name of every C0 control", '{"app":"\\u0001\\u001b\\u007f","instance":"i","service":"s"}', /^400$/],
    ["a name with a C1 control", '{"app":"a\\u009b31m","instance":"i","service":"s"}', /^400$/],
    ["a name with a right-to-left override", utf8('{"app":"a\u202eb","instance":"i","service":"s"}'), /^400$/],
    ["a name with an isolate", utf8('{"app":"a\u2067b","instance":"i","service":"s"}'), /^400$/],
    ["a name with a line separator", utf8('{"app":"a\u2028b","instance":"i","service":"s"}'), /^400$/],
    ["a name with a high surrogate", '{"app":"a\\ud800","instance":"i","service":"s"}', /^400$/],
    ["a name with surrogates in the wrong order", '{"app":"\\udc00\\ud800","instance":"i","service":"s"}', /^400$/],
    ["a name of UTF-8 surrogates", '{"app":"\xed\xa0\x80\xed\xb0\x80","instance":"i","service":"s"}', /^400$/],
    ["a name of 60 KB", request("n".repeat(60_000)), /^400$/],
    ["a name of only a zero-width space", utf8('{"app":"\u200b","instance":"i","service":"s"}'), /^(201|400)$/],
    ["a byte order mark", `\xef\xbb\xbf${request("json bom")}`, /^(201|400)$/],
    ["UTF-32", Buffer.from(request("h").split("").join("\0\0\0"), "latin1").toString("latin1"), /^400$/],
    ["gzip", "\x1f\x8b\x08\0\0\0\0\0\0\x03\xabV\xca\xcc\x03\0", /^400$/],
    ["XML", "<allocation><app>h</app></allocation>", /^400$/],
    ["JSON with a prefix against hijacking", `)]}',\n${request("h")}`, /^400$/],
    ["JSON lines", `${request("h")}\n${request("h")}\n`, /^400$/],
    ["Infinity", request("h", ',"port":Infinity'), /^400$/]
  ] satisfies ReadonlyArray<readonly [string, string, RegExp]>
).map(([title, body, outcome]) => [`body: ${title}`, post(body, last), outcome])

const sizes: ReadonlyArray<Row> = [
  ["65,537 bytes", post("x".repeat(65_537)), /^413$/],
  ["one MB", post("x".repeat(1_000_000)), /^413$/],
  ["one MB in one chunk", chunked(`${chunk("x".repeat(1_000_000))}0\r\n\r\n`), /^413$/],
  ["one MB in chunks of a byte", chunked(`${chunk("x").repeat(70_000)}0\r\n\r\n`), /^413$/],
  ["a promise of 2^53-1 bytes", framed("", "Content-Length: 9007199254740991"), /^413$/],
  ["a promise of 2^64 bytes", framed("", "Content-Length: 18446744073709551616"), /^(400|413)$/],
  ["a promise of 100 digits", framed("", `Content-Length: ${"9".repeat(100)}`), /^(400|413)$/],
  [
    "a GET with a body of one MB",
    `${get("/healthz", last, "Content-Length: 1000000")}${"x".repeat(1_000_000)}`,
    /^(200|413)$/
  ],
  ["a header of 17 KB", get("/healthz", last, `X-A: ${"a".repeat(17_000)}`), /^431$/],
  ["a header of one MB", get("/healthz", last, `X-A: ${"a".repeat(1_000_000)}`), /^431$/],
  ["a header name of 17 KB", get("/healthz", last, `${"X".repeat(17_000)}: a`), /^431$/],
  ["a header that never ends", `GET /healthz HTTP/1.1\r\n${local}\r\nX-A: ${"a".repeat(100_000)}`, /^431$/],
  ["10,000 headers", get("/healthz", last, ...Array.from({ length: 10_000 }, (_, i) => `X-${i}: a`)), /^431$/],
  ["1,500 headers", get("/healthz", last, ...Array.from({ length: 1_500 }, () => "a: b")), /^(200|431)$/],
  ["a cookie of 10 KB", get("/healthz", last, `Cookie: ${"a=b; ".repeat(2_000)}`), /^(200|431)$/],
  ["a target of one MB", get(`/${"a".repeat(1_000_000)}`, last), /^431$/],
  ["a query of 15 KB", get(`${path}?app=${"a".repeat(15_000)}`, last), /^(200|400)$/],
  ["a query of 3,000 parameters", get(`${path}?${"a=b&".repeat(3_000)}`, last), /^(200|400)$/],
  ["a method of 100 KB", `${"A".repeat(100_000)} / HTTP/1.1\r\n${local}\r\n\r\n`, /^(400|431)$/],
  ["a method of one known and 10 KB", `GET${"T".repeat(10_000)} /healthz HTTP/1.1\r\n${local}\r\n\r\n`, /^400$/],
  ["a version of 100 KB", `GET /healthz HTTP/1.${"1".repeat(100_000)}\r\n${local}\r\n\r\n`, /^400$/],
  ["a chunk extension of 20 KB", chunked(`2;${"e".repeat(20_000)}\r\n{}\r\n0\r\n\r\n`), /^(400|413|431)$/],
  ["trailers of 20 KB", chunked(`2\r\n{}\r\n0\r\nX-A: ${"a".repeat(20_000)}\r\n\r\n`), /^(400|431)$/],
  [
    "an Origin after 2,100 other headers",
    get("/healthz", last, ...many(2_100), "Origin: https://evil.example"),
    /^(400|403|431)$/
  ],
  [
    "a second Host after 2,100 other headers",
    get("/healthz", last, ...many(2_100), "Host: evil.example"),
    /^(400|403|431)$/
  ],
  [
    "a first Host after 2,100 other headers",
    lines("GET /healthz HTTP/1.1", ...many(2_100), "Host: evil.example", last),
    /^(400|403|431)$/
  ]
]

function many(count: number): ReadonlyArray<string> {
  return Array.from({ length: count }, () => "a:")
}

const chunks: ReadonlyArray<Row> = [
  ["of a negative size", chunked("-1\r\n{}\r\n0\r\n\r\n"), refused],
  ["of a size with 0x", chunked("0x2\r\n{}\r\n0\r\n\r\n"), refused],
  ["of a size that is no number", chunked("zz\r\n{}\r\n0\r\n\r\n"), refused],
  ["of a size of 2^64", chunked("10000000000000000\r\n{}\r\n0\r\n\r\n"), refused],
  ["of a size of 2^64-1", chunked("ffffffffffffffff\r\n{}\r\n0\r\n\r\n"), /^(400|408|413)?$/],
  ["of an empty size", chunked("\r\n{}\r\n0\r\n\r\n"), refused],
  ["of a size after a space", chunked(" 2\r\n{}\r\n0\r\n\r\n"), refused],
  ["of a size before a space", chunked("2 \r\n{}\r\n0\r\n\r\n"), refused],
  ["that is longer than its size", chunked("1\r\n{}\r\n0\r\n\r\n"), refused],
  ["that is shorter than its size", chunked("3\r\n{}\r\n0\r\n\r\n"), refused],
  ["with bare LF after the size", chunked("2\n{}\r\n0\r\n\r\n"), refused],
  ["with bare LF after the data", chunked("2\r\n{}\n0\r\n\r\n"), refused],
  ["with CR alone after the size", chunked("2\r{}\r\n0\r\n\r\n"), refused],
  ["with leading zeros", chunked(`000000000000002\r\n{}\r\n0\r\n\r\n`), /^400$/],
  ["with an extension", chunked(`2;a=b;c="d"\r\n{}\r\n0\r\n\r\n`), /^400$/],
  ["with an extension of NUL", chunked("2;\0\r\n{}\r\n0\r\n\r\n"), refused],
  ["with an extension that ends in bare LF", chunked("2;a\n{}\r\n0\r\n\r\n"), refused],
  ["with an open quote in an extension", chunked('2;a="b\r\n{}\r\n0\r\n\r\n'), refused],
  [
    "with trailers that name another host",
    chunked(`${chunk(request("chunk trailer"))}0\r\nHost: evil.example\r\n\r\n`),
    /^(201|400)$/
  ],
  [
    "with a trailer Content-Length",
    chunked(`${chunk(request("chunk length"))}0\r\nContent-Length: 5\r\n\r\n`),
    /^(201|400)$/
  ],
  [
    "with a trailer Transfer-Encoding",
    chunked(`${chunk(request("chunk coding"))}0\r\nTransfer-Encoding: chunked\r\n\r\n`),
    /^(201|400)$/
  ],
  ["with a trailer without a colon", chunked(`${chunk("{}")}0\r\nnonsense\r\n\r\n`), refused],
  ["of the last one only", chunked("0\r\n\r\n"), /^400$/],
  ["cut off, then the end", chunked("5\r\n{"), refused, { leave: "end" }],
  ["without the last one, then the end", chunked(chunk(request("h"))), refused, { leave: "end" }]
]

const ok = get("/healthz")
const okLast = get("/healthz", last)

const pipelines: ReadonlyArray<Row> = [
  ["50 requests", ok.repeat(49) + okLast, /^(200 ){49}200$/],
  ["50 requests and a lone CRLF between each", `${ok}\r\n`.repeat(49) + okLast, /^(200 ){49}200$/],
  [
    "an allocation, a check, a release of nothing",
    post(request("pipe order")) + get("/v1/ports/1") + lines(`DELETE ${path}/999999 HTTP/1.1`, local, last),
    /^201 200 404$/
  ],
  ["a HEAD between", ok + lines("HEAD /healthz HTTP/1.1", local) + okLast, /^200 200 200$/, { heads: [1] }],
  ["an unknown path between", ok + get("/nothing") + okLast, /^200 404 200$/],
  ["bad JSON between", ok + post("{") + okLast, /^200 400 200$/],
  [
    "a wrong method between",
    `${ok + lines(`PUT ${path} HTTP/1.1`, local, "Content-Length: 3")}abc${okLast}`,
    /^200 405 200$/
  ],
  ["OPTIONS between", ok + lines(`OPTIONS ${path} HTTP/1.1`, local) + okLast, /^200 204 200$/],
  ["a forbidden host between", ok + lines("GET /healthz HTTP/1.1", "Host: evil.example") + okLast, /^200 403$/],
  [
    "a forbidden origin between allocations",
    post(request("pipe before")) + post(request("h"), "Origin: null") + post(request("h")),
    /^201 403$/
  ],
  [
    "too large a body between allocations",
    post(request("pipe large")) + post("x".repeat(70_000)) + post(request("h")),
    /^201 413$/
  ],
  ["an upgrade between", ok + get("/healthz", "Connection: Upgrade", "Upgrade: websocket") + okLast, /^200 426$/],
  ["garbage after a read", `${ok}garbage\r\n\r\n`, /^200 400$/],
  ["garbage after a list", `${get(path)}garbage\r\n\r\n`, /^200( 400)?$/],
  ["garbage after an allocation", `${post(request("pipe garbage"))}garbage\r\n\r\n`, /^201( 400)?$/],
  [
    "a bad header after an allocation",
    `${post(request("pipe header"))}GET / HTTP/1.1\r\nbad header\r\n\r\n`,
    /^201( 400)?$/
  ],
  [
    "an overflow of headers after an allocation",
    `${post(request("pipe overflow"))}${get("/", `X: ${"a".repeat(20_000)}`)}`,
    /^201( 431)?$/
  ],
  ["CONNECT after an allocation", post(request("pipe connect")) + lines("CONNECT a:1 HTTP/1.1", local), /^201( 400)?$/],
  [
    "an unknown expectation after an allocation",
    post(request("pipe expect")) + get("/healthz", "Expect: pigs"),
    /^201( 417)?$/
  ],
  ["a close, then more", okLast + ok, /^200$/],
  ["HTTP/1.0, then more", `GET /healthz HTTP/1.0\r\n\r\n${ok}`, /^200$/],
  ["more bytes than the Content-Length, which are no request", `${post("{}")}{}`, /^400( 400)?$/],
  ["an allocation, then the end", post(request("pipe end"), last), /^(201)?$/, { leave: "end" }],
  ["half an allocation, then the end", post(request("h")).slice(0, -5), /^(400|408)?$/, { leave: "end" }],
  ["half a header, then the end", "GET /healthz HT", /^(400|408)?$/, { leave: "end" }]
]

const expectations: ReadonlyArray<Row> = [
  ["100-continue with a body", post(request("expect body"), last, "Expect: 100-continue"), /^100 201$/],
  ["100-Continue in capitals", post(request("expect capitals"), last, "Expect: 100-CONTINUE"), /^100 201$/],
  ["100-continue without a body", get("/healthz", last, "Expect: 100-continue"), /^(100 )?200$/],
  [
    "100-continue for a bad path",
    lines("POST /nothing HTTP/1.1", local, last, "Expect: 100-continue", "Content-Length: 2"),
    /^404$/
  ],
  [
    "100-continue from a forbidden host",
    lines(`POST ${path} HTTP/1.1`, "Host: evil.example", "Expect: 100-continue", "Content-Length: 2"),
    /^403$/
  ],
  [
    "100-continue of HTTP/1.0, which must be ignored (RFC 9110, 10.1.1)",
    lines(`POST ${path} HTTP/1.0`, "Expect: 100-continue", `Content-Length: ${request("expect old").length}`) +
      request("expect old"),
    /^201$/
  ],
  ["an unknown one", post(request("h"), last, "Expect: 200-ok"), /^417$/],
  [
    "an unknown one from a forbidden host",
    lines("GET /healthz HTTP/1.1", "Host: evil.example", last, "Expect: x"),
    /^(403|417)$/
  ],
  ["a known and an unknown one", post(request("expect both"), last, "Expect: 100-continue, x"), /^(417|100 201)$/],
  ["an empty one", post(request("expect empty"), last, "Expect:"), /^(417|(100 )?201)$/],
  ["two of them", post(request("expect two"), last, "Expect: 100-continue", "Expect: 100-continue"), /^(417|100 201)$/]
]

const targets: ReadonlyArray<Row> = (
  [
    ["http://localhost/healthz", /^400$/],
    ["HTTPS://127.0.0.1/healthz", /^400$/],
    ["localhost:80", /^400$/],
    ["*", /^400$/],
    ["healthz", /^400$/],
    ["?app=a", /^400$/],
    ["#", /^400$/],
    ["/healthz#fragment", /^(400|404)$/],
    ["/v1/ports/80#fragment", /^(400|404)$/],
    [`/v1/ports/${"1".repeat(200)}`, /^(400|404)$/],
    ["/v1/ports/#", /^(400|404)$/],
    ["/v1/ports/;", /^(400|404)$/],
    ["/v1/allocations?app=a#fragment", /^400$/],
    ["/healthz?#", /^(200|400)$/],
    ["//evil.example/healthz", /^(400|404)$/],
    ["/\\evil.example/healthz", /^(400|404)$/],
    ["/healthz%00", /^(400|404)$/],
    ["/v1/ports/80%00", /^400$/],
    ["/v1/ports/80%0d%0aX-A:%20b", /^400$/],
    ["/v1/ports/8%30", /^(200|400|404)$/],
    ["/v1/ports/%2e%2e/allocations", /^(400|404)$/],
    ["/v1/ports/..", /^(400|404)$/],
    ["/v1/ports/80;x=y", /^400$/],
    ["/v1/ports/1e3", /^400$/],
    ["/v1/ports/__proto__", /^400$/],
    ["/v1/allocations?app=%00", /^(200|400)$/],
    ["/v1/allocations?app=%e2%80%ae", /^(200|400)$/],
    ["/v1/allocations?app=%ed%a0%80", /^400$/],
    ["/v1/allocations?app=%c0%af", /^400$/],
    ["/v1/allocations?app=%f5%80%80%80", /^400$/],
    ["/v1/allocations?app=%2", /^400$/],
    ["/v1/allocations?app=%u0061", /^400$/],
    ["/v1/allocations?app=a&app=b", /^400$/],
    ["/v1/allocations?app[]=a", /^(200|400)$/],
    ["/v1/allocations?__proto__=a", /^(200|400)$/],
    ["/v1/allocations?constructor=a&toString=b", /^(200|400)$/],
    ["/v1/allocations?port=1e309", /^400$/],
    ["/v1/allocations?port=-0", /^400$/],
    ["/v1/allocations?port=%EF%BC%98%EF%BC%90", /^400$/],
    ["/v1/allocations?&&&==&=", /^(200|400)$/],
    ["/v1/allocations?%61pp=x", /^(200|400)$/],
    ["/\x80\xff", /^(400|404)$/],
    ["/healthz\x7f", /^(400|404)$/],
    ["/heal\tthz", /^(400|404)$/]
  ] satisfies ReadonlyArray<readonly [string, RegExp]>
).map(([target, outcome]) => [`target: ${JSON.stringify(target)}`, get(target, last), outcome])

const moreTargets: ReadonlyArray<Row> = [
  ["a release by an id with a fragment", lines(`DELETE ${path}/1#x HTTP/1.1`, local, last), /^(400|404)$/],
  ["a release by an id with a semicolon", lines(`DELETE ${path}/2;x HTTP/1.1`, local, last), /^(400|404)$/],
  ["a release by a fragment alone", lines(`DELETE ${path}/# HTTP/1.1`, local, last), /^(400|404)$/],
  ["a release by an id with a query", lines(`DELETE ${path}/0?1 HTTP/1.1`, local, last), /^(400|404)$/],
  ["a release by an id in other digits", lines(`DELETE ${path}/%D9%A1 HTTP/1.1`, local, last), /^400$/],
  ["a release by every id", lines(`DELETE ${path}/* HTTP/1.1`, local, last), /^400$/],
  ["a release by 1 OR 1=1", lines(`DELETE ${path}/1%20OR%201=1 HTTP/1.1`, local, last), /^400$/],
  ["a release whose filter is in the query", lines(`DELETE ${path}?app=kept HTTP/1.1`, local, last), /^400$/],
  ["a method override", post('{"app":"kept"}', last, "X-HTTP-Method-Override: DELETE", "X-Method: DELETE"), /^400$/]
]

const smuggled = lines(`DELETE ${path}/1 HTTP/1.1`, local)
const framings: ReadonlyArray<Row> = [
  ["two different Content-Lengths", framed(`{}${smuggled}`, "Content-Length: 2", "Content-Length: 70"), refused],
  ["two equal Content-Lengths", framed("{}", last, "Content-Length: 2", "Content-Length: 2"), refused],
  ["Content-Length: 2, 2", framed("{}", last, "Content-Length: 2, 2"), refused],
  ["Content-Length: +2", framed("{}", last, "Content-Length: +2"), refused],
  ["Content-Length: 0x2", framed("{}", last, "Content-Length: 0x2"), refused],
  ["Content-Length: 2e0", framed("{}", last, "Content-Length: 2e0"), refused],
  ["Content-Length: 2 3", framed("{}", last, "Content-Length: 2 3"), refused],
  ["an empty Content-Length", framed("{}", last, "Content-Length:"), /^(400|413)$/],
  [
    "Content-Length before chunked",
    framed(`0\r\n\r\n${smuggled}`, `Content-Length: ${5 + smuggled.length}`, "Transfer-Encoding: chunked"),
    refused
  ],
  [
    "chunked before Content-Length",
    framed(`0\r\n\r\n${smuggled}`, "Transfer-Encoding: chunked", `Content-Length: ${5 + smuggled.length}`),
    refused
  ],
  ["xchunked", framed(`0\r\n\r\n${smuggled}`, "Transfer-Encoding: xchunked"), refused],
  ["chunked, identity", framed(`0\r\n\r\n${smuggled}`, "Transfer-Encoding: chunked, identity"), refused],
  ["identity", framed(`{}${smuggled}`, "Transfer-Encoding: identity"), refused],
  ["chunked twice", framed(`0\r\n\r\n`, last, "Transfer-Encoding: chunked, chunked"), refused],
  [
    "chunked in two headers",
    framed(`0\r\n\r\n`, last, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"),
    refused
  ],
  ["gzip, chunked", framed(`0\r\n\r\n`, last, "Transfer-Encoding: gzip, chunked"), refused],
  ["a quoted chunked", framed(`0\r\n\r\n`, last, 'Transfer-Encoding: "chunked"'), refused],
  ["chunked after a vertical tab", framed(`0\r\n\r\n`, last, "Transfer-Encoding: \x0bchunked"), refused],
  ["chunked before NUL", framed(`0\r\n\r\n`, last, "Transfer-Encoding: chunked\0"), refused],
  ["chunked after a tab", framed("0\r\n\r\n", last, "Transfer-Encoding:\tchunked"), /^400$/],
  [
    "chunked in HTTP/1.0",
    `${lines(`POST ${path} HTTP/1.0`, "Transfer-Encoding: chunked")}0\r\n\r\n${smuggled}`,
    refused
  ],
  ["a space before the colon", framed(`0\r\n\r\n${smuggled}`, "Transfer-Encoding : chunked"), refused],
  ["a space before the colon of Content-Length", framed(`{}${smuggled}`, "Content-Length : 2"), refused],
  ["a space before a header", framed(`0\r\n\r\n${smuggled}`, " Transfer-Encoding: chunked"), refused],
  ["a folded Transfer-Encoding", framed(`0\r\n\r\n${smuggled}`, "Transfer-Encoding:\r\n chunked"), refused],
  ["a folded Content-Length", framed(`{}${smuggled}`, "Content-Length:\r\n 2"), refused],
  ["a folded Host", lines("GET /healthz HTTP/1.1", "Host: localhost\r\n evil.example", last), /^(400|403)$/],
  ["a folded header", get("/healthz", last, "X-A: a\r\n b"), refused],
  ["bare LF between headers", `GET /healthz HTTP/1.1\n${local}\n${last}\n\n`, refused],
  ["bare LF after one header", `GET /healthz HTTP/1.1\r\nX-A: a\n${local}\r\n${last}\r\n\r\n`, refused],
  [
    "bare LF before a hidden header",
    `GET /healthz HTTP/1.1\r\n${local}\r\nX-A: a\nOrigin: null\r\n${last}\r\n\r\n`,
    /^(400|403)$/
  ],
  ["bare CR in a header", get("/healthz", last, "X-A: a\rOrigin: null"), refused],
  [
    "bare CR at the end of the headers",
    `GET /healthz HTTP/1.1\r\n${local}\r\n${last}\r\n\r`,
    /^(400|408)?$/,
    { leave: "end" }
  ],
  ["CRLF before the request", `\r\n\r\n${okLast}`, /^(200|400)$/],
  ["LF before the request", `\n\n${okLast}`, /^(200|400)$/],
  ["a space before the request", ` ${okLast}`, refused],
  [
    "a body of a GET that looks like a request",
    get("/healthz", last, `Content-Length: ${smuggled.length}`) + smuggled,
    /^200$/
  ],
  [
    "a body of an OPTIONS that looks like a request",
    lines(`OPTIONS ${path} HTTP/1.1`, local, last, `Content-Length: ${smuggled.length}`) + smuggled,
    /^204$/
  ],
  [
    "a body of a HEAD that looks like a request",
    lines("HEAD /healthz HTTP/1.1", local, last, `Content-Length: ${smuggled.length}`) + smuggled,
    /^200$/,
    { heads: [0] }
  ],
  [
    "a body of an unknown path that looks like a request",
    lines("POST /nothing HTTP/1.1", local, last, `Content-Length: ${smuggled.length}`) + smuggled,
    /^404$/
  ],
  ["Connection: Content-Length", post("{}", "Connection: close, Content-Length, Host"), /^400$/],
  ["Keep-Alive and close", get("/healthz", "Connection: keep-alive", last), /^200$/]
]

const headers: ReadonlyArray<Row> = [
  ["NUL in a value", get("/healthz", last, "X-A: a\0b"), refused],
  ["NUL in a name", get("/healthz", last, "X-\0A: b"), refused],
  ["an empty name", get("/healthz", last, ": b"), refused],
  ["no colon", get("/healthz", last, "X-A"), refused],
  ["a control character in a value", get("/healthz", last, "X-A: a\x07b"), /^(200|400)$/],
  ["a space in a name", get("/healthz", last, "X A: b"), refused],
  ["bytes above ASCII in a value", get("/healthz", last, "X-A: \xff\xfe"), /^(200|400)$/],
  ["bytes above ASCII in a name", get("/healthz", last, "X-\xe9: b"), refused],
  ["__proto__ and constructor", get("/healthz", last, "__proto__: a", "constructor: b"), /^200$/],
  ["a NUL after the Host", lines("GET /healthz HTTP/1.1", "Host: localhost\0.evil.example", last), /^(400|403)$/],
  ["the Host in capitals", lines("GET /healthz HTTP/1.1", "HOST: LOCALHOST", last), /^200$/],
  ["two Hosts", lines("GET /healthz HTTP/1.1", local, "hOsT: evil.example", last), /^400$/],
  ["a Host with a path", lines("GET /healthz HTTP/1.1", "Host: localhost/x", last), /^403$/],
  [
    "a rebound Host",
    `${lines(`POST ${path} HTTP/1.1`, "Host: rebound.example:51234", last, "Content-Length: 2")}{}`,
    /^403$/
  ],
  [
    "a rebound Host whose Origin agrees",
    lines(
      "GET /healthz HTTP/1.1",
      "Host: rebound.example",
      "Origin: http://rebound.example",
      "Sec-Fetch-Site: same-origin",
      last
    ),
    /^403$/
  ],
  ["a Range", get(path, last, "Range: bytes=0-0", "If-Range: x"), /^200$/],
  ["conditions", get(path, last, "If-None-Match: *", "If-Modified-Since: Thu, 01 Jan 2099 00:00:00 GMT"), /^200$/],
  [
    "an Accept that refuses JSON",
    get(path, last, "Accept: text/html;q=1, application/json;q=0", "Accept-Encoding: br"),
    /^(200|406)$/
  ],
  ["X-Original-URL", get("/healthz", last, "X-Original-URL: /v1/allocations", "X-Rewrite-URL: /x"), /^200$/]
]

const strangers: ReadonlyArray<Row> = [
  ["HTTP/0.9", "GET /healthz\r\n\r\n", /^(400|505)?$/],
  ["HTTP/0.9 with a version", `GET /healthz HTTP/0.9\r\n${local}\r\n\r\n`, /^(200|400|505)?$/],
  ["HTTP/1.2", `GET /healthz HTTP/1.2\r\n${local}\r\n${last}\r\n\r\n`, /^(200|400)?$/],
  ["HTTP/2.0", `GET /healthz HTTP/2.0\r\n${local}\r\n${last}\r\n\r\n`, /^(200|400|505)?$/],
  ["http/1.1 in small letters", `GET /healthz http/1.1\r\n${local}\r\n\r\n`, refused],
  ["no version", `GET /healthz \r\n${local}\r\n\r\n`, refused],
  ["RTSP", `GET /healthz RTSP/1.0\r\n${local}\r\n${last}\r\n\r\n`, /^(200|400|505)?$/],
  ["ICE", `SOURCE /healthz ICE/1.0\r\n${local}\r\n${last}\r\n\r\n`, /^(400|405)?$/],
  ["the preface of HTTP/2 with frames", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", refused],
  ["a TLS hello", `\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03${"\x5a".repeat(160)}`, refused],
  ["an SSH banner", "SSH-2.0-OpenSSH_9.2\r\n", refused],
  ["SMTP", "EHLO localhost\r\nMAIL FROM:<a@b>\r\n", refused],
  ["SOCKS5", "\x05\x01\x00", refused],
  ["Postgres", "\0\0\0\x08\x04\xd2\x16\x2f", refused],
  ["Redis", "*1\r\n$4\r\nPING\r\n", refused],
  ["a memcached set", "set x 0 0 5\r\nhello\r\n", refused],
  ["a kilobyte of NULs", "\0".repeat(1_024), refused],
  ["64 KB of 0xff", "\xff".repeat(65_536), refused],
  ["a small letter method", `get /healthz HTTP/1.1\r\n${local}\r\n\r\n`, refused],
  ["a tab after the method", `GET\t/healthz HTTP/1.1\r\n${local}\r\n\r\n`, refused],
  ["two spaces after the method", `GET  /healthz HTTP/1.1\r\n${local}\r\n${last}\r\n\r\n`, /^(200|400)?$/],
  ["no method", `/healthz HTTP/1.1\r\n${local}\r\n\r\n`, refused],
  ["M-SEARCH", lines("M-SEARCH /healthz HTTP/1.1", local, last), /^405$/],
  ["PURGE", lines(`PURGE ${path} HTTP/1.1`, local, last), /^405$/],
  ["TRACE", lines("TRACE /healthz HTTP/1.1", local, last, "X-Secret: a"), /^405$/],
  ["CONNECT", lines("CONNECT localhost:22 HTTP/1.1", local), /^400$/],
  ["CONNECT of a path", lines("CONNECT /healthz HTTP/1.1", local), /^400$/],
  [
    "a WebSocket",
    get(
      path,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    ),
    /^426$/
  ],
  [
    "a WebSocket from another origin",
    get(
      path,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Origin: https://evil.example",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
    ),
    /^403$/
  ],
  ["an allocation that asks for an upgrade", post(request("h"), "Connection: Upgrade, close", "Upgrade: h2c"), /^426$/]
]

const group = (name: string, rows: ReadonlyArray<Row>): ReadonlyArray<HostileCase> =>
  rows.map(([title, bytes, outcome, more]) => ({ title: `${name}${title}`, bytes, outcome, ...more }))

/** Everything above. An allocation that may be made is for an app of that one case; `h` is nobody's. */
export const hostileCases: ReadonlyArray<HostileCase> = [
  ...group("", bodies),
  ...group("size: ", sizes),
  ...group("a chunk ", chunks),
  ...group("pipelined: ", pipelines),
  ...group("Expect: ", expectations),
  ...group("", targets),
  ...group("target: ", moreTargets),
  ...group("framing: ", framings),
  ...group("header: ", headers),
  ...group("not quite HTTP/1.1: ", strangers)
]
