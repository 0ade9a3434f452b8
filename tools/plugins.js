// How the bundles of the programs differ from what their sources say: what a start does not need is kept apart.

/**
 * Only one command needs the MCP SDK, which is as large as the rest of portctl: it has a file of its own.
 *
 * @type {import("esbuild").Plugin}
 */
export const sdkApart = {
  name: "sdk-apart",
  setup: ({ onResolve }) =>
    onResolve({ filter: /^@modelcontextprotocol\/server/ }, () => ({ path: "./portctl-mcp.cjs", external: true }))
}

/**
 * Of the router, the description of an endpoint needs `prefixPath`, which portctl does not call: it would load all that
 * reads requests.
 *
 * @type {import("esbuild").Plugin}
 */
export const routerApart = {
  name: "router-apart",
  setup: ({ onLoad, onResolve }) => {
    onResolve({ filter: /^\.\/HttpRouter\.js$/ }, ({ importer }) =>
      importer.endsWith("HttpApiEndpoint.js")
        ? { path: "HttpRouter", namespace: "apart", sideEffects: false }
        : undefined
    )
    onLoad({ filter: /^HttpRouter$/, namespace: "apart" }, () => ({ contents: "export const prefixPath = undefined" }))
  }
}

const crypto = { "node:crypto": ["createHash", "randomBytes", "randomUUID", "timingSafeEqual"] }

/**
 * What each program uses of them; another function ends the build. A package of portctl needs all of child_process, which
 * only some commands load.
 */
const builtins = {
  portctl: crypto,
  "port-server": {
    ...crypto,
    "node:child_process": ["execFile", "spawn"],
    "node:fs/promises": ["readFile", "readlink", "stat"],
    "node:worker_threads": ["Worker"]
  }
}

/** @param {string} module @param {string} name */
const exported = (module, name) => {
  const loaded = `process.getBuiltinModule(${JSON.stringify(module)}).${name}`
  return /^[A-Z]/.test(name)
    ? `export function ${name}(...a) { return new (${loaded})(...a) }`
    : `export const ${name} = (...a) => ${loaded}(...a)`
}

/**
 * Modules of Node's own that take long to load (crypto 7 ms, the others 1) and that hardly a start needs: each is loaded by
 * its first call.
 *
 * @param {keyof typeof builtins} program
 * @returns {import("esbuild").Plugin}
 */
export const builtinsApart = (program) => ({
  name: "builtins-apart",
  setup: ({ onLoad, onResolve }) => {
    for (const [module, names] of Object.entries(builtins[program])) {
      const filter = new RegExp(`^${module}$`)
      onResolve({ filter }, ({ path }) => ({ path, namespace: "apart", sideEffects: false }))
      onLoad({ filter, namespace: "apart" }, () => ({
        contents: names.map((name) => exported(module, name)).join("\n")
      }))
    }
  }
})

/**
 * The driver's JavaScript is part of the bundle, and of its compiled code: as files of its own it took 8 ms. Its part that
 * finds the binary is left where the binary is.
 *
 * @type {import("esbuild").Plugin}
 */
export const sqliteBinaryApart = {
  name: "sqlite-binary-apart",
  setup: ({ onLoad, onResolve }) => {
    onResolve({ filter: /^better-sqlite3$/ }, ({ kind, path }) =>
      kind === "require-resolve" ? { path, external: true } : undefined
    )
    onResolve({ filter: /^\.\/binding$/ }, ({ importer }) =>
      importer.includes("/better-sqlite3/lib/") ? { path: "binding", namespace: "apart" } : undefined
    )
    onLoad({ filter: /^binding$/, namespace: "apart" }, () => ({
      contents: 'module.exports = require(require.resolve("better-sqlite3").replace(/index\\.js$/, "binding.js"))'
    }))
  }
}
