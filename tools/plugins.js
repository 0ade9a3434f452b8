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

/** Used by the sources and by NodeFileSystem; another one ends the build. */
const cryptoFunctions = ["createHash", "randomBytes", "randomUUID", "timingSafeEqual"]

/**
 * Node's crypto takes longer to load than any other module of its own, 7 ms, and hardly a start needs it: it is loaded by
 * the first call.
 *
 * @type {import("esbuild").Plugin}
 */
export const cryptoApart = {
  name: "crypto-apart",
  setup: ({ onLoad, onResolve }) => {
    onResolve({ filter: /^node:crypto$/ }, ({ path }) => ({ path, namespace: "apart", sideEffects: false }))
    onLoad({ filter: /^node:crypto$/, namespace: "apart" }, () => ({
      contents: cryptoFunctions
        .map((name) => `export const ${name} = (...a) => process.getBuiltinModule("node:crypto").${name}(...a)`)
        .join("\n")
    }))
  }
}

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
