import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { exact } from "./Allocation.ts"
import { serverAddress } from "./Defaults.ts"
import { firstDuplicate } from "./Ensure.ts"
import { InvalidRequest } from "./Errors.ts"
import { maxNameLength, Name } from "./Name.ts"
import { Port } from "./Port.ts"

/** Name of the file that says which services a project has. */
export const projectFileName = "portctl.json"

/**
 * Where a running port-server answers with the JSON Schema of a project file: at the usual address, whatever
 * `PORT_SERVER_ADDR` says on one machine, for the file is committed.
 */
export const projectFileSchemaUrl = `http://${serverAddress}/portctl.schema.json`

/** The name of an environment variable, as every shell can set it. */
export const VariableName = Schema.String.annotations({ message: () => "env must be a string" }).pipe(
  Schema.filter(
    (name) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || "env must be the name of a variable, like PORT or DB_PORT",
    {
      identifier: "VariableName",
      description: "the environment variable that carries the port",
      examples: ["PORT", "PGPORT"],
      jsonSchema: { pattern: "^[A-Za-z_][A-Za-z0-9_]*$" }
    }
  )
)

/** What a project file says of one service. */
export const ServiceSettings = Schema.Struct({
  env: Schema.optionalWith(VariableName, { exact: true }),
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
  )
}).annotations({
  identifier: "ServiceSettings",
  description: "how a service gets its port",
  message: () => ({ message: 'must be an object like {"env": "PORT", "prefer": 3000}', override: false }),
  ...exact
})
/** What a project file says of one service. */
export type ServiceSettings = typeof ServiceSettings.Type

/** The variable that carries a service's port where nothing else was said: `WEB_PORT` for `web`. */
export const variableOf = (service: string): string =>
  `${service.replace(/[^A-Za-z0-9_]/gu, "_").toUpperCase()}_PORT`.replace(/^(?=[0-9])/, "_")

/** The variables of services, by service; a sentence where two would have the same one. */
export const variablesOf = (
  services: Iterable<readonly [service: string, settings: ServiceSettings | undefined]>
): Either.Either<ReadonlyMap<string, string>, string> => {
  const variables = new Map([...services].map(([name, settings]) => [name, settings?.env ?? variableOf(name)] as const))
  const doubled = firstDuplicate([...variables.values()])
  const [first, second] = [...variables].filter(([, variable]) => variable === doubled).map(([name]) => name)
  return doubled === undefined
    ? Either.right(variables)
    : Either.left(
        `services ${JSON.stringify(first)} and ${JSON.stringify(second)} have the same variable ${doubled}; give one another "env" in ${projectFileName}`
      )
}

const validateName = Schema.validateEither(Name("service"))

/** The file `portctl.json` of a project: which services it has, and in which variables they find their ports. */
export const ProjectFile = Schema.Struct({
  $schema: Schema.optionalWith(
    Schema.String.annotations({ description: "where editors find this schema", examples: [projectFileSchemaUrl] }),
    { exact: true }
  ),
  app: Schema.optionalWith(Name("app"), { exact: true }),
  services: Schema.Record({ key: Schema.String, value: ServiceSettings })
    .annotations({ message: () => ({ message: 'services must be an object like {"web": {}}', override: false }) })
    .pipe(
      Schema.filter(
        (services) => {
          const names = Object.keys(services)
          if (names.length === 0) return 'services must name one at least, like {"web": {}}'
          const bad = names.map((name) => validateName(name)).find(Either.isLeft)
          if (bad !== undefined) return InvalidRequest.fromParseError(bad.left).message
          const variables = variablesOf(Object.entries(services))
          return Either.isLeft(variables) ? variables.left : undefined
        },
        {
          description: "the services by name",
          examples: [{ web: { env: "PORT" }, db: { env: "PGPORT" } }],
          jsonSchema: { minProperties: 1, propertyNames: { minLength: 1, maxLength: maxNameLength } }
        }
      )
    )
}).annotations({
  identifier: "ProjectFile",
  title: projectFileName,
  description: "The services of a project, for portctl",
  message: () => ({ message: 'must be an object like {"services": {"web": {}}}', override: false }),
  ...exact
})
/** The file `portctl.json` of a project. */
export type ProjectFile = typeof ProjectFile.Type
