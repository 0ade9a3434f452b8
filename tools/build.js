// Type-check every package, then bundle each program into one file that Node starts.
import { execFileSync } from "node:child_process"
import { chmodSync, mkdirSync, writeFileSync } from "node:fs"
import { build } from "esbuild"

const root = new URL("..", import.meta.url)
process.chdir(root.pathname)

execFileSync("node_modules/.bin/tsc", ["--build", "tsconfig.build.json"], { stdio: "inherit" })

mkdirSync("bin", { recursive: true })
// The bundles are CommonJS: Node starts it faster than ES modules.
writeFileSync("bin/package.json", '{ "type": "commonjs" }\n')

const programs = { "port-server": "packages/server/src/main.ts", portctl: "packages/cli/src/main.ts" }
for (const [name, entry] of Object.entries(programs)) {
  await build({
    entryPoints: [entry],
    outfile: `bin/${name}`,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "cjs",
    minify: true,
    conditions: ["@port-server/source"],
    external: ["better-sqlite3"],
    banner: { js: "#!/usr/bin/env node" },
    logLevel: "warning"
  })
  chmodSync(`bin/${name}`, 0o755)
}
