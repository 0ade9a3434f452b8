import * as Argument from "@port-server/command-line/command/Argument"
import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import { escapeControls } from "@port-server/domain/Name"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Output from "../../output/Output.ts"
import { ensureVariables, requireServices, type Variables } from "../../project/PortVariables.ts"
import { type Given, here } from "../../project/ProjectContext.ts"
import { instanceLabel, settingsOf } from "../../project/ProjectPorts.ts"
import { type Changes, inherited, textOf } from "../../run/CommandEnvironment.ts"
import { handOver } from "../../run/Handover.ts"
import * as Options from "../Options.ts"

/** The variables that a command gets, beside those that it finds. */
const variablesFor = ({ services }: Variables, named: ReadonlyArray<string>): ReadonlyMap<string, string> => {
  const [main, other] = named.length === 0 ? services : services.filter(({ service }) => named.includes(service))
  return new Map([
    ...services.map(({ port, variable }) => [variable, String(port)] as const),
    ...(main === undefined || other !== undefined ? [] : [["PORT", String(main.port)] as const])
  ])
}

/** The variable that tells a run inside of which variables, with which values, this one set. */
const runMarker = "PORTCTL_RUN"

/** The variables that an outer run set and nobody changed since: they are not the user's. */
const inheritedFromRun = (env: Readonly<Record<string, string>>): ReadonlyMap<string, string> => {
  const pairs = (env[runMarker] ?? "").split(" ").map((pair) => {
    const [name = "", value = ""] = pair.split("=")
    return [name, value] as const
  })
  return new Map(pairs.filter(([name, value]) => name !== "" && env[name] === value))
}

const pairsText = (pairs: Iterable<readonly [string, string]>) => [...pairs].map((pair) => pair.join("=")).join(" ")

/** What changes in the environment for the command, where what the user has set stays; and what is to be said of it. */
const prepare = (wanted: ReadonlyMap<string, string>, env: Readonly<Record<string, string>>, place: string) => {
  const outer = inheritedFromRun(env)
  const isUsers = (name: string) => (env[name] ?? "") !== "" && !outer.has(name)
  const isKept = ([name, port]: readonly [string, string]) => isUsers(name) && env[name] !== port
  const kept = [...wanted].filter(isKept)
  const given = [...wanted].filter((pair) => !isKept(pair))
  // A command listens on PORT: that of another project's service is not for this one.
  const isForeignPort = !wanted.has("PORT") && ![undefined, ...wanted.values()].includes(outer.get("PORT"))
  const passed = [...outer].filter(([name]) => !(isForeignPort && name === "PORT"))
  const listed = new Map([...passed, ...given.filter(([name]) => !isUsers(name))])
  return {
    changes: new Map<string, string | undefined>([
      ...(isForeignPort ? [["PORT", undefined] as const] : []),
      ...given,
      [runMarker, listed.size === 0 ? undefined : pairsText(listed)]
    ]),
    lines: [
      ...(given.length === 0 ? [] : [`${place}: ${pairsText(given)}`]),
      ...kept.map(([name, port]) => {
        const value = escapeControls(env[name] ?? "")
        return `note: ${name} is set to ${value} already and stays (${place} has ${port})`
      })
    ]
  }
}

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
      "The variables are those of portctl env, and PORT if exactly one service is named or exists. A variable that you have set keeps its value, unless it is empty or an outer portctl run has set it. --app and --instance also apply to a portctl that the command runs."
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
    const variables = Effect.gen(function* () {
      const place = yield* here(given)
      const others = service.length === 0 ? yield* requireServices(place) : [...settingsOf(place).keys()]
      const more = others.filter((name) => !named.includes(name)).map((name) => ({ service: name }))
      return yield* ensureVariables(place, [...more, ...service])
    })
    const ensured = yield* Output.toCliError(variables)
    const environment = inherited()
    const { changes, lines } = prepare(
      variablesFor(ensured, named),
      textOf(environment),
      instanceLabel(ensured.ensured)
    )
    if (!quiet) yield* Effect.forEach(lines, (line) => Console.error(line), { discard: true })
    yield* handOver(command, environment, new Map([...changes, ...said(given)]))
  })
)
