import { spawn } from "node:child_process"
import { once } from "node:events"
import { afterAll, describe, expect, it } from "@effect/vitest"
import { listeningIn } from "../../../src/run/watch/Listening.ts"

/** Has a port from its start, and listens on it once it is told to. */
const script = `
import socket, sys
server = socket.socket()
server.bind(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.readline()
server.listen()
print("listens", flush=True)
sys.stdin.readline()
`

describe.skipIf(process.platform !== "linux")("what a process listens on", () => {
  const child = spawn("python3", ["-c", script], { stdio: ["pipe", "pipe", "inherit"] })
  afterAll(() => void child.kill())

  it("is found however late it begins", async () => {
    const [first] = await once(child.stdout, "data")
    const read = listeningIn(child.pid ?? 0)
    for (let look = 0; look < 100; look++) expect(read().found).toEqual([])
    child.stdin.write("\n")
    await once(child.stdout, "data")
    const found = Array.from({ length: 100 }, () => read().found).flat()
    expect(found[0]).toEqual({ pid: child.pid, port: Number(String(first)) })
  })
})
