// Type-check every package, then bundle each program into one file that Node starts, with its compiled code beside it.
import { execFileSync, spawn } from "node:child_process"
import { createHash } from "node:crypto"
import { once } from "node:events"
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"
import { builtinsApart, routerApart, sdkApart, sqliteBinaryApart } from "./plugins.js"
import { writeStarter } from "./starter.js"

process.chdir(fileURLToPath(new URL("..", import.meta.url)))

execFileSync("node_modules/.bin/tsc", ["--build", "tsconfig.build.json"], { stdio: "inherit" })

/** @param {string} text */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`

mkdirSync("bin", { recursive: true })
// Compiled code is used only from a folder that nobody else can write.
chmodSync("bin", statSync("bin").mode & 0o755)
for (const file of readdirSync("bin")) rmSync(join("bin", file))
// The bundles are CommonJS: Node starts it faster than ES modules.
writeFileSync("bin/package.json", '{ "type": "commonjs" }\n')

// A Node that was fetched into the checkout moves with it.
const setNode = process.execPath.startsWith(`${process.cwd()}/`)
  ? `node="$folder"/../${quoted(process.execPath.slice(process.cwd().length + 1))}`
  : `node=${quoted(process.execPath)}`

const programs = /** @type {const} */ ([
  ["port-server", "packages/server/src/main.ts", [sqliteBinaryApart]],
  ["portctl", "packages/cli/src/main.ts", [sdkApart, routerApart]]
])

const common = /** @type {const} */ ({
  bundle: true,
  platform: "node",
  target: "node22",
  format: "cjs",
  minify: true,
  logLevel: "warning",
  logOverride: {
    // The package open asks where it is, and does without an answer.
    "empty-import-meta": "silent",
    "import-is-undefined": "error"
  }
})

for (const [name, entry, plugins] of programs) {
  const { outputFiles } = await build({
    ...common,
    entryPoints: [entry],
    plugins: [builtinsApart(name), ...plugins],
    conditions: ["@port-server/source"],
    // Its other form finds its parts only beside it.
    alias: { "jsonc-parser": "jsonc-parser/lib/esm/main.js" },
    // What Node puts around a module; the loader calls it.
    banner: { js: "(function (exports, require, module, __filename, __dirname) {" },
    footer: { js: "})" },
    write: false
  })
  const code = outputFiles[0]?.contents ?? new Uint8Array()
  writeFileSync(`bin/${name}.bundle`, code)
  writeStarter("bin", name, createHash("sha256").update(code).digest("hex").slice(0, 12), setNode)
}

// It shares nothing with the programs, and is too short for a code cache.
await build({
  ...common,
  entryPoints: ["packages/cli/src/run/watch/main.ts"],
  outfile: "bin/portctl-watch.cjs"
})

const sdk = await build({
  ...common,
  entryPoints: ["packages/cli/src/mcp/Sdk.ts"],
  outfile: "bin/portctl-mcp.cjs",
  metafile: true
})
// Its licence asks for a copy of itself with what is made of it.
const parts = new Set(
  Object.keys(sdk.metafile.inputs).flatMap((file) => /node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? [])
)
writeFileSync(
  "bin/portctl-mcp.licenses.txt",
  [...parts].map((part) => `${part.replace("node_modules/", "")}\n\n${readFileSync(`${part}/LICENSE`)}`).join("\n\n")
)

const { writeDocuments } = await import("./documents.js")
await writeDocuments("bin")

const { writeDashboard } = await import("./dashboard.js")
await writeDashboard("bin")

// A first run of each program leaves its compiled code behind.
const folder = mkdtempSync(join(tmpdir(), "port-server-build-"))
// Whatever is in the folders above it.
writeFileSync(join(folder, "portctl.json"), '{ "app": "a", "root": true, "services": { "web": {} } }')
const server = spawn("bin/port-server", ["--port", "0", "--db", join(folder, "ports.db")], {
  stdio: ["ignore", "pipe", "inherit"]
})
try {
  const [line] = await once(createInterface(server.stdout), "line")
  const address = /127\.0\.0\.1:\d+/.exec(line)?.[0] ?? ""
  const allocation = JSON.stringify({ app: "a", instance: "b", service: "c" })
  await (await fetch(`http://${address}/v1/allocations`, { method: "POST", body: allocation })).text()
  // Other commands leave theirs when they are used.
  const portctl = join(process.cwd(), "bin/portctl")
  for (const args of [
    "list",
    "health",
    "allocate --app a --instance b --service d",
    "why --port 1",
    "release --id 1",
    "ensure --service web",
    "env"
  ]) {
    execFileSync(portctl, args.split(" "), { cwd: folder, env: { ...process.env, PORT_SERVER_ADDR: address } })
  }
} finally {
  server.kill("SIGTERM")
  await once(server, "exit")
  rmSync(folder, { recursive: true })
}

const { markBuilt } = await import("./stamps.js")
markBuilt()
