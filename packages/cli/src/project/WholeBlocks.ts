import type { RequestedService } from "@port-server/domain/Ensure"
import { escapeControls } from "@port-server/domain/Name"
import { servicesByName } from "@port-server/domain/ServiceSettings"
import * as Effect from "effect/Effect"
import { CliError } from "../errors/CliError.ts"
import type { Here } from "./ProjectContext.ts"

/** What to ask for: a block in place of one of its ports. */
export const withWholeBlocks = Effect.fnUntraced(function* (here: Here, asked: ReadonlyArray<RequestedService>) {
  const blocks = servicesByName(here.project?.contents.services ?? {})
  const added = new Set<string>()
  const services: Array<RequestedService> = []
  for (const each of asked) {
    const block = blocks.get(each.service) ?? each.service
    if (block === each.service) services.push(each)
    else if (each.port !== undefined) {
      const [name, whole] = [escapeControls(each.service), escapeControls(block)]
      return yield* CliError.make(`${name} is a port of the block ${whole}; name a port for ${whole}`)
    } else if (!added.has(block) && asked.every(({ service }) => service !== block)) {
      added.add(block)
      services.push({ service: block })
    }
  }
  return services
})
