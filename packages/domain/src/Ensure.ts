import * as Schema from "effect/Schema"
import { Allocation, exact } from "./Allocation.ts"
import { askedTwice, blockFields, blockProblem, maxPorts } from "./Block.ts"
import { isWellFormed, NameField } from "./Name.ts"
import { Port, RequestedPort } from "./Port.ts"
import { maxPathLength, ProjectPath } from "./ProjectPath.ts"

/**
 * A service that needs a port: exactly `port`, or `prefer` where that is free and another one where it is not, or, with
 * neither or `port` 0, the first free one. With a `size`, as many consecutive ports, of which that is the first one.
 */
export const ServiceRequest = Schema.Struct({
  service: NameField("service"),
  port: Schema.optionalWith(RequestedPort, { exact: true }),
  prefer: Schema.optionalWith(
    Port.annotations({ message: () => ({ message: "prefer must be an integer from 1 to 65535", override: true }) }),
    { exact: true }
  ),
  named: Schema.optionalWith(
    Schema.Boolean.annotations({
      message: () => "named must be true or false",
      description: "the project file names it: once it no longer does, the port is left over"
    }),
    { exact: true }
  ),
  ...blockFields
}).pipe(
  Schema.filter(({ named: _named, port, prefer, service, ...block }) =>
    port && prefer ? "port and prefer exclude each other" : blockProblem(service, block, { port, prefer })
  ),
  Schema.annotations({ identifier: "ServiceRequest", ...exact })
)
/** A service that needs a port. */
export type ServiceRequest = typeof ServiceRequest.Type

const atLeastOne = 'services must be a list of at least one service, like [{"service":"web"}]'

/** How many ports services need; a block counts once for each of its ports. */
export const portCount = (services: ReadonlyArray<Pick<ServiceRequest, "size">>): number =>
  services.reduce((sum, { size = 1 }) => sum + size, 0)

/** A service that needs the first free port, or exactly `port`. */
export type RequestedService = Pick<ServiceRequest, "service" | "port">

/** A project's path inside its working copy, as it continues the working copy's own path. */
const InnerPath = Schema.String.annotations({ message: () => "project must be a string" }).pipe(
  Schema.filter(
    (path) =>
      (path.length <= maxPathLength &&
        !path.includes("\0") &&
        isWellFormed(path) &&
        path.split(/[/\\]/).every((part) => !["", ".", ".."].includes(part))) ||
      "project must be the path of a folder inside the working copy, like packages/api"
  ),
  Schema.annotations({ description: "the project's path in the working copy, where it is not its top folder" })
)

/** Where a project is on this disk. What does not change when it is moved is its identity: see docs/projects.md. */
export const WorkingCopy = Schema.Struct({
  git_dir: Schema.optionalWith(
    ProjectPath.annotations({ description: "the git directory of its worktree; absent outside git" }),
    { exact: true }
  ),
  folder: ProjectPath,
  project: Schema.optionalWith(InnerPath, { exact: true }),
  identity: Schema.optionalWith(
    Schema.String.pipe(Schema.maxLength(255)).annotations({
      message: () => "identity must be a text of at most 255 characters",
      description: "what differs when one of the folders is made again at its path: then it is looked at anew"
    }),
    { exact: true }
  ),
  app_from_folder: Schema.optionalWith(
    Schema.Boolean.annotations({
      message: () => "app_from_folder must be true or false",
      description: "app is named after a folder: a working copy that has an app already keeps it"
    }),
    { exact: true }
  )
}).annotations({ identifier: "WorkingCopy", message: () => "working_copy must be an object", ...exact })
/** Where a project is on this disk. */
export type WorkingCopy = typeof WorkingCopy.Type

/**
 * What is asked for when a project's services are to have ports, whether they have them already or not. With a working
 * copy, `instance` is a wish, and no services are those that it has.
 */
export const EnsureRequest = Schema.Struct({
  app: NameField("app"),
  instance: NameField("instance"),
  services: Schema.Array(ServiceRequest)
    .annotations({ message: () => atLeastOne })
    .pipe(
      Schema.filter((services) => {
        const ports = portCount(services)
        if (ports <= maxPorts) return askedTwice(services)
        return services.length > maxPorts
          ? `services must be at most ${maxPorts}, not ${services.length}`
          : `services must have at most ${maxPorts} ports in all, not ${ports}`
      })
    ),
  path: Schema.optionalWith(ProjectPath, { exact: true }),
  share: Schema.optionalWith(
    Schema.Boolean.annotations({
      message: () => "share must be true or false",
      description: "use exactly the instance, also when it belongs to another folder"
    }),
    { exact: true }
  ),
  working_copy: Schema.optionalWith(WorkingCopy, { exact: true }),
  dry_run: Schema.optionalWith(
    Schema.Boolean.annotations({
      message: () => "dry_run must be true or false",
      description: "change nothing: the result is what it would be, with id 0 for what would be allocated"
    }),
    { exact: true }
  )
}).pipe(
  Schema.filter(({ path, services, working_copy }) => {
    if (working_copy !== undefined && path !== undefined) return "path and working_copy exclude each other"
    return services.length === 0 && working_copy === undefined ? atLeastOne : undefined
  }),
  Schema.annotations({ identifier: "EnsureRequest", ...exact })
)
/** What is asked for when a project's services are to have ports. */
export type EnsureRequest = typeof EnsureRequest.Type

/** The ports of a project's services, in the order in which they were asked for; those of a block follow each other. */
export const EnsureResult = Schema.Struct({
  app: Schema.String,
  instance: Schema.String,
  allocations: Schema.Array(Allocation),
  took_over: Schema.optionalWith(
    Schema.String.annotations({ description: "the folder that the ports belonged to until now; it no longer exists" }),
    { exact: true }
  ),
  moved_from: Schema.optionalWith(
    Schema.String.annotations({ description: "the folder that the working copy was in until now" }),
    { exact: true }
  ),
  instance_before: Schema.optionalWith(
    Schema.String.annotations({ description: "the instance of the working copy until now, where it has another one" }),
    { exact: true }
  ),
  instead_of: Schema.optionalWith(
    Schema.Struct({
      instance: Schema.String,
      folder: Schema.String.annotations({ description: "the folder that it belongs to" })
    }).annotations({
      description: "the instance that was wished for; only when the working copy is given another one"
    }),
    { exact: true }
  ),
  not_preferred: Schema.optionalWith(
    Schema.Array(Schema.Struct({ service: Schema.String, prefer: Schema.Int })).annotations({
      description: "the services that were given another port than the one that they prefer"
    }),
    { exact: true }
  ),
  unseen: Schema.optionalWith(
    Schema.Boolean.annotations({
      description:
        "true where a working copy with an identity has a folder that is not there for the server, as for one in a sandbox"
    }),
    { exact: true }
  ),
  also_held: Schema.optionalWith(
    Schema.Array(Allocation).annotations({ description: "further ports of the services that were given a new one" }),
    { exact: true }
  )
}).annotations({ identifier: "EnsureResult" })
/** The ports of a project's services. */
export type EnsureResult = typeof EnsureResult.Type
