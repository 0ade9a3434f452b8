import * as Command from "@port-server/command-line/command/Command"
import * as Flag from "@port-server/command-line/command/Flag"
import { NonZeroExit } from "@port-server/command-line/UsageError"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { statesOf } from "../../compose/ComposeEnvironment.ts"
import { summary } from "../../output/ListenerFormat.ts"
import * as Output from "../../output/Output.ts"
import { type Column, table } from "../../output/Table.ts"
import { nothingGiven } from "../../project/Given.ts"
import { ServiceState } from "../../project/PortStates.ts"
import { here } from "../../project/ProjectContext.ts"
import * as Options from "../Options.ts"
import * as SchemaOptions from "../SchemaOptions.ts"

const exits = { foreign: 3, idle: 4 } as const

const styles = { own: "green", foreign: "red", idle: "dim", unknown: "cyan" } as const

const foreignFirst = (listeners: ServiceState["listeners"]) =>
  listeners.toSorted((one, other) => Number(one.belongs === "yes") - Number(other.belongs === "yes"))

const columns: ReadonlyArray<Column<ServiceState>> = [
  { heading: "SERVICE", cell: ({ service }) => service, shorten: "end" },
  { heading: "PORT", cell: ({ port = "-" }) => String(port), style: "cyan" },
  { heading: "STATE", cell: ({ state }) => state, style: ({ state }) => styles[state] },
  // Whose a process is comes last, and is the answer: never shortened.
  { heading: "PROCESS", cell: ({ listeners }) => summary(foreignFirst(listeners)) || "-" }
]

/** `portctl verify` */
export const verify = Command.make(
  "verify",
  {
    summary: "Show whether this project's own processes are on its ports",
    details: [
      "own: what is on the port belongs to this working copy; foreign: at least one process or container does not; idle: nothing serves on it; unknown: a process's folder cannot be read, a container has none, or port-server runs outside of this sandbox or container. Nothing is allocated."
    ],
    examples: ["portctl verify --listening && npm run test:e2e"],
    exitCodes: {
      [exits.foreign]: "A port has a process of another folder",
      [exits.idle]: "With --listening: nothing serves on one of the ports, as far as port-server sees"
    },
    parameters: {
      service: SchemaOptions.serviceNames,
      listening: Flag.boolean("listening", "Require that something serves on each port"),
      json: Options.json
    }
  },
  Effect.fnUntraced(function* ({ json, listening, service }) {
    const states = yield* Output.print(Schema.Array(ServiceState), { json, indent: 2 })(
      Effect.flatMap(here(nothingGiven), (place) => statesOf(place, service)),
      (states, terminal) => (states.length === 0 ? "no services" : table(columns, states, terminal))
    )
    const has = (state: ServiceState["state"]) => states.some((each) => each.state === state)
    if (has("foreign")) return yield* new NonZeroExit({ status: exits.foreign })
    const isServed = ({ listeners, state }: ServiceState) => state !== "idle" && listeners.length > 0
    if (listening && (states.length === 0 || !states.every(isServed)))
      return yield* new NonZeroExit({ status: exits.idle })
  })
)
