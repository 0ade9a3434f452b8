import * as Command from "@effect/cli/Command"
import { describe } from "@port-server/program/Description"
import * as Flag from "@port-server/program/Flag"
import { Rest } from "@port-server/program/Rest"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { placeOf, settingsOf } from "../Ensured.ts"
import * as Flags from "../Flags.ts"
import * as ForegroundProcess from "../ForegroundProcess.ts"
import { here } from "../Here.ts"
import * as Output from "../Output.ts"
import { ensureVariables, knownSome, type Variables } from "../Variables.ts"

/** The variables that a command gets, beside those that it finds. */
const variablesFor = ({ services }: Variables, named: ReadonlyArray<string>): ReadonlyMap<string, string> => {
  const [main, other] = named.length === 0 ? services : services.filter(({ service }) => named.includes(service))
  return new Map([
    ...services.map(({ port, variable }) => [variable, String(port)] as const),
    ...(main === undefined || other !== undefined ? [] : [["PORT", String(main.port)] as const])
  ])
}

/** `portctl run` */
export const run = Command.make(
  "run",
  {
    service: Flags.moreServices,
    ...Flags.place,
    quiet: Flag.boolean("quiet", "Say nothing about the variables")
  },
  Effect.fnUntraced(function* ({ quiet, service, ...given }) {
    const [command = "", ...args] = yield* Rest
    yield* ForegroundProcess.endOnSignal
    const named = service.map((each) => each.service)
    const variables = Effect.gen(function* () {
      const place = yield* here(given)
      const others = service.length === 0 ? yield* knownSome(place) : [...settingsOf(place).keys()]
      const more = others.filter((name) => !named.includes(name)).map((name) => ({ service: name }))
      return yield* ensureVariables(place, given, [...more, ...service])
    })
    const ensured = yield* Output.inWords(variables)
    const wanted = [...variablesFor(ensured, named)]
    const kept = wanted.filter(([name]) => process.env[name] !== undefined).map(([name]) => `; ${name} was set already`)
    const set = wanted.filter(([name]) => process.env[name] === undefined)
    if (!quiet) {
      const line = set.map(([name, port]) => `${name}=${port}`).join(" ")
      yield* Console.error(`${placeOf(ensured.ensured)}: ${line}${kept.join("")}`)
    }
    yield* ForegroundProcess.run(command, args, { ...process.env, ...Object.fromEntries(set) })
  })
).pipe(
  describe(
    "Run a command with this project's ports in its environment",
    ["portctl run -- pnpm dev", "portctl run --service web -- python3 app.py"],
    [
      "The variables are those of portctl env, and PORT for the one service that is named or that there is. One that is set already stays as it is."
    ],
    {
      environment: Flags.placeVariables,
      exits: {
        0: "As the command ends",
        1: "As the command ends, or stderr says why it did not start",
        126: "It cannot be run",
        127: "It is not found"
      }
    }
  )
)
