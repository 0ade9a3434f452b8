import * as Argument from "@port-server/command-line/command/Argument"
import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { fill } from "@port-server/domain/Placeholders"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Output from "../../output/Output.ts"
import { ensureVariables, type Variables } from "../../project/PortVariables.ts"
import { type Given, here } from "../../project/ProjectContext.ts"
import { instanceLabel, knownServices, settingsOf } from "../../project/ProjectPorts.ts"
import { type Changes, inherited, textOf } from "../../run/CommandEnvironment.ts"
import { handOver } from "../../run/Handover.ts"
import { prepare, runMarker, type Wanted } from "../../run/RunVariables.ts"
import * as Options from "../Options.ts"

/** The variables that a command gets: those of the services, PORT, and those of the project file that are made of ports. */
const wantedOf = ({ services, templates }: Variables, named: ReadonlyArray<string>): ReadonlyMap<string, Wanted> => {
  const [main, other] = named.length === 0 ? services : services.filter(({ service }) => named.includes(service))
  const ports = new Map(services.map(({ port, service }) => [service, String(port)] as const))
  const carrying = (name: string, port: number) => [name, { template: "{}", value: String(port) }] as const
  return new Map([
    ...services.flatMap(({ port, variables }) => variables.map((name) => carrying(name, port))),
    ...(main === undefined || other !== undefined ? [] : [carrying("PORT", main.port)]),
    ...[...templates].map(([name, template]) => [name, { template, value: fill(template, ports) }] as const)
  ])
}

/** The owner of a port that was allocated for another working copy. */
const ownerElsewhere = ({ app, instance }: Variables["ensured"]) =>
  Effect.fnUntraced(function* (port: number) {
    const client = yield* PortServerClient
    const [other] = yield* client.list({ port })
    if (other?.path === undefined || (other.app === app && other.instance === instance)) return undefined
    return other.owner
  })

/** What the command line said of the place, in the variables by which a portctl inside comes to the same one. */
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
      "The variables are those of portctl env, and PORT if exactly one service is named or exists. A variable that you have set keeps its value, unless it is empty, an outer portctl run has set it, or it is a port of another working copy. --app and --instance also apply to a portctl that the command runs."
    ],
    examples: ["portctl run -- pnpm dev", "portctl run --service web -- python3 app.py"],
    environment: [[runMarker, "Set for the command: the variables that portctl run has set"]],
    exitCodes: {
      0: "As the command ends",
      1: "As the command ends, or another error is on stderr",
      126: "It cannot be run",
      127: "It is not found"
    },
    parameters: {
      service: Options.moreServices,
      ...Options.contextFlags,
      quiet: Flag.boolean("quiet", "Do not print the variables"),
      command: Argument.passthrough("COMMAND [ARGS...]", "The command, with its own arguments")
    }
  },
  Effect.fnUntraced(function* ({ command, quiet, service, ...given }) {
    const named = service.map((each) => each.service)
    const variables = yield* Output.toCliError(
      Effect.gen(function* () {
        const place = yield* here(given)
        const others = service.length === 0 ? yield* knownServices(place) : [...settingsOf(place).keys()]
        const more = others.filter((name) => !named.includes(name)).map((name) => ({ service: name }))
        return yield* ensureVariables(place, [...more, ...service])
      })
    )
    const label = instanceLabel(variables.ensured)
    const environment = inherited()
    const { changes, given: set, notes } = yield* Output.toCliError(
      prepare(wantedOf(variables, named), textOf(environment), label, ownerElsewhere(variables.ensured))
    )
    const lines = [...(set.length === 0 ? [] : [`${label}: ${set.join(" ")}`]), ...notes]
    if (!quiet) yield* Effect.forEach(lines, (line) => Console.error(line), { discard: true })
    yield* handOver(command, environment, new Map([...changes, ...said(given)]))
  })
)
