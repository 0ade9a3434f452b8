import * as Argument from "@port-server/command-line/command/Argument"
import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import { escapeControls } from "@port-server/domain/Name"
import { namesIn } from "@port-server/domain/Placeholders"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as ComposeEnvironment from "../../compose/ComposeEnvironment.ts"
import { CliError } from "../../errors/CliError.ts"
import * as Output from "../../output/Output.ts"
import type { Given } from "../../project/Given.ts"
import { instanceLabel } from "../../project/PlaceNotes.ts"
import { portOwners } from "../../project/PortOwner.ts"
import { ensureVariables, type Variables } from "../../project/PortVariables.ts"
import { here } from "../../project/ProjectContext.ts"
import { knownServices, settingsOf } from "../../project/ProjectPorts.ts"
import { filled, spliced, textsOf } from "../../run/Arguments.ts"
import { type Changes, inherited, textOf } from "../../run/CommandEnvironment.ts"
import { handOver } from "../../run/Handover.ts"
import { injectionFor } from "../../run/PortInjection.ts"
import { isPort, prepare, runMarker, type Wanted } from "../../run/RunVariables.ts"
import { watch } from "../../run/Watcher.ts"
import * as SchemaOptions from "../SchemaOptions.ts"

/** The variables that a command gets: those of env, and PORT where there is only one of these services. */
const wantedOf = ({ services, values }: Variables, names: ReadonlyArray<string>): ReadonlyMap<string, Wanted> => {
  const [main, other] = services.filter(({ service }) => names.includes(service))
  if (main === undefined || other !== undefined) return values
  return new Map([...values, ["PORT", { literals: ["", ""], value: String(main.port) }]])
}

/** The placeholders of a command's words. */
const placeholdersOf = ({ outer, services }: Variables, port: string | undefined): ReadonlyMap<string, string> =>
  new Map([
    ...[...outer, ...services].map(({ port, service }) => [service, String(port)] as const),
    // Where it stands for nothing, only its escaped form is left.
    ["PORT", port ?? "{PORT}"] as const
  ])

/** The ports that a command was given, each with the variable that has it. */
const givenPorts = ({ outer, services }: Variables, port: string | undefined): ReadonlyMap<number, string> =>
  new Map([
    ...[...outer, ...services].map(({ port, service, variables: [name = service] }) => [port, name] as const),
    ...(port !== undefined && isPort(port) ? [[Number(port), "PORT"] as const] : [])
  ])

/** The app and instance of the command line, as variables that give a portctl inside the same ones. */
const said = ({ app, instance }: Given): Changes =>
  new Map([
    ...Option.match(app, { onNone: () => [], onSome: (name) => [["PORTCTL_APP", name] as const] }),
    ...Option.match(instance, { onNone: () => [], onSome: (name) => [["PORTCTL_INSTANCE", name] as const] })
  ])

/** `portctl run` */
export const run = Command.make(
  "run",
  {
    summary: "Run a command with this project's ports in its environment",
    details: [
      "The variables are those of portctl env, and PORT if there is exactly one service, or if --service names or portctl.json puts into this folder exactly one. A variable that you have set keeps its value, unless it is empty, an outer portctl run has set it, it is a port of another working copy, or, in PORT, of another service than the one that PORT is of. In the arguments, {PORT} and {SERVICE} are replaced by ports. --app and --instance also apply to a portctl that the command runs."
    ],
    examples: ["portctl run -- pnpm dev", "portctl run --service web -- python3 app.py"],
    environment: [[runMarker, "Set for the command: the variables that portctl run has set"]],
    exitCodes: {
      0: "The command succeeded",
      1: "The command ended with 1, or another error is on stderr",
      126: "It cannot be run",
      127: "It is not found"
    },
    parameters: {
      service: SchemaOptions.moreServices,
      ...SchemaOptions.contextFlags,
      noInject: Flag.boolean("no-inject", "Add no flags to development servers that do not read PORT"),
      noWatch: Flag.boolean("no-watch", "Do not watch what the command listens on"),
      quiet: Flag.boolean("quiet", "Do not print the variables and the added flags"),
      command: Argument.passthrough("COMMAND [ARGS...]", "The command, with its own arguments")
    }
  },
  Effect.fnUntraced(function* ({ command, noInject, noWatch, quiet, service, ...given }) {
    const named = service.map((each) => each.service)
    const environment = inherited()
    const { others, project, variables } = yield* Output.toCliError(
      Effect.gen(function* () {
        const place = yield* here(given)
        const others = service.length === 0 ? yield* knownServices(place) : [...settingsOf(place).keys()]
        const more = others.filter((name) => !named.includes(name)).map((name) => ({ service: name }))
        const composed = yield* ComposeEnvironment.heldServices(place, [...others, ...named])
        const asked = [...more, ...composed, ...service]
        const variables = yield* ensureVariables(place, asked, {
          isMain: named.length === 0,
          named: named.length === 1 ? named[0] : undefined,
          said: named,
          isWhole: true
        })
        const project = yield* ComposeEnvironment.projectOf(place, variables.ensured, textOf(environment))
        return { others, project, variables }
      })
    )
    const label = instanceLabel(variables.ensured)
    const composed = ComposeEnvironment.wantedOf(project, textOf(environment))
    const {
      changes,
      given: set,
      notes,
      port
    } = yield* Output.toCliError(
      prepare(
        new Map([...wantedOf(variables, named.length > 0 ? named : others), ...composed.wanted]),
        composed.env,
        label,
        portOwners(variables)
      )
    )
    if (port === undefined && command.some((word) => namesIn(word, ["PORT"]).length > 0)) {
      const names = variables.services
        .filter(({ isService }) => isService)
        .map((each) => `{${escapeControls(each.service)}}`)
      return yield* CliError.make(
        `{PORT} is the port of one service: name one with --service, or use ${names.join(" or ")}`
      )
    }
    const placed = filled(command, placeholdersOf(variables, port))
    const injection =
      noInject || port === undefined || !isPort(port)
        ? undefined
        : injectionFor(textsOf(command, placed), port, { ...textOf(environment), ...Object.fromEntries(changes) })
    const words = injection === undefined ? placed : spliced(placed, injection)
    const done = [
      ...(set.length === 0 ? [] : [set.join(" ")]),
      ...(injection === undefined
        ? []
        : [`${injection.tool} gets ${injection.words.filter((word) => word !== "--").join(" ")}`])
    ]
    const lines = [...(done.length === 0 ? [] : [`${label}: ${done.join("; ")}`]), ...composed.notes, ...notes]
    if (!quiet) yield* Effect.forEach(lines, (line) => Console.error(line), { discard: true })
    yield* handOver(command, words, environment, new Map([...changes, ...said(given)]))
    if (!noWatch)
      yield* watch({ label, given: givenPorts(variables, port), marker: [runMarker, changes.get(runMarker) ?? ""] })
  })
)
