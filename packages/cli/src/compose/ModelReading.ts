import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type { ComposeArguments } from "./ComposeArguments.ts"
import * as ComposeConfig from "./ComposeConfig.ts"
import { nameVariable } from "./ComposeEnvironment.ts"
import type { ComposeModel } from "./ComposeModel.ts"
import * as ComposeProgram from "./ComposeProgram.ts"
import { folderName } from "./ProjectName.ts"

type Environment = Readonly<Record<string, string>>

/** What the model of a project depends on. */
interface Question {
  readonly args: ComposeArguments
  readonly folder: string
  readonly env: Environment
}

const read = (program: ComposeProgram.ComposeProgram, { args, env, folder }: Question) =>
  ComposeConfig.read(program, args, env, folder)

/** A reading of the model, also in a folder without a letter of Compose's alphabet in its name, which gives none. */
const orNamed = (
  reading: ReturnType<typeof read>,
  program: ComposeProgram.ComposeProgram,
  question: Question,
  app: string
) =>
  Effect.catchIf(
    reading,
    ({ message }) => message === "project name must not be empty",
    () => read(program, { ...question, env: { ...question.env, [nameVariable]: folderName(question.folder, app) } })
  )

const readModel = (program: ComposeProgram.ComposeProgram, question: Question, app: string) =>
  orNamed(read(program, question), program, question, app)

const isSame = (one: Environment, other: Environment): boolean =>
  Object.keys(one).length === Object.keys(other).length &&
  Object.entries(one).every(([name, value]) => other[name] === value)

const isProgram = (one: ComposeProgram.ComposeProgram, other: ComposeProgram.ComposeProgram): boolean =>
  one.words.join(" ") === other.words.join(" ")

/** Find out which Compose there is; without asking it, where that is known. */
export const findProgram = Effect.fnUntraced(function* (user: Environment) {
  const known = ComposeProgram.known(user)
  const finding = yield* Effect.fork(known === undefined ? ComposeProgram.findNew(user) : Effect.succeed(known))
  return { user, known, finding: Fiber.join(finding) } as const
})

/**
 * Begin to read the model with the environment that it is likely to have. Compose takes as long as everything else, and
 * what the environment really is only the server knows.
 */
export const begin = Effect.fnUntraced(function* (
  { finding, known, user }: Effect.Effect.Success<ReturnType<typeof findProgram>>,
  likely: Question
) {
  const first = known ?? ComposeProgram.likely
  const begun = yield* Effect.fork(read(first, likely))

  /** The model with the environment that it has, and the program that has read it. */
  return Effect.fnUntraced(function* (env: Environment, app: string) {
    const question = { ...likely, env }
    const isLikely = isSame(env, likely.env)
    if (!isLikely) yield* Fiber.interruptFork(begun)
    const reading = isLikely ? orNamed(Fiber.join(begun), first, question, app) : readModel(first, question, app)
    if (known === undefined) {
      const running = yield* Effect.fork(reading)
      const program = yield* finding
      const model = isProgram(program, first) ? Fiber.join(running) : readModel(program, question, app)
      return { program, model: yield* model } as const
    }
    return yield* Effect.matchEffect(reading, {
      onSuccess: (model) => Effect.succeed({ program: known, model } as const),
      // It may be another one now, or too old.
      onFailure: Effect.fnUntraced(function* (error) {
        const program = yield* ComposeProgram.findNew(user)
        if (isProgram(program, known)) return yield* error
        return { program, model: yield* readModel(program, question, app) } as const
      })
    })
  })
})

/** The model in another environment than before; read again where the text of the files names what differs. */
export const again = (
  program: ComposeProgram.ComposeProgram,
  question: Question,
  before: { readonly env: Environment; readonly model: ComposeModel; readonly text: string }
) => {
  const { env } = question
  const names = Object.keys({ ...before.env, ...env }).filter((name) => before.env[name] !== env[name])
  return names.some((name) => before.text.includes(name))
    ? read(program, { ...question, env: { ...env, [nameVariable]: before.model.name } })
    : Effect.succeed(before.model)
}
