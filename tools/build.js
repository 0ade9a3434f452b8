// Type-check every package, then bundle each program into one file that Node starts, with its compiled code beside it.
import { execFileSync, spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { once } from "node:events"
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

process.chdir(fileURLToPath(new URL("..", import.meta.url)))

execFileSync("node_modules/.bin/tsc", ["--build", "tsconfig.build.json"], { stdio: "inherit" })

/** @param {string} text */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`

mkdirSync("bin", { recursive: true })
for (const file of readdirSync("bin")) rmSync(join("bin", file))
// The bundles are CommonJS: Node starts it faster than ES modules.
writeFileSync("bin/package.json", '{ "type": "commonjs" }\n')

/** @type {{ engines: { node: string } }} */
const { engines } = JSON.parse(readFileSync("package.json", "utf8"))

// A Node that was fetched into the checkout moves with it.
const node = process.execPath.startsWith(`${process.cwd()}/`)
  ? `"$folder"/../${quoted(process.execPath.slice(process.cwd().length + 1))}`
  : quoted(process.execPath)

// What Node reads when it starts, by its documentation. Certificates alone take it longer than a short command, and neither
// program speaks TLS.
const hidden = [
  "NODE_CHANNEL_FD",
  "NODE_CHANNEL_SERIALIZATION_MODE",
  "NODE_COMPILE_CACHE",
  "NODE_COMPILE_CACHE_PORTABLE",
  "NODE_DEBUG",
  "NODE_DEBUG_NATIVE",
  "NODE_DISABLE_COMPILE_CACHE",
  "NODE_EXTRA_CA_CERTS",
  "NODE_ICU_DATA",
  "NODE_NO_WARNINGS",
  "NODE_OPTIONS",
  "NODE_PATH",
  "NODE_PENDING_DEPRECATION",
  "NODE_PRESERVE_SYMLINKS",
  "NODE_PRESERVE_SYMLINKS_MAIN",
  "NODE_REDIRECT_WARNINGS",
  "NODE_REPL_EXTERNAL_MODULE",
  "NODE_TLS_REJECT_UNAUTHORIZED",
  "NODE_UNIQUE_ID",
  "NODE_USE_ENV_PROXY",
  "NODE_USE_SYSTEM_CA",
  "NODE_V8_COVERAGE",
  "OPENSSL_CONF"
]

const files = { stub: readFileSync("tools/stub.sh", "utf8"), loader: readFileSync("tools/loader.cjs", "utf8") }
const programs = { "port-server": "packages/server/src/main.ts", portctl: "packages/cli/src/main.ts" }

for (const [name, entry] of Object.entries(programs)) {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    platform: "node",
    target: "node22",
    format: "cjs",
    minify: true,
    conditions: ["@port-server/source"],
    external: ["better-sqlite3"],
    // What Node puts around a module; the loader calls it.
    banner: { js: "(function (exports, require, module, __filename, __dirname) {" },
    footer: { js: "})" },
    logLevel: "warning",
    // The package open asks where it is, and does without an answer.
    logOverride: { "empty-import-meta": "silent" },
    write: false
  })
  const code = outputFiles[0]?.contents ?? new Uint8Array()
  writeFileSync(`bin/${name}.bundle`, code)
  const values = {
    NAME: name,
    HASH: createHash("sha256").update(code).digest("hex").slice(0, 12),
    NEEDED: engines.node.replace(">=", ""),
    NODE: node,
    HIDDEN: hidden.join(" ")
  }
  /** @param {string} text */
  const filled = (text) =>
    text.replace(
      /\b(NAME|HASH|NEEDED|HIDDEN)\b|(?<==)NODE\b/g,
      (word) => values[/** @type {keyof typeof values} */ (word)]
    )
  writeFileSync(`bin/${name}`, filled(files.stub))
  writeFileSync(`bin/${name}.cjs`, filled(files.loader))
  chmodSync(`bin/${name}`, 0o755)
}

const { writeDocuments } = await import("./documents.js")
await writeDocuments("bin")

// A first run of each program leaves its compiled code behind.
const folder = mkdtempSync(join(tmpdir(), "port-server-build-"))
const server = spawn("bin/port-server", ["--port", "0", "--db", join(folder, "ports.db")], {
  stdio: ["ignore", "pipe", "inherit"]
})
try {
  const [line] = await once(createInterface(server.stdout), "line")
  const address = /127\.0\.0\.1:\d+/.exec(line)?.[0] ?? ""
  for (const args of [
    "health",
    "allocate --app a --instance b --service c",
    "list",
    "why --port 1",
    "release --id 1"
  ]) {
    execFileSync("bin/portctl", args.split(" "), { env: { ...process.env, PORT_SERVER_ADDR: address } })
  }
} finally {
  server.kill("SIGTERM")
  await once(server, "exit")
  rmSync(folder, { recursive: true })
}

const { markBuilt } = await import("./stamps.js")
markBuilt()
