import { EnsureResult } from "@port-server/domain/Ensure"
import { Name } from "@port-server/domain/Name"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { contextOf, WorkingCopyContext } from "../agents/WorkingCopyContext.ts"
import { parse } from "../compose/ComposeArguments.ts"
import { statesOf } from "../compose/ComposeEnvironment.ts"
import * as ComposeRun from "../compose/ComposeRun.ts"
import { PlannedPort, planOf } from "../compose/PortPlan.ts"
import { projectEnvironment } from "../compose/ProjectEnvironment.ts"
import { nothingGiven } from "../project/Given.ts"
import { ServiceState } from "../project/PortStates.ts"
import * as ProjectContext from "../project/ProjectContext.ts"
import { releaseOwn } from "../project/ReleaseOwn.ts"
import * as Folder from "./Folder.ts"
import * as Tool from "./Tool.ts"

/** Names of services, as an argument. */
export const services = (description: string) =>
  Schema.optionalWith(
    Schema.Array(Name("service")).annotations({
      message: () => ({ message: 'services must be a list of names, like ["web", "db"]', override: false })
    }),
    { exact: true }
  ).annotations({ description })

const folder = Schema.String.annotations({ description: "the project's folder" })

/** Where a call is about: the working copy of the current folder. */
export const here = ProjectContext.here(nothingGiven)

/** The tools that work on one working copy. */
export const projectTools = (inFolder: Folder.InFolder): ReadonlyArray<Tool.Tool> => [
  Tool.make(
    "ensure_ports",
    {
      title: "Get this working copy's ports",
      description:
        "Gives each service of a working copy (a git worktree, clone or folder) its port, the same one every time, and returns the environment variables to start programs with. Call it before you start anything that listens; never choose a port yourself.",
      effects: "adds",
      input: Schema.Struct({
        path: Folder.usualPath,
        services: services("the services that need a port; default: those of portctl.json, or that have ports, or web")
      }),
      output: Schema.Struct({
        ...EnsureResult.fields,
        folder,
        variables: Schema.Record({ key: Schema.String, value: Schema.String }).annotations({
          description: "the environment for the programs of this working copy"
        })
      })
    },
    ({ path, services = [] }) =>
      Effect.gen(function* () {
        const place = yield* here
        const named = services.map((service) => ({ service }))
        const { ensured, env } = yield* projectEnvironment(place, named)
        return { ...ensured, folder: place.folder, variables: env }
      }).pipe(inFolder(path))
  ),
  Tool.make(
    "get_ports",
    {
      title: "Show this working copy",
      description:
        "Shows a working copy's services with their ports and what is on them, its variables, and the other working copies of the same app. Allocates nothing.",
      effects: "reads",
      input: Schema.Struct({ path: Folder.usualPath }),
      output: Schema.Struct(WorkingCopyContext.fields)
    },
    ({ path }) => Effect.flatMap(here, contextOf).pipe(inFolder(path))
  ),
  Tool.make(
    "verify_ports",
    {
      title: "Whose processes are on this working copy's ports",
      description:
        "Shows for each service whether what is on its port belongs to this working copy: own, foreign (do not use or end it), idle (nothing serves there), or unknown.",
      effects: "reads",
      input: Schema.Struct({ path: Folder.usualPath, services: services("only these services") }),
      output: Schema.Struct({ folder, services: Schema.Array(ServiceState) })
    },
    ({ path, services = [] }) =>
      Effect.gen(function* () {
        const place = yield* here
        return { folder: place.folder, services: yield* statesOf(place, services) }
      }).pipe(inFolder(path))
  ),
  Tool.make(
    "release_ports",
    {
      title: "Give back a working copy's ports",
      description:
        "Releases the ports of the working copy in path, all or those of some services, and of no other one. Only when it is done for good: its next ensure_ports may get other numbers.",
      effects: "releases",
      input: Schema.Struct({
        path: Folder.requiredPath("absolute path of a folder in the working copy whose ports are released"),
        services: services("only these services; default: all of the working copy")
      }),
      output: Schema.Struct({
        deleted: Schema.NonNegativeInt.annotations({ description: "how many allocations were released" }),
        folder
      })
    },
    ({ path, services }) =>
      Effect.gen(function* () {
        const place = yield* here
        const { deleted, folder } = yield* releaseOwn(place, services)
        return { deleted, folder }
      }).pipe(inFolder(path))
  ),
  Tool.make(
    "compose_plan",
    {
      title: "Show the ports of a Docker Compose project here",
      description:
        "Shows which published ports the Compose project of a working copy gets and why they differ from the file's. Changes nothing; run it with: portctl compose up -d.",
      effects: "reads",
      input: Schema.Struct({ path: Folder.usualPath }),
      output: Schema.Struct({
        working_copy: Schema.String.annotations({ description: "app and instance" }),
        project: Schema.String.annotations({ description: "what Compose calls the project here" }),
        ports: Schema.Array(PlannedPort)
      })
    },
    ({ path }) =>
      Effect.gen(function* () {
        const run = yield* ComposeRun.resolve(parse([]), "plan")
        yield* Effect.forEach(run.notes, (note) => Console.error(note), { discard: true })
        const ports = yield* planOf(run.published, run)
        return { working_copy: run.label, project: run.project.name, ports }
      }).pipe(inFolder(path))
  )
]
