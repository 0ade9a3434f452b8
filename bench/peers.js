// Programs that give ports to developers too, from npm, to compare with: installed when they are measured.
import { execFileSync } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const packages = ["portless@0.15.6", "get-port-cli@3.0.0"]

/** Install them in a folder that is also the home they run with. */
export const installPeers = () => {
  const folder = mkdtempSync(join(tmpdir(), "port-server-peers-"))
  const args = ["install", "--no-audit", "--no-fund", "--no-save", "--prefer-offline", "--prefix", folder, ...packages]
  execFileSync("npm", args, { stdio: ["ignore", "ignore", "inherit"] })
  return {
    home: folder,
    portless: join(folder, "node_modules/portless/dist/cli.js"),
    getPort: join(folder, "node_modules/get-port-cli/cli.js"),
    remove: () => rmSync(folder, { recursive: true })
  }
}
