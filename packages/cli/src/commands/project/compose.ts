import * as Argument from "@port-server/command-line/command/Argument"
import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import * as Parameter from "@port-server/command-line/command/Parameter"
import { parse as parseCommand } from "@port-server/command-line/command/Parser"
import { UsageError } from "@port-server/command-line/UsageError"
import { escapeControls } from "@port-server/domain/Name"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import {
  type ComposeArguments,
  composeCommands,
  mayStart,
  needsNoPorts,
  onlyShows,
  parse,
  readsNoFile
} from "../../compose/ComposeArguments.ts"
import { nameOfOthers } from "../../compose/ComposeEnvironment.ts"
import * as ComposeFiles from "../../compose/ComposeFiles.ts"
import * as ComposeProgram from "../../compose/ComposeProgram.ts"
import * as ComposeProjects from "../../compose/ComposeProjects.ts"
import * as ComposeRun from "../../compose/ComposeRun.ts"
import * as OverrideFile from "../../compose/OverrideFile.ts"
import { PlannedPort, planOf } from "../../compose/PortPlan.ts"
import { withRanges } from "../../compose/PublishedPorts.ts"
import * as Output from "../../output/Output.ts"
import { type Column, table } from "../../output/Table.ts"
import { located } from "../../project/ProjectContext.ts"
import { refuseLedAway } from "../../project/RepositoryLinks.ts"
import { type Changes, inherited, textOf, toBytes } from "../../run/CommandEnvironment.ts"
import { handOver } from "../../run/Handover.ts"

const columns: ReadonlyArray<Column<PlannedPort>> = [
  { heading: "SERVICE", cell: ({ service }) => service },
  {
    heading: "TARGET",
    cell: ({ protocol, target }) => (protocol === "tcp" ? String(target) : `${target}/${protocol}`)
  },
  { heading: "FILE", cell: ({ file }) => String(file ?? "-") },
  { heading: "HERE", cell: ({ port }) => String(port ?? "-"), style: "cyan" },
  { heading: "WHY", cell: ({ reason = "" }) => reason, shorten: "end" }
]

/** The statuses with which Compose refuses a project, and that of a shell where there is none. */
const refusals = {
  14: "There is no such Compose file",
  15: "Docker Compose cannot read a file",
  16: "Docker Compose has no such flag",
  127: "There is no Docker Compose"
}

const planned = (args: ComposeArguments, isForPerson: boolean) =>
  Effect.gen(function* () {
    const run = yield* ComposeRun.resolve(args, "plan")
    const published = isForPerson ? withRanges(run.published) : run.published
    return { run, rows: yield* planOf(published, run) }
  })

const plan = (args: ComposeArguments) =>
  Command.make(
    "plan",
    {
      summary: "Show which ports the Compose project gets here, and why they differ from the file",
      details: ["Nothing is allocated, written or started. Flags of Docker Compose go before plan."],
      examples: ["portctl compose plan", "portctl compose -f compose.test.yaml plan --json"],
      exitCodes: refusals,
      parameters: { json: Flag.boolean("json", "Print a list as JSON") }
    },
    Effect.fnUntraced(function* ({ json }) {
      const { rows, run } = yield* Output.printError(json)(Output.toCliError(planned(args, !json)))
      yield* Output.print(Schema.Array(PlannedPort), { json, indent: 2 })(Effect.succeed(rows), (rows, terminal) =>
        [
          `${run.label}, Compose project ${run.project.name}`,
          rows.length === 0 ? "no published ports" : table(columns, rows, terminal)
        ].join("\n")
      )
    })
  )

const override = (args: ComposeArguments) =>
  Command.make(
    "override",
    {
      summary: "Print the ports of this working copy as a Compose file, for docker compose -f",
      details: [
        "Name it after the project's own files. It has only the ports that differ and the name of the project."
      ],
      examples: ["portctl compose override --write compose.ports.yaml"],
      exitCodes: refusals,
      parameters: {
        write: Flag.file({ name: "write", placeholder: "FILE", description: "Write it to this file" }).pipe(
          Flag.optional
        )
      }
    },
    Effect.fnUntraced(function* ({ write }) {
      if (Option.isSome(write) && ["", "-"].includes(write.value)) {
        return yield* new UsageError({
          message: "--write needs the name of a file; without it the override is printed"
        })
      }
      if (Option.isSome(write)) yield* refuseLedAway(write.value, (yield* located).top)
      const all = Option.isNone(write) ? args : yield* Output.toCliError(OverrideFile.withoutFile(args, write.value))
      const run = yield* Output.toCliError(ComposeRun.resolve(all, "ensure"))
      yield* OverrideFile.write(run)
      if (Option.isNone(write)) return yield* Console.log(run.override.trimEnd())
      yield* OverrideFile.copy(run, write.value)
      yield* Console.log(`wrote the ports of ${run.label} to ${escapeControls(write.value)}`)
    })
  )

const ownCommands = { plan, override }

const tellPorts = (run: ComposeRun.ComposeRun) =>
  Effect.gen(function* () {
    if (!mayStart(run.args)) return
    const rows = ComposeRun.differing(run)
    if (rows.length > 0) yield* Console.error(escapeControls(`${run.label}: ${rows.join(", ")}`))
    for (const note of ComposeRun.kept(run)) yield* Console.error(escapeControls(`note: ${note}`))
  })

const passOn = Effect.fnUntraced(function* (words: ReadonlyArray<string>) {
  const args = parse(words)
  const environment = inherited()
  const indices = words.map((_, index) => index)
  const env = textOf(environment)
  const isNone = ComposeFiles.areNone(args, env)
  // The project of another working copy may be looked at, and nothing of it is ended.
  const said =
    isNone && !onlyShows(args)
      ? nameOfOthers(env, ComposeProjects.realPath(ComposeFiles.currentFolder(env)))
      : { env, notes: [] }
  if (readsNoFile(args) || (isNone && ComposeFiles.areNone(args, said.env))) {
    const { words: program } = yield* ComposeProgram.find(env)
    return yield* handOver(words, [...program.map(toBytes), ...indices], environment, new Map())
  }
  yield* Effect.forEach(said.notes, (note) => Console.error(note), { discard: true })
  const isEnsured = !needsNoPorts(args)
  const run = yield* Output.toCliError(ComposeRun.resolve(args, isEnsured ? "ensure" : "none"))
  // podman-compose finds containers by the names in the files: a fixed one would be another working copy's.
  const isOverridden = isEnsured || run.program.isPodman
  if (isOverridden) yield* OverrideFile.write(run)
  yield* Effect.forEach(run.notes, (note) => Console.error(note), { discard: true })
  yield* tellPorts(run)
  const { flags, variables } = OverrideFile.additions(run, isOverridden && OverrideFile.changesServices(run))
  const line = [
    ...run.program.words.map(toBytes),
    ...indices.slice(0, args.flagCount),
    ...flags.map(toBytes),
    ...indices.slice(args.flagCount)
  ]
  const changes: Changes = new Map([...run.variables.changes, ...variables])
  yield* handOver(words, line, environment, changes)
})

/** `portctl compose` */
export const compose = Command.make(
  "compose",
  {
    summary: "Run Docker Compose with this project's ports",
    details: [
      "All arguments are Docker Compose's own. Each published port becomes a service of this working copy, with the name of the Compose service; it is the port in the file if that is free. The file is not changed: Compose reads the ports and the project's name from one more file."
    ],
    examples: ["portctl compose up -d", "portctl compose -f compose.test.yaml run tests", "portctl compose plan"],
    exitCodes: {
      0: "Docker Compose succeeded",
      1: "Docker Compose ended with 1, or another error is on stderr",
      ...refusals
    },
    groups: { Commands: [plan(parse([])), override(parse([]))].map(Command.loaded) },
    parameters: {
      words: Argument.passthrough("ARGS...", "Arguments of Docker Compose", true, composeCommands).pipe(
        Parameter.withDefault<ReadonlyArray<string>>([])
      )
    },
    asksForJson: (words) => {
      const [name, ...rest] = parse(words).command
      return name === "plan" && rest.includes("--json")
    }
  },
  Effect.fnUntraced(function* ({ words }) {
    const args = parse(words)
    const [name = "", ...rest] = args.command
    if (name !== "plan" && name !== "override") return yield* passOn(words)
    const command = ownCommands[name]({ ...args, command: [] })
    const directive = yield* parseCommand(["portctl", "compose", name], command, rest)
    if (directive._tag !== "UserDefined") {
      return yield* new UsageError({ message: `portctl compose ${name} --help shows its help` })
    }
    yield* directive.value
  })
)
