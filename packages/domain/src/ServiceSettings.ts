import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { exact } from "./Allocation.ts"
import { blockFields, blockProblem, headOf, namesOf } from "./Block.ts"
import { projectFileName } from "./Defaults.ts"
import { firstDuplicate } from "./FirstDuplicate.ts"
import { Port } from "./Port.ts"
import { variableOf } from "./ServiceVariable.ts"
import { VariableNames } from "./VariableName.ts"

/** The parts of a path inside the project's folder; nothing where it does not stay in there. */
const partsOf = (path: string): ReadonlyArray<string> | undefined => {
  const parts = path
    .split("/")
    .filter(
      (part, index, all) => !(part === "." && index === 0) && !(part === "" && index > 0 && index === all.length - 1)
    )
  return parts.length === 0 || parts.some((part) => ["", ".", ".."].includes(part) || part.includes("\0"))
    ? undefined
    : parts
}

const Folder = Schema.String.pipe(
  Schema.filter((path) => partsOf(path) !== undefined),
  Schema.annotations({
    jsonSchema: {
      pattern: "^(?!/)(?!(.*/)?\\.\\.(/|$)).+$",
      description: "the folder, inside the project, in which PORT is the port of this service",
      examples: ["packages/api"]
    },
    message: () => ({
      message: "folder must be the path of a folder inside the project, like packages/api",
      override: true
    })
  })
)

/** What a project file says about one service. */
export const ServiceSettings = Schema.Struct({
  env: Schema.optionalWith(VariableNames, { exact: true }),
  prefer: Schema.optionalWith(
    Port.annotations({
      jsonSchema: {
        type: "integer",
        minimum: 1,
        maximum: 65535,
        description: "the port that the service gets when that one is free",
        examples: [3000]
      },
      message: () => ({ message: "prefer must be an integer from 1 to 65535", override: true })
    }),
    { exact: true }
  ),
  ...blockFields,
  folder: Schema.optionalWith(Folder, { exact: true })
})
  .annotations({
    identifier: "ServiceSettings",
    description: "how a service gets its port",
    message: () => ({ message: 'must be an object like {"env": "PORT", "prefer": 3000}', override: false }),
    ...exact
  })
  .pipe(Schema.filter(({ prefer, ...block }) => blockProblem("", block, { prefer })))
/** What a project file says about one service. */
export type ServiceSettings = typeof ServiceSettings.Type

/** Services by name, with what a project file says about them. */
type Services = Readonly<Record<string, ServiceSettings>>

/** The service that each name is of: those of a block's ports are `workers`, `workers+1`, and so on. */
export const servicesByName = (services: Services): ReadonlyMap<string, string> =>
  new Map(
    Object.entries(services).flatMap(([service, block]) => namesOf(service, block).map((name) => [name, service]))
  )

/** The service of each folder that has one, by the folder's path inside the project. */
export const servicesByFolder = (services: Services): ReadonlyMap<string, string> =>
  new Map(
    Object.entries(services).flatMap(([service, { folder }]) =>
      folder === undefined ? [] : [[(partsOf(folder) ?? []).join("/"), service] as const]
    )
  )

/** What is wrong with the folders of services in view of each other, if anything. */
export const foldersProblem = (services: Services): string | undefined => {
  const last = servicesByFolder(services)
  for (const [service, { folder }] of Object.entries(services)) {
    const other = folder === undefined ? service : last.get((partsOf(folder) ?? []).join("/"))
    if (other !== service) {
      return `services ${JSON.stringify(service)} and ${JSON.stringify(other)} have the same folder ${folder}: PORT can be of one`
    }
  }
  return undefined
}

/** What is wrong with the blocks among services in view of each other, if anything. */
export const blocksProblem = (services: Services): string | undefined => {
  const all = Object.entries(services)
  for (const [service, block] of all) {
    const problem = blockProblem(service, block, {})
    if (problem !== undefined) return problem
  }
  const name = firstDuplicate(all.flatMap(([service, block]) => namesOf(service, block)))
  return name === undefined
    ? undefined
    : `service ${JSON.stringify(name)} is there twice: it is also a port of the block ${JSON.stringify(headOf(name))}`
}

const variableNames = (service: string, { env }: ServiceSettings = {}): ReadonlyArray<string> => {
  if (env === undefined) return [variableOf(service)]
  return typeof env === "string" ? [env] : env
}

/** The variables of services, by service; a sentence where one is there twice. */
export const variablesOf = (
  services: Iterable<readonly [service: string, settings: ServiceSettings | undefined]>
): Either.Either<ReadonlyMap<string, ReadonlyArray<string>>, string> => {
  const variables = new Map([...services].map(([name, settings]) => [name, variableNames(name, settings)] as const))
  const doubled = firstDuplicate([...variables.values()].flat())
  if (doubled === undefined) return Either.right(variables)
  const [first, second] = [...variables].filter(([, names]) => names.includes(doubled)).map(([name]) => name)
  return Either.left(
    second === undefined
      ? `service ${JSON.stringify(first)} has the variable ${doubled} twice`
      : `services ${JSON.stringify(first)} and ${JSON.stringify(second)} have the same variable ${doubled}; give one another "env" in ${projectFileName}`
  )
}
