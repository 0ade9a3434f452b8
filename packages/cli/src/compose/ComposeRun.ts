import type { EnsureResult } from "@port-server/domain/Ensure"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { CliError } from "../errors/CliError.ts"
import { instanceLabel } from "../project/PlaceNotes.ts"
import { portOwners } from "../project/PortOwner.ts"
import { ensureVariables } from "../project/PortVariables.ts"
import type { Here } from "../project/ProjectContext.ts"
import { ensureWished, heldPorts, settingsOf } from "../project/ProjectPorts.ts"
import { type Changes, inherited, textOf } from "../run/CommandEnvironment.ts"
import { type Prepared, prepare } from "../run/RunVariables.ts"
import { type ComposeArguments, scalesOf, valuesOf } from "./ComposeArguments.ts"
import { copyOf, heldServices, nameVariable, saidName } from "./ComposeEnvironment.ts"
import * as ComposeFiles from "./ComposeFiles.ts"
import type { ComposeModel } from "./ComposeModel.ts"
import { placeOf } from "./ComposePlace.ts"
import type * as ComposeProgram from "./ComposeProgram.ts"
import * as ComposeProjects from "./ComposeProjects.ts"
import { projectsOfContainers } from "./ContainerProjects.ts"
import * as ModelReading from "./ModelReading.ts"
import { overrideOf } from "./Override.ts"
import * as PortHolders from "./PortHolders.ts"
import { servicesOf } from "./PortPlan.ts"
import { isOthers, type NamedProject } from "./ProjectName.ts"
import { type Published, publishedPorts, rangeText, type Wanted, wantedOf, withRanges } from "./PublishedPorts.ts"
import { areHeld, firstsOf, preferredOf, wishedOf } from "./WishedPorts.ts"

type Environment = Readonly<Record<string, string>>

/** A Compose project of a working copy, with its ports. */
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
  /** The first port that the project file prefers in place of that of the Compose file. */
  readonly preferred: ReadonlyMap<Wanted, number>
  readonly project: ComposeProjects.ComposeProject
  readonly override: string
  /** Who has ports that are not this working copy's. */
  readonly holderOf: Effect.Effect.Success<ReturnType<typeof PortHolders.lookAt>>
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

/** Changes in the form that is kept. */
const recorded = (changes: Changes) => Object.fromEntries([...changes].map(([name, value]) => [name, value ?? null]))

/** The ports of services of a working copy, and what changes in an environment for them. */
const variablesFor = Effect.fnUntraced(function* (
  place: Here,
  services: ReadonlyArray<string>,
  env: Environment,
  options: { readonly isDryRun: boolean; readonly held?: EnsureResult | undefined }
) {
  const asked = services.map((service) => ({ service }))
  const variables = yield* ensureVariables(place, asked, { isMain: true, isWhole: true, ...options })
  const { ensured, values } = variables
  return { ensured, ...(yield* prepare(values, env, instanceLabel(ensured), portOwners(variables))) }
})

/** Refuse a name on the command line that is another working copy's: its containers would be replaced. */
const checkName = Effect.fnUntraced(function* (name: string, folder: string, containers: ReadonlyArray<NamedProject>) {
  const known = [...ComposeProjects.seenFrom(folder), ...containers]
  if (!isOthers(name, folder, known)) return
  const owner = known.find((each) => each.name === name && each.folder !== folder)
  return yield* CliError.make(
    `the Compose project ${name} belongs to ${owner?.folder}; choose another name, or leave --project-name out`
  )
})

/** The services of a working copy before Compose is asked: those of its files, or else those that have ports. */
const servicesBefore = Effect.fnUntraced(function* (place: Here) {
  if (place.project === undefined) {
    const held = yield* heldPorts(place)
    return { named: [...new Set(held.allocations.map(({ service }) => service))], held }
  }
  const names = [...settingsOf(place).keys()]
  return { named: [...names, ...(yield* heldServices(place, names)).map(({ service }) => service)] }
})

/**
 * Find out what Compose does with a command line. Its ports are ensured; or it is a plan, or needs no ports, and
 * nothing is changed.
 */
export const resolve = Effect.fnUntraced(function* (args: ComposeArguments, purpose: "ensure" | "plan" | "none") {
  const isDryRun = purpose !== "ensure"
  const user = textOf(inherited())
  const found = yield* ModelReading.findProgram(user)
  const files = yield* ComposeFiles.find(found.finding, args, user)
  const folder = ComposeProjects.realPath(files.folder)
  const said = saidName(user, folder)
  const projects = ComposeProjects.seenFrom(folder)
  const likely = changed(said.env, ComposeProjects.lastChanges(projects, folder))
  const readModel = yield* ModelReading.begin(found, { args, folder, env: likely })
  const { place, notes } = yield* placeOf(files, args, user, purpose === "plan")
  const { copy } = copyOf(place)
  const { held, named } = yield* servicesBefore(place)
  const text = ComposeFiles.textOf(files, args, user)
  // Whose name a container has by now decides when one is taken; a plan takes none.
  const early = purpose === "plan" ? yield* Effect.fork(projectsOfContainers) : undefined
  const ofContainers = early === undefined ? projectsOfContainers : Fiber.join(early)
  const looking = yield* Effect.fork(PortHolders.lookAt(purpose === "plan" ? PortHolders.portsIn(text) : []))
  // Nothing is allocated yet: the file says which numbers are preferred.
  const before = yield* variablesFor(place, named, said.env, { isDryRun: true, held })
  const env = changed(said.env, before.changes)
  const { model, program } = yield* readModel(env, place.app)

  const known = {
    held: new Set(named),
    others: new Set(projects.flatMap((each) => (each.copy === copy && each.folder !== folder ? each.services : []))),
    prefix: model.name
  }
  const portsIn = (read: ComposeModel) => {
    const published = publishedPorts(read, scalesOf(args), text)
    return { model: read, published, services: servicesOf(wantedOf(published), known) }
  }
  const { published, services } = portsIn(model)
  const wished = yield* wishedOf(services, named)
  const isKnown = wished.length === 0 || (isDryRun && areHeld(wished, before.ensured))
  const after = isKnown ? before.ensured : yield* ensureWished(place, wished, isDryRun)
  const firsts = firstsOf(services, after)

  const name = valuesOf(args, "--project-name").at(-1)
  if (name !== undefined) yield* checkName(name, folder, yield* ofContainers)
  const isSaid = name !== undefined || said.name !== undefined
  const isInEnvFile = ComposeFiles.setsInEnvFile(args, files.folder, user, nameVariable)
  const unnamed = { ...after, folder, ...copyOf(place), given: model.name, isSaid, isInEnvFile }
  const claim = (isDryRun: boolean) => ComposeProjects.claim(unnamed, ofContainers, files.variant, isDryRun)
  // Why a name cannot be kept is told where its override is written.
  const claimed = yield* Effect.orElse(claim(isDryRun), () => claim(true))
  const isFirst = after.instance === "main" && claimed.name === model.name
  const variables = isDryRun
    ? before
    : yield* variablesFor(place, [...new Set([...named, ...services.values()])], said.env, { isDryRun: false })
  // A file may have the variable of a port that differs for the container's port too.
  const isDiffering = [...firsts].some(([{ first }, port]) => port !== first)
  const question = { args, folder, env: changed(said.env, variables.changes) }
  const last = isDiffering ? portsIn(yield* ModelReading.again(program, question, { env, model, text })) : undefined
  const final = last === undefined ? { model, published, firsts } : { ...last, firsts: firstsOf(last.services, after) }
  const project = { ...claimed, services: [...services.values()], changes: recorded(variables.changes) }
  const run: ComposeRun = {
    program,
    args,
    files,
    label: instanceLabel(after),
    env,
    model,
    published,
    firsts,
    preferred: preferredOf(services, place),
    project,
    override: overrideOf(final, { name: project.name, isFirst, isPodman: program.isPodman }),
    variables,
    holderOf: yield* Fiber.join(looking),
    notes: [...notes, ...said.notes, ...variables.notes]
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
  withRanges(published).flatMap(({ mapped, port: { published: file = "" }, service }) =>
    typeof mapped === "string" && file !== "" ? [`port ${file} of ${service}: ${mapped}`] : []
  )
