import { dirname } from "node:path"
import { escapeControls } from "@port-server/domain/Name"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import { usualVariables } from "../project/UsualVariables.ts"
import { parse } from "./ComposeArguments.ts"
import * as ComposeConfig from "./ComposeConfig.ts"
import * as ComposeFiles from "./ComposeFiles.ts"
import * as ComposeProgram from "./ComposeProgram.ts"
import { servicesOf } from "./PortPlan.ts"
import { folderName } from "./ProjectName.ts"
import { publishedPorts, wantedOf } from "./PublishedPorts.ts"

const none = { held: new Set<string>(), others: new Set<string>(), prefix: "" }

/**
 * The services of the Compose file in a folder that publish ports and that a project file can have, each with its port
 * there; empty where there is no Compose file. Where Compose does not read it, a note says why.
 */
export const servicesIn = Effect.fnUntraced(function* (folder: string, env: Readonly<Record<string, string>>) {
  const paths = ComposeFiles.findDefault(folder)
  const [main = ""] = paths
  if (dirname(main) !== folder) return []
  const reading = Effect.gen(function* () {
    const program = yield* ComposeProgram.find(env)
    const args = parse([
      "--project-name",
      folderName(folder, ""),
      "--project-directory",
      folder,
      ...paths.flatMap((path) => ["-f", path])
    ])
    const model = yield* ComposeConfig.read(program, args, env, folder)
    const text = ComposeFiles.textOf({ folder, paths }, args, env)
    const wanted = wantedOf(publishedPorts(model, new Map(), text))
    const services = [...servicesOf(wanted, none)]
    const { reasons } = usualVariables(
      services.map(([, service]) => service),
      new Map()
    )
    for (const [service, reason] of reasons) {
      yield* Console.error(escapeControls(`note: service ${JSON.stringify(service)} is not in it, for ${reason}`))
    }
    return services.flatMap(([{ first, size }, service]) =>
      reasons.has(service) ? [] : [{ service, port: first, size }]
    )
  })
  return yield* Effect.catchAll(reading, ({ message }) =>
    Effect.as(Console.error(`note: the services of ${main} are not in it: ${message}`), [])
  )
})
