import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import { Port } from "@port-server/domain/Port"
import { variableOf } from "@port-server/domain/ServiceVariable"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import { CliError } from "../errors/CliError.ts"
import { ownerElsewhere } from "../project/PortOwner.ts"
import { ensureVariables } from "../project/PortVariables.ts"
import { type Here, here } from "../project/ProjectContext.ts"
import { ensureWished, heldPorts, instanceLabel, settingsOf } from "../project/ProjectPorts.ts"
import { inherited, textOf } from "../run/CommandEnvironment.ts"
import { type Prepared, prepare } from "../run/RunVariables.ts"
import { type ComposeArguments, scalesOf, valuesOf } from "./ComposeArguments.ts"
import * as ComposeConfig from "./ComposeConfig.ts"
import { heldServices, nameVariable, saidName, topOf } from "./ComposeEnvironment.ts"
import * as ComposeFiles from "./ComposeFiles.ts"
import type { ComposeModel } from "./ComposeModel.ts"
import * as ComposeProgram from "./ComposeProgram.ts"
import * as ComposeProjects from "./ComposeProjects.ts"
import { overrideOf } from "./Override.ts"
import { servicesOf } from "./PortPlan.ts"
import { isOthers } from "./ProjectName.ts"
import { type Published, publishedPorts, rangeText, type Wanted, wantedOf } from "./PublishedPorts.ts"

type Environment = Readonly<Record<string, string>>

/** A Compose project in this working copy, with its ports. */
export interface ComposeRun {
  readonly program: ComposeProgram.ComposeProgram
  readonly args: ComposeArguments
  readonly files: ComposeFiles.ComposeFiles
  /** The app and instance. */
  readonly label: string
  /** The environment in which the model was read. */
  readonly env: Environment
  readonly model: ComposeModel
  readonly published: ReadonlyArray<Published>
  /** The first port here of what is wanted. */
  readonly firsts: ReadonlyMap<Wanted, number>
  readonly project: ComposeProjects.ComposeProject
  readonly override: string
  /** What changes in the environment of Compose, and the notes on it. */
  readonly variables: Prepared
  readonly notes: ReadonlyArray<string>
}

/** An environment with changes to it. */
export const changed = (env: Environment, changes: Prepared["changes"]): Environment => {
  const result = new Map(Object.entries(env))
  for (const [name, value] of changes) {
    if (value === undefined) result.delete(name)
    else result.set(name, value)
  }
  return Object.fromEntries(result)
}

/** The services whose variables are not those of others too. */
const withOwnVariables = (services: ReadonlyArray<string>, settings: ReturnType<typeof settingsOf>) => {
  const taken = new Set<string>()
  return services.filter((service) => {
    const variable = variableOf(service)
    if (!settings.has(service) && taken.has(variable)) return false
    taken.add(variable)
    return true
  })
}

/** The ports of services of a working copy, and what changes in an environment for them. */
const variablesFor = Effect.fnUntraced(function* (
  place: Here,
  services: ReadonlyArray<string>,
  env: Environment,
  isDryRun: boolean
) {
  const asked = withOwnVariables(services, settingsOf(place)).map((service) => ({ service }))
  const variables = yield* ensureVariables(place, asked, { isMain: true, isWhole: true, isDryRun })
  const { ensured, values } = variables
  return { ensured, ...(yield* prepare(values, env, instanceLabel(ensured), ownerElsewhere(variables))) }
})

/** Refuse a name on the command line that is another working copy's: its containers would be replaced. */
const checkName = Effect.fnUntraced(function* (name: string, folder: string) {
  const known = [...ComposeProjects.all(), ...(yield* ComposeProjects.projectsOfContainers(yield* PortServerClient))]
  if (!isOthers(name, folder, known)) return
  const owner = known.find((each) => each.name === name && each.folder !== folder)
  return yield* CliError.make(
    `the Compose project ${name} is that of ${owner?.folder}; choose another name, or leave --project-name out`
  )
})

/** The services of a working copy before Compose is asked: those of its files, or else those that have ports. */
const servicesBefore = Effect.fnUntraced(function* (place: Here) {
  if (place.project === undefined) {
    return [...new Set((yield* heldPorts(place)).allocations.map(({ service }) => service))]
  }
  const names = [...settingsOf(place).keys()]
  return [...names, ...(yield* heldServices(place, names)).map(({ service }) => service)]
})

/** Find out what Compose does with a command line here, and ensure its ports; with `isDryRun`, nothing is changed. */
export const resolve = Effect.fnUntraced(function* (args: ComposeArguments, isDryRun: boolean) {
  const user = textOf(inherited())
  const finding = yield* Effect.fork(ComposeProgram.findNew(user))
  const place = yield* here({ app: Option.none(), instance: Option.none() })
  const copy = topOf(place)
  const files = yield* ComposeFiles.find(Fiber.join(finding), args, user)
  const folder = ComposeProjects.realPath(files.folder)
  const said = saidName(user, folder)
  const projects = ComposeProjects.all()
  const named = yield* servicesBefore(place)
  // Nothing is allocated yet: the file says which numbers are preferred.
  const before = yield* variablesFor(place, named, said.env, true)
  const env = changed(said.env, before.changes)
  const program = yield* Fiber.join(finding)
  const model = yield* ComposeConfig.read(program, args, env)

  const published = publishedPorts(model, scalesOf(args), ComposeFiles.textOf(files))
  const wanted = wantedOf(published)
  const services = servicesOf(wanted, {
    held: new Set(named),
    others: new Set(projects.flatMap((each) => (each.copy === copy && each.folder !== folder ? each.services : []))),
    prefix: model.name
  })
  const wished = [...services].map(([{ first, size }, service]) => ({
    service,
    prefer: Port.make(first),
    ...(size > 1 ? { size } : {})
  }))
  const after = wished.length === 0 ? before.ensured : yield* ensureWished(place, wished, isDryRun)
  const firsts = new Map(
    [...services].flatMap(([each, name]) => {
      const found = after.allocations.find(({ service }) => service === name)
      return found === undefined ? [] : [[each, found.port] as const]
    })
  )

  const name = valuesOf(args, "--project-name").at(-1)
  if (name !== undefined) yield* checkName(name, folder)
  const isSaid = name !== undefined || said.name !== undefined
  const isInEnvFile = ComposeFiles.setsInEnvFile(args, files.folder, user, nameVariable)
  const unnamed = { ...after, folder, copy, given: model.name, isSaid, isInEnvFile }
  const claimed = yield* ComposeProjects.claim(unnamed, files.variant, isDryRun)
  const project = { ...claimed, services: [...services.values()] }
  const isFirst = after.instance === "main" && project.name === model.name
  const variables = yield* variablesFor(place, [...new Set([...named, ...services.values()])], said.env, isDryRun)
  const run: ComposeRun = {
    program,
    args,
    files,
    label: instanceLabel(after),
    env,
    model,
    published,
    firsts,
    project,
    override: overrideOf(model, published, firsts, { name: project.name, isFirst }),
    variables,
    notes: [...said.notes, ...variables.notes]
  }
  return run
})

/** The ports that are not those of the file: `db 5433 (5432 in the file)`. */
export const differing = ({ firsts, published }: ComposeRun): ReadonlyArray<string> => [
  ...new Set(
    published.flatMap(({ mapped, port: { published: file }, service }) => {
      if (typeof mapped === "string") return []
      const first = firsts.get(mapped.wanted)
      const here = first === undefined ? file : rangeText(first + mapped.offset, mapped.count)
      return here === file ? [] : [`${service} ${here} (${file} in the file)`]
    })
  )
]

/** Published ports that stay as they are in the file, and why. */
export const kept = ({ published }: ComposeRun): ReadonlyArray<string> =>
  published.flatMap(({ mapped, port: { published: file = "" }, service }) =>
    typeof mapped === "string" && file !== "" ? [`port ${file} of ${service}: ${mapped}`] : []
  )
