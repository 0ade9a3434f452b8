// Write the packages that users install into dist/: both programs, and the domain with its typed client.
import "./ready.js"
import { execFileSync } from "node:child_process"
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { writeStarter } from "./starter.js"

/** @param {string} file */
const manifest = (file) => JSON.parse(readFileSync(file, "utf8"))
const { description, engines, license, overrides, version } = manifest("package.json")

const staged = "dist/port-server"
rmSync("dist", { recursive: true, force: true })
mkdirSync(`${staged}/bin`, { recursive: true })

// What runs needs no checkout: not the mark of the build, nor the code that this machine's processor compiled.
for (const file of readdirSync("bin").filter((name) => name !== ".built" && !name.endsWith(".cache"))) {
  cpSync(`bin/${file}`, `${staged}/bin/${file}`)
}
for (const file of ["README.md", "LICENSE", "CHANGELOG.md"]) cpSync(file, `${staged}/${file}`)

// npm installs global packages in lib/node_modules of the prefix whose bin/node it runs on. A package in a project has no
// prefix: four folders up from it is the one around the project, where others may have put a bin/node.
const nodeOfPrefix = `node=
case $folder in
  */lib/node_modules/port-server/bin) [ -e "$folder/../../../package.json" ] || node="$folder/../../../../bin/node" ;;
esac`

const programs = ["port-server", "portctl"]
for (const name of programs) {
  const [, hash = ""] = /NAME-(\w+)-/.exec(readFileSync(`bin/${name}.cjs`, "utf8").replaceAll(name, "NAME")) ?? []
  writeStarter(`${staged}/bin`, name, hash, nodeOfPrefix)
}

writeFileSync(
  `${staged}/package.json`,
  `${JSON.stringify(
    {
      name: "port-server",
      version,
      description,
      license,
      bin: Object.fromEntries(programs.map((name) => [name, `bin/${name}`])),
      engines,
      dependencies: { "better-sqlite3": overrides["better-sqlite3"] }
    },
    undefined,
    2
  )}\n`
)

// The compiler leaves behind what it once made of a source that is gone.
rmSync("packages/domain/dist", { recursive: true, force: true })
execFileSync("node_modules/.bin/tsc", ["--build", "packages/domain"], { stdio: "inherit" })
for (const folder of [staged, "packages/domain"]) {
  execFileSync("npm", ["pack", "--silent", "--pack-destination", `${process.cwd()}/dist`], {
    cwd: folder,
    stdio: "inherit"
  })
}
rmSync(staged, { recursive: true })
