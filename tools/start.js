// Run port-server with the arguments given, once it is installed and built.
import "./ready.js"
import { spawn } from "node:child_process"

const server = spawn("bin/port-server", process.argv.slice(2), { stdio: "inherit" })
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) process.on(signal, () => server.kill(signal))
server.on("exit", (code, signal) => {
  process.exitCode = code ?? (signal === null ? 0 : 1)
})
