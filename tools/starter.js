// What starts a program: a shell stub, and the loader that it starts a Node with.
import { chmodSync, readFileSync, writeFileSync } from "node:fs"

const root = new URL("../", import.meta.url)

const major = Number.parseInt(process.versions.node, 10)

/** @type {{ engines: { node: string } }} */
const { engines } = JSON.parse(readFileSync(new URL("package.json", root), "utf8"))

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

/**
 * Write the stub and the loader of a program into a folder.
 *
 * @param {string} folder
 * @param {string} name
 * @param {string} hash tells the compiled code of one bundle from that of another
 * @param {string} node what the stub sets `node` with: the path of the Node to prefer, or nothing
 */
export const writeStarter = (folder, name, hash, node) => {
  /** @type {Record<string, string>} */
  const values = {
    NAME: name,
    HASH: hash,
    NEEDED: engines.node.replace(">=", ""),
    NODE: node,
    HIDDEN: hidden.join(" "),
    BUILTINS: name === "portctl" ? "net os" : "net os http dgram dns cluster",
    // What a start allocates lives on, and would be copied with each collection of a small young generation. A command
    // ends before it has used 16 MiB; the server keeps what it is given. On Node 22 it is one of the flags for which V8
    // keeps compiled code apart, and Node's own modules would load slower.
    FLAGS: major < 24 ? "" : `--min-semi-space-size=${name === "portctl" ? 16 : 32}`
  }
  /** @param {string} file */
  const filled = (file) =>
    readFileSync(new URL(`tools/${file}`, root), "utf8").replace(/@([A-Z]+)@/g, (_, word) => values[word] ?? "")
  values["RUN"] = filled(name === "portctl" ? "stub-run.sh" : "stub-server.sh")
  writeFileSync(`${folder}/${name}`, filled("stub.sh"))
  writeFileSync(`${folder}/${name}.cjs`, filled("loader.cjs"))
  chmodSync(`${folder}/${name}`, 0o755)
}
