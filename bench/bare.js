// The yardstick: a node:http server that does nothing but answer, with the same bytes as a check of a held port.
import { createServer } from "node:http"

const body = JSON.stringify({
  port: 3000,
  available: false,
  holder: { id: 1, app: "bench", instance: "main", service: "web", port: 3000, created_at: "2025-02-08T15:04:05Z" }
})
const headers = {
  "Cache-Control": "no-store",
  "X-Content-Type-Options": "nosniff",
  "Content-Type": "application/json",
  "Content-Length": String(Buffer.byteLength(body))
}

const server = createServer((request, response) => {
  request.resume()
  response.writeHead(200, headers).end(body)
})
server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  console.log(`listening on http://127.0.0.1:${typeof address === "object" ? address?.port : ""}, bare`)
})
