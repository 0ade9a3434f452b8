import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { exact } from "./Allocation.ts"
import { maxPorts } from "./Block.ts"
import { InvalidRequest } from "./CommonErrors.ts"
import { projectFileName, serverAddress } from "./Defaults.ts"
import { escapeControls, maxNameLength, Name } from "./Name.ts"
import { namesIn } from "./Placeholders.ts"
import { blocksProblem, foldersProblem, ServiceSettings, servicesByName, variablesOf } from "./ServiceSettings.ts"
import { variableOf } from "./ServiceVariable.ts"
import { nameJsonSchema, nameProblem } from "./VariableName.ts"

/**
 * Where a running port-server answers with the JSON Schema of a project file: at the usual address, whatever
 * `PORT_SERVER_ADDR` says on one machine, for the file is committed.
 */
export const projectFileSchemaUrl = `http://${serverAddress}/portctl.schema.json`

/** Most variables that are made of ports. */
const maxVariables = 256

const validateName = Schema.validateEither(Name("service"))

const Services = Schema.Record({ key: Schema.String, value: ServiceSettings })
  .annotations({ message: () => ({ message: 'services must be an object like {"web": {}}', override: false }) })
  .pipe(
    Schema.filter(
      (services) => {
        const names = Object.keys(services)
        if (names.length === 0) return 'services must name one at least, like {"web": {}}'
        if (names.length > maxPorts) return `services must be at most ${maxPorts}, not ${names.length}`
        const bad = names.map((name) => validateName(name)).find(Either.isLeft)
        if (bad !== undefined) return InvalidRequest.fromParseError(bad.left).message
        const problem = blocksProblem(services) ?? foldersProblem(services)
        if (problem !== undefined) return problem
        const steering = names.find((name) => services[name]?.env === undefined && nameProblem(variableOf(name)))
        if (steering !== undefined) {
          return `the variable of the service ${JSON.stringify(steering)} ${nameProblem(variableOf(steering))}; give it an "env"`
        }
        const variables = variablesOf(Object.entries(services))
        return Either.isLeft(variables) ? variables.left : undefined
      },
      {
        description: "the services by name",
        examples: [{ web: { env: "PORT" }, db: { env: ["PGPORT", "DB_PORT"] } }],
        jsonSchema: {
          minProperties: 1,
          maxProperties: maxPorts,
          propertyNames: { minLength: 1, maxLength: maxNameLength }
        }
      }
    )
  )

/** Variables that are made of ports, `{"API_URL": "http://localhost:{api}"}`: their values by name. */
const Templates = Schema.Record({
  key: Schema.String,
  value: Schema.String.annotations({ message: () => "must be a string" })
})
  .annotations({
    message: () => ({
      message: 'variables must be an object like {"API_URL": "http://localhost:{api}"}',
      override: false
    })
  })
  .pipe(
    Schema.filter(
      (variables) => {
        const entries = Object.entries(variables)
        if (entries.length > maxVariables) return `variables must be at most ${maxVariables}, not ${entries.length}`
        for (const [name, value] of entries) {
          const wrong = nameProblem(name)
          if (wrong !== undefined) return `variables: the name ${wrong}`
          if (escapeControls(value) !== value) {
            return `variables.${name} must not contain control or text-direction characters`
          }
        }
        return undefined
      },
      {
        description: "further variables, each made of the ports of services",
        examples: [{ DATABASE_URL: "postgres://localhost:{db}/shop" }],
        jsonSchema: {
          maxProperties: maxVariables,
          propertyNames: nameJsonSchema,
          additionalProperties: {
            type: "string",
            pattern: "^[^\\u0000-\\u001f\\u007f-\\u009f]*\\{[^{}]+\\}[^\\u0000-\\u001f\\u007f-\\u009f]*$"
          }
        }
      }
    )
  )

/** The variables of a project's services, by service; and whose value is made of ports, by name. */
type Contents = { readonly services: typeof Services.Type; readonly variables?: typeof Templates.Type }

/** What is wrong with the further variables in view of the services, if anything. */
const templatesProblem = ({ services, variables = {} }: Contents): string | undefined => {
  const ports = Either.getOrElse(variablesOf(Object.entries(services)), () => new Map<string, ReadonlyArray<string>>())
  const carried = new Map([...ports].flatMap(([service, names]) => names.map((name) => [name, service] as const)))
  for (const [name, value] of Object.entries(variables)) {
    const service = carried.get(name)
    if (service !== undefined)
      return `variables.${name} is the variable of the service ${JSON.stringify(service)} already`
    if (namesIn(value, servicesByName(services).keys()).length === 0) {
      return `variables.${name} must contain the port of a service, like {${[...ports.keys()][0]}}`
    }
  }
  return undefined
}

/** The file `portctl.json` of a project: which services it has, and in which variables they find their ports. */
export const ProjectFile = Schema.Struct({
  $schema: Schema.optionalWith(
    Schema.String.annotations({ description: "where editors find this schema", examples: [projectFileSchemaUrl] }),
    { exact: true }
  ),
  root: Schema.optionalWith(
    Schema.Boolean.annotations({
      message: () => "root must be true or false",
      description: "whether the project has no variables of the project files in the folders above"
    }),
    { exact: true }
  ),
  app: Schema.optionalWith(Name("app"), { exact: true }),
  services: Services,
  variables: Schema.optionalWith(Templates, { exact: true })
})
  .annotations({
    identifier: "ProjectFile",
    title: projectFileName,
    description: "The services of a project, for portctl",
    message: () => ({ message: 'must be an object like {"services": {"web": {}}}', override: false }),
    ...exact
  })
  .pipe(Schema.filter(templatesProblem))
/** The file `portctl.json` of a project. */
export type ProjectFile = typeof ProjectFile.Type
