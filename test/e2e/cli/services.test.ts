import { chmodSync, lstatSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { describe, expect, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { expectAnswer, expectError, expectUsageError } from "../../support/Expectations.ts"
import { git, realFolder, temporaryRepository } from "../../support/Git.ts"
import { portctl, portctlAsNormalUser, startServer } from "../../support/Programs.ts"

const written = (folder: string, text: string) => {
  const file = join(folder, "portctl.json")
  writeFileSync(file, text)
  return file
}

describe.concurrent("the services of a project", () => {
  for (const [name, layout] of [
    ["two spaces", (text: string) => text],
    ["tabs", (text: string) => text.replaceAll("  ", "\t")],
    ["CRLF", (text: string) => text.replaceAll("\n", "\r\n")]
  ] as const) {
    it.scopedLive(`are added to portctl.json and removed, and its layout stays: ${name}`, () =>
      Effect.gen(function* () {
        const folder = yield* realFolder
        const before = layout('{\n  "services": {\n    "web": { "env":   "PORT" }\n  },\n\n  "app": "shop"\n}\n')
        const file = written(folder, before)
        const run = (...args: ReadonlyArray<string>) => portctl(args, { cwd: folder })
        expectAnswer(
          yield* run("add", "web=3000", "db"),
          `added db to ${file}\nchanged web in ${file}; a port that is allocated already stays until portctl release --here --service web\n`
        )
        const after = readFileSync(file, "utf8")
        expect(JSON.parse(after)).toEqual({
          app: "shop",
          services: { web: { env: "PORT", prefer: 3000 }, db: { env: "DB_PORT" } }
        })
        expect(after).toContain(layout('\n  },\n\n  "app": "shop"\n}\n'))
        expect(after.includes("\r\n")).toBe(name === "CRLF")
        for (const words of [["db"], ["web,db"], ["web, db"]]) {
          expectAnswer(yield* run("add", ...words), `${file} needs no change\n`)
        }
        expect(readFileSync(file, "utf8")).toBe(after)
        expectAnswer(
          yield* run("remove", "db"),
          `removed db from ${file}; portctl release --here --service db gives back its port\n`
        )
        expect(JSON.parse(readFileSync(file, "utf8"))).toEqual({
          app: "shop",
          services: { web: { env: "PORT", prefer: 3000 } }
        })
      })
    )
  }

  const docs =
    '{\n  "services": {\n    "web": { "env": ["PORT", "VITE_PORT"], "prefer": 3000 },\n    "db": { "env": "PGPORT" }\n  },\n  "app": "shop"\n}\n'
  const [web, db] = ['    "web": { "env": ["PORT", "VITE_PORT"], "prefer": 3000 }', '    "db": { "env": "PGPORT" }']
  const line = '{"services":{"web":{"env":"PORT"},"db":{}},"variables":{"A":"{web}"}}'
  for (const [before, args, after] of [
    [docs, "add q", docs.replace(db, `${db},\n    "q": { "env": "Q_PORT" }`)],
    [docs, "add --size 4 q=80", docs.replace(db, `${db},\n    "q": { "env": "Q_PORT", "prefer": 80, "size": 4 }`)],
    [docs, "add db=5", docs.replace('"PGPORT"', '"PGPORT", "prefer": 5')],
    [docs, "add web=5", docs.replace("3000", "5")],
    [docs, "remove web", docs.replace(`${web},\n`, "")],
    [docs, "remove db", docs.replace(`,\n${db}`, "")],
    [docs, "remove zz", docs],
    [line, "add q=5", line.replace('"db":{}', '"db":{},"q":{"env":"Q_PORT","prefer":5}')],
    [line, "add --size 2 db=5", line.replace('"db":{}', '"db":{"prefer":5,"size":2}')],
    [line, "remove db", line.replace(',"db":{}', "")]
  ] as const) {
    it.scopedLive(`stay in their lines: ${args} in ${before.split("\n").length} lines`, () =>
      Effect.gen(function* () {
        const cwd = yield* realFolder
        const file = written(cwd, before)
        expect((yield* portctl(args.split(" "), { cwd })).code).toBe(before === after ? 1 : 0)
        expect(readFileSync(file, "utf8")).toBe(after)
      })
    )
  }

  it.scopedLive("are told apart by commas, and one is one", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const cwd = yield* realFolder
      for (const args of [
        ["get", "web,db"],
        ["open", "--service", "web,db"],
        ["kill", "--service", "web, db"]
      ]) {
        const ended = yield* portctl(args, { server, cwd })
        expectUsageError(ended, /one service is wanted, not web, ?db$/, `portctl ${args[0]}`)
      }
      expectAnswer(yield* portctl(["get", " web "], { server, cwd }), "3000\n")
      expectAnswer(yield* portctl(["get", "web"], { server, cwd }), "3000\n")
    })
  )

  it.scopedLive("are all in portctl.json after several that add and remove at once", () =>
    Effect.gen(function* () {
      const cwd = yield* realFolder
      const file = written(cwd, '{"services":{"web":{},"old":{}}}')
      const names = ["a", "b", "c", "d", "e", "f", "g", "h"]
      const ended = yield* Effect.all(
        [["remove", "old"], ...names.map((name) => ["add", name])].map((args) => portctl(args, { cwd })),
        { concurrency: "unbounded" }
      )
      expect(ended.map(({ code }) => code)).toEqual(ended.map(() => 0))
      expect(Object.keys(JSON.parse(readFileSync(file, "utf8")).services).sort()).toEqual([...names, "web"])
    })
  )

  it.scopedLive("are all there when two folders that link to one portctl.json add at once", () =>
    Effect.gen(function* () {
      const shared = written(yield* realFolder, '{"services":{"web":{}}}')
      const folders = [yield* realFolder, yield* realFolder]
      for (const folder of folders) symlinkSync(shared, join(folder, "portctl.json"))
      const names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"]
      const ended = yield* Effect.all(
        names.map((name, index) => portctl(["add", name], { cwd: folders[index % 2] ?? "" })),
        { concurrency: "unbounded" }
      )
      expect(ended.map(({ stderr }) => stderr)).toEqual(names.map(() => ""))
      expect(Object.keys(JSON.parse(readFileSync(shared, "utf8")).services).sort()).toEqual([...names, "web"])
    })
  )

  it.scopedLive("are not changed where a link leads that came with a repository, out of it or into .git", () =>
    Effect.gen(function* () {
      const cwd = yield* temporaryRepository("cloned")
      const text = '{"services":{"web":{},"db":{}}}'
      const outside = written(yield* realFolder, text)
      const inGit = written(join(cwd, ".git"), text)
      const file = join(cwd, "portctl.json")
      mkdirSync(join(cwd, "packages"))
      symlinkSync(outside, file)
      symlinkSync("../.git/portctl.json", join(cwd, "packages", "portctl.json"))
      git(cwd, "add", ".")
      for (const [folder, to] of [
        [cwd, outside],
        [join(cwd, "packages"), inGit]
      ] as const) {
        for (const args of [
          ["add", "api"],
          ["add", "web=5"],
          ["remove", "db"]
        ]) {
          expectError(
            yield* portctl(args, { cwd: folder }),
            `${join(folder, "portctl.json")} leads to ${to} by a link of the repository; nothing was written`
          )
        }
        expect(readFileSync(to, "utf8")).toBe(text)
      }
      git(cwd, "rm", "--cached", "--quiet", "portctl.json")
      expectAnswer(yield* portctl(["add", "api"], { cwd }), `added api to ${file}\n`)
      expect(lstatSync(file).isSymbolicLink()).toBe(true)
      expect(readFileSync(outside, "utf8")).toContain('"api"')
    })
  )

  it.scopedLive("are not changed in a file that its user may not write", () =>
    Effect.gen(function* () {
      const cwd = yield* realFolder
      const text = '{"services":{"web":{},"db":{}}}'
      const file = written(cwd, text)
      chmodSync(file, 0o444)
      const run = (...args: ReadonlyArray<string>) => portctlAsNormalUser(args, cwd)
      const { ino } = statSync(file)
      for (const args of [
        ["add", "api"],
        ["add", "web=5"],
        ["remove", "db"]
      ]) {
        expectError(yield* run(...args), `cannot write ${JSON.stringify(file)}: permission denied`)
      }
      expect(readFileSync(file, "utf8")).toBe(text)
      expect(statSync(file).ino).toBe(ino)
      chmodSync(file, 0o644)
      expectAnswer(yield* run("add", "api"), `added api to ${file}\n`)
    })
  )

  it.scopedLive("that are there get another port to prefer, and keep the one that they have", () =>
    Effect.gen(function* () {
      const cwd = yield* realFolder
      const file = written(cwd, '{"services":{"web":{},"db":{}}}')
      const run = (...args: ReadonlyArray<string>) => portctl(args, { cwd })
      expectAnswer(
        yield* run("add", "web=3001", "api", "db"),
        `added api to ${file}\nchanged web in ${file}; a port that is allocated already stays until portctl release --here --service web\n`
      )
      expectAnswer(
        yield* run("add", "--size", "2", "web", "db"),
        `changed web, db in ${file}; a port that is allocated already stays until portctl release --here --service web,db\n`
      )
      expectAnswer(
        yield* run("remove", "web", "db"),
        `removed web, db from ${file}; portctl release --here --service web,db gives back their ports\n`
      )
    })
  )

  it.scopedLive("stay while a variable is made of their port", () =>
    Effect.gen(function* () {
      const cwd = yield* realFolder
      const contents = '{"services":{"web":{},"db":{"size":2}},"variables":{"URL":"{web}:{db+1}"}}'
      const file = written(cwd, contents)
      expectError(
        yield* portctl(["remove", "db"], { cwd }),
        `${file}: variables.URL uses {db+1}; change it before db is removed`
      )
      expect(readFileSync(file, "utf8")).toBe(contents)
    })
  )

  it.scopedLive("are quoted in the commands that are shown", () =>
    Effect.gen(function* () {
      const cwd = yield* realFolder
      const file = written(cwd, '{"services":{"a b":{},"web":{}}}')
      expectAnswer(
        yield* portctl(["remove", "a b"], { cwd }),
        `removed a b from ${file}; portctl release --here --service 'a b' gives back its port\n`
      )
    })
  )

  it.scopedLive("stay as they are when the file would be wrong", () =>
    Effect.gen(function* () {
      const folder = yield* realFolder
      const run = (...args: ReadonlyArray<string>) => portctl(args, { cwd: folder })
      expectError(yield* run("add", "db"), `there is no portctl.json for ${folder}; portctl init writes one`)
      const file = written(folder, '{"services":{"a-b":{}}}')
      expectError(
        yield* run("add", "a_b"),
        'portctl.json would be wrong: services "a-b" and "a_b" have the same variable A_B_PORT; give one another "env" in portctl.json'
      )
      expectError(
        yield* run("remove", "a-b"),
        'portctl.json would be wrong: services must name one at least, like {"web": {}}'
      )
      expectError(yield* run("remove", "db"), `${file} has no service db`)
      expectError(yield* run("add", "__proto__"), '"__proto__" cannot be a name in portctl.json')
      expect(readFileSync(file, "utf8")).toBe('{"services":{"a-b":{}}}')
      for (const verb of ["add", "remove"]) expect((yield* run(verb)).code).not.toBe(0)
      expectUsageError(yield* run("add", "web=x"), /port must be an integer/, "portctl add")
    })
  )

  it.scopedLive("are not changed in a file that has a key twice, of which one counts", () =>
    Effect.gen(function* () {
      const cwd = yield* realFolder
      for (const [text, place, key] of [
        ['{"services":{"web":{"prefer":3000},"web":{"prefer":4000}}}', "1:36", "web"],
        ['{"services":{"web":{}},\n"services":{"web":{}}}', "2:1", "services"],
        ['{"services":{"web":{},"db":{"env":"A","prefer":1,"env":"B"}}}', "1:50", "env"]
      ] as const) {
        const file = written(cwd, text)
        for (const args of [["add", "web=5000"], ["add", "api"], ["remove", "web"], ["ensure"], ["env"], ["init"]]) {
          const ended = yield* portctl(args, { cwd })
          expectError(
            ended,
            args[0] === "init"
              ? `${file} is there already; portctl add adds services to it`
              : `${file}:${place} has the key "${key}" for the second time; keep one of them`
          )
        }
        expect(readFileSync(file, "utf8")).toBe(text)
      }
      // The same key in two objects, and braces, colons and quotes in strings, are not that.
      written(cwd, '{"services":{"web":{"env":"A"},"db":{"env":"B"}},"variables":{"C":"\\"{db}\\":{web}:{{"}}')
      expect(yield* portctl(["add", "api"], { cwd })).toMatchObject({ code: 0, stderr: "" })
    })
  )

  it.scopedLive("are not read from a file that is nested too deeply", () =>
    Effect.gen(function* () {
      const cwd = yield* realFolder
      const file = written(cwd, `${"[".repeat(400_000)}${"]".repeat(400_000)}`)
      expectError(yield* portctl(["add", "db"], { cwd }), `${file} is nested too deeply`)
    })
  )

  it.scopedLive("may be beyond the end of a block, which is noted", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const cwd = yield* realFolder
      written(cwd, '{"services": {"web": {"size": 3}}}')
      expectAnswer(yield* portctl(["get", "web+2"], { server, cwd }), "3002\n")
      const swapped = yield* portctl(["get", "wbe"], { server, cwd })
      expect(swapped.stderr).toContain("note: portctl.json has no service wbe, did you mean web?")
      const beyond = yield* portctl(["get", "web+3"], { server, cwd })
      expect(beyond.stderr).toContain("note: portctl.json has no service web+3, did you mean ")
    })
  )

  it.scopedLive("may be misspelt, which is noted as long as one has no port", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const cwd = yield* realFolder
      written(cwd, '{"services": {"web": {}, "database": {}}}')
      const note =
        "note: portctl.json has no service wbb, did you mean web? portctl release --here --service wbb gives this one back\n"
      expect(yield* portctl(["get", "wbb"], { server, cwd })).toMatchObject({ code: 0, stderr: note })
      for (const service of ["wbb", "web", "mail"]) {
        expect(yield* portctl(["get", service], { server, cwd })).toMatchObject({ code: 0, stderr: "" })
      }
      const both = yield* portctl(["ensure", "--service", "databas,web"], { server, cwd })
      expect(both).toMatchObject({
        code: 0,
        stderr: expect.stringContaining("no service databas, did you mean database?")
      })
    })
  )

  it.scopedLive("are asked for and released one by one", () =>
    Effect.gen(function* () {
      const server = yield* startServer()
      const top = yield* temporaryRepository("shop")
      const run = (...args: ReadonlyArray<string>) => portctl(args, { server, cwd: top })
      expectAnswer(yield* run("get", "web"), "3000\n")
      expectAnswer(yield* run("get", "db"), "3001\n")
      expectAnswer(yield* run("get", "web"), "3000\n")
      const listed = yield* run("list", "--folder")
      expect(listed.stdout).toMatch(new RegExp(`FOLDER\\n1 +shop +main +web +3000 .* ${top}\\n`))
      expect((yield* run("list")).stdout).not.toContain(top)
      expectAnswer(
        yield* run("release", "--here", "--service", "db"),
        `released 1 allocation(s) of ${top} (shop/main)\n`
      )
      expect((yield* run("list", "--folder")).stdout).not.toContain("db")
      expectAnswer(yield* run("get", "web"), "3000\n")
    })
  )
})
