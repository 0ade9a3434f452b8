import { createHash } from "node:crypto"
import { closeSync, constants, existsSync, openSync, readFileSync, writeFileSync } from "node:fs"
import * as Effect from "effect/Effect"
import { CliError } from "../errors/CliError.ts"
import { cannotWrite } from "../errors/FileError.ts"
import * as CallerOwned from "../platform/CallerOwned.ts"
import { attempt } from "../platform/Process.ts"
import { valuesOf } from "./ComposeArguments.ts"
import * as ComposeConfig from "./ComposeConfig.ts"
import { nameVariable, noteNotKept } from "./ComposeEnvironment.ts"
import { variablesWith } from "./ComposeFiles.ts"
import { differenceOf } from "./ComposeModel.ts"
import * as ComposeProjects from "./ComposeProjects.ts"
import { type ComposeRun, changed } from "./ComposeRun.ts"

/** What Compose is started with so that it reads an override after the project's own files. */
export const additions = ({ args, files, project: { file, name } }: ComposeRun, hasOverride: boolean) => ({
  flags: hasOverride && files.isNamed ? ["-f", file] : [],
  variables: new Map([
    ...(hasOverride && !files.isNamed ? variablesWith(files, file) : []),
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

/** Write the override to a file of the user's. */
export const copy = (run: ComposeRun, file: string) =>
  Effect.try({
    try: () => {
      // A link to no file is followed only where what is made is not given away.
      const descriptor = attempt(() => CallerOwned.create(file, constants.O_WRONLY)) ?? openSync(file, "w")
      try {
        writeFileSync(descriptor, `# Written by portctl compose override: the ports of ${run.label}.\n${run.override}`)
      } finally {
        closeSync(descriptor)
      }
    },
    catch: (error) => CliError.make(cannotWrite(file, error))
  })
