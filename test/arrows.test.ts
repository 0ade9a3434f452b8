import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "@effect/vitest"
import { parseSync } from "oxc-parser"

// Import cycles between files are found by Biome's noImportCycles.

/** A folder or a file at the top of a package imports only itself and what is to its right. */
const arrows: Readonly<Record<string, string>> = {
  cli: "main → Portctl → commands → { doctor, mcp } → agents → compose → { project, server, dotenv, run } → { client, output } → settings → platform → errors",
  server:
    "main → PortServer → Server → http → registry → { storage, listeners, folders } → containers → ServerConfig → runtime",
  dashboard: "main → views → state → api → model",
  "command-line": "Launch → Program → { completion, ErrorReport } → help → { command, terminal } → UsageError"
}

/** A package imports of the others only those to its right. */
const packages = "{ cli, server, dashboard } → { command-line, domain }"

const root = fileURLToPath(new URL("../packages", import.meta.url))

/** Each name of an arrow with how far to the right it is. */
const ranks = (arrow: string): ReadonlyMap<string, number> =>
  new Map(
    arrow.split("→").flatMap((names, rank) => (names.match(/[\w-]+/g) ?? []).map((name) => [name, rank] as const))
  )

const sourceFiles = (name: string): ReadonlyArray<string> =>
  readdirSync(join(root, name, "src"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))

/** What a file imports or re-exports, types included. */
const importsOf = (file: string): ReadonlyArray<string> => {
  const text = readFileSync(file, "utf8")
  const { dynamicImports, staticExports, staticImports } = parseSync(file, text).module
  return [
    ...staticImports.map(({ moduleRequest }) => moduleRequest.value),
    ...staticExports.flatMap(({ entries }) => entries.flatMap(({ moduleRequest }) => moduleRequest?.value ?? [])),
    ...dynamicImports.map(({ moduleRequest }) => text.slice(moduleRequest.start + 1, moduleRequest.end - 1))
  ]
}

/** The folder or the file at the top of its package that a file belongs to. */
const roomOf = (name: string, file: string): string =>
  relative(join(root, name, "src"), file)
    .split("/")[0]
    ?.replace(/\.tsx?$/, "") ?? ""

describe.each(Object.entries(arrows))("the source of %s", (name, arrow) => {
  const rank = ranks(arrow)
  const files = sourceFiles(name)

  it("has no folder or file that its arrow does not name", () => {
    expect([...new Set(files.map((file) => roomOf(name, file)))].sort()).toEqual([...rank.keys()].sort())
  })

  it("imports only along its arrow", () => {
    const against = files.flatMap((file) => {
      const from = roomOf(name, file)
      return importsOf(file).flatMap((path) => {
        if (!path.startsWith(".")) return []
        const to = roomOf(name, join(dirname(file), path))
        return from === to || (rank.get(to) ?? 0) > (rank.get(from) ?? 0) ? [] : [`${relative(root, file)} → ${path}`]
      })
    })
    expect(against).toEqual([])
  })
})

it.each(readdirSync(root))("the package %s imports only packages to its right", (name) => {
  const rank = ranks(packages)
  const against = sourceFiles(name).flatMap((file) =>
    importsOf(file).flatMap((path) => {
      const [, to] = /^@port-server\/([^/]+)/.exec(path) ?? []
      return to === undefined || (rank.get(to) ?? 0) > (rank.get(name) ?? 0)
        ? []
        : [`${relative(root, file)} → ${path}`]
    })
  )
  expect(against).toEqual([])
})
