import { namesOf } from "@port-server/domain/Block"
import { projectFileName } from "@port-server/domain/Defaults"
import type { EnsureResult, RequestedService } from "@port-server/domain/Ensure"
import { escapeControls } from "@port-server/domain/Name"
import { fill, literalsIn, namesIn } from "@port-server/domain/Placeholders"
import { servicesByName, variablesOf } from "@port-server/domain/ServiceSettings"
import { variableOf } from "@port-server/domain/ServiceVariable"
import { isRefused } from "@port-server/domain/VariableName"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { CliError } from "../errors/CliError.ts"
import type { Here } from "./ProjectContext.ts"
import { ensureServices, heldPorts, settingsOf } from "./ProjectPorts.ts"
import { usualVariables } from "./UsualVariables.ts"

/** A service, or a further port of a block, with its port and the variables that carry it. */
export interface ServiceVariables {
  readonly service: string
  readonly variables: ReadonlyArray<string>
  readonly port: number
  /** Whether it is a service by itself: the first port of a block is, the others are not. */
  readonly isService: boolean
}

/** The value of a variable, and what it is made of. */
export interface Value {
  /** The texts around the ports in it. */
  readonly literals: ReadonlyArray<string>
  readonly value: string
}

/** The ports of a project's services, and the variables that are made of them. */
export interface Variables {
  readonly ensured: EnsureResult
  /** The names of the ports of the service that PORT is of: the one that is named, or that the project file places here. */
  readonly main: ReadonlyArray<string>
  readonly services: ReadonlyArray<ServiceVariables>
  /** Those of the projects above. */
  readonly outer: ReadonlyArray<ServiceVariables>
  /** All variables by name: those of the projects above, of the services, and of the project file. */
  readonly values: ReadonlyMap<string, Value>
}

/** The variable of the port that a command listens on. */
export const mainVariable = "PORT"

/** The variables of a service where PORT is another one's: its usual one in place of that, if it may have that. */
const withoutMain = (service: string, variables: ReadonlyArray<string>): ReadonlyArray<string> => {
  const others = variables.filter((name) => name !== mainVariable)
  return others.length === 0 && variables.length > 0 ? [variableOf(service)].filter((name) => !isRefused(name)) : others
}

/** The service whose port is PORT: that of the current folder, or one that is named. */
interface Main {
  /** PORT is added to its variables. */
  readonly main?: string | undefined
  /** Whoever names it sets PORT. */
  readonly named?: string | undefined
  /** The services that the command line names: each must have a variable of its own. */
  readonly said?: ReadonlyArray<string> | undefined
}

const variablesIn = Effect.fnUntraced(function* (
  here: Here,
  asked: ReadonlyArray<string>,
  { main, named, said = [] }: Main,
  isOuter: boolean
) {
  const settings = settingsOf(here)
  const isNamed = (service: string) => settings.has(service) || said.includes(service)
  const own = yield* variablesOf(asked.filter(isNamed).map((service) => [service, settings.get(service)] as const))
  const usual = usualVariables(
    asked.filter((service) => !isNamed(service)),
    own
  )
  const variables = new Map(
    asked.map((service) => {
      const variable = usual.variables.get(service)
      const all = own.get(service) ?? (variable === undefined ? [] : [variable])
      if (service === main) return [service, [...new Set([...all, mainVariable])]] as const
      const keeps = service === named || ((main ?? named) === undefined && !isOuter)
      return [service, keeps ? all : withoutMain(service, all)] as const
    })
  )
  const notes = [...usual.reasons].map(
    ([service, reason]) =>
      `note: service ${JSON.stringify(service)} has no variable, for ${reason}; ${projectFileName} can give it an "env"`
  )
  return { variables, notes }
})

/** What is ensured together with services. */
interface EnsureOptions {
  /** PORT is of the service that the project file places in the current folder. */
  readonly isMain: boolean
  /** PORT is of this service. */
  readonly named?: string | undefined
  /** The services that the command line names. */
  readonly said?: ReadonlyArray<string>
  /** The services of the projects above are ensured too. */
  readonly isWhole: boolean
  /** Nothing is allocated: the ports are those that services would get. */
  readonly isDryRun?: boolean
  /** Only services that have their ports get variables, and nothing is allocated. */
  readonly isHeldOnly?: boolean
  /** The ports of the services, where they are known already. */
  readonly held?: EnsureResult | undefined
}

/** Ensure services of one project, and name the variables that carry their ports. */
const ensureProject = Effect.fnUntraced(function* (
  here: Here,
  asked: ReadonlyArray<RequestedService>,
  main: Main,
  isOuter: boolean,
  { held, isDryRun = false, isHeldOnly = false }: Pick<EnsureOptions, "held" | "isDryRun" | "isHeldOnly">
) {
  const names = servicesByName(here.project?.contents.services ?? {})
  const { notes, variables } = yield* Effect.mapError(
    variablesIn(
      here,
      asked.map(({ service }) => service),
      main,
      isOuter
    ),
    CliError.make
  )
  const ensured = held ?? (yield* isHeldOnly ? heldPorts(here) : ensureServices(here, asked, isDryRun))
  if (!isDryRun) yield* Effect.forEach(notes, (note) => Console.error(escapeControls(note)), { discard: true })
  const services = ensured.allocations.map(
    ({ port, service }): ServiceVariables => ({
      service,
      variables: variables.get(service) ?? [],
      port,
      isService: (names.get(service) ?? service) === service
    })
  )
  const ports = new Map(services.map(({ port, service }) => [service, String(port)] as const))
  // Those that need no other services.
  const templates = Object.entries(here.project?.contents.variables ?? {}).filter(([, template]) =>
    namesIn(template, names.keys()).every((name) => ports.has(name))
  )
  const values = new Map<string, Value>([
    ...services.flatMap(({ port, variables }) =>
      variables.map((name) => [name, { literals: ["", ""], value: String(port) }] as const)
    ),
    ...templates
      // The port of the service that is meant comes before what the file says of PORT.
      .filter(([name]) => name !== mainVariable || (!isOuter && (main.main ?? main.named) === undefined))
      .map(([name, template]) => {
        const value: Value = { literals: literalsIn(template, ports.keys()), value: fill(template, ports) }
        return [name, value] as const
      })
  ])
  return { ensured, services, values }
})

/** Ensure services, and name the variables that carry their ports. */
export const ensureVariables = Effect.fnUntraced(function* (
  here: Here,
  asked: ReadonlyArray<RequestedService>,
  { held, isMain, isWhole, named, said, ...options }: EnsureOptions
) {
  const main = isMain ? here.service : undefined
  const meant = main ?? named
  const outer = yield* Effect.forEach(isWhole ? here.above.toReversed() : [], (project) =>
    ensureProject(
      project,
      [...settingsOf(project).keys()].map((service) => ({ service })),
      {},
      true,
      options
    )
  )
  const own = yield* ensureProject(here, asked, { main, named, said }, false, { held, ...options })
  const result: Variables = {
    ensured: own.ensured,
    main: meant === undefined ? [] : namesOf(meant, settingsOf(here).get(meant)),
    services: own.services,
    outer: outer.flatMap(({ services }) => services),
    values: new Map([...outer, own].flatMap(({ values }) => [...values]))
  }
  return result
})

/** All variables with their values. */
export const valuesOf = ({ values }: Variables): ReadonlyMap<string, string> =>
  new Map([...values].map(([name, { value }]) => [name, value] as const))
