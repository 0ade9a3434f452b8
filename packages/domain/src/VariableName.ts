import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"

// A project file comes with a cloned repository: it must not change which programs run, how they load code, or which
// server portctl asks.
const reserved = ["PATH", "HOME", "SHELL", "ENV", "BASH_ENV", "PROMPT_COMMAND", "IFS", "NODE_OPTIONS", "RUBYOPT"]
const reservedPrefixes = ["LD_", "DYLD_", "PYTHON", "PERL5", "GIT_", "PORTCTL_", "PORT_SERVER_"]

const refused = `(?:${reserved.join("|")})$|${reservedPrefixes.join("|")}`
const refusedName = new RegExp(`^(?:${refused})`)

/** What is wrong with the name of a variable that a project file sets, if anything. */
export const nameProblem = (name: string): string | undefined => {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return "must be the name of a variable, like PORT or DB_PORT"
  return refusedName.test(name) ? `must not be ${name}: a project file cannot set that variable` : undefined
}

/** The JSON Schema of the name of a variable that a project file may set. */
export const nameJsonSchema = { pattern: `^(?!${refused})[A-Za-z_][A-Za-z0-9_]*$` }

const VariableName = Schema.String.pipe(
  Schema.filter((name) => nameProblem(name) === undefined, {
    identifier: "VariableName",
    description: "an environment variable, but none that changes how programs are found or loaded",
    examples: ["PORT", "PGPORT"],
    jsonSchema: nameJsonSchema
  })
)

const listSentence = 'env must be the name of a variable, or a list of names like ["PORT", "VITE_PORT"]'

/** What is wrong with the names of variables, in one sentence. */
const sentenceOf = (names: unknown): string => {
  const list: ReadonlyArray<unknown> = Array.isArray(names) ? names : [names]
  if (list.length === 0 || !list.every(Predicate.isString)) return listSentence
  const problem = list.map(nameProblem).find(Predicate.isNotUndefined)
  return problem === undefined ? listSentence : `env ${problem}`
}

/** The environment variable that carries a port, or a list of them. */
export const VariableNames = Schema.Union(
  VariableName,
  Schema.NonEmptyArray(VariableName).annotations({ description: "several variables that carry the same port" })
).annotations({ message: ({ actual }) => ({ message: sentenceOf(actual), override: true }) })
