import { homedir } from "node:os"
import { join } from "node:path"

const inherited = ["NODE_EXTRA_CA_CERTS", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"]

/** npm's own settings and cache, the way to its registry, and nothing else of the machine's user. */
export const npmEnvironment = {
  ...Object.fromEntries(
    Object.entries(process.env).flatMap(([name, value = ""]) =>
      inherited.includes(name.toUpperCase()) ? [[name, value] as const] : []
    )
  ),
  npm_config_cache: process.env["npm_config_cache"] ?? join(homedir(), ".npm"),
  npm_config_userconfig: process.env["npm_config_userconfig"] ?? join(homedir(), ".npmrc"),
  npm_config_audit: "false",
  npm_config_fund: "false",
  npm_config_prefer_offline: "true",
  npm_config_update_notifier: "false"
}
