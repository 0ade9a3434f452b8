import { PortServerClient } from "@port-server/domain/api/PortServerClient"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { realPath } from "./ComposeProjects.ts"
import type { NamedProject } from "./ProjectName.ts"

/** The Compose projects of the containers on this machine. */
export const projectsOfContainers: Effect.Effect<ReadonlyArray<NamedProject>, never, PortServerClient> = Effect.flatMap(
  PortServerClient,
  (client) =>
    Effect.map(Effect.option(client.containers()), (found) =>
      Option.toArray(found).flatMap(({ containers }) =>
        containers.flatMap(({ folder, project }) =>
          folder === undefined || project === undefined ? [] : [{ name: project, folder: realPath(folder) }]
        )
      )
    )
)
