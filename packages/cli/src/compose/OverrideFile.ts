import { createHash } from "node:crypto"
import { closeSync, constants, existsSync, openSync, readFileSync, writeFileSync } from "node:fs"
import { resolve } from "node:path"
import * as Effect from "effect/Effect"
import { CliError } from "../errors/CliError.ts"
import { cannotWrite } from "../errors/FileError.ts"
import * as CallerOwned from "../platform/CallerOwned.ts"
import { attempt } from "../platform/Process.ts"
import { inherited, textOf } from "../run/CommandEnvironment.ts"
import { type ComposeArguments, valuesOf } from "./ComposeArguments.ts"
import * as ComposeConfig from "./ComposeConfig.ts"
import { nameVariable, noteNotKept } from "./ComposeEnvironment.ts"
import * as ComposeFiles from "./ComposeFiles.ts"
import { differenceOf } from "./ComposeModel.ts"
import * as ComposeProgram from "./ComposeProgram.ts"
import * as ComposeProjects from "./ComposeProjects.ts"
import { type ComposeRun, changed } from "./ComposeRun.ts"

/** What Compose is started with so that it reads an override after the project's own files. */
export const additions = ({ args, files, project: { file, name } }: ComposeRun, hasOverride: boolean) => ({
  flags: hasOverride && files.isNamed ? ["-f", file] : [],
  variables: new Map([
    ...(hasOverride && !files.isNamed ? ComposeFiles.variablesWith(files, file) : []),
    ...(valuesOf(args, "--project-name").length > 0 ? [] : [[nameVariable, name] as const])
  ])
})

/** Whether an override changes more than the project's name. */
export const changesServices = ({ override }: ComposeRun): boolean => /^services:$/m.test(override)

/** Fail where Compose makes more of the override than other ports and names. */
const check = Effect.fnUntraced(function* (run: ComposeRun) {
  const { args, env, model, program, variables } = run
  const { flags, variables: more } = additions(run, true)
  const final = changed(env, variables.changes)
  // Under the name that the model has without an override.
  const read = (env: ComposeRun["env"], words: ReadonlyArray<string>) =>
    ComposeConfig.read(program, args, { ...env, [nameVariable]: model.name }, run.files.folder, words)
  const after = yield* read(changed(final, more), flags)
  // What was allocated a moment ago has added variables, which the files may use.
  const difference = differenceOf(model, after) && differenceOf(yield* read(final, []), after)
  if (difference !== undefined) {
    return yield* CliError.make(
      `the ports of this Compose project cannot be changed alone: with the override, ${difference} differs too (${run.project.file})`
    )
  }
})

/** Write the override of a project, and check what Compose makes of it, unless that was checked before. */
export const write = Effect.fnUntraced(function* (run: ComposeRun) {
  const { model, override, project } = run
  const checked = createHash("sha256")
    .update(JSON.stringify([model, override]))
    .digest("hex")
  const text = (each: ComposeProjects.ComposeProject) => `${ComposeProjects.headerOf(each)}\n${override}`
  const done = { ...project, checked }
  if (existsSync(project.file) && readFileSync(project.file, "utf8") === text(done)) {
    return ComposeProjects.noteUse(project)
  }
  if (!changesServices(run)) {
    // Compose reads nothing of it.
    return yield* Effect.catchAll(ComposeProjects.write(done, override), noteNotKept)
  }
  yield* ComposeProjects.write({ ...project, checked: "" }, override)
  yield* check(run)
  yield* ComposeProjects.write(done, override)
})

const mark = "# Written by portctl compose override"

/** Arguments with which Compose leaves out a file that is to be written anew: its ports are those of the last time. */
export const withoutFile = Effect.fnUntraced(function* (args: ComposeArguments, file: string) {
  const env = textOf(inherited())
  const { paths } = yield* ComposeFiles.find(ComposeProgram.find(env), args, env)
  const target = ComposeProjects.realPath(resolve(file))
  const rest = paths.filter((path) => ComposeProjects.realPath(path) !== target)
  if (rest.length === paths.length) return args
  const [text = ""] = ComposeFiles.textsOf({ paths: [target] })
  if (!text.startsWith(mark) || rest.length === 0) {
    return yield* CliError.make(
      `${file} is a Compose file of this project that portctl has not written: choose another name`
    )
  }
  const others = args.flags.filter(([name]) => name !== "--file")
  return { ...args, flags: [...others, ...rest.map((path) => ["--file", path] as const)] }
})

/** Write the override to a file of the user's. */
export const copy = (run: ComposeRun, file: string) =>
  Effect.try({
    try: () => {
      // A link to no file is followed only where what is made is not given away.
      const descriptor = attempt(() => CallerOwned.create(file, constants.O_WRONLY)) ?? openSync(file, "w")
      try {
        writeFileSync(descriptor, `${mark}: the ports of ${run.label}.\n${run.override}`)
      } finally {
        closeSync(descriptor)
      }
    },
    catch: (error) => CliError.make(cannotWrite(file, error))
  })
