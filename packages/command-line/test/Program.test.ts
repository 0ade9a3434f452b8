import { describe, expect, it } from "@effect/vitest"
import * as Argument from "@port-server/command-line/command/Argument"
import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import type { ProgramInfo } from "@port-server/command-line/Program"
import { NonZeroExit, UsageError } from "@port-server/command-line/UsageError"
import * as Console from "effect/Console"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { runInProcess } from "../../../test/support/InProcess.ts"

class Greeting extends Context.Tag("Greeting")<Greeting, string>() {}

/** Prints the parsed parameters. */
const print = (values: unknown) => Console.log(JSON.stringify(values))

const set = Command.make(
  "set",
  {
    summary: "Set a value",
    examples: ["tool config set range 1-2"],
    parameters: {
      key: Argument.text({ name: "KEY", description: "Which one", completes: "key" }),
      values: Argument.list({ name: "VALUE", description: "Its values" }),
      force: Flag.boolean("force", "Also where it is set")
    }
  },
  print
)

const get = Command.make(
  "get",
  {
    summary: "Print a value",
    parameters: { key: Argument.text({ name: "KEY", description: "Which one" }).pipe(Flag.optional) }
  },
  print
)

const show = Command.make(
  "show",
  {
    summary: "Show what was given",
    exitCodes: { 3: "It is strange" },
    parameters: {
      count: Flag.number(
        { name: "count", placeholder: "N", description: "How many", variable: "TOOL_COUNT" },
        Schema.NumberFromString.annotations({ message: () => "count must be a number" })
      ),
      name: Flag.text({ name: "name", placeholder: "NAME", description: "Name" }).pipe(Flag.withDefault("")),
      tag: Flag.list({ name: "tag", placeholder: "TAG", description: "Tags" }).pipe(
        Flag.withDefault<ReadonlyArray<string>>([])
      ),
      colour: Flag.choice("colour", ["red", "blue"], "Colour").pipe(Flag.optional),
      json: Flag.boolean("json", "As JSON")
    }
  },
  Effect.fnUntraced(function* (values) {
    if (values.name === "strange") return yield* new NonZeroExit({ status: 3 })
    if (values.name === "misused") return yield* new UsageError({ message: "--name is misused" })
    yield* print(values)
  })
)

const wrapper = Command.make(
  "wrap",
  {
    summary: "Run another program",
    parameters: {
      quiet: Flag.boolean("quiet", "Print nothing"),
      command: Argument.passthrough("COMMAND [ARGS...]", "The command")
    }
  },
  print
)

const direct = Command.make(
  "compose",
  {
    summary: "Run another program, with everything that follows",
    parameters: {
      args: Argument.passthrough("ARGS...", "Its arguments", true).pipe(Flag.withDefault<ReadonlyArray<string>>([]))
    },
    groups: {
      Commands: [
        Command.loaded(
          Command.make("plan", { summary: "Show a plan", parameters: { json: Flag.boolean("json", "JSON") } }, print)
        )
      ]
    }
  },
  print
)

const greet = Command.make(
  "greet",
  { summary: "Greet", parameters: { loud: Flag.boolean("loud", "Loudly") } },
  ({ loud }) => Effect.flatMap(Greeting, (text) => Console.log(loud ? text.toUpperCase() : text))
)

let loads = 0
const lazily = (command: Command.Command): Command.Subcommand => ({
  name: command.name,
  load: Effect.sync(() => {
    loads++
    return command
  })
})

const tool: ProgramInfo = {
  version: "1.2.3",
  messageOf: (error) => (error instanceof Error ? error.message : String(error)),
  printable: (text) => text.replaceAll("\u001b", "ESC"),
  values: async () => (completes) => Effect.succeed([{ value: `known-${completes}`, text: "" }]),
  root: Command.group("tool", {
    summary: "A tool.",
    environment: [["TOOL_HOME", "Where it is"]],
    groups: {
      Commands: [show, wrapper, direct, Command.provide(Layer.succeed(Greeting, "hello"))(greet)].map(lazily),
      Settings: [
        Command.group("config", { summary: "Settings", groups: { Commands: [get, set].map(Command.loaded) } })
      ].map(lazily)
    }
  })
}

const run = (...argv: ReadonlyArray<string>) => runInProcess(tool, argv)

const parsed = (...argv: ReadonlyArray<string>) =>
  Effect.map(run(...argv), ({ code, stderr, stdout }) => {
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" })
    const values: unknown = JSON.parse(stdout)
    return values
  })

const refusal = (...argv: ReadonlyArray<string>) =>
  Effect.map(run(...argv), ({ code, stderr, stdout }) => {
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" })
    return stderr.split("\n")
  })

describe("Program.run", () => {
  it.effect("parses flags into typed values, with defaults for those that are missing", () =>
    Effect.gen(function* () {
      expect(yield* parsed("show", "--count", "7")).toMatchObject({ count: 7, name: "", tag: [], json: false })
      expect(yield* parsed("show", "--count=7", "--json", "--colour", "red", "--tag", "a,b", "--tag=c")).toMatchObject({
        count: 7,
        json: true,
        colour: { _tag: "Some", value: "red" },
        tag: ["a", "b", "c"]
      })
    })
  )

  it.effect("keeps every character of a value", () =>
    Effect.gen(function* () {
      for (const name of [" padded ", "two\nlines", "a=b=c", "-x", "--", "", "日本"]) {
        if (name !== "--") expect(yield* parsed("show", "--count", "1", "--name", name)).toMatchObject({ name })
        if (name !== "") expect(yield* parsed("show", `--name=${name}`, "--count", "1")).toMatchObject({ name })
      }
    })
  )

  it.effect("follows nested subcommands to typed arguments, and does not take one for a switch's value", () =>
    Effect.gen(function* () {
      expect(yield* parsed("config", "set", "--force", "yes", "1", "2")).toEqual({
        key: "yes",
        values: ["1", "2"],
        force: true
      })
      expect(yield* parsed("config", "get")).toEqual({ key: { _id: "Option", _tag: "None" } })
      expect(yield* parsed("config", "get", "--", "--x")).toMatchObject({ key: { value: "--x" } })
      expect(yield* refusal("config", "get", "a", "b")).toEqual([
        'error: unexpected argument "b": tool config get takes one KEY',
        "usage: tool config get [KEY]",
        ""
      ])
      expect(yield* refusal("config", "set", "a")).toEqual([
        "error: VALUE is required",
        "usage: tool config set [--force] KEY VALUE...",
        ""
      ])
      expect((yield* refusal("config"))[0]).toBe("error: get|set is required")
      expect((yield* refusal("config", "drop"))[0]).toBe('error: tool config takes get or set, not "drop"')
    })
  )

  it.effect("takes no value for a flag, a subcommand or the value of a switch", () =>
    Effect.gen(function* () {
      for (const name of [
        "--count",
        "--tag",
        "--json",
        "--help",
        "--version",
        "true",
        "show",
        "tool",
        '"',
        '""',
        "\t"
      ]) {
        expect(yield* parsed("show", `--name=${name}`, "--tag=x", "--json", "--count", "1")).toEqual({
          count: 1,
          name,
          tag: ["x"],
          colour: { _id: "Option", _tag: "None" },
          json: true
        })
      }
      expect(yield* parsed("show", "--tag= a ,,--json", "--count=1", "--tag", "", "--tag", "two\nlines")).toMatchObject(
        {
          tag: [" a ", "", "--json", "", "two\nlines"],
          json: false
        }
      )
      for (const key of ["yes", "true", "0", "get", "config", " ", "", "a\nb"]) {
        expect(yield* parsed("config", "set", "--force", key, " no ", "")).toEqual({
          key,
          values: [" no ", ""],
          force: true
        })
      }
      for (const key of ["--help", "-h", "--version", "--wizard", "--force", "--"]) {
        expect(yield* parsed("config", "set", "--", key, "--completions", "bash")).toEqual({
          key,
          values: ["--completions", "bash"],
          force: false
        })
      }
      for (const flag of ["--wizard", "--log-level", "--JSON", "-j"]) {
        expect((yield* refusal("show", "--count", "1", flag))[0]).toContain(`unknown option ${flag}`)
      }
    })
  )

  it.effect("passes the command line of another program on as it is", () =>
    Effect.gen(function* () {
      const args = ["ls", "--help", "--", "a,b", "", " x "]
      expect(yield* parsed("wrap", "--quiet", "--", ...args)).toEqual({ quiet: true, command: args })
      const many = Array.from({ length: 30_000 }, (_, index) => String(index))
      expect(yield* parsed("wrap", "--", ...many)).toEqual({ quiet: false, command: many })
      expect((yield* refusal("wrap", "ls", "-l"))[0]).toBe("error: the command goes after --: tool wrap -- ls -l")
      expect(yield* parsed("compose", "up", "-d", "--json", "--", "plan")).toEqual({
        args: ["up", "-d", "--json", "--", "plan"]
      })
      expect(yield* parsed("compose", "-f", "x", "--help")).toEqual({ args: ["-f", "x", "--help"] })
      expect(yield* parsed("compose")).toEqual({ args: [] })
      expect(yield* parsed("compose", "plan", "--json")).toEqual({ json: true })
      expect((yield* run("compose", "--help")).stdout).toContain("\n  tool compose [ARGS...]")
    })
  )

  it.effect("refuses a command line that it cannot follow, with the usage of the command", () =>
    Effect.gen(function* () {
      for (const [argv, message] of [
        [["show"], "option --count is required"],
        [["show", "5"], 'unexpected argument "5", did you mean --count 5?'],
        [["show", "--count"], "option --count needs a value"],
        [["show", "--count="], "option --count needs a value"],
        [["show", "--count", "--json"], "option --count needs a value"],
        [["show", "--count", "x"], "count must be a number"],
        [
          ["show", "--count", "1", "--name", "--loud"],
          "option --name needs a value, and --loud looks like an option (as a value: --name=--loud)"
        ],
        [["show", "--count", "1", "--count", "2"], "option --count was given twice"],
        [["show", "--count", "1", "--json=true"], "option --json takes no value"],
        [["show", "--count", "1", "--json", "true"], 'unexpected argument "true"'],
        [["show", "--count", "1", "--colour", "green"], "--colour must be red or blue"],
        [["show", "--count", "1", "--colour"], "option --colour needs a value: red or blue"],
        [["show", "--cuont", "1"], "unknown option --cuont, did you mean --count?"],
        [["show", "-abc"], "unknown option -abc"],
        [["show", "--__proto__", "x"], "unknown option --__proto__"],
        [["show", "--count", "1", "--name", "misused"], "--name is misused"]
      ] as const) {
        expect(yield* refusal(...argv)).toEqual([
          `error: ${message}`,
          "usage: tool show --count N [--name NAME] [--tag TAG,...] [--colour red|blue] [--json]",
          ""
        ])
      }
      expect(yield* refusal("shwo")).toEqual([
        'error: unknown command "shwo", did you mean "show"? (tool --help lists the commands)',
        "usage: tool COMMAND [OPTIONS]",
        ""
      ])
      expect((yield* refusal("\u001b[31m"))[0]).not.toContain("\u001b")
    })
  )

  it.effect("returns the exit status of the command", () =>
    Effect.gen(function* () {
      expect(yield* run("show", "--count", "1", "--name", "strange")).toEqual({ code: 3, stdout: "", stderr: "" })
      expect(yield* run("greet", "--loud")).toEqual({ code: 0, stdout: "HELLO\n", stderr: "" })
      expect(yield* run("show", "--version", "--bogus")).toMatchObject({ code: 1 })
      expect(yield* run("show", "--version")).toEqual({ code: 0, stdout: "1.2.3\n", stderr: "" })
    })
  )

  it.effect("shows the help that the flags say, and loads the command alone", () =>
    Effect.gen(function* () {
      loads = 0
      const { stdout } = yield* run("show", "--help", "--bogus")
      expect(loads).toBe(1)
      expect(stdout).toBe(`Show what was given

Usage:
  tool show --count N [--name NAME] [--tag TAG,...] [--colour red|blue] [--json]

Options:
  --count N            How many
  --name NAME          Name
  --tag TAG,...        Tags
  --colour red|blue    Colour
  --json               As JSON
  -h, --help           Show this help
  --version            Show the version
  --completions SHELL  Print completions for bash, zsh or fish

Environment:
  TOOL_COUNT  The value where --count is not given
  TOOL_HOME   Where it is

Exit status:
  0  Success
  1  Failure; the reason is on stderr
  3  It is strange
`)
      expect((yield* run("help", "config", "set")).stdout).toContain("\n  tool config set [--force] KEY VALUE...\n")
      expect(yield* run("config", "--help")).toEqual(yield* run("help", "config"))
      expect((yield* run("config", "-h")).stdout).toMatch(
        /^Commands:\n {2}get {2}Print a value\n {2}set {2}Set a value$/m
      )
      expect(yield* run()).toEqual(yield* run("--help"))
    })
  )

  it.effect("completes commands, flags and values from what they are", () =>
    Effect.gen(function* () {
      const complete = (...line: ReadonlyArray<string>) =>
        Effect.map(run("__complete", "fish", ...line), ({ stdout }) =>
          stdout
            .trimEnd()
            .split("\n")
            .map((text) => text.split("\t")[0])
        )
      expect(yield* complete("")).toEqual(["words", "show", "wrap", "compose", "greet", "config", "help"])
      expect(yield* complete("config", "")).toEqual(["words", "get", "set"])
      expect(yield* complete("help", "config", "")).toEqual(["words", "get", "set"])
      expect(yield* complete("help", "show", "")).toEqual(["words"])
      expect(yield* complete("config", "set", "")).toEqual(["words", "known-key"])
      expect(yield* complete("config", "set", "a", "-")).toContain("--force")
      expect(yield* complete("show", "--colour", "")).toEqual(["words", "red", "blue"])
      expect(yield* complete("show", "--count", "1", "--")).not.toContain("--count")
      expect(yield* complete("wrap", "--", "")).toEqual(["command"])
      expect(yield* complete("compose", "")).toEqual(["words", "plan"])
    })
  )
})
