// The page that port-server shows at /: one script, one stylesheet, and the files that need no build.
import { copyFileSync } from "node:fs"
import { build } from "esbuild"

const sources = "packages/dashboard"

/** Write the page into a folder. @param {string} folder */
export const writeDashboard = async (folder) => {
  await build({
    entryPoints: [
      { in: `${sources}/src/main.tsx`, out: "dashboard" },
      { in: `${sources}/assets/dashboard.css`, out: "dashboard" }
    ],
    outdir: folder,
    bundle: true,
    platform: "browser",
    target: ["chrome123", "firefox120", "safari17.5"],
    format: "iife",
    minify: true,
    jsx: "automatic",
    jsxImportSource: "preact",
    conditions: ["@port-server/source"],
    logLevel: "warning"
  })
  copyFileSync(`${sources}/assets/index.html`, `${folder}/dashboard.html`)
  copyFileSync(`${sources}/assets/icon.svg`, `${folder}/dashboard.svg`)
}
